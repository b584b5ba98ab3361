"""Threads of a server share one heap."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import ctypes, re, sys, threading
from genlock.api import heap

libc = ctypes.CDLL(None)
libc.fopen.restype = libc.malloc.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
if sys.argv[2] == "shared":
    assert heap.share()
done, ready = threading.Event(), threading.Barrier(7)

def work():
    libc.malloc(100_000)
    ready.wait()
    done.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
ready.wait()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
done.set()
print(len(re.findall("<heap ", open(sys.argv[1]).read())))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_there_is_one_heap_for_all_threads(tmp_path: Path) -> None:
    def heaps(how: str) -> int:
        words = [sys.executable, "-c", SCRIPT, str(tmp_path / "told"), how]
        return int(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)

    assert heaps("shared") == 1
    assert heaps("as it is") > 1
