"""For tests of pipelines: a clock you set, a task without an engine, a pipeline run to its end."""

from genlock.testing.clock import FakeClock
from genlock.testing.run import run_to_end
from genlock.testing.task import FakeTask

__all__ = ["FakeClock", "FakeTask", "run_to_end"]
