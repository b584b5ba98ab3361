"""`genlock` as people run it: real processes on a home of their own, watched and killed from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

GENLOCK = Path(sys.executable).with_name("genlock")
PATIENCE = 120.0  # seconds any of these processes may take
LOOK = 0.01  # seconds between two looks at something that is waited for


class Process:
    """One running `genlock`, the leader of its own session; what it says is read as it comes."""

    def __init__(self, words: tuple[str, ...], env: Mapping[str, str], folder: Path) -> None:
        self.words, self.began = words, time.time()
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._objects: list[dict[str, Any]] = []
        self._heard = threading.Condition()
        self._popen = subprocess.Popen(
            [GENLOCK, *words],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self._popen.stdout, self.lines), (self._popen.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._popen.poll()

    @property
    def out(self) -> str:
        return "".join(self.lines)

    @property
    def err(self) -> str:
        return "".join(self.errors)

    def objects(self) -> list[dict[str, Any]]:
        """What was said with `--json`, as far as it was said in whole lines.

        Each is read once: who waits for one asks a hundred times a second.
        """
        for line in self.lines[len(self._objects) :]:
            if line.endswith("\n"):
                self._objects.append(json.loads(line))
        return list(self._objects)

    def events(self) -> list[dict[str, Any]]:
        return [said["event"] for said in self.objects() if "event" in said]

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Wait until it is true, which may become so with each line; False if the process ended before."""
        deadline = time.monotonic() + seconds
        with self._heard:
            while not true():
                if self.code is not None and not any(reader.is_alive() for reader in self._readers):
                    return bool(true())
                if time.monotonic() > deadline:
                    raise TimeoutError(f"genlock {' '.join(self.words)}: {self.out}{self.err}")
                self._heard.wait(LOOK)
        return True

    def until_event(self, kind: str, task: str | None = None) -> bool:
        """Wait for an event, told by `--json`."""
        return self.until(lambda: any((e["kind"], e["task"]) == (kind, task) for e in self.events()))

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """kill -9 of the process and everything it started, without a word."""
        os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, when it has ended and all it said was read."""
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"genlock {' '.join(self.words)}: {self.out}{self.err}") from None
        for reader in self._readers:
            reader.join()
        return code

    def relatives(self) -> list[str]:
        """The processes of its session that are alive, itself included, as `pid command`."""
        return list(_session(self.pid))

    def survivors(self, within: float = 5.0) -> list[str]:
        """Those that are still alive so many seconds later."""
        deadline = time.monotonic() + within
        while (alive := self.relatives()) and time.monotonic() < deadline:
            time.sleep(LOOK)
        return alive

    def end(self) -> None:
        """Kill whatever is left of it, and close its pipes."""
        if self.relatives():
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, pipe: Any, into: list[str]) -> None:
        for line in pipe:
            with self._heard:
                into.append(line)
                self._heard.notify_all()


class Command:
    """Runs `genlock` on one home, with nothing else of GENLOCK_* in its environment."""

    def __init__(self, folder: Path, **settings: object) -> None:
        """The home is `folder/home`."""
        self.folder, self.home = folder, folder / "home"
        folder.mkdir(parents=True, exist_ok=True)
        # PYTHONDONTWRITEBYTECODE would let each command compile all that it imports.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GENLOCK_", "PYTHONDONT"))}
        env |= {f"GENLOCK_{name.upper()}": str(value) for name, value in settings.items()}
        self.env = env | {"GENLOCK_HOME": str(self.home), "PYTHONUTF8": "1", "COLUMNS": "120"}
        self.begun: list[Process] = []

    def start(self, *words: object, folder: Path | None = None) -> Process:
        process = Process(tuple(map(str, words)), self.env, folder or self.folder)
        self.begun.append(process)
        return process

    def __call__(self, *words: object, code: int = 0, folder: Path | None = None) -> str:
        """Run it to its end; what it said on stdout, or on stderr if it was to fail with `code`."""
        process = self.start(*words, folder=folder)
        ended = process.wait()
        assert ended == code, f"exit code {ended}, not {code}: {process.out}{process.err}"
        return process.err if code else process.out

    def answer(self, *words: object) -> Any:
        """What it says in JSON."""
        return json.loads(self(*words, "--json"))

    def events(self, job: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("jobs", "events", job, "--json").splitlines()]

    def outputs(self, job: str) -> dict[str, Any]:
        """What each task came to, by its key."""
        return {task["key"]: task["output"] for task in self.answer("jobs", "show", job)["tasks"]}

    def log(self) -> list[dict[str, Any]]:
        """What owners of this home logged."""
        path = self.home / "logs" / "genlock.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def end(self) -> None:
        """End what is left of every process it started."""
        for process in self.begun:
            process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _session(leader: int) -> Iterator[str]:
    """Processes of a session that still run: a zombie, which only waits to be counted, does not."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state not in "ZX":
            yield f"{entry.name} {words.strip()}"
