from __future__ import annotations

from datetime import timedelta

import pytest

from protocol.durations import parse_duration
from protocol.errors import TimeoutInvalid


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("10", timedelta(seconds=10)),
        ("0", timedelta()),
        ("10s", timedelta(seconds=10)),
        ("500ms", timedelta(milliseconds=500)),
        ("2m", timedelta(minutes=2)),
        ("3h", timedelta(hours=3)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(days=14)),
        ("1mo", timedelta(days=30)),
        ("1y", timedelta(days=365)),
        ("+7s", timedelta(seconds=7)),
    ],
)
def test_a_number_with_a_unit_is_a_span(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        " 7s",
        "7 s",
        "7s ",
        "7s\n",
        "++7s",
        "-1",
        "-1s",
        "1.5s",
        "1 second",
        "1S",
        "ten",
        "٣s",
        "999999999999999y",
        "1e3",
    ],
)
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(TimeoutInvalid):
        parse_duration(text)
