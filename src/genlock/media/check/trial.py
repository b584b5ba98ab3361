"""What is asked of a child to see whether films can be made here at all."""

from __future__ import annotations

from genlock.media.operation import Request, Value


class Encoded(Value):
    """A film of a few black frames: how many, and how many bytes they came to, sound included."""

    frames: int
    size: int


class TryEncoder(Request[Encoded]):
    """`try_encoder`: start the encoders of picture and sound. `RenderRefused` if one is missing."""
