"""Fetching what a vendor has made: whole, or not at all; never with a key that is another host's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

from genlock.errors import GenlockError, NotFound, Permanent, Transient
from genlock.paid import Remote
from genlock.providers.http import LOST, Door, Response

LARGEST = 2 << 30  # bytes: minutes of 4K video
LONGEST = 900.0  # seconds that one file may take
HOPS = 5
_GONE = {404, 410}
_EXPIRED = {400, 401, 403}  # a signed address whose time is over: the body says so, or it is something else
_WORDS = ("text/", "application/json", "application/xml")


async def download(door: Door, remote: Remote, to: Path) -> None:
    """Write the file to `to`, which appears whole. `Transient` while it may still work, `NotFound` once its
    address answers that it is gone.
    """
    if remote.url is None:
        raise NotFound(f"{door.vendor} gave no address for {remote.name}")
    part = to.with_name(to.name + ".part")
    fault: GenlockError
    try:
        async with asyncio.timeout(LONGEST):
            await _fetch(door, remote, remote.url, part)
        part.replace(to)
    except LOST as error:
        fault = Transient(f"{remote.name} of {door.vendor} did not arrive whole: {door.words(error)}")
    else:
        return
    finally:
        part.unlink(missing_ok=True)
    raise fault


async def _fetch(door: Door, remote: Remote, url: str, part: Path) -> None:
    for _ in range(HOPS):
        if not door.reachable(url):
            raise Permanent(f"{remote.name} of {door.vendor} is not fetched from {_bare(door, url)}")
        headers: Mapping[str, str] = remote.headers if door.own(url) else {}
        async with door.stream(url, headers) as response:
            if response.is_redirect:
                url = urljoin(url, response.headers.get("location", ""))
                continue
            await _check(door, remote, response)
            with part.open("wb") as file:
                await _save(door, remote, response, file)
            return
    raise Transient(f"{remote.name} of {door.vendor} is redirected without end")


async def _check(door: Door, remote: Remote, response: Response) -> None:
    status, kind = response.status_code, response.headers.get("content-type", "").lower()
    if status in _GONE or (status in _EXPIRED and b"expired" in (await _beginning(response)).lower()):
        raise NotFound(f"{remote.name} of {door.vendor} is gone ({status})")
    if status != 200:
        raise Transient(f"{remote.name} of {door.vendor} cannot be fetched now ({status})")
    if kind.startswith(_WORDS) and not remote.media_type.startswith(_WORDS):
        raise Transient(f"{door.vendor} answered with {kind} where {remote.media_type} was to be")


async def _beginning(response: Response) -> bytes:
    async for chunk in response.aiter_bytes(4096):
        return chunk
    return b""


async def _save(door: Door, remote: Remote, response: Response, file: BinaryIO) -> None:
    size = 0
    async for chunk in response.aiter_bytes(1 << 20):
        size += len(chunk)
        if size > LARGEST:
            raise Permanent(f"{remote.name} of {door.vendor} is longer than {LARGEST} bytes")
        await asyncio.to_thread(file.write, chunk)


def _bare(door: Door, url: str) -> str:
    return door.hide(url.partition("?")[0])
