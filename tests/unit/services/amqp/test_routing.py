"""Routing keys let a backend bind to a namespace, a thing or an action."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.amqp.routing import announcement_key, routing_prefix


def key(stream: str, action: str = "modified") -> str:
    prefix = routing_prefix(stream)
    assert prefix is not None
    return prefix + action


def test_the_dots_of_a_namespace_stay() -> None:
    assert key("thing:farm.one:pump-7") == "things.farm.one.pump-7.modified"


def test_policies_have_a_group_of_their_own() -> None:
    assert key("policy:farm.one:rules", "created") == "policies.farm.one.rules.created"


def test_other_streams_are_not_published() -> None:
    assert routing_prefix("announcement:farm.one:rules") is None


def test_a_name_is_always_one_word() -> None:
    assert key("thing:a:b.c #*:d é") == "things.a.b%2Ec%20%23%2A:d%20é.modified"


def test_an_empty_namespace_is_an_underscore() -> None:
    assert key("thing::pump") == "things._.pump.modified"


def test_a_key_that_would_be_too_long_has_the_hash_of_the_name() -> None:
    assert re.fullmatch(r"things\.farm\.~[0-9a-f]{32}\.modified", key("thing:farm:" + "x" * 250))
    assert re.fullmatch(r"things\.~[0-9a-f]{32}\.~[0-9a-f]{32}\.modified", key(f"thing:{'f' * 240}:{'x' * 9}"))


@given(
    st.from_regex(r"([a-zA-Z]\w{0,30}([.-][a-zA-Z]\w{0,30}){0,6})?", fullmatch=True), st.text(min_size=1, max_size=200)
)
def test_every_key_fits_and_its_name_is_its_last_word_but_one(namespace: str, name: str) -> None:
    text = key(f"thing:{namespace}:{name}", "deleted")
    assert len(text.encode()) <= 255
    assert text.count(".") == 3 + (text.split(".", 1)[1].rsplit(".", 2)[0]).count(".")
    assert not re.search(r"[*#\s]", text.rsplit(".", 2)[1])


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert (one == other) == (key(f"thing:a:{one}") == key(f"thing:a:{other}"))


def test_an_announcement_can_be_bound_to_by_namespace_and_by_subject() -> None:
    key = announcement_key("farm.one:p.1", "subjectDeletion", "integration:app.1")
    assert key == "policies.farm.one.p%2E1.subjectDeletion.integration:app%2E1"


@pytest.mark.parametrize(("name", "subject"), [("p", 250), ("p" * 200, 10), ("p" * 240, 250)])
def test_the_key_of_an_announcement_is_never_too_long(name: str, subject: int) -> None:
    key = announcement_key(f"farm:{name}", "subjectDeletion", "s" * subject)
    assert len(key.encode()) <= 255
    assert key.count(".") == 4
