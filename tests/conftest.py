"""For tests of the `genlock` command itself: real processes on real homes (`benchmarks/command.py`)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "examples" / "photos"

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks"), str(ROOT / "tests" / "property")]

# How long an example takes is the machine's affair.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# What is logged where nothing is set up: an error with all that its variables hold takes ten seconds to draw.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback

pytest_plugins = ("postgres",)  # a real server, for those who ask for it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove", action="store_true", help="try every point and many more histories: takes half an hour"
    )


@pytest.fixture(scope="session")
def prove(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be tried, or a fixed choice of it."""
    return bool(request.config.getoption("prove"))


@pytest.fixture(scope="session")
def photo() -> Callable[..., list[Path]]:
    """Photographs that come with genlock, by their names without the ending."""

    def find(*names: str) -> list[Path]:
        found = [PHOTOS / f"{name}.jpg" for name in names]
        assert [path for path in found if not path.is_file()] == []
        return found

    return find


@pytest.fixture
def genlock(tmp_path: Path) -> Iterator[Any]:
    """`genlock` on a new home; no process of it is alive when the test has ended."""
    from command import Command

    with Command(tmp_path) as command:
        yield command
    shutil.rmtree(command.home, ignore_errors=True)
