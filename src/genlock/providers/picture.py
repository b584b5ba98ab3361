"""Getting a picture to a vendor by the first way that works: along, by its upload, from our server."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from genlock.errors import StoreError, Unsupported
from genlock.store.artifact import Artifact, Store

ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
PLACE = "inputs"  # under the public address, where vendors fetch pictures: /inputs/KEY/SHA256.jpg


@dataclass(frozen=True, slots=True)
class Ways:
    """How a vendor takes pictures: up to `inline` bytes of text in the request (0: not), by an `upload` of
    its own, from an address (`fetches`).
    """

    inline: int = 0
    upload: bool = False
    fetches: bool = True


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reads pictures from the store. `public_url` is where vendors reach our server, if they do."""

    store: Store
    public_url: str | None = None

    def check(self, vendor: str, ways: Ways, picture: Artifact) -> None:
        """`Unsupported` if there is no way to get it there, which says what would be one."""
        if picture.media_type not in ENDINGS:
            known = ", ".join(ENDINGS)
            raise Unsupported(f"{vendor} takes pictures as {known}, not as {picture.media_type}")
        if fits(ways, picture) or ways.upload or (ways.fetches and self.public_url):
            return
        why = f" of {picture.size} bytes, too many for a request," if ways.inline else ""
        raise Unsupported(
            f"{vendor} fetches a picture{why} from an address: set GENLOCK_PUBLIC_URL to where this server "
            "is reached from outside"
        )

    def address(self, picture: Artifact, key: str) -> str:
        """Where the vendor fetches it. The key is in the address: that it was fetched proves acceptance."""
        return f"{self.public_url}/{PLACE}/{key}/{picture.sha256}.{ENDINGS[picture.media_type]}"

    async def inline(self, picture: Artifact) -> str:
        """The picture as a data URI."""
        return f"data:{picture.media_type};base64,{await self.base64(picture)}"

    async def base64(self, picture: Artifact) -> str:
        """The picture's bytes as text."""
        return base64.b64encode(await self.bytes(picture)).decode()

    async def bytes(self, picture: Artifact) -> bytes:
        """`Unsupported` if it is not in the store any more: sent without it would be another request."""
        try:
            path = await self.store.path(picture)
            return await asyncio.to_thread(path.read_bytes)
        except (StoreError, OSError) as error:
            raise Unsupported(f"a picture of the request cannot be read: {error}") from error


def fits(ways: Ways, picture: Artifact) -> bool:
    """Whether it can go along in the request, as a data URI."""
    return len("data:image/jpeg;base64,") + 4 * -(-picture.size // 3) <= ways.inline
