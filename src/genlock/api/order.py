"""What somebody may order: pictures of the library by their ids, files of this server only as an admin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field

from genlock.api.caller import Caller
from genlock.api.dependency import Services
from genlock.api.wire import Body
from genlock.engine.declare import Pipeline
from genlock.engine.purse import CAP, SCHEDULE
from genlock.errors import BadInput, Forbidden, NotFound, Unsupported
from genlock.media.photo.source import from_text
from genlock.money import Money
from genlock.pipelines.models import AbsolutePath
from genlock.pipelines.script import script

EMBEDDED = "embedded"
WRITTEN = "output"  # the field that names where a copy is written: no asset will do
NewId = Annotated[  # one that a path can have in it
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\s./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$",
        examples=["spring-2027"],
    ),
]
Executor = Annotated[
    str | None, Field(max_length=40, description="who runs the tasks; this version has `embedded`")
]


class CapsOrder(Body):
    """What a job may spend at most, as `2.50` or `2.50 EUR`; its tasks wait when that is not enough."""

    job: str = Field(max_length=40, examples=["5.00 USD"])


def check_executor(executor: str | None) -> None:
    """`Unsupported` for an executor that this version does not have: nothing runs elsewhere unsaid."""
    if executor not in (None, EMBEDDED):
        raise Unsupported(f"there is no executor {executor!r} in this version: {EMBEDDED} runs every job")


def labels_of(labels: Mapping[str, Any], caps: CapsOrder | None, caller: Caller) -> dict[str, Any]:
    """A job's labels, with its cap among them. `BadInput` for a cap that is no amount of money."""
    found = {**labels, CAP: caps.job} if caps else dict(labels)
    if CAP in found:
        Money.parse(str(found[CAP]))
        found[CAP] = str(found[CAP])
    if SCHEDULE in found and not caller.admin:
        raise Forbidden(f"the label {SCHEDULE!r} says whose budget is spent: schedules and admins set it")
    return found


def pipeline_of(services: Services, name: str) -> Pipeline[..., Any]:
    """The pipeline of this name; `NotFound` with those there are."""
    found = services.pipelines.get(name)
    if found is None:
        raise NotFound(f"there is no pipeline {name!r}; there are: {', '.join(sorted(services.pipelines))}")
    return found


async def open_params(
    services: Services, pipeline: str, params: Mapping[str, Any], caller: Caller
) -> dict[str, Any]:
    """The parameters with assets in the place of their ids. `Forbidden` for files of this server."""
    if pipeline == script.name and not caller.admin:
        raise Forbidden("scripts of this server are run by admins alone")
    known = services.pipelines.get(pipeline)
    if known is None:
        return dict(params)
    found = dict(params)
    for name, kind in known.contract.kinds.items():
        fields = dict(_files_of(kind))
        if not fields:
            continue
        inside = isinstance(found.get(name), Mapping)
        given = dict(found[name]) if inside else found
        for field, single in fields.items():
            if given.get(field) is not None:
                given[field] = await _opened(services, field, given[field], caller, single=single)
        if inside:
            found[name] = given
    return found


async def open_photos(services: Services, photos: Sequence[str], caller: Caller) -> list[str]:
    """Paths of pictures that are named by their ids in the library; admins may name files of this server."""
    places: dict[str, str] = {}
    assets = [each for each in dict.fromkeys(photos) if not from_text(each).is_absolute()]
    if len(assets) < len(set(photos)) and not caller.admin:
        raise Forbidden(
            "files of this server are named by admins alone: upload the picture (POST /api/v3/assets) and "
            "name the asset by its id"
        )
    if assets:
        if services.library is None:
            raise BadInput(f"{assets[0]!r} is no absolute path, and there is no library here with assets")
        paths = await services.library.paths(assets, caller.reach)
        places = {asset: str(path) for asset, path in zip(assets, paths, strict=True)}
    return [places.get(each, each) for each in photos]


async def _opened(services: Services, field: str, value: Any, caller: Caller, *, single: bool) -> Any:
    if field == WRITTEN:
        if not caller.admin:
            raise Forbidden(
                "where a copy is written on this server is said by admins alone: leave `output` out"
            )
        return value
    names = [value] if single else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        return value  # its pipeline says what does not fit
    opened = await open_photos(services, names, caller)
    return opened[0] if single else opened


def _files_of(kind: Any) -> Iterator[tuple[str, bool]]:
    """The fields of an order that name files, and whether each names a single one."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return
    for name, field in kind.model_fields.items():
        shape = field.annotation
        if get_origin(shape) is list and _is_path(*get_args(shape)):
            yield name, False
        elif get_origin(shape) in (Union, UnionType) and any(
            _is_path(one) for one in get_args(shape) if one is not NoneType
        ):
            yield name, True


def _is_path(kind: Any) -> bool:
    wanted: object = AbsolutePath
    return bool(kind == wanted)
