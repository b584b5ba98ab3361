"""One clip made again, and one that cannot be made: what else is touched, and what becomes of the film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCENES = ("dandelion", "summit-sunset", "wall-clock", "two-dogs", "forest-stream", "paint-brushes")
ORDER = ("--pairs", 4, "--resolution", "180p", "--clip-duration", 2)
JOB = "film"


def pieces(genlock: Any) -> list[tuple[str, str, int, str]]:
    """What the film is joined from: kind, description, frames, and the hash of the file."""
    cut = genlock.outputs(JOB)["video_combination"]
    return [
        (piece["kind"], piece["segment"], piece["frames"], piece["artifact"]["sha256"])
        for piece in cut["pieces"]
    ]


def files(genlock: Any) -> dict[str, tuple[int, int]]:
    """Segments in the store: a file that was written again is another file."""
    names = genlock.home / "store" / "names"
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in names.glob("*/*")}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photo: Any) -> Iterator[Any]:
    """A home with a finished film."""
    from command import Command

    with Command(tmp_path_factory.mktemp("redo")) as genlock:
        genlock("run", "campaign", *photo(*SCENES), "-o", "film.mp4", "--job-id", JOB, *ORDER)
        yield genlock


@pytest.mark.parametrize("clip", [2, 0])
def test_a_clip_made_again_is_another_take_and_everything_else_is_the_same_file(
    made: Any, player: Any, scenes: Any, photo: Any, clip: int
) -> None:
    genlock, film = made, made.folder / "film.mp4"
    before, kept, old = pieces(genlock), files(genlock), sha256(film)
    last_event = genlock.events(JOB)[-1]["seq"]

    preview = genlock.answer("jobs", "redo", JOB, f"video_generation/{clip}", "--dry-run")
    assert preview["redone"] == [f"video_generation/{clip}"]
    assert preview["maybe"] == ["video_combination", "audio_merging", "film_check", "video_storage"]
    others = [f"video_generation/{other}" for other in range(4) if other != clip]
    planning = ["asset_collection", "image_pair_selection", "sub_job_creation"]
    assert preview["kept"] == [*planning, *others, "audio_generation", "review"], "nobody has to review it"
    assert pieces(genlock) == before, "a preview changes nothing"
    film.unlink()

    genlock("jobs", "redo", JOB, f"video_generation/{clip}")
    genlock("resume")

    after = pieces(genlock)
    bodies = [place for place, piece in enumerate(before) if piece[0] == "body"]
    mine = {bodies[clip] - 1, bodies[clip], bodies[clip] + 1} & set(range(len(before)))
    for place, (was, now) in enumerate(zip(before, after, strict=True)):
        print(f"{now[0]:<10} {was[3][:16]} {now[3][:16]} {'again' if place in mine else 'kept'}")
    changed = {place for place, (was, now) in enumerate(zip(before, after, strict=True)) if was != now}
    assert changed == mine
    assert [piece[2] for piece in after] == [piece[2] for piece in before]
    assert {name: files(genlock)[name] for name in kept} == kept, "nothing old was written again"
    assert len(files(genlock)) == len(kept) + len(mine)

    again = [e["task"] for e in genlock.events(JOB) if e["kind"] == "task.claimed" and e["seq"] > last_event]
    assert again == preview["redone"] + preview["maybe"]
    result = genlock.answer("jobs", "show", JOB)["result"]
    assert sha256(film) == result["film"]["sha256"] != old, "the file that was asked for is the new film"
    assert all(finding["passed"] for finding in result["report"]["findings"])
    playback = player(film)
    assert playback.frames == sum(piece[2] for piece in before) == result["frames"]
    outputs = genlock.outputs(JOB)
    chosen = [(pair["first"]["name"], pair["last"]["name"]) for pair in outputs["image_pair_selection"]]
    assert scenes(playback, outputs["sub_job_creation"], photo(*SCENES)) == chosen, "the order is kept"


def test_a_clip_that_cannot_be_made_fails_the_job_and_no_film_goes_out_without_it(
    genlock: Any, photo: Any, player: Any, scenes: Any
) -> None:
    genlock.env["GENLOCK_BACKOFF"] = "0.05"
    film: Path = genlock.folder / "film.mp4"
    maker = genlock.start("run", "campaign", *photo(*SCENES), "-o", film, "--job-id", JOB, "--json", *ORDER)
    assert maker.until_event("task.done", "sub_job_creation")
    maker.kill()
    briefs = genlock.outputs(JOB)["sub_job_creation"]["briefs"]
    first = briefs[1]["first"]["artifact"]["sha256"]
    shares = [
        n
        for n, b in enumerate(briefs)
        if first in (b["first"]["artifact"]["sha256"], b["last"]["artifact"]["sha256"])
    ]
    picture = genlock.home / "store" / "objects" / first[:2] / first
    whole = picture.read_bytes()
    picture.chmod(0o644)
    picture.write_bytes(whole[: len(whole) // 2])

    said = genlock("resume", code=1)

    assert "video_generation/1 failed" in said
    assert "damaged" in said
    assert not film.exists()
    tasks = {task["key"]: task for task in genlock.answer("jobs", "show", JOB)["tasks"]}
    others = [f"video_generation/{n}" for n in range(len(briefs)) if n not in shares]
    assert [tasks[key]["state"] for key in others] == ["done"] * len(others), (
        "the others are finished and kept"
    )
    assert tasks["video_combination"]["state"] == "blocked"
    kept = files(genlock)

    picture.write_bytes(whole)
    genlock("jobs", "retry", JOB)
    genlock("resume")

    assert {name: files(genlock)[name] for name in kept} == kept, "no finished clip was rendered again"
    outputs = genlock.outputs(JOB)
    playback = player(film)
    assert playback.frames == outputs["video_storage"]["frames"]
    chosen = [(pair["first"]["name"], pair["last"]["name"]) for pair in outputs["image_pair_selection"]]
    assert scenes(playback, outputs["sub_job_creation"], photo(*SCENES)) == chosen, (
        "the late clip has its place"
    )
