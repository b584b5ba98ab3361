"""Make examples/photos/ and its credits in NOTICE from Debian's package lomiri-wallpapers-16.04.

    apt-get download lomiri-wallpapers-16.04
    dpkg-deb -x lomiri-wallpapers-16.04_*.deb wallpapers
    .venv/bin/python scripts/photos.py wallpapers

Each photograph is scaled, and from some a second view is cut: what a second shutter press a few
steps nearer would have given, so that the pair chooser has scenes to find. Two of the package's fifteen
pictures are left out because they show no scene (a texture and a colour gradient).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "examples" / "photos"
NOTICE = ROOT / "NOTICE"
PACKAGE = "lomiri-wallpapers-16.04"
VERSION = "20.04.0-2"
LONG_SIDE = 1920
QUALITY = 85
MARK = "Example photographs\n"


@dataclass(frozen=True)
class View:
    """A nearer view: the crop's centre and width as shares of the picture, and its exposure."""

    x: float
    y: float
    width: float
    exposure: float


@dataclass(frozen=True)
class Photo:
    """One picture of the package, what it is called here, and whom to thank."""

    name: str
    original: str
    title: str
    author: str
    licence: str
    second: View | None = None


BOLLY = '"Bolly"'
FREESPACE = 'Trevor "Freespace"'
AITZOL = "Aitzol Berasategi"
PETER = "Peter Nerlich"

ALBUM = (
    Photo(
        "autumn-meadow",
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        "aitzgorri",
        AITZOL,
        "CC-BY-4.0",
        View(0.57, 0.44, 0.74, 1.06),
    ),
    Photo("bridge-cables", "Bridge_by_Sander_Klootwijk.jpg", "Bridge", "Sander Klootwijk", "CC-BY-SA-4.0"),
    Photo(
        "dandelion",
        "seeding_by_Clements_Engelhardt.jpg",
        "seeding",
        "Clemens Engelhardt",
        "CC0-1.0",
        View(0.42, 0.46, 0.76, 0.94),
    ),
    Photo("dragonfly", "Dragonfly_by_Bolly.jpg", "Dragonfly", BOLLY, "CC-BY-SA-4.0"),
    Photo("drum-and-wine", "Wine_by_Jakkub_Mede.jpg", "Wine", "Jakub Mede", "CC-BY-4.0"),
    Photo(
        "fig-in-bowl",
        "Picture_0B_by_freespace.jpg",
        "Picture 0B",
        FREESPACE,
        "CC-BY-4.0",
        View(0.57, 0.52, 0.75, 1.05),
    ),
    Photo(
        "forest-stream",
        "life_by_Aitzol_Berasategi.jpg",
        "life",
        AITZOL,
        "CC-BY-4.0",
        View(0.46, 0.56, 0.72, 1.08),
    ),
    Photo("lamp-and-bird", "free_by_Peter_Nerlich.jpg", "free", PETER, "CC-BY-SA-4.0"),
    Photo(
        "mountain-path",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "picosdeeuropa",
        AITZOL,
        "CC-BY-4.0",
        View(0.53, 0.46, 0.76, 1.05),
    ),
    Photo("paint-brushes", "Picture_1A_by_freespace.jpg", "Picture 1A", FREESPACE, "CC-BY-4.0"),
    Photo(
        "summit-sunset",
        "sunset_by_Aitzol_Berasategi.jpg",
        "sunset",
        AITZOL,
        "CC-BY-4.0",
        View(0.55, 0.54, 0.74, 0.92),
    ),
    Photo(
        "two-dogs",
        "friends_by_Aitzol_Berasategi.jpg",
        "friends",
        AITZOL,
        "CC-BY-4.0",
        View(0.48, 0.42, 0.72, 1.05),
    ),
    Photo("wall-clock", "greentock_by_Peter_Nerlich.jpg", "greentock", PETER, "CC-BY-SA-4.0"),
)


def main() -> None:
    """Write the pictures, then the credits with their hashes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", type=Path, help="the folder the package was unpacked to")
    backgrounds = parser.parse_args().package / "usr" / "share" / "backgrounds"
    if not backgrounds.is_dir():
        sys.exit(f"{backgrounds} is not there: unpack {PACKAGE} first, as the top of this script says")
    PHOTOS.mkdir(parents=True, exist_ok=True)
    credit([entry for photo in ALBUM for entry in develop(photo, backgrounds)])


def develop(photo: Photo, backgrounds: Path) -> list[str]:
    """Write one photograph and its second view; the answer is their credits."""
    with Image.open(backgrounds / photo.original) as opened:
        # None of the originals carries a colour profile, so sRGB is what they are taken for.
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    entries = [entry(photo, write(picture, photo.name), "scaled")]
    if photo.second is not None:
        near = cut(picture, photo.second)
        changes = "a part cut out, exposure changed slightly, scaled"
        entries.append(entry(photo, write(near, f"{photo.name}-near"), changes))
    return entries


def cut(picture: Image.Image, view: View) -> Image.Image:
    """The part of the picture that a camera nearer to it would see, exposed a little differently."""
    width, height = (round(side * view.width) for side in picture.size)
    left = round(min(max(picture.width * view.x - width / 2, 0), picture.width - width))
    top = round(min(max(picture.height * view.y - height / 2, 0), picture.height - height))
    part = picture.crop((left, top, left + width, top + height))
    return ImageEnhance.Brightness(part).enhance(view.exposure)


def write(picture: Image.Image, name: str) -> Path:
    """Save at most LONG_SIDE pixels wide or high (never enlarged), without any metadata."""
    small = picture.copy()
    small.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    small.info.clear()
    path = PHOTOS / f"{name}.jpg"
    small.save(path, quality=QUALITY, optimize=True, progressive=False)
    return path


def entry(photo: Photo, path: Path, changes: str) -> str:
    """One picture's credit as NOTICE prints it."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f"File:    {path.relative_to(ROOT).as_posix()}\n"
        f"Title:   {photo.title}\n"
        f"Author:  {photo.author}\n"
        f"Licence: {photo.licence}\n"
        f"Source:  {PACKAGE} {VERSION}, {photo.original}\n"
        f"Changes: {changes}\n"
        f"SHA256:  {sha256}\n"
    )


def credit(entries: list[str]) -> None:
    """Put the credits in the place of those that NOTICE has after its last paragraph."""
    text = NOTICE.read_text(encoding="utf-8")
    if MARK not in text:
        sys.exit(f"NOTICE has no section {MARK.strip()!r} to put the credits in")
    preamble = re.split(r"^File: ", text, maxsplit=1, flags=re.MULTILINE)[0].rstrip("\n")
    NOTICE.write_text(preamble + "\n\n" + "\n".join(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
