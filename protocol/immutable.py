"""``@immutable``: a data class that nothing assigns to, as mypy checks, without what that costs at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def immutable(cls: type[T]) -> type[T]:
    """What ``@dataclass(frozen=True, slots=True, kw_only=True)`` says, for what is made many times per command.

    A frozen data class sets each field through ``object.__setattr__``: eight fields take 1.1 µs instead of 0.4. Type
    checkers read the decorator as frozen (PEP 681) and refuse every assignment, so the check at run time is not needed.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
