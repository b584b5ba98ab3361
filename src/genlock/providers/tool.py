"""Makers of faces: what `provided()` looks up, and what an attempt turns into a face that pays for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from genlock.paid import Caller, Verify
from genlock.providers.catalog import Kind
from genlock.providers.faces import Chain, Face, LanguageModel, MusicModel, SpeechModel, VideoModel
from genlock.providers.registry import Providers

FaceT = TypeVar("FaceT", bound=Face)


@dataclass(frozen=True)
class Tool(Generic[FaceT]):
    """Makes faces of one class over these adapters, or over those that `named` finds; `verify` looks into
    what they make.
    """

    face: type[FaceT]
    chain: Chain
    verify: Verify | None = None
    named: Callable[[str], Chain] | None = None

    def meter(self, caller: Caller) -> FaceT:
        """The face for one attempt at one task."""
        return self.face(self.chain, caller, self.verify, self.named)


FACES: Mapping[Kind, type[Face]] = {
    Kind.VIDEO: VideoModel,
    Kind.MUSIC: MusicModel,
    Kind.SPEECH: SpeechModel,
    Kind.LANGUAGE: LanguageModel,
}


def tools(
    providers: Providers, verify: Mapping[Kind, Verify] | None = None, *, used: bool = True
) -> dict[type[Face], Tool[Any]]:
    """All makers of faces by the annotation that asks for them, as the settings have it. Those of a kind that
    is not bought make faces that say so. Where none is `used`, settings that do not fit are nobody's trouble.
    """
    checks = verify or {}
    return {
        face: Tool(
            face, providers.chain(kind) if used else [], checks.get(kind), partial(providers.chain, kind)
        )
        for kind, face in FACES.items()
    }
