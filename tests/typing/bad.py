"""Wirings a type checker must refuse: the marked lines and no others.

Each mark names mypy's error code; basedpyright must find something on the same lines. Never imported.
"""

from __future__ import annotations

from good import Clip, Film, Order, Plan, combine, compose, gather, make_clip, plan_film, short, split

from genlock import Retry, minutes, pipeline, stage


@pipeline
def wrong_values(order: Order) -> Film:
    plan = plan_film(order)
    plan_film(plan)  # error: arg-type
    plan_film()  # error: call-arg
    plan_film(order, 3, 4)  # error: call-arg
    plan_film(order, cuont=3)  # error: call-arg
    plan_film(order, "three")  # error: arg-type
    compose(plan.tempo)  # error: arg-type
    print(plan.shot)  # error: attr-defined
    clips = make_clip.map(plan.shots, "warm")
    combine(plan.shots, compose(plan))  # error: arg-type
    combine(clips, clips)  # error: arg-type
    return combine(clips, None).uri  # error: return-value


@pipeline
def wrong_maps(order: Order) -> Film:
    plan = plan_film(order)
    make_clip.map(plan.tempo, "warm")  # error: call-overload
    make_clip.map([order], "warm")  # error: list-item
    make_clip.map(plan.shots)  # error: call-overload
    make_clip.map(plan.shots, 3)  # error: call-overload
    make_clip.map(plan.shots, stile="warm")  # error: call-overload
    make_clip.map(plan.shots, "warm", need="all")  # error: call-overload
    make_clip.map(plan.shots, need=1)  # error: call-overload
    make_clip.map(plan.shots, 3, need=1)  # error: call-overload
    some = make_clip.map(plan.shots, "warm", need=1)
    combine(some, None)  # error: arg-type
    short.map(order)  # error: call-overload
    short.map([plan])  # error: list-item
    return make_clip.map(plan.shots, "warm")  # error: return-value


@pipeline
def wrong_gates(order: Order) -> Film:
    plan = plan_film(order)
    compose.when(order)(plan)  # error: arg-type
    compose.when(order.with_audio)(order)  # error: arg-type
    music = compose.when(order.with_audio)(plan)
    combine([music], None)  # error: list-item
    maybe = make_clip.when(order.with_audio).map(plan.shots, "warm")
    combine(maybe, None)  # error: arg-type
    film = short.when(True)(order)
    gather([film])  # error: list-item
    return short.when(True)(order)  # error: return-value


@pipeline
def wrong_nesting(topic: str) -> Clip:
    short(topic)  # error: arg-type
    short(split(topic))  # error: arg-type
    return short.map(split(topic))  # error: return-value


@stage  # error: arg-type
def not_async(order: Order) -> Plan:
    raise NotImplementedError


@stage(resource={"cpu": 1})  # error: call-overload
async def unknown_option(order: Order) -> Plan:
    raise NotImplementedError


@stage(timeout=30)  # error: call-overload
async def bare_number(order: Order) -> Plan:
    raise NotImplementedError


@stage(timeout=minutes(1), retry=Retry(on=3))  # error: arg-type
async def retry_on_nothing(order: Order) -> Plan:
    raise NotImplementedError


short.encode_inputs("sea")  # error: arg-type
