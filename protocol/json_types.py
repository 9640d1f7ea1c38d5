"""The types of JSON values, and the absent value; apart from ``protocol.json`` so that errors can speak of them too."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"


class Missing(enum.Enum):
    """The type of ``MISSING``: no value at all, which JSON ``null`` is not."""

    MISSING = enum.auto()


MISSING: Final = Missing.MISSING
