"""A warm process that forks one child a run: it has imported everything, and has done a small job once.

It has a single thread when it forks: a fork beside other threads may copy a lock that nobody will ever
release. What is imported for the user is therefore tried by counting threads afterwards.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genlock.media.forkserver import threads
from genlock.testing.proof.haste import MACHINE

OURS = (
    "genlock.testing.proof.carry",
    "genlock.bootstrap",
    "genlock.ledger.sql",
    "genlock.providers.registry",
    "httpcore2",
    "anyio._backends._asyncio",
)


@dataclass
class _Run:
    """A child: its number for whoever ordered it, the pipe that closes with it, when it is to be killed."""

    number: int
    pid: int
    pipe: int
    kill_at: float | None


class Server:
    """Reads orders, a JSON object a line: `run` (an `Order`) with a `number`, and `kill_after` seconds if
    SIGKILL is to come from outside; `{"stop": number}` kills one now. Answers `{"number", "code"}`.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._runs: dict[int, _Run] = {}
        self._rest = b""

    def serve(self) -> None:
        """Until whoever orders is gone; then no child is left either."""
        try:
            while self._turn():
                pass
        finally:
            for run in self._runs.values():
                os.kill(run.pid, signal.SIGKILL)
                os.waitpid(run.pid, 0)

    def _turn(self) -> bool:
        due = [run.kill_at for run in self._runs.values() if run.kill_at is not None]
        patience = max(0.0, min(due) - MACHINE.monotonic()) if due else None
        ready, _, _ = select.select([self._incoming, *self._runs], [], [], patience)
        for pipe in ready:
            if pipe == self._incoming:
                if not self._read():
                    return False
            else:
                self._ended(self._runs.pop(pipe))
        now = MACHINE.monotonic()
        for run in self._runs.values():
            if run.kill_at is not None and run.kill_at <= now:
                run.kill_at = None
                os.kill(run.pid, signal.SIGKILL)
        return True

    def _read(self) -> bool:
        chunk = os.read(self._incoming, 1 << 20)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "stop" in order:
                for run in self._runs.values():
                    if run.number == order["stop"]:
                        os.kill(run.pid, signal.SIGKILL)
            else:
                self._begin(order)
        return bool(chunk)

    def _begin(self, order: dict[str, Any]) -> None:
        after = order.get("kill_after")
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            self._child(order)  # never returns; `theirs` closes when this process ends, however it does
        os.close(theirs)
        self._runs[ours] = _Run(
            order["number"], pid, ours, None if after is None else MACHINE.monotonic() + after
        )

    def _child(self, order: dict[str, Any]) -> None:
        code = 70
        try:
            os.close(self._incoming)
            os.close(self._outgoing)
            for pipe in self._runs:
                os.close(pipe)
            code = _carry(order["run"])
        except BaseException:  # noqa: BLE001 - the process ends here, whatever happened
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _ended(self, run: _Run) -> None:
        os.close(run.pipe)
        _, status = os.waitpid(run.pid, 0)
        answer = {"number": run.number, "code": os.waitstatus_to_exitcode(status)}
        os.write(self._outgoing, json.dumps(answer).encode() + b"\n")


def _carry(order: dict[str, Any]) -> int:
    from genlock.testing.proof.carry import carry
    from genlock.testing.proof.order import Order

    return carry(Order.model_validate(order))


def _warm_up(modules: Sequence[str]) -> None:
    """What is imported, read or worked out when it is first needed is there before that."""
    from genlock.bootstrap import pipelines
    from genlock.engine.declare import Pipeline
    from genlock.providers.catalog import Catalog
    from genlock.providers.http import trusted
    from genlock.testing.proof.rehearsal import rehearse

    Catalog.load()
    trusted()
    declared = [each for name in modules for each in vars(sys.modules[name]).values()]
    for each in (*pipelines().values(), *declared):
        if isinstance(each, Pipeline):
            assert each.text
    rehearse()


def main(modules: Sequence[str]) -> None:
    """Import all, say how many threads that made, and serve. Orders come on stdin, answers go to stdout."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever orders hears it as well, and decides
    for name in (*OURS, *modules):
        importlib.import_module(name)
    _warm_up(modules)
    gc.collect()
    gc.freeze()
    os.write(outgoing, json.dumps({"threads": threads()}).encode() + b"\n")
    Server(incoming, outgoing).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
