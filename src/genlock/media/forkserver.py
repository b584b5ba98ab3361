"""The warm process: it loads what rendering needs, opens no file of anybody's, and forks children.

Started by `genlock.media.fork` as `python -m genlock.media.forkserver SETTINGS`, with a socket for stdin.
Each message in it asks for a child: its settings, and three descriptors, for a line on which is told that it
runs (its number) and how it ended, for its stdin and stdout, and for its stderr. A child that has ended keeps
its number until the other end of its line is closed, so that nobody kills a stranger.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from genlock.media import child
from genlock.media.launch import child_command

LONGEST = 1 << 16  # bytes of what a child is told
_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT

Main = Callable[[Mapping[str, Any]], None]


class Server:
    """Forks a child for whoever asks at `control`, until nobody can any more.

    Who may ask and be killed at any moment does so at a `door` of their own, a listening socket. `main` is a
    child's life. The `modules` are imported while nobody asks.
    """

    def __init__(
        self,
        control: socket.socket,
        door: socket.socket | None = None,
        main: Main = child.main,
        modules: Iterable[str] = (),
    ) -> None:
        self._control, self._door, self._main = control, door, main
        self._modules = list(dict.fromkeys(modules))
        self._lines: dict[int, socket.socket] = {}
        self._running: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._wake, self._awake = os.pipe()

    def serve(self) -> None:
        """Until `control` is closed at its other end. In the end no child is left."""
        os.set_blocking(self._awake, False)
        signal.set_wakeup_fd(self._awake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wake, selectors.EVENT_READ, self._look)
        self._selector.register(self._control, selectors.EVENT_READ, self._asked)
        if self._door is not None:
            self._selector.register(self._door, selectors.EVENT_READ, self._visited)
        try:
            with suppress(EOFError):
                while True:
                    self._step()
        finally:
            for pid in list(self._lines):
                self._forget(pid)

    def _step(self) -> None:
        ready = self._selector.select(0 if self._modules else None)
        for key, _ in ready:
            key.data()
        if not ready and self._modules:
            child.load(self._modules.pop(0))

    def _asked(self) -> None:
        """A child for the other end of `control`; `EOFError` if that is closed."""
        text, descriptors, _, _ = socket.recv_fds(self._control, LONGEST, 3)
        if not text:
            raise EOFError
        self._fork(json.loads(text), descriptors)

    def _visited(self) -> None:
        """A child for who came to the door; none if they are gone before they have said what for."""
        assert self._door is not None
        with self._door.accept()[0] as visitor, suppress(ConnectionError):
            text, descriptors, _, _ = socket.recv_fds(visitor, LONGEST, 3)
            if text:
                self._fork(json.loads(text), descriptors)

    def _fork(self, settings: dict[str, Any], descriptors: list[int]) -> None:
        settings["parent"], alone = os.getpid(), threads() == 1
        gc.freeze()  # children's collectors leave alone what they share
        pid = os.fork()
        if pid == 0:
            self._become_child(settings, descriptors, warm=alone)
        line = socket.socket(fileno=descriptors[0])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        self._lines[pid] = line
        self._running.add(pid)
        self._selector.register(line, selectors.EVENT_READ, lambda: self._forget(pid))
        _tell(line, pid)

    def _become_child(self, settings: dict[str, Any], descriptors: list[int], *, warm: bool) -> None:
        """For the rest of its life. A process that had several threads cannot go on as its copy: libraries
        of which another thread held a lock would wait for ever, so that one starts from nothing.
        """
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _, both, said = descriptors
            for descriptor, place in ((both, 0), (both, 1), (said, 2)):
                os.dup2(descriptor, place)
            os.closerange(3, max(*descriptors, self._most) + 1)
            if not warm:
                os.execv(sys.executable, child_command(settings))  # noqa: S606 - our own words, no shell
            self._main(settings)
        except BaseException:  # noqa: BLE001 - the copy ends here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(70)

    @property
    def _most(self) -> int:
        """The highest descriptor that is open here and none of a child's business."""
        mine = [self._wake, self._awake, self._selector.fileno(), self._control.fileno()]
        mine += [line.fileno() for line in self._lines.values()]
        return max(mine if self._door is None else [*mine, self._door.fileno()])

    def _look(self) -> None:
        """Tell of all that have ended."""
        os.read(self._wake, LONGEST)
        for pid in list(self._running):
            found = os.waitid(os.P_PID, pid, _ENDED)
            if found is not None:
                self._running.discard(pid)
                killed = found.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
                _tell(self._lines[pid], -found.si_status if killed else found.si_status)

    def _forget(self, pid: int) -> None:
        """Nobody asks for this one any more."""
        line = self._lines.pop(pid)
        self._selector.unregister(line)
        line.close()
        if pid in self._running:
            self._running.discard(pid)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def threads() -> int:
    """How many threads this process has, those of libraries too; as Python counts where nobody else can."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()


def _tell(line: socket.socket, number: int) -> None:
    with suppress(ConnectionError):  # whoever asked may be gone
        line.sendall(b"%d\n" % number)


def main() -> None:
    """Load, and serve until whoever started this closes its end."""
    settings = json.loads(sys.argv[1])
    child.settle({**settings, "nice": 0})  # its children are nicer
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    gc.disable()  # modules and types stay
    child.load_libraries()
    Server(control, modules=settings["modules"].values()).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
