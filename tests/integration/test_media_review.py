"""A film checked and its stills taken in one go, against checking it and taking them one after the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlock.media.check import witness
from genlock.media.check.film import check
from genlock.media.check.planned import planned
from genlock.media.check.report import CheckFilm, ReviewFilm
from genlock.media.check.review import review
from genlock.media.film.frames import render_segment
from genlock.media.film.mux import join, mux
from genlock.media.film.plan import plan_shots
from genlock.media.film.segment import segments
from genlock.media.film.sheet import contact_sheet, nearest_keys, poster
from genlock.media.music.compose import compose
from genlock.media.music.tune import ComposeMusic
from genlock.media.photo.picture import import_picture
from genlock.media.request import (
    ImportPicture,
    JoinSegments,
    MakeContactSheet,
    MakePoster,
    MuxFilm,
    Part,
    RenderSegment,
)
from genlock.media.sound.finish import finish
from genlock.media.sound.soundtrack import FinishAudio


def quiet(fraction: float, note: str | None = None) -> None: ...


@pytest.fixture
def film(tmp_path: Path, photo) -> CheckFilm:
    """A film of 5 s with music, of which is asked whether it is right."""
    made = [
        import_picture(ImportPicture(path=path, to=tmp_path / path.name), quiet)
        for path in photo("two-dogs", "wall-clock", "lamp-and-bird")
    ]
    one, two, three = (each.picture for each in made)
    plan = plan_shots([(one, two), (two, three)], size=(320, 180), seconds_per_clip=2.8)
    sources = {each.picture.sha256: each.path for each in made}
    parts = []
    for number, segment in enumerate(segments(plan)):
        to = tmp_path / f"{number}.mp4"
        render_segment(RenderSegment(segment=segment, sources=sources, to=to), quiet)
        parts.append(Part(path=to, frames=segment.frames))
    cut, raw, music = tmp_path / "cut.mp4", tmp_path / "music.wav", tmp_path / "music.m4a"
    join(JoinSegments(parts=parts, fps=30, to=cut), quiet)
    tune = ComposeMusic(path=raw, frames=plan.total_frames, fps=30, mood="calm", tempo=plan.tempo, seed=1)
    compose(tune, quiet)
    finish(FinishAudio(source=raw, path=music, frames=plan.total_frames, fps=30), quiet)
    mux(MuxFilm(video=cut, audio=music, fps=30, to=tmp_path / "film.mp4"), quiet)
    return planned(tmp_path / "film.mp4", plan, witness=cut)


def asked(film: CheckFilm) -> ReviewFilm:
    folder = film.path.parent
    return ReviewFilm(check=film, poster=folder / "poster.jpg", sheet=folder / "sheet.jpg")


def test_a_check_in_two_halves_finds_what_the_whole_one_does(film: CheckFilm) -> None:
    whole = check(film, quiet)
    halves = [check(film.model_copy(update={"of": of}), quiet).findings for of in ("picture", "sound")]
    assert [found for half in halves for found in half] == whole.findings
    assert whole.passed, whole.sentence()
    assert [found.name for found in halves[1]] == ["loudness", "true peak", "silence"]


def test_half_a_check_finds_that_the_sound_is_missing(film: CheckFilm) -> None:
    mute = film.model_copy(update={"path": film.witness, "of": "sound"})
    assert not check(mute, quiet).passed


def test_stills_of_a_review_are_those_that_are_made_alone(film: CheckFilm) -> None:
    seen = review(asked(film), quiet)
    assert seen.report == check(film, quiet)
    folder = film.path.parent
    alone = (
        poster(MakePoster(film=film.path, to=folder / "alone.jpg"), quiet),
        contact_sheet(MakeContactSheet(film=film.path, to=folder / "alone-sheet.jpg"), quiet),
    )
    for made, other in zip((seen.poster, seen.sheet), alone, strict=True):
        assert (made.width, made.height, made.at) == (other.width, other.height, other.at)
        with Image.open(made.path) as one, Image.open(other.path) as two:
            assert np.array_equal(np.asarray(one), np.asarray(two))
    assert seen.sheet.at == sorted(set(seen.sheet.at)), "every cell of the sheet shows another moment"
    assert len(seen.sheet.at) == 20


def test_key_frames_are_decoded_once_for_the_check_and_the_stills(
    film: CheckFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = Counter[str]()
    before = witness.decoded

    def counting(path: Path, *, keys: bool = False):  # type: ignore[no-untyped-def]
        for frame in before(path, keys=keys):
            decoded["keys" if keys else "others"] += 1
            yield frame

    monkeypatch.setattr(witness, "decoded", counting)
    monkeypatch.setattr("genlock.media.film.sheet._frames", lambda *_: pytest.fail("decoded again"))
    few = ReviewFilm(check=film, poster=film.path.with_name("p.jpg"), sheet=film.path.with_name("s.jpg"))
    monkeypatch.setattr("genlock.media.check.review.MakeContactSheet", small_sheet)
    assert review(few, quiet).report.passed
    assert set(decoded) == {"keys"}


def small_sheet(*, film: Path, to: Path) -> MakeContactSheet:
    """With no more parts than the film has key frames."""
    return MakeContactSheet(film=film, to=to, columns=2, rows=1)


def test_a_film_that_was_not_watched_gets_its_stills_all_the_same(film: CheckFilm) -> None:
    seen = review(asked(film.model_copy(update={"witness": None})), quiet)
    assert seen.report.passed, seen.report.sentence()
    assert len(seen.sheet.at) == 20
    assert seen.poster.path.stat().st_size > 0


def test_a_sheet_shows_a_key_frame_in_each_cell_where_the_film_has_enough() -> None:
    """Taken one by one, each nearest to its cell, the last cell would have none."""
    seconds = [0.0, 2.0, 4.0, 5.3, 5.77, 7.77, 9.77, 10.83, 11.3, 13.3, 15.3, 16.37, 16.83, 18.83, 20.83]
    seconds += [21.9, 22.37, 24.37, 26.37, 27.43, 27.9, 29.9, 31.9]
    keys = [round(at * 15360) for at in seconds]
    length = 33.2 * 15360 / 20
    shown = nearest_keys([(cell + 0.5) * length for cell in range(20)], keys, length)
    assert None not in shown
    assert shown == sorted(set(shown))


def test_a_sheet_of_a_film_with_few_key_frames_shows_each_of_them_once() -> None:
    shown = nearest_keys([0.5, 1.5, 2.5, 3.5], [0, 2], 1.0)
    assert [each for each in shown if each is not None] == [0, 2]
