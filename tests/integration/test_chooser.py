"""The chooser of pairs on real photographs whose scenes are known."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from album import ALONE, PHOTOS, SCENES, Labelled, candidate, labelled, photo
from genlock.errors import BadInput, BadPicture
from genlock.media.pairing.choice import Candidate, Choice, ChoosePairs
from genlock.media.pairing.chooser import choose_pairs
from genlock.media.pairing.kinship import compare
from genlock.media.pairing.portrait import Portrait, portray


def quiet(fraction: float, note: str | None = None) -> None:
    assert 0 <= fraction <= 1


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[Labelled]:
    return labelled(tmp_path_factory.mktemp("album"))


@pytest.fixture(scope="module")
def portraits(album: list[Labelled]) -> list[Portrait]:
    return [portray(picture.candidate.path, picture.candidate.sha256) for picture in album]


def choose(candidates: list[Candidate], pairs: int, seed: int = 0) -> Choice:
    return choose_pairs(ChoosePairs(pictures=candidates, num_pairs=pairs, seed=seed), quiet)


def steps(choice: Choice) -> list[tuple[str, str]]:
    return [(pair.first, pair.last) for pair in choice.pairs]


def test_pictures_of_one_scene_rank_first(album: list[Labelled], portraits: list[Portrait]) -> None:
    right = []
    for number, picture in enumerate(album):
        if picture.scene in ALONE:
            continue
        others = [index for index in range(len(album)) if index != number]
        best = max(others, key=lambda index: compare(portraits[number], portraits[index]).score)
        right.append(album[best].scene == picture.scene and album[best].view != picture.view)
    assert sum(right) / len(right) >= 0.9, f"{sum(right)} of {len(right)}"


def test_true_pairs_of_one_scene_come_before_all_others(
    album: list[Labelled], portraits: list[Portrait]
) -> None:
    """Of all 435 pairs, those of one scene (copies aside) are the best scored, to 90 % and more."""
    rated = sorted(
        ((compare(portraits[a], portraits[b]).score, a, b) for b in range(30) for a in range(b)), reverse=True
    )
    true = [
        (a, b) for _, a, b in rated if album[a].scene == album[b].scene and album[a].view != album[b].view
    ]
    assert len(true) == 8 * 3 + 4 * 2
    first = {(a, b) for _, a, b in rated[: len(true)]}
    assert len(first & set(true)) / len(true) >= 0.9


def test_copies_are_known_and_not_paired(album: list[Labelled], portraits: list[Portrait]) -> None:
    names = [picture.candidate.id for picture in album]
    for b in range(30):
        for a in range(b):
            copies = album[a].scene == album[b].scene and album[a].view == album[b].view
            assert compare(portraits[a], portraits[b]).copies == copies, (names[a], names[b])
    for first, last in steps(choose([picture.candidate for picture in album], 15)):
        assert {first, last} != {f"{first.removesuffix('-copy')}", f"{first.removesuffix('-copy')}-copy"}
        assert first.removesuffix("-copy") != last.removesuffix("-copy")


def test_a_film_of_all_pictures_uses_all_and_keeps_scenes_together(album: list[Labelled]) -> None:
    scene = {picture.candidate.id: picture.scene for picture in album}
    choice = choose([picture.candidate for picture in album], 15)
    assert len(choice.pairs) == 15
    assert not choice.unused
    together = sum(scene[first] == scene[last] for first, last in steps(choice))
    assert together >= 11  # four scenes of three views leave one picture each, and there are two loners


def test_the_best_pairs_come_when_few_are_wanted(album: list[Labelled]) -> None:
    scene = {picture.candidate.id: picture.scene for picture in album}
    choice = choose([picture.candidate for picture in album], 6)
    assert all(scene[first] == scene[last] for first, last in steps(choice))
    assert all(pair.score > 0.75 for pair in choice.pairs)


def test_neither_order_nor_names_of_the_input_matter(album: list[Labelled], tmp_path: Path) -> None:
    candidates = [picture.candidate for picture in album[:14]]
    hashes = {item.id: item.sha256 for item in candidates}
    first = choose(candidates, 7)
    expected = [(hashes[a], hashes[b]) for a, b in steps(first)]
    renamed = []
    for number, item in enumerate(candidates):
        path = tmp_path / f"{97 * number % 101:03}.bin"
        path.write_bytes(item.path.read_bytes())
        renamed.append(Candidate(id=f"picture {number}", path=path, sha256=item.sha256))
        hashes[f"picture {number}"] = item.sha256
    random.Random(5).shuffle(renamed)
    again = choose(renamed, 7)
    assert [(hashes[a], hashes[b]) for a, b in steps(again)] == expected
    assert [pair.reason for pair in again.pairs] == [pair.reason for pair in first.pairs]


@pytest.mark.parametrize("wanted", [5, 10, 14, 25])
def test_no_picture_is_seen_twice_in_a_row(wanted: int) -> None:
    candidates = [candidate(path) for path in sorted(PHOTOS.glob("*.jpg"))[:8]]
    choice = choose(candidates, wanted)
    assert len(choice.pairs) == wanted
    assert len({frozenset(step) for step in steps(choice)}) == wanted
    assert all(here[1] != there[0] for here, there in pairwise(steps(choice)))
    assert not choice.unused


def test_two_pictures_make_one_pair_and_three_make_three() -> None:
    two = [candidate(PHOTOS / f"{name}.jpg") for name in ("two-dogs", "two-dogs-near")]
    assert steps(choose(two, 10)) == [("two-dogs", "two-dogs-near")]
    three = choose([*two, candidate(PHOTOS / "dragonfly.jpg")], 10)
    assert len(three.pairs) == 3
    assert all(here[1] != there[0] for here, there in pairwise(steps(three)))


def test_the_reason_tells_what_was_measured_in_the_direction_shown() -> None:
    pair = choose(
        [candidate(PHOTOS / f"{name}.jpg") for name in ("fig-in-bowl", "fig-in-bowl-near")], 1
    ).pairs[0]
    assert (pair.first, pair.last) == ("fig-in-bowl", "fig-in-bowl-near")
    assert pair.reason.startswith("same scene seen closer (1.3×): ")
    assert "matching points" in pair.reason
    assert pair.criteria.visual_continuity > 0.9
    strangers = choose(
        [candidate(PHOTOS / f"{name}.jpg") for name in ("paint-brushes", "bridge-cables")], 1
    ).pairs[0]
    assert strangers.reason.startswith("two different scenes; ")
    assert strangers.score < 0.6


def test_the_same_picture_twice_is_paired_only_for_want_of_another(tmp_path: Path) -> None:
    one, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    for path in (one, other):
        path.write_bytes((PHOTOS / "dandelion.jpg").read_bytes())
    pair = choose([candidate(one), candidate(other)], 3).pairs[0]
    assert pair.reason.startswith("the same picture twice")
    assert pair.score < 0.3
    near, far = (candidate(PHOTOS / f"{name}.jpg") for name in ("dandelion-near", "wall-clock"))
    chosen = {frozenset(step) for step in steps(choose([candidate(one), candidate(other), near, far], 2))}
    assert frozenset(("a", "b")) not in chosen


def test_too_few_or_unreadable_pictures_are_refused_with_a_sentence(tmp_path: Path) -> None:
    good = candidate(PHOTOS / "dragonfly.jpg")
    with pytest.raises(BadInput, match="a pair needs two pictures, and 1 was given"):
        choose([good], 1)
    with pytest.raises(BadInput, match="a pair needs two pictures"):
        choose([], 1)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(BadPicture, match=r"broken\.jpg cannot be read as a picture"):
        choose([good, candidate(broken)], 1)


def test_plain_tiny_and_narrow_pictures_are_compared_too(tmp_path: Path) -> None:
    shapes = {"white": (300, 400), "black": (400, 300), "tiny": (1, 1), "narrow": (4, 900)}
    candidates = []
    for number, (name, shape) in enumerate(shapes.items()):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.full((*shape, 3), 255 - 80 * number, np.uint8))
        candidates.append(candidate(path))
    choice = choose(candidates, 2)
    assert len(choice.pairs) == 2
    assert not choice.unused


def test_of_many_pictures_only_likely_relatives_are_compared_and_found(tmp_path: Path) -> None:
    candidates, partner = [], {}
    for number in range(32):
        picture = photo(SCENES[number % 8])
        height, width = picture.shape[:2]
        part = picture[: int(height * 0.62), int(width * 0.06) * (number // 8) :][:, : int(width * 0.62)]
        for name, view in (("wide", part), ("near", part[part.shape[0] // 6 :, part.shape[1] // 6 :])):
            path = tmp_path / f"{number:02}-{name}.jpg"
            cv2.imwrite(str(path), cv2.resize(view, (640, 400)))
            candidates.append(candidate(path))
            partner[path.stem] = SCENES[number % 8]
    start = time.process_time()
    choice = choose(candidates, 32)
    spent = time.process_time() - start
    assert len(choice.unused) <= 4
    assert sum(partner[a] == partner[b] for a, b in steps(choice)) >= 29
    assert spent < 25, f"{spent:.0f} s of processor time for 64 pictures"
