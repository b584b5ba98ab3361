"""For tests of pipelines: a clock you set, a task without an engine, a pipeline run to its end.

Names are imported when they are first used: simulated vendors start without the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genlock.testing.clock import FakeClock
    from genlock.testing.run import run_to_end
    from genlock.testing.task import FakeTask

__all__ = ["FakeClock", "FakeTask", "run_to_end"]

_HOME = {"FakeClock": "clock", "FakeTask": "task", "run_to_end": "run"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genlock.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"genlock.testing.{_HOME[name]}"), name)
    return value
