"""JSON as values: the types, the absent value, and the one place that reads and prints JSON text."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"


class Missing(enum.Enum):
    """The type of ``MISSING``: no value at all, which JSON ``null`` is not."""

    MISSING = enum.auto()


MISSING: Final = Missing.MISSING
