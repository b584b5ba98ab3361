"""`genlock prove`: kill a pipeline at every commit and every request, and see what is lost or paid twice."""

from __future__ import annotations

import json as jsons
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.testing.proof.aim import Aim
    from genlock.testing.proof.proof import Proof

FOUND = 1  # exit code
INTERRUPTED = 130
RESTART = "restart"


Pipeline = Annotated[
    str, typer.Argument(metavar="[PIPELINE]", help="One that comes with genlock, or my.module:pipeline.")
]
Provider = Annotated[
    list[str] | None,
    typer.Option(help="idempotent, findable or blind; may be repeated. Without it: all three."),
]
Pairs = Annotated[int, typer.Option(min=1, help="Clips of the campaign.")]
Params = Annotated[Path | None, typer.Option(metavar="FILE", help="What your pipeline is given, as JSON.")]
Tools = Annotated[
    str | None, typer.Option(metavar="MODULE:FUNCTION", help="Makes the tools your pipeline needs.")
]
Answer = Annotated[
    list[str] | None,
    typer.Option(metavar="GATE=VALUE", help="What people say at this gate: JSON or text; may be repeated."),
]
Scenario = Annotated[
    list[str] | None,
    typer.Option(
        help="kill, again, rivals, lease, clock, restart or all; may be repeated. Without it: kill."
    ),
]
Sample = Annotated[
    int | None, typer.Option(min=1, help="Try so many points of each scenario, evenly spread.")
]
Random = Annotated[int, typer.Option(min=0, help="Kill at so many random moments besides.")]
Seed = Annotated[int, typer.Option(help="Draws the random moments.")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="TRIAL", help="This trial alone, as a proof has named it; may be repeated."),
]
SettleWindow = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long a request is looked for; with 0 the proof has to find a second charge.",
    ),
]
Lanes = Annotated[
    int | None, typer.Option(min=1, help="Trials at once. Without it: one more than there are cores.")
]
Speed = Annotated[float, typer.Option(min=1, help="How fast waiting passes.")]


def prove(
    pipeline: Pipeline = "campaign",
    provider: Provider = None,
    pairs: Pairs = 10,
    params: Params = None,
    tools: Tools = None,
    answer: Answer = None,
    scenario: Scenario = None,
    sample: Sample = None,
    random: Random = 0,
    seed: Seed = 0,
    only: Only = None,
    settle_window: SettleWindow = None,
    lanes: Lanes = None,
    speed: Speed = 100.0,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Kill a pipeline at every commit and every request, resume it, and see what is lost or paid twice.

    Real processes are killed with SIGKILL; what charges is a simulator on this machine, and nothing else is
    ever asked. Exit code 1 if anything was lost, repeated, charged twice or miscounted.
    """
    from genlock.testing.proof.aim import Aim
    from genlock.testing.proof.stand import VIDEO, Stand
    from genlock.testing.proof.subject import subject_of
    from genlock.testing.proof.trial import Trial

    trials = [Trial.parse(text) for text in only or ()]
    with tempfile.TemporaryDirectory(prefix="genlock-prove-") as folder:
        answers = answer or []
        subject = subject_of(pipeline, Path(folder), pairs=pairs, params=params, tools=tools, answers=answers)
        words = _words(pipeline, pairs, params, tools, answers)
        aims = [
            Aim(subject, stand, _scenarios(scenario), sample, random, seed, trials, words)
            for stand in (Stand.of(word, settle_window=settle_window) for word in provider or VIDEO)
        ]
        count = lanes or (os.cpu_count() or 1) + 1
        raise typer.Exit(_prove(aims, count, speed, json=json, quiet=quiet))


def _prove(aims: Sequence[Aim], lanes: int, speed: float, *, json: bool, quiet: bool) -> int:
    """One proof after the other; the exit code."""
    from genlock.cli.proof import Bars, verdict
    from genlock.testing.proof.lane import Lanes
    from genlock.testing.proof.proof import Proof, modules_of, place_for_homes
    from genlock.testing.proof.tally import Tally

    proofs: list[Proof] = []
    folder = Lanes(place_for_homes(), modules_of(aims[0].subject), count=lanes, speed=speed)
    with folder as opened, Bars(quiet=quiet) as bars:
        for aim in aims:
            proof = Proof(aim, opened, hear=bars.hear)
            proofs.append(proof)
            bars.begin(proof)
            proof.run()
            bars.hear(proof)
            if proof.interrupted:
                break
    tallies = [Tally.of(proof) for proof in proofs]
    if json:
        print(jsons.dumps(report(proofs), indent=2, ensure_ascii=False))
    else:
        verdict(proofs, [command_of(proof.aim) for proof in proofs])
    if any(tally.interrupted for tally in tallies):
        return INTERRUPTED
    return 0 if all(tally.good for tally in tallies) else FOUND


def report(proofs: Sequence[Proof]) -> dict[str, Any]:
    """All proofs in figures: their sums, and each by itself."""
    from genlock.testing.proof.tally import Tally, findings

    tallies = [Tally.of(proof) for proof in proofs]
    runs = [
        {
            "provider": proof.aim.stand.policy.value,
            "model": proof.aim.stand.model,
            **tally.figures(),
            "findings": [vars(each) for each in findings(proof, command_of(proof.aim))],
        }
        for proof, tally in zip(proofs, tallies, strict=True)
    ]
    aim = proofs[0].aim
    return {
        **sum(tallies[1:], tallies[0]).figures(),
        "provider": ", ".join(run["provider"] for run in runs),
        "pipeline": aim.subject.pipeline,
        "pairs": aim.subject.params.get("num_pairs"),
        "sample": aim.sample,
        "scenarios": list(aim.scenarios),
        "random": aim.random,
        "seed": aim.seed,
        "settle_window": aim.stand.settle_window,
        "speed": proofs[0].lanes.speed,
        "lanes": len(proofs[0].lanes.lanes),
        "runs": runs,
    }


def command_of(aim: Aim) -> str:
    """The command that tries this aim's subject again, without what chooses trials."""
    words = ["genlock", "prove", aim.subject.pipeline, "--provider", aim.stand.policy.value]
    if aim.stand.settle_window is not None:
        words += ["--settle-window", f"{aim.stand.settle_window:g}"]
    words += [*aim.words]
    return shlex.join(words)


def _words(
    pipeline: str, pairs: int, params: Path | None, tools: str | None, answers: Sequence[str]
) -> list[str]:
    """The options that chose the subject."""
    words = [] if ":" in pipeline or params else ["--pairs", str(pairs)]
    words += ["--params", str(params)] if params else []
    words += ["--tools", tools] if tools else []
    return words + [word for answer in answers for word in ("--answer", answer)]


def _scenarios(given: list[str] | None) -> tuple[str, ...]:
    """Those that were asked for. `restart` needs a database server; of `all` it is left out without one."""
    from genlock.testing.proof.aim import SCENARIOS
    from genlock.testing.proof.database import why_not

    wanted = given or ["kill"]
    unknown = set(wanted) - {*SCENARIOS, "all"}
    if unknown:
        raise BadInput(f"there is no scenario {min(unknown)!r}; there are {', '.join(SCENARIOS)} and all")
    missing = why_not() if {*wanted} & {RESTART, "all"} else None
    if missing and RESTART in wanted:
        raise BadInput(f"the scenario restart cannot be tried: {missing}")
    if missing:
        print(f"restart is left out: {missing}", file=sys.stderr)
    chosen = SCENARIOS if "all" in wanted else tuple(dict.fromkeys(wanted))
    return tuple(name for name in chosen if name != RESTART or not missing)
