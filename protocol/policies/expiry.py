"""When a temporary subject ends and when that is announced: rounding rules, and the announcement's settings.

Source: Ditto documentation, page *basic-policy*, sections on subject expiry and announcements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from protocol.errors import PolicySubjectAnnouncementInvalid, PolicySubjectExpiryInvalid
from protocol.json import JsonObject, JsonValue
from protocol.wire.timestamps import iso, parse

_BEFORE_EXPIRY: Final = re.compile(r"(\d{1,9})([smh]?)")
_SECONDS: Final = {"s": 1, "": 1, "m": 60, "h": 3_600}
_DAY: Final = timedelta(days=1)
_UNITS: Final = (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1), timedelta(milliseconds=1))
_ACK_LABEL: Final = re.compile(r"[a-zA-Z0-9-_:]{3,165}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Granularity:
    """How finely a deployment tells times apart; both at least a millisecond."""

    expiry: timedelta = timedelta(hours=1)
    announcement: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a subject's ``announcement`` object asks for; ``None`` where it asks for nothing."""

    before_expiry: timedelta | None
    when_deleted: bool
    ack_labels: tuple[str, ...]
    ack_timeout: timedelta | None
    randomization: timedelta | None


def rounded_up(moment: datetime, granularity: timedelta) -> datetime:
    """The first multiple of the granularity at or after the moment.

    Multiples are counted from the start of the unit above: hours from midnight UTC, minutes from the hour, days from
    the first of the month. With an hour 10:00:01 becomes 11:00; with 15 minutes 10:16 becomes 10:30.
    """
    start = _start_of_parent(moment, granularity)
    steps = -((moment - start) // -granularity)
    return start + steps * granularity


def expiry(text: JsonValue, *, now: datetime, granularity: timedelta) -> datetime:
    """The moment at which the subject ends: rounded up, and in the future then.

    Raises ``PolicySubjectExpiryInvalid`` for what is no ISO-8601 time, or is past after rounding.
    """
    moment = parse(text) if isinstance(text, str) else None
    if moment is None:
        raise PolicySubjectExpiryInvalid(str(text))
    try:
        rounded = rounded_up(moment, granularity)
    except OverflowError as error:
        raise PolicySubjectExpiryInvalid(str(text)) from error
    if rounded <= now:
        raise PolicySubjectExpiryInvalid(str(text))
    return rounded


def announcement(value: JsonValue, *, granularity: timedelta) -> tuple[Announcement, JsonObject]:
    """The announcement that the object asks for, and the object as it is stored, with ``whenDeleted`` in any case.

    ``beforeExpiry`` is rounded up to the granularity and keeps its unit. Unknown members are left out. Raises
    ``PolicySubjectAnnouncementInvalid``.
    """
    if not isinstance(value, dict):
        raise PolicySubjectAnnouncementInvalid("The announcement must be a JSON object.")
    stored: JsonObject = {}
    before = None
    if value.get("beforeExpiry") is not None:
        before, stored["beforeExpiry"] = _before_expiry(value["beforeExpiry"], granularity)
    when_deleted = value.get("whenDeleted", False)
    if not isinstance(when_deleted, bool):
        raise PolicySubjectAnnouncementInvalid("The member whenDeleted must be true or false.")
    stored["whenDeleted"] = when_deleted
    labels, timeout = _requested_acks(acks := value.get("requestedAcks"))
    if isinstance(acks, dict) and (labels or timeout is not None):
        stored["requestedAcks"] = {name: acks[name] for name in ("labels", "timeout") if acks.get(name) is not None}
    randomization = None
    if value.get("randomizationInterval") is not None:
        randomization = _duration(value["randomizationInterval"])
        stored["randomizationInterval"] = value["randomizationInterval"]
    read = Announcement(
        before_expiry=before,
        when_deleted=when_deleted,
        ack_labels=labels,
        ack_timeout=timeout,
        randomization=randomization,
    )
    return read, stored


def printed(moment: datetime) -> str:
    """A moment as policies hold it."""
    return iso(moment)


def _start_of_parent(moment: datetime, granularity: timedelta) -> datetime:
    if granularity % _DAY == timedelta():
        return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if granularity % _UNITS[0] == timedelta():
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if granularity % _UNITS[1] == timedelta():
        return moment.replace(minute=0, second=0, microsecond=0)
    if granularity % _UNITS[2] == timedelta():
        return moment.replace(second=0, microsecond=0)
    return moment.replace(microsecond=0)


def _before_expiry(value: JsonValue, granularity: timedelta) -> tuple[timedelta, str]:
    found = _BEFORE_EXPIRY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PolicySubjectAnnouncementInvalid(f"The duration beforeExpiry {value!r} is not a number with s, m or h.")
    unit = timedelta(seconds=_SECONDS[found[2]])
    asked = int(found[1]) * unit
    granules = max(-(asked // -granularity), 1)
    units = -((granules * granularity) // -unit)
    return units * unit, f"{units}{found[2] or 's'}"


def _requested_acks(value: JsonValue) -> tuple[tuple[str, ...], timedelta | None]:
    if value is None:
        return (), None
    labels = value.get("labels", []) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(labels, list):
        raise PolicySubjectAnnouncementInvalid("The member requestedAcks must be an object with an array of labels.")
    for label in labels:
        if not isinstance(label, str) or _ACK_LABEL.fullmatch(label) is None:
            raise PolicySubjectAnnouncementInvalid(f"The acknowledgement label {label!r} is not valid.")
    timeout = _duration(value["timeout"]) if value.get("timeout") is not None else None
    return tuple(map(str, labels)), timeout


def _duration(value: JsonValue) -> timedelta:
    found = _BEFORE_EXPIRY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PolicySubjectAnnouncementInvalid(f"The duration {value!r} is not a number with s, m or h.")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
