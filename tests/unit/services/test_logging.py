from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.logging import configure_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_event_name_with_facts() -> None:
    stream = io.StringIO()
    configure_logging(style="json", stream=stream)
    structlog.get_logger("a").info("thing created", thing_id="ns:x")
    (line,) = lines(stream)
    assert (line["event"], line["thing_id"], line["level"]) == ("thing created", "ns:x", "info")
    assert "timestamp" in line


def test_secrets_are_blanked_by_the_name_of_the_fact() -> None:
    stream = io.StringIO()
    configure_logging(style="json", stream=stream)
    structlog.get_logger("a").warning("refused", Authorization="Basic aGk6aGk=", user_password="hunter2")
    assert "aGk6" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_libraries_come_out_of_the_same_pipe_without_their_chatter() -> None:
    stream = io.StringIO()
    configure_logging(style="json", level="info", stream=stream)
    logging.getLogger("somewhere").info("hello %s", "you")
    logging.getLogger("aiormq").info("frame")
    assert [line["event"] for line in lines(stream)] == ["hello you"]


def test_facts_that_are_told_through_the_standard_library_are_printed_and_secrets_among_them_blanked() -> None:
    stream = io.StringIO()
    configure_logging(style="json", stream=stream)
    logging.getLogger("somewhere").warning("group_failed", extra={"items": 3, "password": "hunter2"})
    (line,) = lines(stream)
    assert (line["event"], line["items"]) == ("group_failed", 3)
    assert "hunter2" not in stream.getvalue()


def test_a_traceback_for_people_shows_no_local_variables() -> None:
    stream = io.StringIO()
    configure_logging(style="console", stream=stream)
    hidden = "hunter" + "2"
    try:
        int(hidden[:0])
    except ValueError:
        structlog.get_logger("a").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
