"""The process around a script: nothing that the script starts outlives it, its time, or our own process.

Run as a file by a bare interpreter, so it imports nothing of genlock. Its standard input is a pipe that our
process holds open: when that is closed, on purpose or because the process was killed, the script's group is
asked to end and soon killed. What left the group is found as well, because orphans come to this process.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOT_STARTED = 126  # as shells say it
_ROUNDS = 100  # of killing what is left, in case it multiplies


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_guard() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(order: dict[str, list[str] | str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(order["command"]),
        cwd=str(order["folder"]),
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=_die_with_guard,  # noqa: PLW1509 - there is one thread here
    )


def _watch(script: subprocess.Popen[bytes], woken: int) -> bool:
    """Wait until the script has ended; False if our process wants no more of it, or is gone."""
    while script.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready and not os.read(0, 4096):
            return script.poll() is not None
    return True


def _ask_to_end(script: subprocess.Popen[bytes], grace: float) -> None:
    with suppress(ProcessLookupError):
        os.killpg(script.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        script.wait(grace)


def _kill_all(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    for _ in range(_ROUNDS):
        left = _children()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not _children():
            return
        time.sleep(0.01)


def _children() -> list[int]:
    """Processes that are ours by now, dead ones that nobody has counted included."""
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return []


def main() -> int:
    """Run the command of the order in `argv`; the exit code is the script's, 128 and more for a signal."""
    order = json.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # heard and let pass; a script would inherit SIG_IGN
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        script = _start(order)
    except OSError as error:
        sys.stdout.write(f"{order['command'][0]}: {(error.strerror or str(error)).lower()}\n")
        return _NOT_STARTED
    if not _watch(script, woken):
        _ask_to_end(script, float(order["grace"]))
    _kill_all(script.pid)
    code = script.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
