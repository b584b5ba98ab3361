"""The C library's heap, set for a process that serves for months.

GNU's library gives each thread a heap of its own, so that threads need not wait for each other. Here one
thread runs Python at a time: what they would get is a dozen heaps, each as large as the largest answer that
its thread ever put together, and mostly empty.
"""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # of its <malloc.h>


def share() -> bool:
    """Let all threads that begin from now on use one heap; False where the C library has no such rule."""
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    return setting is not None and setting(M_ARENA_MAX, 1) == 1
