"""Fetching a picture from an address that anybody may have named."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin

from genlock.errors import BadAddress, DiskFull, TooLarge
from genlock.library.address import IP, Address, Allowed, read_address, refusal

if TYPE_CHECKING:
    import ssl

    from genlock.library.door import Reply

REDIRECTS = 5
TRIED = 4  # of the numbers that a name stands for
BUFFER = 1 << 20
_MOVED = {301, 302, 303, 307, 308}
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Judge = Callable[[IP], str | None]  # why a number is not connected to


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched, where it came from in the end (without the query), and its bytes."""

    path: Path
    source: str
    size: int


async def look_up(host: str, port: int) -> Sequence[str]:
    """The numbers that a name stands for now, as this machine's resolver has it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class Fetcher:
    """Fetches files of at most `largest` bytes within `seconds`, from public addresses and those allowed.

    A name is resolved once, all its numbers are judged, and one of those very numbers is connected to: a
    name that stands for something else a moment later leads nowhere else. Every redirect is judged anew.
    """

    def __init__(
        self,
        *,
        largest: int,
        seconds: float,
        allowed: Allowed | None = None,
        resolve: Resolve = look_up,
        judge: Judge = refusal,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._largest, self._seconds = largest, seconds
        self._allowed, self._resolve, self._judge = allowed or Allowed(), resolve, judge
        self._tls = tls

    async def fetch(self, url: str, to: Path) -> Fetched:
        """Write what is there to `to`. `BadAddress` says why it is not fetched, `TooLarge` how long it is."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url, to)
        except TimeoutError as error:
            raise BadAddress(f"nothing came within {self._seconds:g} s, or not all of it") from error

    async def _follow(self, url: str, to: Path) -> Fetched:
        for _ in range(REDIRECTS + 1):
            address = read_address(url, self._allowed)
            onward = await self._visit(address, await self._numbers(address), to)
            if isinstance(onward, Fetched):
                return onward
            url = onward
        raise BadAddress(f"the address is redirected more than {REDIRECTS} times")

    async def _numbers(self, address: Address) -> list[IP]:
        """What the name stands for, all of it fit to be connected to."""
        try:
            told = (
                [str(address.number)] if address.number else await self._resolve(address.host, address.port)
            )
            numbers = [ip_address(each) for each in told]
        except (OSError, ValueError, UnicodeError) as error:
            raise BadAddress(f"there is no {address.host}, or not at the moment") from error
        if not numbers:
            raise BadAddress(f"there is no {address.host}, or not at the moment")
        for number in numbers:
            why = None if self._allowed.covers(address) else self._judge(number)
            if why:
                raise BadAddress(
                    f"{address.host} stands for {number}, {why}: only public addresses are fetched from"
                )
        return numbers[:TRIED]

    async def _visit(self, address: Address, numbers: Sequence[IP], to: Path) -> Fetched | str:
        """What was fetched, or where it has moved to; of several numbers the first that can be reached."""
        from genlock.library.door import knock  # most homes never fetch anything

        fault: BadAddress | None = None
        for number in numbers:
            try:
                async with knock(address, number, self._context()) as reply:
                    return await self._take(address, reply, to)
            except BadAddress as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                fault = error
        assert fault is not None
        raise fault

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()
        return self._tls

    async def _take(self, address: Address, reply: Reply, to: Path) -> Fetched | str:
        place = reply.headers.get("location")
        if reply.status in _MOVED and place:
            return urljoin(address.bare, place)
        if reply.status != 200:
            raise BadAddress(f"{address.authority} answered with status {reply.status}, not with a picture")
        if reply.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadAddress(f"{address.authority} packed its answer although it was asked not to")
        length = reply.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._largest:
            raise self._too_large(address)
        with to.open("wb") as file:
            size = await self._save(address, reply.body, file)
        return Fetched(to, address.bare, size)

    async def _save(self, address: Address, body: AsyncIterator[bytes], file: BinaryIO) -> int:
        size, buffer = 0, bytearray()
        async for chunk in body:
            size += len(chunk)
            if size > self._largest:
                raise self._too_large(address)
            buffer += chunk
            if len(buffer) >= BUFFER:
                await self._write(file, buffer)
        await self._write(file, buffer)
        return size

    async def _write(self, file: BinaryIO, buffer: bytearray) -> None:
        """Told apart from what goes wrong with the other side."""
        try:
            await asyncio.to_thread(file.write, bytes(buffer))
        except OSError as error:
            raise DiskFull(f"what was fetched cannot be written: {error.strerror}") from error
        buffer.clear()

    def _too_large(self, address: Address) -> TooLarge:
        return TooLarge(
            f"{address.authority} sends more than {self._largest / 1e6:g} MB, the most that is fetched"
        )
