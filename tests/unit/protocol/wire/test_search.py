"""The words of the search protocol."""

import pytest

from protocol import errors, json
from protocol.errors import DittoError
from protocol.json import JsonValue
from protocol.signals import (
    CancelSearch,
    RequestPages,
    SearchCompleted,
    SearchCreated,
    SearchEvent,
    SearchFailed,
    SearchPage,
    SearchSignal,
    SubscribeToSearch,
)
from protocol.wire.codec import to_signal
from protocol.wire.envelope import decode_envelope, encode_envelope
from protocol.wire.search import DEMAND_MAX, search_envelope


def said(action: str, value: JsonValue = None, **more: JsonValue) -> object:
    message: dict[str, JsonValue] = {"topic": f"_/_/things/twin/search/{action}", "headers": {}, "path": "/"}
    if value is not None:
        message["value"] = value
    return to_signal(decode_envelope(json.dump({**message, **more})))


@pytest.mark.parametrize(
    ("value", "signal"),
    [
        (None, SubscribeToSearch()),
        ({}, SubscribeToSearch()),
        (
            {"filter": "eq(a,1)", "options": "size(10),sort(+thingId)", "namespaces": ["a", "b", "a"]},
            SubscribeToSearch(filter="eq(a,1)", option="size(10),sort(+thingId)", namespaces=("a", "b")),
        ),
        ({"options": ["size(50)", "sort(-_modified)"]}, SubscribeToSearch(option="size(50),sort(-_modified)")),
        ({"filter": None, "options": None, "namespaces": None}, SubscribeToSearch()),
    ],
)
def test_a_subscription_is_read_in_both_forms_of_its_options(value: JsonValue, signal: SearchSignal) -> None:
    assert said("subscribe", value) == signal


def test_fields_and_headers_of_a_subscription_are_read() -> None:
    assert said("subscribe", {}, fields="thingId", headers={"Correlation-ID": "c"}) == SubscribeToSearch(
        fields="thingId", headers={"correlation-id": "c"}
    )


def test_a_namespace_in_the_topic_limits_the_search() -> None:
    assert said("subscribe", topic="farm/_/things/twin/search/subscribe") == SubscribeToSearch(namespaces=("farm",))


def test_request_and_cancel_name_their_subscription() -> None:
    assert said("request", {"subscriptionId": "s", "demand": 3}) == RequestPages(subscription_id="s", demand=3)
    assert said("request", {"subscriptionId": "s", "demand": -1}) == RequestPages(subscription_id="s", demand=-1)
    assert said("request", {"subscriptionId": "s", "demand": 2**63}) == RequestPages(
        subscription_id="s", demand=DEMAND_MAX
    )
    assert said("cancel", {"subscriptionId": "s"}) == CancelSearch(subscription_id="s")


@pytest.mark.parametrize(
    ("action", "value", "more", "error"),
    [
        ("subscribe", {"filter": 1}, {}, errors.JsonFormatInvalid),
        ("subscribe", {"options": 1}, {}, errors.JsonFormatInvalid),
        ("subscribe", {"options": [1]}, {}, errors.JsonFormatInvalid),
        ("subscribe", {"namespaces": "a"}, {}, errors.JsonFormatInvalid),
        ("subscribe", [], {}, errors.JsonFormatInvalid),
        ("subscribe", {}, {"path": "/attributes"}, errors.UnknownPath),
        ("subscribe", {}, {"topic": "a/b/things/twin/search/subscribe"}, errors.IllegalAdaptable),
        ("subscribe", {}, {"status": 200}, errors.IllegalAdaptable),
        ("request", None, {}, errors.JsonFormatInvalid),
        ("request", {"demand": 1}, {}, errors.JsonFieldMissing),
        ("request", {"subscriptionId": "s"}, {}, errors.JsonFieldMissing),
        ("request", {"subscriptionId": 1, "demand": 1}, {}, errors.JsonFormatInvalid),
        ("request", {"subscriptionId": "s", "demand": 1.5}, {}, errors.JsonFormatInvalid),
        ("request", {"subscriptionId": "s", "demand": True}, {}, errors.JsonFormatInvalid),
        ("cancel", {}, {}, errors.JsonFieldMissing),
        ("next", {"subscriptionId": "s", "items": []}, {}, errors.SignalUnsupported),
    ],
)
def test_what_is_no_word_of_a_client_is_refused(
    action: str, value: JsonValue, more: dict[str, JsonValue], error: type[DittoError]
) -> None:
    with pytest.raises(error):
        said(action, value, **more)


@pytest.mark.parametrize(
    ("event", "action", "more"),
    [
        (SearchCreated(subscription_id="s"), "created", {}),
        (SearchPage(subscription_id="s", items=[{"thingId": "a:b"}]), "next", {"items": [{"thingId": "a:b"}]}),
        (SearchCompleted(subscription_id="s"), "complete", {}),
        (SearchFailed(subscription_id="s", error={"status": 400}), "failed", {"error": {"status": 400}}),
    ],
)
def test_what_the_service_says_has_the_headers_of_its_cause(
    event: SearchEvent, action: str, more: dict[str, JsonValue]
) -> None:
    cause: dict[str, JsonValue] = {
        "correlation-id": "c",
        "mine": "kept",
        "accept": "gone",
        "content-type": "text/plain",
    }
    assert json.parse(encode_envelope(search_envelope(event, cause))) == {
        "topic": f"_/_/things/twin/search/{action}",
        "headers": {
            "correlation-id": "c",
            "mine": "kept",
            "content-type": "application/json",
            "version": 2,
            "response-required": False,
        },
        "path": "/",
        "value": {"subscriptionId": "s", **more},
    }
