"""Logs: to stderr at the level that was set; an owner's also as JSON lines to `GENLOCK_HOME/logs`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, TextIO

from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.settings import Settings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FILE_SIZE, FILES = 10 << 20, 5  # bytes of one log file, and how many older ones are kept


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the moment: the live display puts its own there."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def log_to_stderr(settings: Settings, *, at_most: str = "error") -> None:
    """Set logging up for this process. `at_most` caps the level: with "info" that much is always shown."""
    import structlog

    name = settings.log_level.lower()
    if name not in LEVELS:
        raise BadInput(f"GENLOCK_LOG_LEVEL is {settings.log_level!r}: use {', '.join(LEVELS)}")
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setLevel(min(LEVELS[name], LEVELS[at_most]))
    handler.setFormatter(_formatter(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()), before))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(min(handler.level, logging.INFO))
    for loud in ("alembic", "uvicorn", "sqlalchemy", "httpx2", "httpcore2", "asyncio"):
        logging.getLogger(loud).setLevel(max(handler.level, logging.WARNING))


@contextmanager
def log_to_file(settings: Settings) -> Iterator[None]:
    """Keep what an owner logs, as JSON lines of at least info."""
    import structlog

    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        settings.logs / "genlock.log", maxBytes=FILE_SIZE, backupCount=FILES, encoding="utf-8"
    )
    handler.setLevel(logging.INFO)
    before = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(_formatter(structlog.processors.JSONRenderer(), before))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _formatter(renderer: Any, before: list[Any]) -> logging.Formatter:
    import structlog

    own = structlog.stdlib.ProcessorFormatter
    steps: list[Any] = [own.remove_processors_meta]
    if isinstance(renderer, structlog.processors.JSONRenderer):
        steps.append(structlog.processors.format_exc_info)
    return own(processors=[*steps, renderer], foreign_pre_chain=before)
