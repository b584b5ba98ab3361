"""Which parameters of a pipeline name files, and what stands there instead: an asset's id becomes a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from genlock.engine.declare import Pipeline
from genlock.media.photo.source import from_text
from genlock.pipelines.models import AbsolutePath

WRITTEN = "output"  # the field that names where a copy is written: no asset will do

Exchange = Callable[[str, list[str]], Awaitable[Sequence[str]]]
"""Given a field and the names in it, as many names to stand there instead."""

Paths = Callable[[Sequence[str]], Awaitable[Sequence[object]]]
"""Given ids of assets, the paths of their files; `NotFound` names the first that is not there."""


async def exchanged(
    pipeline: Pipeline[..., Any], params: Mapping[str, Any], exchange: Exchange
) -> dict[str, Any]:
    """The parameters with other names for files. What is no name its pipeline refuses."""
    found = dict(params)
    for name, kind in pipeline.contract.kinds.items():
        fields = dict(_files_of(kind))
        if not fields:
            continue
        inside = isinstance(found.get(name), Mapping)
        given = dict(found[name]) if inside else found
        for field, single in fields.items():
            given |= await _field(field, given.get(field), exchange, single=single)
        if inside:
            found[name] = given
    return found


def opener_of(
    pipelines: Mapping[str, Pipeline[..., Any]], paths: Paths
) -> Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]:
    """What puts files in the place of assets in a pipeline's parameters, without asking whose they are: for
    what was planned, of which that was asked then.
    """

    async def opened(field: str, names: list[str]) -> Sequence[str]:
        return names if field == WRITTEN else await with_paths(names, paths)

    async def open_all(pipeline: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        known = pipelines.get(pipeline)
        return params if known is None else await exchanged(known, params, opened)

    return open_all


async def with_paths(names: Sequence[str], paths: Paths) -> list[str]:
    """The names with `paths` of assets in the place of their ids; what is a path already stays one."""
    assets = [each for each in dict.fromkeys(names) if not is_path(each)]
    places = dict(zip(assets, map(str, await paths(assets)), strict=True)) if assets else {}
    return [places.get(each, each) for each in names]


def is_path(name: str) -> bool:
    """Whether it names a file of this machine, by a path or a `file:` address; else it is an asset's id."""
    return from_text(name).is_absolute()


async def _field(name: str, value: Any, exchange: Exchange, *, single: bool) -> dict[str, Any]:
    names = [value] if single else value
    if value is None or not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        return {}
    found = list(await exchange(name, names))
    return {name: found[0] if single else found}


def _files_of(kind: Any) -> Iterator[tuple[str, bool]]:
    """The fields of an order that name files, and whether each names a single one."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return
    for name, field in kind.model_fields.items():
        shape = field.annotation
        if get_origin(shape) is list and _is_file(*get_args(shape)):
            yield name, False
        elif get_origin(shape) in (Union, UnionType) and any(
            _is_file(one) for one in get_args(shape) if one is not NoneType
        ):
            yield name, True


def _is_file(kind: Any) -> bool:
    wanted: object = AbsolutePath
    return bool(kind == wanted)
