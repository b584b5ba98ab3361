"""Runs AI video pipelines so that nothing finished is redone and nothing is paid for twice.

Names are imported when they are first used: `import genlock` costs nothing, and declaring a pipeline
loads neither a database nor a media library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genlock import errors
    from genlock.bootstrap import open_engine
    from genlock.engine.declare import Pipeline, Retry, Stage, minutes, pipeline, provided, seconds, stage
    from genlock.engine.engine import Engine
    from genlock.engine.task import Task
    from genlock.errors import BadInput, GenlockError, GraphError, Permanent, Skip, Transient

__all__ = [
    "BadInput",
    "Engine",
    "GenlockError",
    "GraphError",
    "Permanent",
    "Pipeline",
    "Retry",
    "Skip",
    "Stage",
    "Task",
    "Transient",
    "errors",
    "minutes",
    "open_engine",
    "pipeline",
    "provided",
    "seconds",
    "stage",
]

_HOMES = {
    "genlock.engine.declare": "Pipeline Retry Stage minutes pipeline provided seconds stage",
    "genlock.engine.engine": "Engine",
    "genlock.engine.task": "Task",
    "genlock.bootstrap": "open_engine",
    "genlock.errors": "BadInput GenlockError GraphError Permanent Skip Transient",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("genlock.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'genlock' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
