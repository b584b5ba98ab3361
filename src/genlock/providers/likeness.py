"""Telling a request by what was asked for, where a vendor's list shows no key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genlock.errors import Doubtful

CLOCKS = timedelta(seconds=5)  # that a vendor's clock may be behind ours for a request still to be the newest


@dataclass(slots=True)
class Likeness:
    """Collects the requests in a list that are like ours, which was intended at `since`.

    One that came after that is ours, or somebody's who asked for exactly the same: its result is as good,
    and nothing is charged a second time. Any other proves neither that ours is there nor that it is not,
    for clocks are set: that is a doubt.
    """

    vendor: str
    since: datetime
    _near: list[str] = field(default_factory=list)
    _far: list[str] = field(default_factory=list)

    def add(self, handle: str, at: datetime | None, *, certain: bool = True) -> None:
        """One that is like ours; not `certain` if its inputs are no longer shown."""
        near = certain and at is not None and at >= self.since - CLOCKS
        (self._near if near else self._far).append(handle)

    def verdict(self, *, any_will_do: bool = False) -> str | None:
        """The handle of ours; None: there is nothing like it. `Doubtful` if it cannot be told."""
        if len(self._near) == 1 or (self._near and any_will_do):
            return self._near[0]
        if not self._near and not self._far:
            return None
        found = ", ".join([*self._near, *self._far][:5])
        raise Doubtful(f"{self.vendor} has {found} with the same inputs, and nothing says whose they are")
