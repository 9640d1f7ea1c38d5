"""What becomes of a delivery whose command was refused: the table of ``README.md``, as one function."""

from __future__ import annotations

import enum
from typing import Final

from protocol.errors import DittoError


class Verdict(enum.Enum):
    """The ways of a refused command."""

    ANSWERED = "answered"
    """The answer is all there is to it."""
    DEAD_LETTER = "dead letter"
    """Refused for good: answered if wanted, and put aside with the reason."""
    RETRY = "retry"
    """Tried again later by itself, a bounded number of times; others go on."""
    PAUSE = "pause"
    """The service cannot take it now and would not take others: everything waits."""


PAUSING: Final = frozenset((408, 429, 503, 504))
UNCHANGED: Final = frozenset((304, 412))
"""Conditional requests whose condition decided: that is an outcome, not a failure."""


def verdict(error: DittoError, *, query: bool, answerable: bool) -> Verdict:
    """Judge a refusal; ``answerable`` says that somebody waits for the answer.

    Ditto documentation, *connectivity: acknowledgements*: 408, 424 and 5xx ask for redelivery, 412 is a success, the
    other 4xx are final. A refused question changes nothing and is no loss once it was answered.
    """
    status = error.status
    if status in UNCHANGED:
        return Verdict.ANSWERED
    if status in PAUSING:
        return Verdict.PAUSE
    if status == 424 or status >= 500:
        return Verdict.RETRY
    if query and answerable:
        return Verdict.ANSWERED
    return Verdict.DEAD_LETTER
