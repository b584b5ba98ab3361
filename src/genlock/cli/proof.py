"""What a proof looks like while it runs, and what is said of it in the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from genlock.money import Money

if TYPE_CHECKING:
    from genlock.testing.proof.proof import Proof
    from genlock.testing.proof.tally import Finding, Tally

SHOWN = 10  # findings that are told one by one
TENTHS = 10  # lines of progress where there is no terminal


class Bars:
    """A bar for each provider on a terminal, a line for each tenth elsewhere; all on stderr."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._task: Any = None
        self._told = 0

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[count]}"),
                TextColumn("{task.fields[found]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, proof: Proof) -> None:
        """The next provider's turn."""
        self._told = 0
        name = f"{proof.aim.stand.policy.value:<10}"
        if self._bars is not None:
            self._task = self._bars.add_task(name, total=None, count="", found="runs undisturbed")
        elif not self._quiet:
            print(f"{name} {proof.aim.stand.model}: runs undisturbed", file=sys.stderr, flush=True)

    def hear(self, proof: Proof) -> None:
        """Something was tried."""
        done, total = len(proof.outcomes), len(proof.trials)
        wrong = sum(not outcome.verdict.good for outcome in proof.outcomes)
        doubts = sum(outcome.verdict.doubts for outcome in proof.outcomes)
        found = f"{wrong} found" + (f", {doubts} in doubt" if doubts else "")
        if self._bars is not None:
            colour = "red" if wrong else "green"
            self._bars.update(
                self._task,
                completed=done,
                total=total or None,
                count=f"{done}/{total}" if total else "",
                found=f"[{colour}]{found}[/{colour}]",
            )
        elif not self._quiet and total and done * TENTHS // total > self._told:
            self._told = done * TENTHS // total
            print(f"           {done}/{total}, {found}", file=sys.stderr, flush=True)


def verdict(proofs: Sequence[Proof], commands: Sequence[str]) -> None:
    """A column for each provider, what was found in words, and the sentence that it comes to."""
    from rich.console import Console
    from rich.table import Table

    from genlock.testing.proof.tally import Tally, findings

    tallies = [Tally.of(proof) for proof in proofs]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for proof in proofs:
        table.add_column(
            f"{proof.aim.stand.policy.value}\n[dim]{proof.aim.stand.model}[/dim]", justify="right"
        )
    for name, show in ROWS:
        cells = [show(tally) for tally in tallies]
        if name or any(cells):
            table.add_row(name, *cells)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(table)
    found = [each for proof, words in zip(proofs, commands, strict=True) for each in findings(proof, words)]
    for each in found[:SHOWN]:
        _tell(each)
    if len(found) > SHOWN:
        print(f"\nand {len(found) - SHOWN} more: --json names them all")
    print(f"\n{_sentence(tallies, len(found))}")


def _tell(finding: Finding) -> None:
    print(f"\n{finding.trial}")
    for complaint in finding.complaints[:SHOWN]:
        print(f"  {complaint}")
    if finding.home:
        print(f"  left in {finding.home}")
    print(f"  again: {finding.command}")


def _sentence(tallies: Sequence[Tally], found: int) -> str:
    trials = sum(tally.trials for tally in tallies)
    if any(tally.interrupted for tally in tallies):
        return f"Interrupted after {trials} trials: {found} went wrong."
    if found:
        return f"Not proved: {found} of {trials} trials went wrong."
    kills = sum(tally.kills for tally in tallies)
    return f"{trials} trials, {kills} kills: nothing lost, nothing done again, nothing paid twice."


def _bad(count: int) -> str:
    return f"[bold red]{count}[/]" if count else "[green]0[/]"


def _money(tally: Tally) -> str:
    off = str(Money(tally.money_off_by))
    return f"[bold red]{off}[/]" if tally.money_off_by else f"[green]{off}[/]"


def _recovery(tally: Tally) -> str:
    from genlock.testing.proof.tally import percentiles

    spread = percentiles(tally.recovery_ms)
    return f"{spread['p50']:.0f} ms, {spread['max']:.0f} at most" if spread["of"] else "–"


def _resolved(tally: Tally) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(tally.decisions.items())) or "–"


ROWS: Sequence[tuple[str, Callable[[Tally], str]]] = (
    ("points of a run", lambda tally: str(tally.points)),
    ("trials", lambda tally: str(tally.trials)),
    ("kills", lambda tally: str(tally.kills)),
    ("point not reached", lambda tally: str(tally.missed)),
    ("lost", lambda tally: _bad(tally.lost)),
    ("done again", lambda tally: _bad(tally.repeated)),
    ("charged twice", lambda tally: _bad(tally.charged_twice)),
    ("money off by", _money),
    ("files damaged", lambda tally: _bad(tally.damaged)),
    ("not finished", lambda tally: _bad(tally.unfinished)),
    ("needless doubts", lambda tally: _bad(tally.needless)),
    ("in doubt", lambda tally: str(tally.doubts)),
    ("resolved by", _resolved),
    ("went on after", _recovery),
    ("took", lambda tally: f"{tally.seconds:.0f} s"),
)
