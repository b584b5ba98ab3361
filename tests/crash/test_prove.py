"""`genlock prove` itself: that it finds nothing where nothing is, and everything that is there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from genlock.errors import BadInput
from genlock.testing.proof.aim import Aim, spread
from genlock.testing.proof.lane import Lanes
from genlock.testing.proof.order import Subject
from genlock.testing.proof.proof import Proof
from genlock.testing.proof.stand import Stand
from genlock.testing.proof.tally import Tally
from genlock.testing.proof.trial import Crooked, Trial
from genlock.testing.proof.verdict import Whole

HERE = Path(__file__).resolve().parent.parent
POLICIES = ("idempotent", "findable", "blind")
REEL = Subject(pipeline="shop:reel", params={"count": 2})


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    """Processes of a proof import `shop` as they would a user's module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        with Lanes(tmp_path_factory.mktemp("lanes"), ["shop"]) as lanes:
            yield lanes


def prove(lanes: Lanes, aim: Aim) -> Proof:
    proof = Proof(aim, lanes)
    proof.run()
    return proof


def complaints(proof: Proof) -> list[str]:
    return [
        f"{outcome.trial}: {complaint}"
        for outcome in proof.outcomes
        for complaint in outcome.verdict.complaints
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_lost_or_paid_twice_wherever_a_pipeline_is_killed(lanes: Lanes, policy: str) -> None:
    proof = prove(lanes, Aim(REEL, Stand.of(policy), sample=6))
    assert complaints(proof) == []
    tally = Tally.of(proof)
    assert tally.good
    assert tally.trials == 6
    assert tally.kills >= 4
    assert tally.doubts == 0 or policy == "blind"
    homes = [path for lane in lanes.lanes for path in lane.folder.glob("*-*")]
    assert homes == [], "those in which nothing is wrong are removed"


def test_each_doubt_is_resolved_in_each_of_the_three_ways(lanes: Lanes) -> None:
    """Killed as soon as the vendor has answered, before the answer is written down."""
    trials = [Trial.parse(f"send:1:after,{decision}") for decision in ("adopt", "resend", "give-up")]
    proof = prove(lanes, Aim(REEL, Stand.of("blind"), only=trials))
    assert complaints(proof) == []
    assert Tally.of(proof).decisions == {"adopt": 1, "resend": 1, "give-up": 1}


def test_with_no_settle_window_a_second_charge_is_found(lanes: Lanes) -> None:
    stand = Stand.of("findable", settle_window=0)
    proof = prove(lanes, Aim(REEL, stand, only=[Trial.parse("send:2:after")]))
    (outcome,) = proof.outcomes
    assert outcome.verdict.charged_twice == ["proof/buy/1/clip was charged 2 times"]
    assert outcome.verdict.money_off_by == 1_200_000
    assert outcome.kept is not None
    assert (outcome.kept / "home" / "ledger.db").is_file(), "what was found can be looked at"


def test_a_pipeline_that_pays_in_a_careless_way_is_found(lanes: Lanes) -> None:
    careless = Subject(pipeline="shop:careless", params={"count": 2})
    proof = prove(lanes, Aim(careless, Stand.of("idempotent"), only=[Trial.parse("send:1:after")]))
    assert Tally.of(proof).charged_twice == 1
    assert not Tally.of(proof).good


def test_a_pipeline_that_fails_undisturbed_is_refused_with_its_reason(lanes: Lanes) -> None:
    hopeless = Subject(pipeline="shop:hopeless", params={"count": 2})
    with pytest.raises(Crooked, match=r"undisturbed, the job is failed: .*nobody makes 2 clips"):
        prove(lanes, Aim(hopeless, Stand.of("idempotent"), sample=1))


@pytest.mark.parametrize("pipeline", ["approved", "around"])
def test_people_answer_gates_as_they_were_told_to(lanes: Lanes, pipeline: str) -> None:
    gated = Subject(pipeline=f"shop:{pipeline}", params={"count": 2}, answers={"approve": "yes"})
    proof = prove(lanes, Aim(gated, Stand.of("blind"), sample=3))
    assert complaints(proof) == []
    assert Tally.of(proof).kills >= 2


@pytest.mark.parametrize("pipeline", ["approved", "around"])
def test_a_gate_that_nobody_answers_is_named_and_not_waited_for(lanes: Lanes, pipeline: str) -> None:
    gated = Subject(pipeline=f"shop:{pipeline}", params={"count": 1}, answers={"other": "yes"})
    words = r"undisturbed, the job is waiting: .*/approve/0 waits for 'approve': .*--answer approve=VALUE"
    with pytest.raises(Crooked, match=words):
        prove(lanes, Aim(gated, Stand.of("idempotent"), sample=1))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_database_server_that_goes_away_loses_and_repeats_nothing(lanes: Lanes, policy: str) -> None:
    trials = [Trial.parse(f"restart@{point}") for point in ("send:1:after,adopt", "commit:9:before,resend")]
    proof = prove(lanes, Aim(REEL, Stand.of(policy), only=trials))
    assert complaints(proof) == []
    tally = Tally.of(proof)
    assert (tally.kills, tally.missed) == (2, 0)
    assert tally.doubts == 0 or policy == "blind"


@pytest.mark.parametrize("policy", ["findable", "blind"])
def test_rivals_lost_claims_and_clocks_that_jump_change_nothing(lanes: Lanes, policy: str) -> None:
    scenarios = ("again", "rivals", "lease", "clock")
    proof = prove(lanes, Aim(REEL, Stand.of(policy), scenarios, sample=1, random=1, seed=3))
    assert complaints(proof) == []
    assert len(proof.outcomes) == 5


def test_a_decision_counts_even_if_whoever_made_it_is_killed_before_telling(lanes: Lanes) -> None:
    """Whichever of their commits it is: that depends on what else they come to."""
    trials = [
        Trial.parse(f"send:2:{when}+commit:{number}:after,resend")
        for number in range(7, 13)
        for when in ("before", "after")
    ]
    proof = prove(lanes, Aim(REEL, Stand.of("blind"), only=trials))
    assert complaints(proof) == []
    assert Tally.of(proof).decisions == {"resend": len(trials)}


# The command


# These tests may run in the background of a script, whose programs are born deaf to Ctrl-C.
HEEDS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def command(folder: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """`genlock prove`, which is gone when the `with` ends."""
    params = folder / "params.json"
    params.write_text('{"count": 2}')
    program = Path(sys.executable).with_name("genlock")
    words = ("prove", "shop:reel", "--params", params, *map(str, words))
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_answers_with_figures_and_fails_when_something_is_found(tmp_path: Path) -> None:
    words = ("--provider", "findable", "--settle-window", 0, "--only", "send:1:after", "--lanes", 1, "--json")
    with command(tmp_path, *words) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    report = json.loads(out)
    assert (report["kills"], report["charged_twice"], report["lost"]) == (1, 1, 0)
    assert report["money_off_by"] == 1.2
    assert report["provider"] == "findable"
    (run,) = report["runs"]
    (finding,) = run["findings"]
    assert finding["trial"] == "send:1:after,resend"
    assert finding["command"].endswith(
        f"--settle-window 0 --params {tmp_path / 'params.json'} --only send:1:after,resend"
    )
    shutil.rmtree(Path(finding["home"]).parent.parent)


def test_ctrl_c_ends_a_proof_with_what_was_found_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = ("--provider", "idempotent", "--lanes", 2, "--sample", 1, "--random", 150)
    with command(tmp_path, *words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "found" in line:
                break
        started = children_of(process.pid)
        assert len(started) >= 4, "a warm process and a simulator on each of two lanes"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted after" in out
    assert [pid for pid in started if alive(pid)] == []


def children_of(pid: int) -> list[int]:
    """Whatever a process has started, and what that has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                found += [child, *children_of(child)]
    return found


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


# Which trials there are


def test_points_are_chosen_evenly_and_half_of_them_are_requests() -> None:
    points = [f"commit:{n}:{m}" for n in range(1, 41) for m in ("before", "after")]
    points[20:20] = [f"send:{n}:{m}" for n in range(1, 6) for m in ("before", "after")]
    chosen = spread(points, 8)
    assert len(chosen) == 8
    assert sum(point.startswith("send") for point in chosen) == 4
    assert chosen == sorted(chosen, key=points.index)
    assert spread(points, None) == points
    assert spread(points, 1000) == points


@pytest.mark.parametrize(
    "text",
    [
        "commit:5:after,resend",
        "send:1:before,adopt",
        "commit:5:after+commit:2:before+send:1:after,give-up",
        "rivals@commit:7:after+commit:3:before,resend",
        "lose@send:1:after,resend",
        "back@commit:9:before,adopt",
        "restart@send:2:after,give-up",
        "after:0.7340,resend",
    ],
)
def test_a_trial_is_asked_for_by_the_name_it_was_given(text: str) -> None:
    assert str(Trial.parse(text)) == text


def test_what_is_no_trial_is_refused() -> None:
    with pytest.raises(BadInput, match="is no trial"):
        Trial.parse("commit:five")


def test_what_may_come_in_doubt_is_decided_in_each_way_in_turn() -> None:
    points = [
        f"{kind}:{n}:{m}" for n in range(1, 4) for kind in ("commit", "send") for m in ("before", "after")
    ]
    whole = Whole(points, {}, {}, frozenset(), 0, 1.0)
    trials = Aim(REEL, Stand.of("blind")).trials(whole)
    sent = [str(trial) for trial in trials if str(trial).startswith("send") and ":after" in str(trial)]
    assert sent == ["send:1:after,adopt", "send:2:after,resend", "send:3:after,give-up"]
