from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from protocol.json import JsonValue
from protocol.policies.expiry import announcement, rounded_up


@pytest.mark.parametrize(
    ("moment", "granularity", "rounded"),
    [
        ("2026-01-02T10:00:01", timedelta(hours=1), "2026-01-02T11:00:00"),
        ("2026-01-02T10:00:00", timedelta(hours=1), "2026-01-02T10:00:00"),
        ("2026-01-02T10:16:00", timedelta(minutes=15), "2026-01-02T10:30:00"),
        ("2026-01-02T23:59:59", timedelta(hours=1), "2026-01-03T00:00:00"),
        ("2026-01-02T00:00:01", timedelta(days=2), "2026-01-03T00:00:00"),
        ("2026-12-31T12:00:00", timedelta(days=1), "2027-01-01T00:00:00"),
        ("2026-01-02T10:00:00.4", timedelta(seconds=1), "2026-01-02T10:00:01"),
        ("2026-01-02T10:00:00.0004", timedelta(milliseconds=1), "2026-01-02T10:00:00.001"),
    ],
)
def test_expiries_are_rounded_up(moment: str, granularity: timedelta, rounded: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert rounded_up(at, granularity) == datetime.fromisoformat(rounded).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "stored"), [("10", "60s"), ("61s", "120s"), ("2m", "2m"), ("1h", "1h"), ("0m", "1m"), ("90s", "120s")]
)
def test_before_expiry_is_rounded_up_to_at_least_one_granule_in_its_own_unit(asked: str, stored: str) -> None:
    read, value = announcement({"beforeExpiry": asked}, granularity=timedelta(minutes=1))
    assert value == {"beforeExpiry": stored, "whenDeleted": False}
    assert read.when_deleted is False


def test_an_announcement_is_read_whole() -> None:
    read, value = announcement(
        {
            "beforeExpiry": "10m",
            "whenDeleted": True,
            "randomizationInterval": "1m",
            "requestedAcks": {"labels": ["app:seen"], "timeout": "20s"},
        },
        granularity=timedelta(minutes=1),
    )
    assert (read.before_expiry, read.when_deleted) == (timedelta(minutes=10), True)
    assert (read.ack_labels, read.ack_timeout) == (("app:seen",), timedelta(seconds=20))
    assert read.randomization == timedelta(minutes=1)
    assert value["beforeExpiry"] == "10m"


def test_an_announcement_is_stored_in_one_form() -> None:
    acks: JsonValue = {"labels": ["app:seen"], "timeout": "20s", "more": 1}
    _, value = announcement({"requestedAcks": acks, "beforeExpiry": None, "more": 1}, granularity=timedelta(minutes=1))
    assert value == {"whenDeleted": False, "requestedAcks": {"labels": ["app:seen"], "timeout": "20s"}}
    _, value = announcement({"requestedAcks": {"labels": []}, "whenDeleted": True}, granularity=timedelta(minutes=1))
    assert value == {"whenDeleted": True}
