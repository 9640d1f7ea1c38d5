"""Durations as Ditto writes them: ``10``, ``10s``, ``500ms``, ``2m``."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final

from protocol.errors import TimeoutInvalid

UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}
"""Months and years as the fixed spans that Ditto's Java takes for them."""

_form = re.compile(r"\+?([0-9]{1,15})(ms|mo|[smhdwy]|)")


@lru_cache(maxsize=256)
def parse_duration(text: str) -> timedelta:
    """The span of a whole number, not negative, with a unit (seconds without one); ``TimeoutInvalid`` if it is none.

    No space anywhere: Ditto's clients refuse a whole policy over one in an announcement.
    """
    match = _form.fullmatch(text)
    if match is None:
        raise TimeoutInvalid(text)
    try:
        return int(match[1]) * UNITS[match[2]]
    except OverflowError:
        raise TimeoutInvalid(text, "it is too long") from None
