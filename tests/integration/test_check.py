"""The film check against films that are right, and films each broken in one way."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from films import FPS, FRAMES, GOOD, RATE, SIZE, TAGS, make, tone
from genlock.errors import RenderRefused
from genlock.media.check.container import boxes
from genlock.media.check.film import check
from genlock.media.check.report import CheckFilm, CheckReport, Span
from genlock.media.music import wav
from genlock.media.sound import stream as sound


def quiet(fraction: float, note: str | None = None) -> None:
    assert 0 <= fraction <= 1


def examine(path: Path, **more: object) -> CheckReport:
    wanted = {"width": SIZE[0], "height": SIZE[1], "frames": FRAMES, "fps": FPS, **more}
    return check(CheckFilm(path=path, **wanted), quiet)


def faults(report: CheckReport) -> set[str]:
    return {finding.name for finding in report.failures}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "good.mp4")


def test_a_good_film_passes_with_every_number_told(good: Path) -> None:
    report = examine(good)
    assert report.passed, report.sentence()
    assert len(report.findings) == 25
    assert len({finding.name for finding in report.findings}) == 25
    assert all(finding.wanted and finding.got for finding in report.findings)


def test_a_silent_film_passes_when_it_was_ordered_without_sound(tmp_path: Path) -> None:
    film = make(tmp_path / "mute.mp4", replace(GOOD, sound=False))
    assert examine(film, has_audio=False).passed
    assert faults(examine(film)) == {"tracks"}


def test_sound_that_was_not_ordered_is_a_fault(good: Path) -> None:
    assert faults(examine(good, has_audio=False)) == {"tracks"}


BROKEN = {
    "black gap": (replace(GOOD, black=range(70, 75)), {"black"}),
    "frozen": (replace(GOOD, frozen=range(60, 100)), {"freeze"}),
    "frozen tail": (replace(GOOD, frozen=range(100, FRAMES)), {"freeze"}),
    "a frame too few": (replace(GOOD, frames=FRAMES - 1, seconds=FRAMES / FPS), {"frames"}),
    "half as long": (replace(GOOD, frames=75), {"frames", "sound length", "silence"}),
    "variable rate": (replace(GOOD, stamps={40: 3, 41: 2}), {"frame rate"}),
    "no faststart": (replace(GOOD, faststart=False), {"faststart"}),
    "full range": (replace(GOOD, tags={**TAGS, "color_range": 2}), {"colour", "pixels"}),
    "BT.601": (replace(GOOD, tags={**TAGS, "colorspace": 6}), {"colour"}),
    "untagged": (replace(GOOD, tags={}), {"colour"}),
    "anamorphic": (replace(GOOD, aspect=Fraction(4, 3)), {"pixel aspect"}),
    "main profile": (replace(GOOD, profile="main", x264="8x8dct=0:cabac=1:keyint=60"), {"codec"}),
    "4:4:4": (replace(GOOD, pixels="yuv444p", profile="high444"), {"codec", "pixels"}),
    "long groups": (replace(GOOD, x264="keyint=100:scenecut=0"), {"groups of pictures"}),
    "open groups": (
        replace(GOOD, x264="keyint=30:min-keyint=30:bframes=3:open-gop=1"),
        {"groups of pictures"},
    ),
    "other size": (replace(GOOD, size=(318, 180)), {"size"}),
    "quiet": (replace(GOOD, gain=0.5), {"loudness"}),
    "clipped": (replace(GOOD, gain=4.0), {"loudness", "true peak"}),
    "silent tail": (replace(GOOD, hush=(3.5, 5.0)), {"silence"}),
    "silent but for a moment": (replace(GOOD, hush=(1.5, 5.0)), {"silence"}),
    "music too short": (replace(GOOD, seconds=3.0), {"sound length", "silence"}),
    "music a little long": (replace(GOOD, seconds=5.1), {"sound length"}),
    "few bits": (replace(GOOD, bitrate=96_000), {"sound bit rate"}),
    "44.1 kHz": (replace(GOOD, rate=44_100), {"sound codec"}),
    "a frame twice, one lost": (replace(GOOD, frozen=range(70, 71)), {"repeated frames"}),
    "turned by its tags": (replace(GOOD, turned=90), {"upright"}),
    "interlaced": (replace(GOOD, x264="keyint=60:open-gop=0:interlaced=1"), {"scan"}),
    "another codec": (
        replace(GOOD, codec="mpeg4", x264=""),
        {"codec", "groups of pictures"},
    ),
    "picture late": (replace(GOOD, late=40), {"start"}),
    "sound late": (replace(GOOD, sound_late=0.2), {"sound start", "sound length"}),
    "sound that drifts": (
        replace(GOOD, seconds=4.9, stretched=Fraction(102, 100)),
        {"sound timing"},
    ),
    "two sound tracks": (replace(GOOD, tracks=2), {"tracks"}),
    "mono": (replace(GOOD, layout="mono"), {"sound codec", "loudness"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_film_broken_in_one_way_fails_by_that_finding(fault: str, tmp_path: Path) -> None:
    recipe, expected = BROKEN[fault]
    assert faults(examine(make(tmp_path / "broken.mp4", recipe))) == expected


TOLD = {
    "a frame twice, one lost": "repeated frames: 1, the first at 2.33 s (wanted none while the picture",
    "turned by its tags": "upright: turned by 90° (wanted as stored)",
    "variable rate": "frame rate: 149 steps, 3 of which differ, first after frame 39: 0.04333 s",
    "silent tail": "silence: 1.50 s from 3.50 s (wanted 1 s at most, unless planned)",
    "long groups": "groups of pictures: 2 groups, the longest 3.33 s (wanted closed, 2 s at most)",
    "two sound tracks": "tracks: 3: picture and sound (wanted 2: picture and sound)",
    "anamorphic": "pixel aspect: 4:3 (wanted 1:1)",
}


@pytest.mark.parametrize("fault", TOLD)
def test_what_is_wrong_is_told_with_its_numbers(fault: str, tmp_path: Path) -> None:
    recipe, _ = BROKEN[fault]
    assert TOLD[fault] in examine(make(tmp_path / "broken.mp4", recipe)).sentence()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_film_that_breaks_off_is_found_out(good: Path, tmp_path: Path, share: float) -> None:
    film = Path(shutil.copy(good, tmp_path / "cut.mp4"))
    film.write_bytes(film.read_bytes()[: round(film.stat().st_size * share)])
    assert {"frames", "sound length"} <= faults(examine(film))


def test_a_film_that_breaks_off_before_its_index_does_not_open(tmp_path: Path) -> None:
    film = make(tmp_path / "cut.mp4", replace(GOOD, faststart=False))
    film.write_bytes(film.read_bytes()[:200_000])
    assert faults(examine(film)) == {"file"}


def test_pictures_that_may_repeat_are_excused(tmp_path: Path) -> None:
    film = make(tmp_path / "footage.mp4", replace(GOOD, frozen=range(70, 71)))
    assert examine(film, repeats=[Span(start=60, end=90)]).passed
    assert faults(examine(film, repeats=[Span(start=0, end=70)])) == {"repeated frames"}


RIGHT = {
    "at dusk": replace(GOOD, shade=0.3),
    "pale": replace(GOOD, shade=1.8),
    "slow": replace(GOOD, speed=0.25),
    "fast": replace(GOOD, speed=6.0),
    "soft": replace(GOOD, blur=4.0),
    "soft and dark": replace(GOOD, blur=2.0, shade=0.4),
    "tiny": replace(GOOD, size=(160, 90)),
    "tall": replace(GOOD, size=(180, 320)),
    "square": replace(GOOD, size=(180, 180)),
    "of few bits": replace(GOOD, x264="keyint=60:open-gop=0:crf=30"),
    "of many bits": replace(GOOD, x264="keyint=60:open-gop=0:crf=12"),
    "with frames that look ahead": replace(GOOD, x264="keyint=60:open-gop=0:bframes=3"),
    "still for a moment": replace(GOOD, frozen=range(60, 85)),
    "short": replace(GOOD, frames=45),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_a_film_that_is_right_passes_whatever_it_shows(kind: str, tmp_path: Path) -> None:
    recipe = RIGHT[kind]
    film = make(tmp_path / "right.mp4", recipe)
    report = examine(film, width=recipe.size[0], height=recipe.size[1], frames=recipe.frames)
    assert report.passed, report.sentence()


def test_planned_holds_blacks_and_silences_are_no_faults(tmp_path: Path) -> None:
    recipe = replace(GOOD, black=range(60, 72), frozen=range(80, 125), hush=(3.0, 4.5))
    film = make(tmp_path / "planned.mp4", recipe)
    assert faults(examine(film)) == {"black", "freeze", "silence"}
    planned = {
        "blacks": [Span(start=60, end=72)],
        "holds": [Span(start=79, end=126)],
        "silences": [Span(start=88, end=136)],
    }
    assert examine(film, **planned).passed


def test_a_hold_excuses_only_its_own_frames(tmp_path: Path) -> None:
    film = make(tmp_path / "longer.mp4", replace(GOOD, frozen=range(30, 120)))
    assert faults(examine(film, holds=[Span(start=29, end=80)])) == {"freeze"}


def test_three_black_frames_and_a_still_second_are_allowed(tmp_path: Path) -> None:
    film = make(tmp_path / "short.mp4", replace(GOOD, black=range(70, 73), frozen=range(10, 38)))
    assert examine(film).passed


def test_the_numbers_are_in_the_findings(tmp_path: Path) -> None:
    report = examine(make(tmp_path / "gap.mp4", replace(GOOD, black=range(60, 75))))
    (finding,) = report.failures
    assert finding.got == "0.50 s from 2.00 s"
    assert report.sentence() == "black: 0.50 s from 2.00 s (wanted 0.1 s at most, unless planned)"


def test_damage_in_the_middle_is_found(good: Path, tmp_path: Path) -> None:
    film = Path(shutil.copy(good, tmp_path / "damaged.mp4"))
    data = bytearray(film.read_bytes())
    sizes = dict(boxes(film))
    middle = len(data) - sizes["mdat"] // 2
    data[middle : middle + 6000] = bytes(np.random.default_rng(3).integers(0, 256, 6000, np.uint8))
    film.write_bytes(data)
    report = examine(film)
    assert not report.passed
    assert faults(report) & {"decoding", "frames", "sound decoding"}


@pytest.mark.parametrize("content", [b"", b"not a film at all", b"<html>payment required</html>"])
def test_what_is_no_film_is_reported_not_raised(content: bytes, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(content)
    assert faults(examine(film)) == {"file"}
    assert faults(examine(tmp_path / "absent.mp4")) == {"file"}


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    wav.write(path, [tone(GOOD)], FRAMES * RATE // FPS)
    assert {"faststart", "tracks"} <= faults(examine(path))


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile '{film}'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5,\n{film}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{film}</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_no_other_file(good: Path, tmp_path: Path, kind: str) -> None:
    shutil.copy(good, tmp_path / "other.mp4")
    playlist = tmp_path / "film.mp4"
    playlist.write_text(PLAYLISTS[kind].format(film="other.mp4"))
    assert faults(examine(playlist)) == {"file"}
    with pytest.raises(RenderRefused, match=r"film\.mp4 cannot be decoded as sound"):
        list(sound.read(playlist))


def test_boxes_stop_at_the_end_of_a_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(struct.pack(">I4sI", 12, b"ftyp", 0) + struct.pack(">I4s", 3, b"oops"))
    assert list(boxes(path)) == [("ftyp", 12)]
