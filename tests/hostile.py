"""Files that are no pictures, or pictures that nobody should open: all made here, nothing fetched."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

XLINK = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
PLAIN = ((258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1))  # grey of 8 bits, not packed
HTML = b"<html><script>alert(1)</script><img src=x onerror=alert(1)></html>"


def photo(size: tuple[int, int] = (320, 240), seed: int = 1) -> Image.Image:
    """A picture with something to see in every part of it."""
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """A picture as a file of this kind."""
    file = io.BytesIO()
    if kind == "AVIF":
        options["speed"] = 10
    (image or photo()).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, *, crc: int | None = None, size: int | None = None) -> bytes:
    """A chunk of a PNG; `crc` and `size` are what it says of itself."""
    told = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if size is None else size) + kind + data + struct.pack(">I", told)


def png(*chunks: bytes, width: int = 120, height: int = 80) -> bytes:
    """A PNG of these chunks behind its header."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def tiff(*entries: tuple[int, int, int, int], after: int = 0) -> bytes:
    """A TIFF with one directory of these entries, followed by the directory at `after`."""
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *each) for each in entries)
    return b"II*\0" + struct.pack("<I", 8) + table + struct.pack("<I", after) + bytes(64)


def archive() -> bytes:
    """A zip with a path that leads out of it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as inside:
        inside.writestr("../../evil.jpg", saved("JPEG"))
    return file.getvalue()


def bundle() -> bytes:
    """A tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as inside:
        inside.addfile(tarfile.TarInfo("a.jpg"))
    return file.getvalue()


def broken() -> Iterator[tuple[str, bytes]]:
    """Pictures that broke off, or are damaged in their middle."""
    for kind, name in (
        ("JPEG", "a.jpg"),
        ("PNG", "a.png"),
        ("WEBP", "a.webp"),
        ("TIFF", "a.tif"),
        ("BMP", "a.bmp"),
    ):
        data = saved(kind)
        yield f"half {name}", data[: len(data) // 2]
        yield f"head {name}", data[:40]
    yield "half a.jp2", saved("JPEG2000")[:60]
    yield "half a.avif", saved("AVIF")[:300]
    yield "half a.gif", saved("GIF")[:900]
    jpeg = saved("JPEG")
    yield "zeros.jpg", jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2)
    yield "markers.jpg", jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg[2:200]
    yield "no size.jpg", b"\xff\xd8\xff\xd9"
    yield "crc.png", png(chunk(b"IDAT", zlib.compress(bytes(361 * 80))[:40], crc=1), chunk(b"IEND", b""))
    yield "no pixels.png", png(chunk(b"IEND", b""))
    yield "short.png", png(chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b""))
    yield "garbage.png", png(chunk(b"IDAT", b"no zlib at all"), chunk(b"IEND", b""))
    yield "long chunk.png", png(chunk(b"IDAT", b"", size=2**31 - 1))
    strips = ((273, 4, 1, 0xFFFFFF), (278, 3, 1, 300), (279, 4, 1, 120_000))
    yield "strips.tif", tiff((256, 3, 1, 400), (257, 3, 1, 300), *PLAIN, *strips)
    yield "no size.tif", tiff((259, 3, 1, 1))
    yield "circle.tif", tiff((256, 3, 1, 90), (257, 3, 1, 90), after=8)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Little files that say they are huge, or become so."""
    yield "bomb.png", png(chunk(b"IDAT", zlib.compress(bytes(1 << 20))), width=60_000, height=60_000)
    yield "most.png", png(chunk(b"IEND", b""), width=2**31 - 1, height=2**31 - 1)
    text = zlib.compress(bytes(20 << 20), 1)
    yield "text.png", png(*(chunk(b"zTXt", b"a\0\0" + text) for _ in range(6)), chunk(b"IEND", b""))
    yield "bomb.gif", b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x80\0\0" + bytes(6) + b";"
    size = struct.pack(">BHHB", 8, 65_500, 65_500, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    yield "bomb.jpg", b"\xff\xd8\xff\xc0" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"
    yield "bomb.webp", _webp(16_383, 16_383)
    yield (
        "bomb.bmp",
        b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    strips = ((273, 4, 1, 8), (278, 4, 1, 200_000), (279, 4, 1, 9))
    yield "bomb.tif", tiff((256, 4, 1, 200_000), (257, 4, 1, 200_000), *PLAIN, *strips)
    yield "ribbon.png", saved("PNG", Image.new("RGB", (9000, 70)))
    yield "dot.png", saved("PNG", Image.new("RGB", (1, 1)))
    yield "icon.png", saved("PNG", Image.new("RGB", (32, 32)))


def _webp(width: int, height: int) -> bytes:
    header = b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    frame = struct.pack("<I", (1 << 4) | (10 << 5))[:3] + header + bytes(20)
    return b"RIFF" + struct.pack("<I", len(frame) + 12) + b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame


def disguised(canary: str, door: str) -> Iterator[tuple[str, bytes]]:
    """What is no picture under the name of one; what can name another file names the canary and the door."""
    entity = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{canary}"><!ENTITY y SYSTEM "{door}">]>'
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    texts = {
        "entity.jpg": f'<?xml version="1.0"?>{entity}<svg>&x;&y;</svg>',
        "entity.svg": f"{entity}<svg>&x;&y;</svg>",
        "laughs.png": f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]><svg>&l8;</svg>',
        "image.svg": f'<svg {XLINK}><image xlink:href="file://{canary}"/><image xlink:href="{door}"/></svg>',
        "script.svg": "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>1</script></svg>",
        "bom.jpg": f"\ufeff<svg {XLINK}><use href='{door}#x'/></svg>",
        "drawing.jpg": f"push graphic-context\nimage over 0,0 0,0 '{canary}'\nfill 'url({door})'\n",
        "label.jpg": f"label:@{canary}",
        "msl.jpg": f'<?xml version="1.0"?><image><read filename="{canary}"/><read filename="{door}"/>',
        "script.eps": f"%!PS-Adobe-3.0 EPSF-3.0\n({canary}) (r) file closefile\nshowpage\n",
        "playlist.jpg": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5,\n{canary}\n#EXTINF:5,\n{door}\n",
        "concat.jpg": f"ffconcat version 1.0\nfile '{canary}'\nfile '{door}'\n",
        "dash.png": f'<?xml version="1.0"?><MPD><Period><BaseURL>{door}</BaseURL></Period></MPD>',
        "session.jpg": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "link.jpg": f"[InternetShortcut]\nURL={door}\n",
        "page.jpg": f"<!doctype html><img src='{door}'><iframe src='file://{canary}'></iframe>",
        "words.jpg": "this is not a picture",
        "data.jpg": '{"picture": true}',
        "shell.jpg": f"#!/bin/sh\ncat {canary}\n",
        "php.jpg": "<?php readfile($_GET['x']); ?>",
        "bitmap.jpg": "#define a_width 90\n#define a_height 90\nstatic char a_bits[] = {0x00};\n",
        "pixmap.jpg": '/* XPM */\nstatic char *a[] = {"90 90 1 1", "a c None"};\n',
    }
    yield from ((name, text.encode()) for name, text in texts.items())
    yield "paper.jpg", f"%PDF-1.7\n1 0 obj<</OpenAction<</S/URI/URI({door})>>>>\n".encode()
    yield "archive.jpg", archive()
    yield "bundle.jpg", bundle()
    yield "packed.jpg", gzip.compress(saved("JPEG"))
    yield "program.jpg", b"\x7fELF\x02\x01\x01" + bytes(200)
    yield "windows.png", b"MZ\x90\0" + bytes(200)
    yield "class.jpg", b"\xca\xfe\xba\xbe" + bytes(100)
    yield "polyglot.gif", b"GIF89a/*" + bytes(10) + b"*/=1;alert(1);" + HTML
    yield "polyglot.jpg", b"\xff\xd8\xff\xfe\x00\x40" + HTML.ljust(62, b" ") + HTML
    yield "polyglot.png", b"\x89PNG\r\n\x1a\n" + HTML
    yield "polyglot.webp", b"RIFF" + struct.pack("<I", len(HTML) + 4) + b"WEBP" + HTML
    yield "polyglot.bmp", b"BM/*" + HTML + b"*/"


def others() -> Iterator[tuple[str, bytes]]:
    """Nothing at all, noise, pictures in formats that are not read, and pictures that move."""
    noise = random.Random(7)
    yield "empty.jpg", b""
    yield "one.jpg", b"\xff"
    yield "nothing.png", bytes(100_000)
    yield "noise.jpg", noise.randbytes(50_000)
    yield "noise behind.jpg", b"\xff\xd8\xff\xe0" + noise.randbytes(50_000)
    yield "phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400)
    yield "phone.jpg", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(400)
    yield "empty.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(64)
    yield "film.jpg", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(400)
    yield "matroska.jpg", b"\x1aE\xdf\xa3" + bytes(400)
    yield "sound.jpg", b"RIFF" + struct.pack("<I", 400) + b"WAVEfmt " + bytes(392)
    yield "layers.jpg", b"8BPS\0\1" + bytes(400)
    yield "raw.tif", b"II*\0\x10\0\0\0CR\2\0" + bytes(400)
    yield "fuji.jpg", b"FUJIFILMCCD-RAW 0201" + bytes(400)
    for kind in ("PPM", "PCX", "TGA", "ICO", "SGI", "DDS"):
        yield f"as {kind}.jpg", saved(kind)
    frames = [photo(seed=number) for number in range(3)]
    for kind, name in (
        ("GIF", "moves.gif"),
        ("WEBP", "moves.webp"),
        ("PNG", "moves.png"),
        ("AVIF", "moves.avif"),
    ):
        yield name, saved(kind, frames[0], save_all=True, append_images=frames[1:], duration=100)
    yield "floats.tif", saved("TIFF", Image.fromarray(np.zeros((90, 90), np.float32)))


def files(canary: str, door: str) -> list[tuple[str, bytes]]:
    """All of them, with their names."""
    return [*broken(), *bombs(), *disguised(canary, door), *others()]


def odd() -> dict[str, bytes]:
    """Unusual pictures that can be used."""
    grey = Image.fromarray(np.tile(np.linspace(0, 65_535, 96).astype(np.uint16), (96, 1)))
    return {
        "cmyk.jpg": saved("JPEG", photo().convert("CMYK")),
        "deep.png": saved("PNG", grey),
        "palette.png": saved("PNG", photo().quantize(16)),
        "clear.webp": saved("WEBP", photo().convert("RGBA")),
        "still.gif": saved("GIF"),
        "phone.avif": saved("AVIF"),
        "mislabelled.png": saved("JPEG"),
        "comment.jpg": saved("JPEG", comment=HTML),
        "page behind.jpg": saved("JPEG") + HTML,
        "archive behind.png": saved("PNG") + archive(),
    }
