"""`genlock run --review` waits for a person, who speaks from another terminal."""

from __future__ import annotations

from typing import Any

TINY = (
    "--pairs",
    1,
    "--resolution",
    "90p",
    "--clip-duration",
    1,
    "--transitions",
    "dissolve",
    "--skip-audio",
)


def test_a_film_waits_for_a_person_who_looks_and_says_yes_from_another_terminal(
    genlock: Any, photo: Any
) -> None:
    order = ("campaign", *photo("fig-in-bowl", "two-dogs"), "--job-id", "film", "--review", *TINY)
    maker = genlock.start("run", *order, "--json")
    assert maker.until_event("job.waiting"), maker.err
    told = genlock("jobs", "show", "film")
    assert "genlock videos approve film" in told
    aside = genlock("jobs", "signal", "film", "review", "review of 00", code=3)
    assert "genlock videos approve" in aside
    [film] = genlock.answer("videos", "list", "--standing", "waiting")
    page = genlock("videos", "show", "film")
    assert film["sha256"] in page
    assert "waiting" in page
    assert "runs again" in genlock("videos", "redo", "film", 1, "--dry-run").replace("would run", "runs")
    late = genlock("videos", "approve", "film", "--revision", 2, code=3)
    assert "no revision 2" in late
    assert "approved" in genlock("videos", "approve", "film", "--reason", "lovely")
    assert maker.wait() == 0, maker.err
    shown = genlock.answer("videos", "show", "film")
    assert (shown["standing"], shown["review"]["by"], shown["review"]["reason"]) == (
        "approved",
        "local",
        "lovely",
    )
    assert "approved" in genlock("videos")
