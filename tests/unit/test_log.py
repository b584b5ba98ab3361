"""What a log tells of an error."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAILS = """
import sys
import structlog
from genlock import log
from genlock.settings import Settings

{begin}

def work(key):
    raise ValueError("it broke")

try:
    work(sys.argv[1])
except ValueError:
    structlog.get_logger("genlock").exception("Nobody expected this")
"""


@pytest.mark.parametrize(
    "begin",
    [
        "log.keep_quiet('info')",
        "log.log_to_stderr(Settings(log_format='text'))",
        "log.log_to_stderr(Settings(log_format='json'))",
    ],
)
def test_an_error_is_told_with_its_lines_and_not_with_what_variables_hold(begin: str) -> None:
    code = FAILS.format(begin=begin)
    command = [sys.executable, "-c", code, "hush-key"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "Nobody expected this" in done.stderr
    assert "ValueError: it broke" in done.stderr
    assert "in work" in done.stderr
    assert "hush-key" not in done.stderr
