"""The simulator's own routes, below `/_`: its book is read there, and it is told how to behave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from genlock.errors import BadInput
from genlock.testing.simulator.fault import Fault
from genlock.testing.simulator.price import Rate
from genlock.testing.simulator.studio import Studio
from genlock.testing.simulator.wire import Reply, Request, json_reply
from genlock.testing.simulator.world import World

_PACE = ("queue", "work", "lag")


def answer(world: World, request: Request) -> Reply:
    """What the desk says over HTTP."""
    try:
        body = json.loads(request.body) if request.body else None
        return json_reply(ask(world, request.method, request.path, body))
    except (BadInput, ValueError) as error:
        return json_reply({"error": str(error)}, 400)


def ask(world: World, method: str, path: str, body: Any = None) -> Any:
    """What the desk says: JSON for JSON. `BadInput` for what it does not know or cannot do."""
    found = ROUTES.get((method, path))
    if found is None:
        known = ", ".join(f"{method} {path}" for method, path in ROUTES)
        raise BadInput(f"{method} {path} is none of {known}")
    try:
        return found(world, body)
    except (TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{method} {path} cannot use {body!r}: {error!r}") from error


def _index(world: World, body: Any) -> Any:
    del body
    return {
        "vendors": {name: world.origin(vendor) for name, vendor in world.vendors.items()},
        "keys": {name: vendor.secret for name, vendor in world.vendors.items()},
        "now": world.timeline.now(),
        "scale": world.timeline.scale,
        **{name: getattr(world, name) for name in _PACE},
        **asdict(world.studio),
    }


def _book(world: World, body: Any) -> Any:
    del body
    for vendor in world.vendors.values():
        world.settle(vendor)
    book = world.book
    return {
        "requests": [asdict(receipt) for receipt in book.requests],
        "charges": [asdict(charge) for charge in book.charges],
        "reports": [asdict(report) for report in book.reports],
        "jobs": [job.progress() for vendor in world.vendors.values() for job in vendor.yard],
    }


def _misbehave(world: World, body: Any) -> Any:
    faults = [Fault.read(one) for one in (body if isinstance(body, list) else [body])]
    unknown = {fault.vendor for fault in faults} - {"*", *world.vendors}
    if unknown:
        raise BadInput(f"no vendor is called {', '.join(sorted(unknown))}: {', '.join(world.vendors)}")
    for fault in faults:
        world.mischief.set(fault, world.timeline.now())
    return {"set": len(faults)}


def _behave(world: World, body: Any) -> Any:
    del body
    world.mischief.clear()
    return {"set": 0}


def _reset(world: World, body: Any) -> Any:
    del body
    world.reset()
    return {}


def _clock(world: World, body: Any) -> Any:
    timeline = world.timeline
    content: Mapping[str, float] = body or {}
    _only(content, ("at", "advance", "scale"))
    at = content.get("at", timeline.now()) + content.get("advance", 0.0)
    timeline.set(at=at, scale=content.get("scale"))
    for vendor in world.vendors.values():
        world.settle(vendor)
    return {"now": timeline.now(), "scale": timeline.scale}


def _prices(world: World, body: Any) -> Any:
    for name, rate in (body or {}).items():
        world.prices.set(name, Rate(**rate))
    return world.prices.written()


def _credit(world: World, body: Any) -> Any:
    for name, amount in body.items():
        if name not in world.vendors:
            raise BadInput(f"no vendor is called {name}: {', '.join(world.vendors)}")
        if amount is None:
            world.credit.pop(name, None)
        else:
            world.credit[name] = int(amount)
    return world.credit


def _say(world: World, body: Any) -> Any:
    _only(body, ("text", "where"))
    world.script.add(str(body["text"]), str(body.get("where", "")))
    return {}


def _shut(world: World, body: Any) -> Any:
    assert world.listener is not None
    world.listener.shut(float(body["seconds"]))
    return {}


def _tune(world: World, body: Any) -> Any:
    studio = [field.name for field in fields(Studio)]
    _only(body, (*_PACE, *studio, "slots"))
    for name in _PACE:
        if name in body:
            setattr(world, name, float(body[name]))
    world.studio = replace(world.studio, **{name: body[name] for name in studio if name in body})
    for name, slots in body.get("slots", {}).items():
        world.vendors[name].yard.slots = slots
    world.timeline.stir()
    return _index(world, None)


def _only(content: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = set(content) - set(names)
    if unknown:
        raise BadInput(f"{', '.join(sorted(unknown))}: none of {', '.join(names)}")


ROUTES: dict[tuple[str, str], Callable[[World, Any], Any]] = {
    ("GET", "/_"): _index,
    ("GET", "/_book"): _book,
    ("POST", "/_misbehave"): _misbehave,
    ("DELETE", "/_misbehave"): _behave,
    ("POST", "/_reset"): _reset,
    ("GET", "/_clock"): _clock,
    ("POST", "/_clock"): _clock,
    ("GET", "/_prices"): _prices,
    ("POST", "/_prices"): _prices,
    ("POST", "/_credit"): _credit,
    ("POST", "/_say"): _say,
    ("POST", "/_shut"): _shut,
    ("POST", "/_tune"): _tune,
}
