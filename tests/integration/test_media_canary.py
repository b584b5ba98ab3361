"""No file that is handed in makes a decoder open another one or speak to the network.

Each crafted file names a canary, a file that is watched, and a door, a port on which somebody listens.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from genlock.errors import BadPicture, GenlockError
from genlock.media.check.report import CheckFilm
from genlock.media.pool import RenderPool
from genlock.media.request import ImportPicture, LookAtPicture, ProbeMedia
from genlock.media.sound.soundtrack import MeasureLoudness
from trap import Trap, Watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches files with inotify")

XLINK = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
CRAFTED = {
    "drawing.svg": f'<svg {XLINK}><image xlink:href="file://{{canary}}"/>'
    '<image xlink:href="{door}"/></svg>',
    "entity.svg": '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file://{canary}">'
    '<!ENTITY y SYSTEM "{door}">]><svg>&x;&y;</svg>',
    "drawing.mvg": "push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 '{canary}'\n"
    "fill 'url({door})'\npop graphic-context\n",
    "script.eps": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n"
    "({canary}) (r) file closefile\nshowpage\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5,\n{canary}\n"
    "#EXTINF:5,\n{door}\n#EXT-X-ENDLIST\n",
    "script.ffconcat": "ffconcat version 1.0\nfile '{canary}'\nfile '{door}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{door}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "page.html": '<!doctype html><img src="{door}"><img src="file://{canary}">',
}
NAMES = (
    "photo{number}.jpg",
    "film{number}.mp4",
    "concat:{number}.mp4",
    "%03d {number}.jpg",
    "http:{number}.mp4",
)


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    canary = film(tmp_path / "canary.mp4")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        watch = Watch(canary)
        yield Trap(canary, watch, listener)
        watch.close()


def film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    async with RenderPool(1) as pool:
        yield pool


async def refused(pool: RenderPool, path: Path, to: Path) -> list[str]:
    """What each operation that opens foreign files says to this one."""
    said = []
    for operation, request in (
        ("look_at_picture", LookAtPicture(path=path)),
        ("import_picture", ImportPicture(path=path, to=to)),
        ("probe", ProbeMedia(path=path)),
        ("measure_loudness", MeasureLoudness(path=path)),
    ):
        with pytest.raises(GenlockError) as caught:
            await pool.run(operation, request)  # type: ignore[arg-type]
        said.append(str(caught.value))
    report = await pool.run("check_film", CheckFilm(path=path, width=64, height=64, frames=3))
    assert [finding.name for finding in report.failures] == ["file"]
    return said


@pytest.mark.parametrize("kind", CRAFTED)
async def test_a_crafted_file_under_any_name_opens_nothing_else(
    pool: RenderPool, trap: Trap, tmp_path: Path, kind: str
) -> None:
    content = CRAFTED[kind].format(canary=trap.canary, door=trap.door)
    for number, name in enumerate((kind, *NAMES)):
        path = tmp_path / name.format(number=number)
        path.write_text(content)
        said = await refused(pool, path, tmp_path / "copy.jpg")
        assert all(path.name[:8] in sentence for sentence in said)
        assert not trap.sprung(), said
    assert not (tmp_path / "copy.jpg").exists()


async def test_a_film_that_keeps_its_frames_in_another_file_gets_none_of_it(
    pool: RenderPool, trap: Trap, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(referring(film(tmp_path / "plain.mp4").read_bytes(), trap.canary))
    assert not trap.sprung()
    await pool.run("probe", ProbeMedia(path=path))
    await pool.run("check_film", CheckFilm(path=path, width=64, height=64, frames=3))
    with pytest.raises(BadPicture):
        await pool.run("look_at_picture", LookAtPicture(path=path))
    assert not trap.sprung()
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as careless:
        list(careless.demux(video=0))
    assert trap.sprung(), "read without care, the film does open the other file"


def test_the_trap_springs(trap: Trap) -> None:
    assert not trap.sprung()
    trap.canary.read_bytes()
    assert trap.sprung()
    assert not trap.sprung()
    with socket.create_connection(trap.listener.getsockname()):
        assert trap.sprung()


def referring(data: bytes, other: Path) -> bytes:
    """A film, its index behind its frames, whose first track says that its frames are in another file."""
    name = os.fsencode(other)
    record = struct.pack(">HH", 2, len(name)) + name + bytes(len(name) % 2) + struct.pack(">HH", 0xFFFF, 0)
    alias = bytes(10) + bytes([1]) + b"v".ljust(27, b"\0") + bytes(12) + bytes([1]) + b"f".ljust(63, b"\0")
    alias += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16) + record
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    return _with(
        data, (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), struct.pack(">II", 0, 1) + entry
    )


def _with(data: bytes, path: tuple[bytes, ...], content: bytes) -> bytes:
    """The boxes in `data`, with other content for the one at `path`."""
    at = data.index(path[0]) - 4
    (size,) = struct.unpack_from(">I", data, at)
    inner = content if len(path) == 1 else _with(data[at + 8 : at + size], path[1:], content)
    return data[:at] + struct.pack(">I", 8 + len(inner)) + path[0] + inner + data[at + size :]
