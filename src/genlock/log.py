"""Logs: to stderr at the level that was set, and an owner's also as JSON lines to `GENLOCK_HOME/logs`.

Every line says where it was written: for which request, job, task and attempt (`genlock.trace`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, TextIO

from genlock import trace
from genlock.errors import BadInput

if TYPE_CHECKING:
    from genlock.settings import Settings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FILE_SIZE, FILES = 10 << 20, 5  # bytes of one log file, and how many older ones are kept
LOUD = ("alembic", "apscheduler", "asyncio", "httpcore2", "httpx2", "opentelemetry", "sqlalchemy", "uvicorn")
TEXT, JSON = "text", "json"


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the moment: the live display puts its own there."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def log_to_stderr(settings: Settings, *, at_most: str = "error", serving: bool = False) -> None:
    """Set logging up for this process. `at_most` caps the level: with "info" that much is always shown.

    A process that is `serving` writes JSON unless somebody reads it on a terminal, or it is told otherwise.
    """
    import structlog

    name = settings.log_level.lower()
    if name not in LEVELS:
        raise BadInput(f"GENLOCK_LOG_LEVEL is {settings.log_level!r}: use {', '.join(LEVELS)}")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _place,
            *_before(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setLevel(min(LEVELS[name], LEVELS[at_most]))
    handler.setFormatter(_formatter(settings.log_format or (JSON if serving and not _is_read() else TEXT)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(min(handler.level, logging.INFO))
    for loud in LOUD:
        logging.getLogger(loud).setLevel(max(handler.level, logging.WARNING))


@contextmanager
def log_to_file(settings: Settings) -> Iterator[None]:
    """Keep what an owner logs, as JSON lines of at least info."""
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        settings.logs / "genlock.log", maxBytes=FILE_SIZE, backupCount=FILES, encoding="utf-8"
    )
    handler.setLevel(logging.INFO)
    handler.setFormatter(_formatter(JSON))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _is_read() -> bool:
    return sys.stderr.isatty()


def _before() -> list[Any]:
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _place(_logger: Any, _method: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where this line was written. What the line says itself comes first."""
    for name, value in trace.fields().items():
        said.setdefault(name, value)
    return said


def _formatter(format: str) -> logging.Formatter:
    import structlog

    own = structlog.stdlib.ProcessorFormatter
    foreign = [_place, *_before(), structlog.stdlib.ExtraAdder()]
    steps: list[Any]
    if format == JSON:
        steps = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        steps = [_text()]
    return own(processors=[own.remove_processors_meta, *steps], foreign_pre_chain=foreign)


def _text() -> Any:
    """For people. An error is told with its lines of code and without what its variables hold: keys are among
    those, and a request's whole world takes ten seconds to draw.
    """
    import structlog

    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=_is_read(), exception_formatter=plain)


def keep_quiet(level: str) -> None:
    """Log as the settings say, unless the program has set its logs up itself: else all of them were shown."""
    import structlog

    if not structlog.is_configured():
        least = getattr(logging, level.upper(), logging.WARNING)
        structlog.configure(
            processors=[*_before(), structlog.dev.set_exc_info, _text()],
            wrapper_class=structlog.make_filtering_bound_logger(least),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
