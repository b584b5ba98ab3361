"""Whether this process can do its work: looked at for those who ask all the time, and kept for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from genlock.clock import Clock

WITHIN = 5.0  # seconds that a look may take, unless it is one at something slow
KEEP = timedelta(seconds=2)  # that a look is good for
STOPPING = "this process is stopping: another one goes on"


class Unready(Exception):
    """What is wrong, in a sentence."""


Look = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """A look at one thing: what was found, or `Unready`. What was well stays so for `keep`; a look that takes
    more than `within` seconds has failed.
    """

    look: Look
    keep: timedelta = KEEP
    within: float = WITHIN


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look has found, and whether work can be done."""

    ok: bool
    found: str


class Readiness:
    """The looks at all that is needed, each made again when its time has come and somebody asks."""

    def __init__(self, checks: Mapping[str, Check], clock: Clock) -> None:
        self._checks, self._clock = checks, clock
        self._found: dict[str, tuple[float, Finding]] = {}
        self._looking = asyncio.Lock()
        self.stopping = False

    async def findings(self) -> dict[str, Finding]:
        """By name. Whoever asks meanwhile waits for the same looks."""
        if self.stopping:
            return {"process": Finding(False, STOPPING)}
        async with self._looking:
            due = [name for name in self._checks if self._is_due(name)]
            looks = await asyncio.gather(*(self._look(name) for name in due))
            now = self._clock.monotonic()
            self._found |= {name: (now, found) for name, found in zip(due, looks, strict=True)}
        return {name: self._found[name][1] for name in self._checks}

    def _is_due(self, name: str) -> bool:
        if name not in self._found:
            return True
        at, finding = self._found[name]
        keep = self._checks[name].keep if finding.ok else KEEP
        return self._clock.monotonic() - at >= keep.total_seconds()

    async def _look(self, name: str) -> Finding:
        check = self._checks[name]
        try:
            async with asyncio.timeout(check.within):
                return Finding(True, await check.look())
        except TimeoutError:
            return Finding(False, f"gave no answer within {check.within:g} seconds")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
            return Finding(False, str(error) or type(error).__name__)
