from __future__ import annotations

import pytest

from protocol.errors import DittoError
from protocol.json import JsonValue
from services.expectations import Expectation, of_change, of_query


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Expectation()),
        ({"response-required": False}, Expectation(response_required=False, labels=())),
        ({"timeout": "0"}, Expectation(response_required=False, seconds=0, labels=())),
        ({"timeout": "500ms"}, Expectation(seconds=0.5)),
        ({"requested-acks": ["a:b", "a:b"]}, Expectation(labels=("a:b",))),
        ({"requested-acks": ["live-response"]}, Expectation(labels=())),
        ({"requested-acks": []}, Expectation(labels=())),
        (
            {"requested-acks": ["twin-persisted"], "response-required": False},
            Expectation(response_required=False, labels=("twin-persisted",)),
        ),
    ],
)
def test_a_change_is_answered_as_its_headers_say(headers: dict[str, JsonValue], expected: Expectation) -> None:
    assert of_change(headers) == expected


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"timeout": "0", "response-required": True}, "header.invalid"),
        ({"timeout": "0", "requested-acks": ["a:b"]}, "header.invalid"),
        ({"timeout": "2m"}, "gateway:timeout.invalid"),
        ({"timeout": "soon"}, "timeout.invalid"),
        ({"requested-acks": ["no good"]}, "acknowledgement:label.invalid"),
        ({"requested-acks": [1]}, "acknowledgement:request.parsing.failed"),
    ],
)
def test_what_contradicts_itself_is_refused(headers: dict[str, JsonValue], code: str) -> None:
    with pytest.raises(DittoError) as refused:
        of_change(headers)
    assert refused.value.code == code


def test_a_query_always_waits_for_its_response() -> None:
    assert of_query({"timeout": "10"}).seconds == 10
    for headers, code in (
        ({"timeout": "0"}, "header.invalid"),
        ({"response-required": False}, "command.headers.invalid"),
    ):
        with pytest.raises(DittoError) as refused:
            of_query(headers)
        assert refused.value.code == code
