"""One of the lanes of a proof, which go on at once: a simulator, a warm process, and homes to be tried."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genlock.errors import BadInput, GenlockError
from genlock.settings import bare_environment
from genlock.testing.proof.charge import charges_in
from genlock.testing.proof.haste import MACHINE
from genlock.testing.proof.order import Order
from genlock.testing.proof.stand import Stand
from genlock.testing.simulator import Charge, SimulatorProcess

PATIENCE = 60.0  # seconds of the machine's time that a process may take before it counts as hung
START = 60.0  # ... until the warm process has imported everything
HUNG = 124  # the code of a process that had to be ended


class Interrupted(GenlockError):
    """The proof was called off while a process was at work."""


class Lane:
    """Carries orders out. `folder` is for all it keeps; `modules` are imported once, before any fork.

    Entered in one thread and used in one thread; `cut` may be called from another, and ends all of it.
    """

    def __init__(self, folder: Path, stand: Stand, modules: Sequence[str], *, speed: float) -> None:
        self.folder, self.speed = folder, speed
        self.stand, self._modules = stand, modules
        self._vendors = SimulatorProcess(state=folder / "vendors", **stand.tuning)
        self._warm: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()
        self._settings: Mapping[str, Any] = {}
        self._began = 0.0
        self._at = MACHINE.now()
        self._numbers = 0
        self._heard = b""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._vendors)
            for name, rate in self.stand.rates.items():
                self._vendors.price(name, rate)
            self._settings = self.stand.settings(self._vendors)
            self._warm = self._start(self._modules)
            stack.callback(self.cut)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, modules: Sequence[str]) -> subprocess.Popen[bytes]:
        """The warm process. A module that starts threads when it is imported is left to each child."""
        process = subprocess.Popen(
            [sys.executable, "-m", "genlock.testing.proof.fork", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "warm.txt").open("ab"),
            env=bare_environment(),
            cwd=Path.cwd(),
            start_new_session=True,
        )
        line = self._line(process, START)
        if line is None:
            process.kill()
            process.wait()
            said = (self.folder / "warm.txt").read_text(errors="replace").strip().splitlines()
            raise BadInput(
                f"{', '.join(modules) or 'genlock'} cannot be imported: {said[-1] if said else '?'}"
            )
        if line["threads"] == 1:
            return process
        process.kill()
        process.wait()
        if not modules:
            raise BadInput("a library of genlock starts threads when it is imported: nothing can be forked")
        return self._start(())

    @property
    def book(self) -> Path:
        """The folder of the vendors' book."""
        return self.folder / "vendors"

    def charges(self) -> Sequence[Charge]:
        """What was charged since `begin`."""
        return charges_in(self.book)

    def begin(self) -> None:
        """Forget what was charged, and let the vendors' time and ours begin together."""
        self._vendors.reset()
        self._began, self._at = MACHINE.monotonic(), MACHINE.now()
        self._vendors.set_clock(at=self._at.timestamp(), scale=self.speed)

    def now(self) -> datetime:
        """The vendors' time, with which the clock of a new process starts."""
        return self._at + timedelta(seconds=(MACHINE.monotonic() - self._began) * self.speed)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those that lead to the simulated vendors and nowhere else."""
        return self._settings

    def run(self, *orders: Order, kill_after: float | None = None) -> list[int]:
        """Let processes carry these out, at once; how each ended: 0, or minus the signal that ended it."""
        numbers = [self._send(order, kill_after) for order in orders]
        codes: dict[int, int] = {}
        deadline = MACHINE.monotonic() + PATIENCE
        while len(codes) < len(numbers):
            answer = self._line(self._running(), deadline - MACHINE.monotonic())
            if answer is None and self._running().poll() is not None:
                raise Interrupted("the proof was interrupted")
            if answer is None:
                hung = [number for number in numbers if number not in codes]
                for number in hung:
                    self._write({"stop": number})
                codes.update(dict.fromkeys(hung, HUNG))
                self._drop(len(hung))
                break
            codes[answer["number"]] = answer["code"]
        return [codes[number] for number in numbers]

    def cut(self) -> None:
        """End the warm process and all its children."""
        if self._warm is not None:
            assert self._warm.stdin is not None
            self._warm.stdin.close()
            try:
                self._warm.wait(5)
            except subprocess.TimeoutExpired:
                self._warm.kill()
                self._warm.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._warm is not None
        return self._warm

    def _send(self, order: Order, kill_after: float | None) -> int:
        self._numbers += 1
        content = {"number": self._numbers, "run": order.model_dump(mode="json"), "kill_after": kill_after}
        self._write(content)
        return self._numbers

    def _write(self, content: Mapping[str, Any]) -> None:
        stdin = self._running().stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(content).encode() + b"\n")
            stdin.flush()
        except (BrokenPipeError, ValueError) as error:  # ValueError: it was closed by `cut`
            raise Interrupted("the proof was interrupted") from error

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._line(self._running(), 5.0)

    def _line(self, process: subprocess.Popen[bytes], patience: float) -> dict[str, Any] | None:
        """The next answer; None if there is none in time, or nobody is left to give one."""
        assert process.stdout is not None
        deadline = MACHINE.monotonic() + patience
        while b"\n" not in self._heard:
            left = max(0.0, deadline - MACHINE.monotonic())
            ready, _, _ = select.select([process.stdout], [], [], left)
            chunk = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                return None
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
