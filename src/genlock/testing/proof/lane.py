"""One of the lanes of a proof, which go on at once: a simulator, a warm process, and homes to be tried."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genlock.errors import BadInput, GenlockError
from genlock.settings import bare_environment
from genlock.testing.proof.charge import charges_in
from genlock.testing.proof.database import Keeper
from genlock.testing.proof.haste import MACHINE
from genlock.testing.proof.order import Order
from genlock.testing.proof.renderer import Renderer
from genlock.testing.proof.stand import Stand
from genlock.testing.simulator import Charge, SimulatorProcess

PATIENCE = 60.0  # seconds of the machine's time that a process may take before it counts as hung
START = 60.0  # ... until the warm process has imported everything
FAREWELL = 5.0  # ... until one ends that was told to
HUNG = 124  # the code of a process that had to be ended


class Interrupted(GenlockError):
    """The proof was called off while a process was at work."""


class Lane:
    """Carries orders out. `folder` is for all it keeps; `modules` are imported once, before any fork; what
    rendering makes is shared with other lanes in `archive`.

    Used in one thread at a time; `cut` may be called from another, and ends all of it.
    """

    def __init__(self, folder: Path, modules: Sequence[str], archive: Path, *, speed: float) -> None:
        self.folder, self.speed, self._archive = folder, speed, archive
        self._modules = modules
        self._vendors = SimulatorProcess(state=folder / "vendors")
        self._warm: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()
        self.settings: Mapping[str, Any] = {}
        self._began = 0.0
        self._at = MACHINE.now()
        self._numbers = 0
        self._folders = itertools.count()
        self._heard = b""
        self._keeper: Keeper | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder.mkdir(parents=True)
            stack.enter_context(self._vendors)
            self._warm = self._start(self._modules)
            stack.enter_context(Renderer(self.renderer, self._archive))
            stack.callback(self.cut)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if self._warm is not None and self._warm.stdout is not None:
            self._warm.stdout.close()
        shutil.rmtree(self.book, ignore_errors=True)
        for name in ("warm.txt", "new.db", self.renderer.name):
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # what was kept is in it
            self.folder.rmdir()

    def _start(self, modules: Sequence[str]) -> subprocess.Popen[bytes]:
        """The warm process. A module that starts threads when it is imported is left to each child."""
        process = self._popen(modules)
        line = self._line(process, START)
        if line is not None and line["threads"] == 1:
            return process
        _end(process)
        if line is None:
            said = (self.folder / "warm.txt").read_text(errors="replace").strip().splitlines()
            why = said[-1] if said else "nobody says why"
            raise BadInput(f"{', '.join(modules) or 'genlock'} cannot be imported: {why}")
        if not modules:
            raise BadInput("a library of genlock starts threads when it is imported: nothing can be forked")
        return self._start(())

    def _popen(self, modules: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "warm.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "genlock.testing.proof.fork", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=bare_environment(),
                start_new_session=True,
            )

    @property
    def renderer(self) -> Path:
        """The socket of the warm renderer."""
        return self.folder / "renderer.sock"

    @property
    def book(self) -> Path:
        """The folder of the vendors' book."""
        return self.folder / "vendors"

    def fresh(self, name: str) -> Path:
        """A new folder of this lane."""
        folder = self.folder / f"{name}-{next(self._folders)}"
        folder.mkdir()
        return folder

    def face(self, stand: Stand) -> None:
        """From now on buy there. `settings` are then those that lead to its vendors and nowhere else."""
        self._vendors.tune(**stand.tuning)
        for name, rate in stand.rates.items():
            self._vendors.price(name, rate)
        self.settings = stand.settings(self._vendors)

    @property
    def keeper(self) -> Keeper:
        """The lane's own database server, started when it is first asked for."""
        if self._keeper is None:
            self._keeper = self._stack.enter_context(Keeper())
        return self._keeper

    @property
    def ledger(self) -> Path:
        """A new ledger, to be copied: its tables take as long as a tenth of a trial to make."""
        path = self.folder / "new.db"
        if not path.exists():
            from genlock.ledger.database import url_of
            from genlock.ledger.migration import bring_up

            bring_up(url_of(path))
        return path

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
            with suppress(BrokenPipeError):
                self._warm.stdin.close()
            try:
                self._warm.wait(FAREWELL)
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
            self._line(self._running(), FAREWELL)

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


class Lanes:
    """Several of them, side by side in a folder, which is removed in the end if nothing was kept in it."""

    def __init__(
        self, folder: Path, modules: Sequence[str] = (), *, count: int = 2, speed: float = 100.0
    ) -> None:
        self.folder, self.speed = folder, speed
        self._archive = folder / "archive"
        self.lanes = [Lane(folder / f"lane-{n}", modules, self._archive, speed=speed) for n in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack, ThreadPoolExecutor(len(self.lanes)) as threads:
            started = [threads.submit(lane.__enter__) for lane in self.lanes]
            wait(started)
            for lane, start in zip(self.lanes, started, strict=True):
                if start.exception() is None:
                    stack.push(lane)
            for start in started:
                start.result()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        shutil.rmtree(self._archive, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    def cut(self) -> None:
        """End all of them, whatever they are at."""
        for lane in self.lanes:
            lane.cut()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()
