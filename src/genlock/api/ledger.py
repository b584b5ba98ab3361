"""The route of the ledger itself: a copy of it for a backup."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from genlock.api.caller import Caller, Scope, allow
from genlock.api.dependency import Given
from genlock.api.problem import RESPONSES
from genlock.api.wire import Envelope, wrapped

router = APIRouter(prefix="/ledger", tags=["ledger"], responses=RESPONSES)


@router.post("/copy", response_model=Envelope[str])
async def copy_ledger(services: Given, caller: Annotated[Caller, allow(Scope.ADMIN)]) -> Envelope[str]:
    """Make a copy of the ledger in its own folder, for `genlock backup`, which takes it away. Its path."""
    await services.record(caller, "ledger.copied", "ledger")  # before it is: it says what may have left
    path = await services.jobs.copy_ledger()
    return wrapped(path)
