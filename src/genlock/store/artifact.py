"""What an artifact is, and what any store of artifacts can do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field


class Artifact(BaseModel):
    """A file named by its SHA-256 (64 hex digits); this reference is what travels between stages."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="bytes")
    media_type: str


@dataclass(frozen=True, slots=True)
class Freed:
    """What cleaning took away."""

    files: int
    size: int


class Store(Protocol):
    """Keeps artifacts. What `put` answered is on disk and survives power loss."""

    async def put(self, path: Path, media_type: str, *, move: bool = False) -> Artifact:
        """Take a file in; with `move` the original is gone afterwards. `StoreError` if it cannot be read."""
        ...

    async def path(self, artifact: Artifact) -> Path:
        """A local file with the artifact's bytes, to be read only. `StoreError` if it is not whole."""
        ...

    async def called(self, sha256: str) -> Path | None:
        """A local file with the bytes of this hash, to be read only; None if there is none here."""
        ...

    async def bind(self, name: str, artifact: Artifact) -> None:
        """Remember that what is called `name` (the hash of how it was made) is this artifact."""
        ...

    async def find(self, name: str) -> Artifact | None:
        """The artifact bound to `name`, if there is one and its file is still whole."""
        ...

    async def export(self, artifact: Artifact, to: Path) -> Path:
        """Copy an artifact to a place of the user's; the file there is replaced whole or not at all."""
        ...

    async def clean(self, keep: Collection[str], *, dry_run: bool = False) -> Freed:
        """Remove artifacts whose SHA-256 is not in `keep`, and names bound to them."""
        ...

    def free_share(self) -> float:
        """How much of the disk is free, 0..1."""
        ...
