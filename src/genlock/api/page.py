"""Pages of lists: what was asked for and does not exist is refused, and where the next page is is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from genlock.api.wire import PREFIX
from genlock.errors import BadInput, NotFound
from genlock.ledger.records import page_lost

OLDER = (f"{PREFIX}/luigi/", f"{PREFIX}/hooks/")  # asked by programs that are not ours, as they always did


async def check_query(request: Request) -> None:
    """`BadInput` for a parameter that a route of today's API does not know: misspelt, it would narrow nothing
    down, and everything would be taken for what was looked for.
    """
    asked = request.query_params.keys()
    if not asked or not request.url.path.startswith(f"{PREFIX}/") or request.url.path.startswith(OLDER):
        return
    route: APIRoute = request.scope["route"]
    known = set(_queried(route.dependant))
    if strange := sorted(set(asked) - known):
        there = ", ".join(sorted(known)) or "none"
        raise BadInput(f"there is no parameter {strange[0]!r} here; there are: {there}")


def _queried(needs: Dependant) -> Iterator[str]:
    yield from (field.alias for field in needs.query_params)
    for each in needs.dependencies:
        yield from _queried(each)


async def check_cursor(
    after: str | None, page: Sequence[Any], look: Callable[[str], Awaitable[object]]
) -> None:
    """`BadInput` for an `after` that is not there any more: an empty page would look like the list's end."""
    if after is None or page:
        return
    try:
        await look(after)
    except NotFound as error:
        raise page_lost(after) from error


def linked(
    request: Request, response: Response, found: Sequence[Any], limit: int, name: str
) -> Sequence[Any]:
    """The page, of which one more was asked for than it has. `Link` names the next one, if there is one."""
    page = found[:limit]
    if len(found) > limit:
        query = [each for each in request.query_params.multi_items() if each[0] not in ("after", "limit")]
        more = urlencode([*query, ("after", getattr(page[-1], name)), ("limit", limit)])
        response.headers["Link"] = f'<{request.url.path}?{more}>; rel="next"'
    return page
