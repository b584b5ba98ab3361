"""What can be set from outside, with its defaults; the only reader of the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from genlock.errors import BadInput
from genlock.failpoint import Order


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        msg = "must be longer than nothing"
        raise ValueError(msg)
    return value


def _seconds(value: Any) -> Any:
    """The environment only has text: a bare number in it means seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _checked(order: str | None) -> str | None:
    """Say at once that it cannot be carried out, not when the process should have died."""
    if order is not None:
        try:
            Order.parse(order)
        except BadInput as error:
            raise ValueError(str(error)) from error
    return order


Span = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Each is read from `GENLOCK_<NAME>`; spans are seconds or ISO 8601 (`PT2H`)."""

    model_config = SettingsConfigDict(env_prefix="GENLOCK_", extra="ignore", frozen=True)

    home: Path = Field(
        default_factory=lambda: user_data_path("genlock", appauthor=False),
        description="folder of the ledger, the store, the lock and the socket",
    )
    deadline: Span = Field(
        default=timedelta(hours=2), description="how long a job may take before it stops; `retry` goes on"
    )
    attempt_timeout: Span = Field(
        default=timedelta(minutes=30), description="how long one attempt at a task may take"
    )
    attempts: int = Field(default=4, ge=1, description="tries of a task whose stage names none")
    backoff: Span = Field(default=timedelta(seconds=1), description="wait before the second try; doubles")
    backoff_cap: Span = Field(default=timedelta(minutes=10), description="longest wait between tries")
    reclaims: int = Field(default=5, ge=0, description="how often a task may lose its process")
    concurrency: int = Field(default=1024, ge=1, description="task bodies at once in one process")
    cpu: int = Field(default_factory=_cores, ge=1, description="rendering processes at once")
    child_memory_mb: int = Field(default=2048, ge=256, description="memory limit of one rendering process")
    child_stall: Span = Field(
        default=timedelta(seconds=60), description="a rendering process silent this long is ended"
    )
    grace: Span = Field(
        default=timedelta(seconds=5), description="how long running bodies may take to stop at shutdown"
    )
    disk_reserve: float = Field(
        default=0.05, ge=0, lt=1, description="share of the disk that rendering leaves free"
    )
    failpoint: Annotated[str | None, AfterValidator(_checked)] = Field(
        default=None, description="for proofs: where this process is to kill itself, as `commit:17:after`"
    )
    log_level: str = Field(default="warning", description="debug, info, warning or error")

    @property
    def database(self) -> Path:
        return self.home / "ledger.db"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def socket(self) -> Path:
        return self.home / "genlock.sock"

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def logs(self) -> Path:
        return self.home / "logs"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with these on top. `BadInput` names the variable that does not fit."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = (f"GENLOCK_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise BadInput("a setting cannot be used: " + "; ".join(lines)) from error
