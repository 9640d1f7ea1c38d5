"""Settings of Python's cyclic garbage collector for a process that keeps many parsed documents.

Nearly everything here is freed by reference count, at once. The collector finds only cycles (an exception and its
frames, a task and its callbacks), but to find them it walks what has survived: with the default of a look every 700
new objects, of which a group of commands makes tens of thousands, it took a sixth of a busy service's time and, with
many states in memory, stopped it for tenths of a second. Looks are rarer here, not off: a cycle waits longer for its
end, which costs some megabytes.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 50_000
"""New objects between two looks at the youngest."""

MIDDLE: Final = 20
OLD: Final = 50
"""Looks at the younger between two at the older generation."""


def collect_garbage_rarely() -> None:
    """Exempt all present objects (modules, tables, code) from collection, and collect less often from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
