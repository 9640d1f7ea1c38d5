from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from protocol.errors import PolicySubjectAnnouncementInvalid, PolicySubjectExpiryInvalid
from protocol.json import JsonObject, JsonValue
from protocol.policies.expiry import read_announcement, read_expiry, rounded_up
from protocol.wire.timestamps import iso

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "granularity", "rounded"),
    [
        ("2026-01-02T10:00:01", timedelta(hours=1), "2026-01-02T11:00:00"),
        ("2026-01-02T10:00:00", timedelta(hours=1), "2026-01-02T10:00:00"),
        ("2026-01-02T10:16:00", timedelta(minutes=15), "2026-01-02T10:30:00"),
        ("2026-01-02T23:59:59", timedelta(hours=1), "2026-01-03T00:00:00"),
        ("2026-01-02T00:00:01", timedelta(days=2), "2026-01-03T00:00:00"),
        ("2026-12-31T12:00:00", timedelta(days=1), "2027-01-01T00:00:00"),
        ("2026-03-02T00:00:01", timedelta(days=15), "2026-03-16T00:00:00"),
        ("2026-03-20T10:00:00", timedelta(days=15), "2026-03-31T00:00:00"),
        ("2026-03-20T10:00:00", timedelta(hours=12), "2026-03-20T12:00:00"),
        ("2026-03-20T10:00:31", timedelta(seconds=30), "2026-03-20T10:01:00"),
        ("2026-03-20T10:00:31", timedelta(hours=36), "2026-03-21T00:00:00"),
        ("2026-03-20T10:00:31", timedelta(seconds=90), "2026-03-20T10:01:00"),
        ("2026-03-20T10:00:01.2", timedelta(milliseconds=1_500), "2026-03-20T10:00:02"),
        ("2026-03-20T10:00:01.2", timedelta(milliseconds=250), "2026-03-20T10:00:01.25"),
        ("2026-01-02T10:00:00.4", timedelta(seconds=1), "2026-01-02T10:00:01"),
        ("2026-01-02T10:00:00.0004", timedelta(milliseconds=1), "2026-01-02T10:00:00.001"),
    ],
)
def test_expiries_are_rounded_up(moment: str, granularity: timedelta, rounded: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert rounded_up(at, granularity) == datetime.fromisoformat(rounded).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "stored"), [("10", "60"), ("61s", "120s"), ("2m", "2m"), ("1h", "1h"), ("0m", "1m"), ("90s", "120s")]
)
def test_before_expiry_is_rounded_up_to_at_least_one_granule_in_its_own_unit(asked: str, stored: str) -> None:
    read, value = read_announcement({"beforeExpiry": asked}, granularity=timedelta(minutes=1))
    assert value == {"beforeExpiry": stored, "whenDeleted": False}
    assert read.when_deleted is False


def test_an_announcement_is_read_whole() -> None:
    read, value = read_announcement(
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


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2099-06-01T12:00:00+02:00", "2099-06-01T10:00:00Z"),
        ("2099-06-01t10:00:00z", "2099-06-01T10:00:00Z"),
        ("2099-06-01T24:00:00Z", "2099-06-02T00:00:00Z"),
        ("2099-06-01T10:00:00.5Z", "2099-06-01T10:00:00.500Z"),
        ("2099-06-01T10:00:00.000000001Z", "2099-06-01T10:00:00.001Z"),
        ("2099-06-01T23:59:59.999999999Z", "2099-06-02T00:00:00Z"),
    ],
)
def test_an_expiry_is_read_as_java_reads_instants(text: str, stored: str) -> None:
    assert iso(read_expiry(text, now=NOW, granularity=timedelta(milliseconds=1))) == stored


@pytest.mark.parametrize(
    "text",
    [
        "2099-06-01T10:00:00",
        "2099-06-01T10:00Z",
        "2099-06-01 10:00:00Z",
        "2099-06-01T10:00:00-0530",
        "20990601T100000Z",
        "2099-06-01",
        "2099-02-30T10:00:00Z",
        "2099-06-01T24:00:01Z",
        "2025-12-31T23:59:59Z",
        "9999-12-31T23:59:59.9999Z",
        "tomorrow",
        "",
        4_102_444_800,
        None,
    ],
)
def test_what_is_no_instant_or_past_is_no_expiry(text: JsonValue) -> None:
    with pytest.raises(PolicySubjectExpiryInvalid):
        read_expiry(text, now=NOW, granularity=timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("text", "seconds"), [("600ms", 0.6), ("20", 20), ("20s", 20), ("1m", 60), ("1h", 3_600), ("1d", 86_400), ("0s", 0)]
)
def test_the_other_durations_of_an_announcement_have_every_unit_and_stay_as_they_are(text: str, seconds: float) -> None:
    asked: JsonObject = {"randomizationInterval": text, "requestedAcks": {"labels": ["app:seen"], "timeout": text}}
    read, value = read_announcement(asked, granularity=timedelta(minutes=1))
    assert (read.ack_timeout, read.randomization) == (timedelta(seconds=seconds), timedelta(seconds=seconds))
    assert value == {**asked, "whenDeleted": False}


def test_members_that_are_null_or_unknown_are_not_stored() -> None:
    asked: JsonObject = {"beforeExpiry": None, "whenDeleted": None, "randomizationInterval": None, "hello": 1}
    read, value = read_announcement({**asked, "requestedAcks": {"labels": None}}, granularity=timedelta(minutes=1))
    assert (read.before_expiry, read.when_deleted, read.ack_labels, read.randomization) == (None, False, (), None)
    assert value == {"whenDeleted": False}


@pytest.mark.parametrize(
    "asked",
    [
        {"beforeExpiry": "10ms"},
        {"beforeExpiry": "1d"},
        {"beforeExpiry": "-1s"},
        {"beforeExpiry": 5},
        {"beforeExpiry": ""},
        {"whenDeleted": "yes"},
        {"randomizationInterval": "-1s"},
        {"randomizationInterval": 5},
        {"randomizationInterval": "5 s"},
        {"requestedAcks": {"labels": ["app:seen"], "timeout": "soon"}},
        {"requestedAcks": {"labels": ["app:seen"], "timeout": "20s "}},
        {"requestedAcks": {"labels": ["no spaces"]}},
        {"requestedAcks": {"labels": "app:seen"}},
        {"requestedAcks": {"labels": 0}},
        {"requestedAcks": []},
    ],
)
def test_what_makes_no_sense_is_refused(asked: JsonObject) -> None:
    with pytest.raises(PolicySubjectAnnouncementInvalid):
        read_announcement(asked, granularity=timedelta(seconds=1))


def test_a_label_may_begin_with_a_placeholder() -> None:
    labels: list[JsonValue] = ["{{ connection:id }}:my-ack"]
    read, _ = read_announcement({"requestedAcks": {"labels": labels}}, granularity=timedelta(seconds=1))
    assert list(read.ack_labels) == labels


def test_an_announcement_is_stored_in_one_form() -> None:
    acks: JsonValue = {"labels": ["app:seen"], "timeout": "20s", "more": 1}
    _, value = read_announcement(
        {"requestedAcks": acks, "beforeExpiry": None, "more": 1}, granularity=timedelta(minutes=1)
    )
    assert value == {"whenDeleted": False, "requestedAcks": {"labels": ["app:seen"], "timeout": "20s"}}
    _, value = read_announcement(
        {"requestedAcks": {"labels": []}, "whenDeleted": True}, granularity=timedelta(minutes=1)
    )
    assert value == {"whenDeleted": True}
