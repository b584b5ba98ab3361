"""Python's garbage collector, set for a process in which a thousand small tasks are under way at once."""

from __future__ import annotations

import gc

YOUNG = 20_000  # objects made and not freed until the collector looks for cycles among them; 700 by default
OLDER = 20  # such looks, until those are looked at that were there the last time; 10 by default
ALL = 5  # looks at those, until all are: a connection that lasted is a cycle, and thousands are megabytes
_settled = False


def spare() -> None:
    """Look for cycles less often: a process that begins makes modules and types, all of which stay.

    One that has set the collector otherwise keeps its own threshold.
    """
    if gc.isenabled() and gc.get_threshold()[0] < YOUNG:
        gc.set_threshold(YOUNG, OLDER, ALL)


def settle() -> None:
    """As `spare`, and never again look among what is there now: modules, types, pipelines.

    A quarter of the time of a wide fan-out went into walks through objects that live on.
    """
    global _settled  # noqa: PLW0603 - the collector is one for the whole process as well
    if _settled or not gc.isenabled():
        return
    _settled = True
    gc.freeze()
    spare()
