"""JSON pointers as Ditto reads them: a tuple of keys, ``()`` being the root."""

from __future__ import annotations

from typing import TypeAlias

Pointer: TypeAlias = tuple[str, ...]

ROOT: Pointer = ()
