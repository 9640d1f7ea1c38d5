"""When a temporary subject ends and when that is announced: rounding rules, and the announcement's settings.

Source: Ditto documentation, page *basic-policy*, sections on subject expiry and announcements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from protocol.durations import parse_duration
from protocol.errors import PolicySubjectAnnouncementInvalid, PolicySubjectExpiryInvalid, TimeoutInvalid
from protocol.json import JsonObject, JsonValue

_BEFORE_EXPIRY: Final = re.compile(r"(\d{1,9})([smh]?)")
_SECONDS: Final = {"s": 1, "": 1, "m": 60, "h": 3_600}
_DAY, _HOUR, _MINUTE, _SECOND, _ = _UNITS = (
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
    timedelta(milliseconds=1),
)
_ACK_LABEL: Final = re.compile(r"(?:\{\{\s*[a-z]+:[a-z]+\s*\}\}:)?[a-zA-Z0-9-_:]{3,165}")
_INSTANT: Final = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)T(?P<hour>\d\d)(?P<rest>:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)",
    re.IGNORECASE | re.ASCII,
)


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

    A granularity counts in whole units, the largest that it contains (36 hours are a day), and its multiples from the
    start of the unit above: hours from midnight UTC, minutes from the hour, days from the first of the month. With an
    hour 10:00:01 becomes 11:00; with 15 minutes 10:16 becomes 10:30.
    """
    unit = next(unit for unit in _UNITS if unit <= granularity)
    step = granularity // unit * unit
    start = _start_of_parent(moment, unit)
    return start - (moment - start) // -step * step


def read_expiry(text: JsonValue, *, now: datetime, granularity: timedelta) -> datetime:
    """The moment at which the subject ends: rounded up, and in the future then.

    Raises ``PolicySubjectExpiryInvalid`` for what is no ISO-8601 time, or is past after rounding.
    """
    try:
        rounded = rounded_up(_instant(text), granularity)
    except (ValueError, OverflowError) as error:
        raise PolicySubjectExpiryInvalid(str(text)) from error
    if rounded <= now:
        raise PolicySubjectExpiryInvalid(str(text))
    return rounded


def read_announcement(value: JsonValue, *, granularity: timedelta) -> tuple[Announcement, JsonObject]:
    """The announcement that the object asks for, and the object as it is stored, with ``whenDeleted`` in any case.

    ``beforeExpiry`` is rounded up to the granularity and keeps its unit. Other members than those documented, and those
    that are null, are left out. Raises ``PolicySubjectAnnouncementInvalid``.
    """
    if not isinstance(value, dict):
        raise PolicySubjectAnnouncementInvalid("The announcement must be a JSON object.")
    stored: JsonObject = {}
    before = None
    if value.get("beforeExpiry") is not None:
        before, stored["beforeExpiry"] = _before_expiry(value["beforeExpiry"], granularity)
    when_deleted = False if value.get("whenDeleted") is None else value["whenDeleted"]
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


def _instant(text: JsonValue) -> datetime:
    """The moment that the text names, as Java reads an instant; the digits that are too fine are rounded up, too.

    ``2030-01-01T00:00:00Z``: the seconds and ``Z`` or an offset (``+01:00``) are mandatory, a fraction may have nine
    digits, hour 24 is the end of the day. ``ValueError`` or ``OverflowError`` if it is none.
    """
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(text)
    day, hour, rest, zone = found["day"], found["hour"], found["rest"], found["zone"].upper()
    ends_day = hour == "24" and rest == ":00:00" and not int(found["fraction"] or 0)
    whole = datetime.fromisoformat(f"{day}T{'00' if ends_day else hour}{rest}{zone}")
    nanos = int((found["fraction"] or "").ljust(9, "0"))
    finer = timedelta(days=ends_day, microseconds=-(nanos // -1_000))
    return whole.astimezone(UTC) + finer


def _start_of_parent(moment: datetime, unit: timedelta) -> datetime:
    if unit == _DAY:
        return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if unit == _HOUR:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == _MINUTE:
        return moment.replace(minute=0, second=0, microsecond=0)
    if unit == _SECOND:
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
    return units * unit, f"{units}{found[2]}"


def _requested_acks(value: JsonValue) -> tuple[tuple[str, ...], timedelta | None]:
    if value is None:
        return (), None
    labels = value.get("labels") if isinstance(value, dict) else ""
    labels = [] if labels is None else labels
    if not isinstance(value, dict) or not isinstance(labels, list):
        raise PolicySubjectAnnouncementInvalid("The member requestedAcks must be an object with an array of labels.")
    for label in labels:
        if not isinstance(label, str) or _ACK_LABEL.fullmatch(label) is None:
            raise PolicySubjectAnnouncementInvalid(f"The acknowledgement label {label!r} is not valid.")
    timeout = _duration(value["timeout"]) if value.get("timeout") is not None else None
    return tuple(map(str, labels)), timeout


def _duration(value: JsonValue) -> timedelta:
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except TimeoutInvalid as error:
        raise PolicySubjectAnnouncementInvalid(f"{value!r} is no duration such as 500ms, 10s, 5m or 1h.") from error
