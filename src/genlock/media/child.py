"""The rendering child: does one operation at a time, and never outlives its parent.

Forked from a warm process (`genlock.media.forkserver`), or started as `python -m genlock.media.child
SETTINGS`. Decoders of foreign files run here and nowhere else, under a memory limit; what the parent wants
cancelled, it kills.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import importlib
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from genlock.errors import DiskFull, GenlockError, RenderRefused, Transient, is_full
from genlock.media import message
from genlock.media.operation import find

_PR_SET_PDEATHSIG = 1
_QUIET_SECONDS = 0.25  # as often as a task shows its progress
_CV2_NO_MEMORY = -4


class Reporter:
    """Sends progress to the parent, at most four messages a second."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._next = 0.0

    def __call__(self, fraction: float, note: str | None = None) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _QUIET_SECONDS
        send(self._out, {"progress": min(max(fraction, 0.0), 1.0), "note": note})


def send(out: BinaryIO, what: message.Message) -> None:
    """Write one message; a parent that no longer reads ends this process."""
    try:
        out.write(message.pack(what))
        out.flush()
    except ConnectionError:
        os._exit(0)


def settle(settings: Mapping[str, Any]) -> None:
    """Tie this process to its parent and to its limits, before anything heavy is imported."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal or a service manager signals the whole group: the parent alone decides then.
        signal.signal(ignored, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        memory = settings["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if os.getppid() != settings["parent"]:
        os._exit(0)  # the parent ended before the death signal was asked for
    if settings["nice"]:
        os.nice(settings["nice"])


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, on descriptors of their own; 1 becomes stderr, as C libraries print there."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb")


def listen(incoming: BinaryIO, inbox: queue.Queue[message.Message]) -> None:
    """Pass messages on; the end of the pipe means that the parent is gone, whatever runs here."""
    while (what := message.read(incoming)) is not None:
        inbox.put(what)
    os._exit(0)


def load_libraries() -> None:
    """Import what nearly every operation needs, while the parent is still preparing its request."""
    import av
    import cv2

    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.ERROR)


def load_modules(modules: Mapping[str, str], inbox: queue.Queue[message.Message]) -> None:
    """Import what operations need as long as none is asked for."""
    for name in dict.fromkeys(modules.values()):
        if not inbox.empty():
            return
        load(name)


def load(module: str) -> None:
    """Import what an operation needs, before it is asked for."""
    with suppress(ImportError):  # which the operation that needs it will tell
        importlib.import_module(module)


def attempt(what: message.Message, modules: Mapping[str, str], report: Reporter) -> message.Message:
    """Do one operation: its answer, or its failure by the error's class name."""
    name = what["operation"]
    try:
        return {"done": find(name, modules).perform(what["request"], report)}
    except Exception as error:  # noqa: BLE001 - every error travels to the parent and is raised there
        known = error if isinstance(error, GenlockError) else translate(name, error)
        return {
            "failed": type(known).__name__,
            "message": str(known),
            "trace": traceback.format_exc(),
            "exhausted": out_of_memory(error) or out_of_memory(error.__cause__),
        }


def translate(name: str, error: Exception) -> GenlockError:
    """A foreign error as one of ours: what happened, in which operation."""
    if out_of_memory(error):
        return RenderRefused(
            f"{name} needs more memory than a rendering process may use; "
            "use a smaller picture or raise the render memory limit"
        )
    if is_full(error):
        return DiskFull(f"{name} could not write: {error}")
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return Transient(f"{name} could not write: {error}")
    return RenderRefused(f"{name} failed: {type(error).__name__}: {error}")


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an allocation failed, in Python, numpy, libav or OpenCV."""
    return (
        isinstance(error, MemoryError)
        or getattr(error, "code", None) == _CV2_NO_MEMORY
        or getattr(error, "errno", None) == errno.ENOMEM
    )


Act = Callable[[message.Message], message.Message]


Around = Callable[[message.Message, Act], message.Message]


def main(settings: Mapping[str, Any], around: Around = lambda what, act: act(what)) -> None:
    """Serve operations until the parent closes the pipe. `around` is handed each with what does it."""
    settle(settings)
    incoming, outgoing = own_pipes()
    inbox: queue.Queue[message.Message] = queue.Queue()
    threading.Thread(target=listen, args=(incoming, inbox), daemon=True).start()
    gc.disable()  # modules and types stay; decoders, which hold on to each other, must go as often as ever
    load_libraries()
    load_modules(settings["modules"], inbox)
    gc.enable()

    def act(what: message.Message) -> message.Message:
        return attempt(what, settings["modules"], Reporter(outgoing))

    while True:
        send(outgoing, around(inbox.get(), act))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
