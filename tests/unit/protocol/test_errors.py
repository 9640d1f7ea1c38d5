from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from protocol import errors
from protocol.errors import DittoError
from tests.unit.protocol.catalogue import CATALOGUE

OURS = {
    "things:patch.invalid": 400,
    "things:patch.testfailed": 409,
    "thing-search:search.aggregate.invalid": 400,
    "thing-search:search.field.notindexed": 400,
    "thing-search:search.index.invalid": 400,
}
STRICTER = {"jwt:invalid": 401, "jwt:audience.invalid": 401}


def listed_classes(parent: type[DittoError] = DittoError) -> Iterator[type[DittoError]]:
    for child in parent.__subclasses__():
        if "code" in vars(child) and child.__module__.startswith("protocol.errors."):
            yield child
        yield from listed_classes(child)


def test_the_catalogue_has_exactly_dittos_codes_with_their_statuses_our_few_and_401_for_every_bad_token() -> None:
    assert {error.code: error.status for error in listed_classes()} == CATALOGUE | OURS | STRICTER


def test_every_code_belongs_to_one_class() -> None:
    codes = [error.code for error in listed_classes()]
    assert len(codes) == len(set(codes))


def test_every_listed_class_can_be_had_from_the_package() -> None:
    assert [error for error in listed_classes() if getattr(errors, error.__name__, None) is not error] == []


FACTS: dict[str, object] = {"str": "x", "int": 1, "float": 1.5, "str | None": "x", "tuple[str, ...]": ("x", "y")}


@pytest.mark.parametrize("error", list(listed_classes()), ids=lambda error: error.__name__)
def test_every_error_says_what_is_wrong_and_what_to_do(error: type[DittoError]) -> None:
    parameters = inspect.signature(error).parameters.values()
    facts = {fact.name: FACTS[str(fact.annotation)] for fact in parameters if fact.default is fact.empty}
    body = error(**facts).to_json()  # type: ignore[arg-type]  # facts by the annotations of this very class
    assert body["error"] == error.code
    assert body["message"]
    assert body["description"]


def test_a_body_has_status_code_message_and_description() -> None:
    body = errors.AttributeNotFound("a:b", "/attributes/x").to_json()
    assert body["status"] == 404
    assert body["error"] == "things:attribute.notfound"
    assert "a:b/attributes/x" in str(body["message"])
    assert set(body) == {"status", "error", "message", "description"}


def test_absent_members_are_left_out_and_not_null() -> None:
    class Terse(errors.ThingError):
        hint = None

    assert set(Terse("no").to_json()) == {"status", "error", "message"}


def test_an_invalid_id_points_to_the_rules() -> None:
    assert "basic-namespaces-and-names" in str(errors.ThingIdInvalid("x").to_json()["href"])


@pytest.mark.parametrize(
    ("error", "member", "value"),
    [
        (errors.HeaderInvalid("timeout", "a duration"), "invalidHeaderKey", "timeout"),
        (errors.IllegalAdaptable("no", topic="a/b/c"), "topicPath", "a/b/c"),
        (errors.IllegalAdaptable("no", topic="a/b/c", signal_type="x"), "signalType", "x"),
        (errors.MessageFormatInvalid("no", ("p",)), "validationErrors", ["p"]),
    ],
)
def test_some_bodies_have_a_member_of_their_own(error: DittoError, member: str, value: object) -> None:
    assert error.to_json()[member] == value


def test_a_failed_precondition_carries_the_current_tag() -> None:
    error = errors.PreconditionFailed("If-Match", '"rev:1"', '"rev:2"')
    assert error.headers == {"etag": '"rev:2"'}
    assert errors.PreconditionFailed("If-Match", "*", None).headers == {}


def test_an_overloaded_service_says_when_to_come_back() -> None:
    assert errors.GatewayServiceUnavailable("The queue is full.", retry_after=1).headers == {"retry-after": 1}


def test_codes_with_several_statuses_take_the_one_of_the_situation() -> None:
    assert errors.ThingNotCreatable("a:b", "live", status=405).to_json()["status"] == 405
    assert errors.PolicyActionFailed("activate", "no entry", status=404).status == 404
