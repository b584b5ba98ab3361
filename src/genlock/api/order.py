"""What somebody may order: pictures of the library by their ids, files of this server only as an admin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from genlock.api.caller import Caller
from genlock.api.dependency import Services
from genlock.api.wire import Body
from genlock.engine.declare import Pipeline
from genlock.engine.purse import CAP, SCHEDULE
from genlock.errors import BadInput, Forbidden, NotFound, Unsupported
from genlock.money import Money
from genlock.pipelines.reference import WRITTEN, exchanged, is_path, with_paths
from genlock.pipelines.script import script

EMBEDDED = "embedded"
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

    async def open_field(field: str, names: list[str]) -> Sequence[str]:
        if field == WRITTEN:
            return _written(names, caller)
        return await open_photos(services, names, caller)

    return await exchanged(known, params, open_field)


async def open_photos(services: Services, photos: Sequence[str], caller: Caller) -> list[str]:
    """Paths of pictures that are named by their ids in the library; admins may name files of this server."""
    if any(map(is_path, photos)) and not caller.admin:
        raise Forbidden(
            "files of this server are named by admins alone: upload the picture (POST /api/v3/assets) and "
            "name the asset by its id"
        )

    async def paths(assets: Sequence[str]) -> Sequence[object]:
        if services.library is None:
            raise BadInput(f"{assets[0]!r} is no absolute path, and there is no library here with assets")
        return await services.library.paths(assets, caller.reach)

    return await with_paths(photos, paths)


def _written(names: list[str], caller: Caller) -> list[str]:
    if not caller.admin:
        raise Forbidden("where a copy is written on this server is said by admins alone: leave `output` out")
    return names
