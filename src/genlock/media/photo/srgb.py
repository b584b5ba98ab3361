"""From any kind of pixels to opaque sRGB with 8 bits; in rendering children only."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageStat

_WHITE, _CHARCOAL = (255, 255, 255), (34, 34, 38)
_BRIGHT = 215
_SRGB, _LAB = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def has_transparency(image: Image.Image) -> bool:
    """Whether some pixels may be see-through."""
    return "A" in image.mode or "a" in image.mode or "transparency" in image.info


def plain(image: Image.Image) -> Image.Image:
    """The same picture as L, RGB, RGBA, CMYK or LAB, all of which can be scaled."""
    if has_transparency(image):
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode.startswith("I"):
        return _from_deep(image)
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def as_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Flattened and converted from its profile; what could not be done is noted."""
    if image.mode == "RGBA":
        image = _flattened(image)
    if image.mode == "LAB":  # says by itself what its colours are
        return ImageCms.profileToProfile(image, _LAB, _SRGB, _INTENT, "RGB") or image
    converted = _converted(image, profile, notes) if profile else None
    return converted or image.convert("RGB")


def describe(profile: bytes | None) -> str | None:
    """The name of an ICC profile; None if there is none that can be read."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else None
        return ImageCms.getProfileDescription(opened).strip() if opened else None
    except (ImageCms.PyCMSError, OSError):
        return None


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits to 8, keeping the range that the format has, not what the picture uses."""
    values = np.asarray(image)
    shift = 8 if image.mode.startswith("I;16") else _shift(int(values.max()))
    return Image.fromarray((values >> shift).clip(0, 255).astype(np.uint8))


def _shift(highest: int) -> int:
    """By how many bits whole numbers of 32 bits exceed 8: such files do not say what stands for white."""
    return 0 if highest < 1 << 8 else 8 if highest < 1 << 16 else 23


def _flattened(image: Image.Image) -> Image.Image:
    """On white, as products are shown; on charcoal if what is there is itself nearly white."""
    alpha = image.getchannel("A")
    grey = ImageStat.Stat(image.convert("L"), mask=alpha.point(lambda value: 255 * (value > 127)))
    bright = bool(grey.count[0]) and grey.mean[0] > _BRIGHT
    ground = Image.new("RGB", image.size, _CHARCOAL if bright else _WHITE)
    ground.paste(image.convert("RGB"), mask=alpha)
    return ground


def _converted(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, _SRGB, _INTENT, "RGB", flags=_FLAGS)
    except (ImageCms.PyCMSError, OSError) as error:
        notes.append(f"its colour profile cannot be used ({error}); plain colours are assumed")
        return None
