"""Trying words and logos before anything is rendered with them; in rendering children only."""

from __future__ import annotations

import hashlib

from PIL import Image

from genlock.errors import BadPicture
from genlock.media.film.draft import draft
from genlock.media.film.motion import Picture
from genlock.media.operation import Progress, operation
from genlock.media.photo.header import DECODING, open_picture
from genlock.media.text.request import CaptionsSet, ImportedLogo, ImportLogo, SetCaptions
from genlock.media.text.setting import set_caption


@operation("set_captions")
def set_captions(request: SetCaptions, progress: Progress) -> CaptionsSet:
    """Set every caption once."""
    for number, caption in enumerate(request.captions, 1):
        set_caption(caption, request.size)
        progress(number / len(request.captions), f"{number} of {len(request.captions)} captions")
    return CaptionsSet(captions=len(request.captions))


@operation("import_logo")
def import_logo(request: ImportLogo, progress: Progress) -> ImportedLogo:
    """Write the working copy of a logo."""
    opened = open_picture(request.path, request.name, request.pixels)
    with opened.image as found:
        try:
            image = found.convert("RGBA")
        except DECODING as error:
            raise BadPicture(f"the logo {request.name} is damaged or cut off: {error}") from error
    box = image.getchannel("A").getbbox()
    if box is None:
        raise BadPicture(f"the logo {request.name} is transparent all over: there is nothing to be seen")
    image = image.crop(box)
    image.thumbnail((request.side, request.side), Image.Resampling.LANCZOS)
    with draft(request.to) as path:
        image.save(path, "PNG")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    progress(1.0, f"took in {request.name}")
    return ImportedLogo(
        picture=Picture(sha256=sha256, width=image.width, height=image.height), path=request.to
    )
