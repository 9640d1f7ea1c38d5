from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import timestamps


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "2026-01-02T03:04:05Z"),
        (678000, "2026-01-02T03:04:05.678Z"),
        (678900, "2026-01-02T03:04:05.678900Z"),
        (1, "2026-01-02T03:04:05.000001Z"),
    ],
)
def test_the_fraction_has_as_few_digits_as_java_prints(micros: int, text: str) -> None:
    assert timestamps.iso(datetime(2026, 1, 2, 3, 4, 5, micros, UTC)) == text


def test_other_zones_are_printed_in_utc() -> None:
    assert timestamps.iso(datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02T03:00:00Z"


@given(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants it bare
def test_printing_and_reading_are_inverse(moment: datetime) -> None:
    assert timestamps.parse(timestamps.iso(moment)) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "0001-01-01T00:00:00+05:00"]
)
def test_text_without_a_moment_in_a_zone_is_none(text: str) -> None:
    assert timestamps.parse(text) is None
