"""All tests, in parts side by side: one alone leaves half of a small machine idle.

python scripts/test.py [OPTION ...]

Options go to each pytest. What a part says is shown when it has ended. Exit code 1 if any of them fails;
Ctrl-C lets each of them end in order, and is 130.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parent.parent
LOOK = 0.2  # seconds between two looks at who has ended
INTERRUPTED = 130
FINE = (0, 5)  # 5: the options leave nothing of it

# As long as each other, roughly, and the longest first. What is in none of them is a part of its own.
PARTS = (
    ("tests/integration",),
    ("tests/api",),
    ("tests/acceptance", "tests/crash"),
    ("tests/contract", "tests/property", "tests/engine"),
)


@dataclass
class Part:
    """Some of the tests, in one process that leads a group of its own: Ctrl-C is told to it once, by us."""

    words: Sequence[str]
    said: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    process: subprocess.Popen[bytes] | None = None
    last: str = ""  # line of what it said, which has the counts

    def start(self, options: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *self.words, *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        tell(f"--- {self}: begun")

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs, and if it never did."""
        return None if self.process is None else self.process.poll()

    @property
    def running(self) -> bool:
        return self.process is not None and self.code is None

    def show(self) -> None:
        """All that it said."""
        self.said.seek(0)
        text = self.said.read().decode(errors="replace").rstrip()
        tell(f"--- {self}\n{text}")
        self.last = text.rpartition("\n")[2]

    def __str__(self) -> str:
        return "all others" if self.words[0] == "tests" else " ".join(self.words)


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(waiting: list[Part], options: Sequence[str]) -> list[Part]:
    """One more at once than there are cores, for each waits now and then. In the order of their ends."""
    running: list[Part] = []
    ended: list[Part] = []
    with ended_in_order(running):
        while waiting or running:
            while waiting and len(running) <= (os.cpu_count() or 1):
                running.append(waiting.pop(0))
                running[-1].start(options)
            time.sleep(LOOK)
            for part in [each for each in running if not each.running]:
                running.remove(part)
                ended.append(part)
                part.show()
    return ended


@contextmanager
def ended_in_order(running: Sequence[Part]) -> Iterator[None]:
    """Whoever is interrupted tells them, waits for their last words and shows those; again: kills them."""
    try:
        yield
    except KeyboardInterrupt:
        try:
            send(running, signal.SIGINT)
            for part in running:
                if part.process is not None:
                    part.process.wait()
                    part.show()
        except KeyboardInterrupt:
            send(running, signal.SIGKILL)
        raise


def send(parts: Sequence[Part], number: signal.Signals) -> None:
    for part in parts:
        if part.process is not None and part.running:
            part.process.send_signal(number)


def main(options: Sequence[str]) -> int:
    """Run all of them; the exit code."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):  # who begins in the background of a script ignores SIGINT
        signal.signal(number, interrupt)
    others = ("tests", *(f"--ignore={folder}" for part in PARTS for folder in part))
    try:
        ended = run([Part(words) for words in (*PARTS, others)], options)
    except KeyboardInterrupt:
        return INTERRUPTED
    tell("---")
    for part in ended:
        tell(f"{part}: {part.last}")
    return int(any(part.code not in FINE for part in ended))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
