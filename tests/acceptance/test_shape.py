"""One order, several shapes, with words: what is shared, what is not, and what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

SHAPES = {"16x9": (320, 180), "9x16": (180, 320), "1x1": (180, 180)}
WORDS = "title: Two dogs\ntwo-dogs.jpg: Good morning\nending: Two Dogs Inn\ncontact: two-dogs.example\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> Any:
    from command import Command

    genlock = Command(tmp_path_factory.mktemp("shape"))
    titles = genlock.folder / "words.txt"
    titles.write_text(WORDS)
    photos = photo("two-dogs", "forest-stream")
    said = genlock(
        *("run", "campaign_set", *photos, "-o", genlock.folder / "film.mp4", "--job-id", "set"),
        *("--pairs", 1, "--resolution", "180p", "--clip-duration", 3, "--titles", titles),
    )
    yield genlock, said, genlock.answer("jobs", "show", "set")
    genlock.end()


def test_each_shape_has_a_film_of_its_own_and_all_are_as_long(made: Any, player: Any) -> None:
    genlock, said, shown = made
    frames = set()
    for name, size in SHAPES.items():
        path = genlock.folder / f"film-{name}.mp4"
        assert str(path) in said
        film = player(path)
        assert film.size == size
        frames.add(film.frames)
    assert len(frames) == 1
    assert [(film["width"], film["height"]) for film in shown["result"]["films"]] == [*SHAPES.values()]
    assert {film["clips"] for film in shown["result"]["films"]} == {1}


def test_photos_pairs_and_music_are_made_once(made: Any, player: Any) -> None:
    genlock, _, shown = made
    stages = [task["key"] for task in shown["tasks"]]
    for name in ("asset_collection", "image_pair_selection", "audio_generation"):
        assert stages.count(name) == 1
    one, *others = (player(genlock.folder / f"film-{name}.mp4").samples for name in SHAPES)
    assert all(np.array_equal(one, other) for other in others)


def test_the_end_card_is_dark_and_still_and_has_words_on_it(made: Any, player: Any) -> None:
    genlock, _, _ = made
    film = player(genlock.folder / "film-16x9.mp4")
    card = film.frame(film.frames - 5).astype(float)
    before = film.frame(30).astype(float)
    assert np.median(card) < 0.75 * np.median(before)
    assert card.max() > 200
    assert np.abs(card - film.frame(film.frames - 20)).mean() < 3


def test_words_for_a_photo_that_is_not_there_begin_no_job(made: Any, photo: Any) -> None:
    genlock, _, _ = made
    wrong = genlock.folder / "wrong.csv"
    wrong.write_text("two-dog.jpg,Good morning\n")
    photos = photo("two-dogs", "forest-stream")
    outcome = genlock("run", "campaign", *photos, "--titles", wrong, "--job-id", "no", code=2)
    assert "did you mean 'two-dogs.jpg'?" in outcome
