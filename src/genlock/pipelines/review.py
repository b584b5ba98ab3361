"""The gate behind a film: nothing is complete before a person has said yes to these very bytes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from genlock.engine.declare import provided, stage
from genlock.engine.task import Task
from genlock.errors import Conflict, Permanent, Rejected
from genlock.ledger.library.verdict import GATE
from genlock.pipelines.models import Film

_REVIEW_OF = "review of "


class Opinion(StrEnum):
    """What a person says of a film."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Approval(BaseModel):
    """What a person said of a film, and of which bytes."""

    model_config = ConfigDict(frozen=True)

    verdict: Opinion
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    revision: int = Field(ge=1, description="of the film, counted from 1")
    by: str
    at: datetime
    reason: str = ""


def gate_of(sha256: str) -> str:
    """The signal that a film with these bytes waits for: what is said of another one never opens it."""
    return f"{_REVIEW_OF}{sha256[:16]}"


def refuse_gate(signal: str) -> None:
    """`Conflict` for a review's signal: that has a door of its own, where it is written down who spoke."""
    if signal.startswith(_REVIEW_OF):
        raise Conflict(
            "a film is approved or rejected by its revision: `genlock videos approve`, or "
            "POST /api/v3/videos/ID/approve"
        )


@stage(name=GATE)
async def await_review(film: Film, *, task: Task = provided()) -> Approval:
    """Wait, holding no worker, until a person has approved the film. `Rejected` with the reason if not.

    The job's deadline is lifted: nobody says how long a person takes.
    """
    said = Approval.model_validate(await task.event(gate_of(film.film.sha256), lifts_deadline=True))
    if said.sha256 != film.film.sha256:
        raise Permanent(
            f"what was said is of another film, {said.sha256[:16]}: make this one anew with "
            f"`genlock jobs redo`, and say it of that"
        )
    if said.verdict is Opinion.REJECTED:
        raise Rejected(f"rejected by {said.by}: {said.reason}")
    return said
