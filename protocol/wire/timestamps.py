"""Points in time as Java's ``Instant`` prints and reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """ISO-8601 in UTC with ``Z`` and no, three or six digits of the second's fraction, as few as are exact.

    The moment must know its zone.
    """
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    micros = moment.microsecond
    if micros == 0:
        return moment.isoformat()[:-6] + "Z"
    text = moment.isoformat()[:-6]
    return (text[:-3] if micros % 1000 == 0 else text) + "Z"


def parse(text: str) -> datetime | None:
    """The moment that ISO-8601 text with a zone names, or None if it names none."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
