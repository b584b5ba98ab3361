"""One of the lanes of a proof, which go on at once: a simulator, a warm process, and homes to be tried."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

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
ORPHANED = 125  # ... of one whose warm process has ended


class Interrupted(GenlockError):
    """The proof was called off while a process was at work."""


class Part(Protocol):
    """A process of a lane. `poll` is how it ended; None if it goes on."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...


class Lane:
    """Carries orders out. `folder` is for all it keeps; `modules` are imported once, before any fork; what
    rendering makes is shared with other lanes in `archive`.

    Used in one thread at a time; `cut` may be called from another, and ends all of it. Whatever of it ends by
    itself is told of in `lost`, and started again for the next trial.
    """

    def __init__(self, folder: Path, modules: Sequence[str], archive: Path, *, speed: float) -> None:
        self.folder, self.speed = folder, speed
        self._modules = modules
        self._vendors = SimulatorProcess(state=folder / "vendors")
        self._renderer = Renderer(self.renderer, archive)
        self._warm: subprocess.Popen[bytes] | None = None
        self._cut = False
        self._stack = ExitStack()
        self._stand: Stand | None = None
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
            stack.enter_context(self._renderer)
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
        self._stand = stand
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

    @property
    def parts(self) -> Mapping[str, Part]:
        """The processes that all of its trials need, by what they are."""
        return {
            "simulated vendors": self._vendors,
            "warm process": self._running(),
            "warm renderer": self._renderer,
        }

    def lost(self) -> Mapping[str, int]:
        """What of this lane has ended by itself, and how."""
        ends = {name: part.poll() for name, part in self.parts.items()}
        if self._cut:  # looked at last: it is set before anything is ended
            return {}
        return {name: code for name, code in ends.items() if code is not None}

    def _mend(self) -> None:
        """Start again what was lost."""
        lost = self.lost()
        if "warm process" in lost:
            _end(self._running())
            self._heard = b""
            self._warm = self._start(self._modules)
        if "warm renderer" in lost:
            self._renderer.__exit__(None, None, None)
            self._renderer.__enter__()
        if "simulated vendors" in lost:
            self._vendors.__exit__(None, None, None)
            self._vendors.__enter__()
            if self._stand is not None:
                self.face(self._stand)

    def begin(self) -> None:
        """Forget what was charged, and let the vendors' time and ours begin together."""
        self._mend()
        self._vendors.reset()
        self._began, self._at = MACHINE.monotonic(), MACHINE.now()
        self._vendors.set_clock(at=self._at.timestamp(), scale=self.speed)

    def now(self) -> datetime:
        """The vendors' time, with which the clock of a new process starts."""
        return self._at + timedelta(seconds=(MACHINE.monotonic() - self._began) * self.speed)

    def run(self, *orders: Order, kill_after: float | None = None) -> list[int]:
        """Let processes carry these out, at once; how each ended: 0, or minus the signal that ended it."""
        if self._cut:
            raise Interrupted("the proof was interrupted")
        numbers = [self._send(order, kill_after) for order in orders]
        codes: dict[int, int] = {}
        deadline = MACHINE.monotonic() + PATIENCE
        while len(codes) < len(numbers):
            answer = self._line(self._running(), deadline - MACHINE.monotonic())
            if answer is None and self._cut:
                raise Interrupted("the proof was interrupted")
            if answer is None:
                silent = [number for number in numbers if number not in codes]
                there = MACHINE.monotonic() >= deadline  # else nobody is left to answer
                codes.update(dict.fromkeys(silent, self._stop(silent) if there else self._bury()))
                break
            codes[answer["number"]] = answer["code"]
        return [codes[number] for number in numbers]

    def _stop(self, hung: Sequence[int]) -> int:
        for number in hung:
            self._write({"stop": number})
        for _ in hung:
            self._line(self._running(), FAREWELL)
        return HUNG

    def _bury(self) -> int:
        """The warm process is gone: end what it has forked."""
        _kill(self._running())
        return ORPHANED

    def cut(self) -> None:
        """End the warm process and all its children."""
        self._cut = True
        if self._warm is not None:
            assert self._warm.stdin is not None
            with suppress(BrokenPipeError):
                self._warm.stdin.close()
            try:
                self._warm.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                _kill(self._warm)

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
        except ValueError as error:  # it was closed by `cut`
            raise Interrupted("the proof was interrupted") from error
        except BrokenPipeError:
            pass  # nobody is left, and so nobody answers

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
        with ExitStack() as stack:
            for lane in self.lanes:
                stack.push(lane)  # also of those that do not start, and if somebody interrupts it
            with ThreadPoolExecutor(len(self.lanes)) as threads:
                started = [threads.submit(lane.__enter__) for lane in self.lanes]
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


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it has forked: it leads a group, whose number is its own until it has been waited for."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(BrokenPipeError):  # what could not be said any more is in it
            pipe.close()
