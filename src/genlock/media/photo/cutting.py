"""Cutting a picture to the shape of a frame, for makers of footage; in rendering children only."""

from __future__ import annotations

from PIL import Image

from genlock.errors import RenderRefused
from genlock.media.film.draft import draft
from genlock.media.operation import Progress, operation
from genlock.media.request import CutOut, CutPicture

_QUALITY = 95


@operation("cut_picture")
def cut(request: CutPicture, progress: Progress) -> CutOut:
    """Write the part; the same bytes each time, for what is asked of a provider must not change."""
    try:
        with Image.open(request.path) as whole:
            whole.load()
    except OSError as error:
        raise RenderRefused(f"{request.path.name} is no working copy of a picture: {error}") from error
    progress(0.5, "cutting a picture")
    left, top, right, bottom = request.box
    box = (left * whole.width, top * whole.height, right * whole.width, bottom * whole.height)
    part = whole.convert("RGB").resize(request.size, Image.Resampling.LANCZOS, box=box)
    with draft(request.to) as path:
        part.save(path, "JPEG", quality=_QUALITY, subsampling=0)
    return CutOut(path=request.to, width=part.width, height=part.height, bytes=request.to.stat().st_size)
