"""What a process of a proof is told to do, and what it tells when it has done it: plain data, as JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from genlock.ledger.spending import Decision

JOB = "proof"
TOLD = "told.json"
HELD = 75  # exit code of a process that found the home taken, and did not want to wait

Blow = Literal["die", "lose", "back", "ahead", "restart"]
"""What happens at the point: SIGKILL; all claims are lost; the clock is hours back for a while, or ahead; the
database server is stopped as by a crash, and comes back.
"""


class Subject(BaseModel):
    """A pipeline by its name or as `module:attribute`, what it is given, and the tools it needs besides
    (`module:function`, called without arguments: a mapping as `open_engine` takes it). `answers` are what
    people say at its gates, by the names that it waits for.
    """

    pipeline: str
    params: dict[str, Any]
    tools: str | None = None
    answers: dict[str, Any] = {}


class Order(BaseModel):
    """One process: carry the job of this home until it ends, or until the blow falls.

    `settings` are those of `open_engine`. `start` is what the clock shows at first, `speed` how fast waiting
    passes. `decide` is what a person says of a call in doubt; `book` is where the vendors write what they
    charged, in which that person looks up ids, and `inputs` tells by which input a call is known there.
    `wait_for_home` lets the process wait for another owner's end; `renderer` is a warm renderer's socket;
    `server` the process id of the database, if it is a server.
    """

    home: Path
    folder: Path
    subject: Subject
    settings: dict[str, Any]
    start: datetime
    speed: float
    failpoint: str | None = None
    blow: Blow = "die"
    decide: Decision = Decision.RESEND
    book: Path | None = None
    inputs: dict[str, str] = {}
    wait_for_home: bool = False
    renderer: Path | None = None
    server: int | None = None

    @property
    def seen(self) -> Path:
        """Where the process writes what was to be seen when the blow fell and it lived on."""
        return self.folder / "seen.json"

    @property
    def told(self) -> Path:
        """Where the process writes what it has to tell."""
        return self.folder / TOLD


class Told(BaseModel):
    """How a process that was not killed ended: the job's state and result, and how many milliseconds passed
    from the opening of the home to the first task that went on.
    """

    state: str
    result: Any = None
    error: str | None = None
    recovery_ms: float | None = None
    struck: bool = False
