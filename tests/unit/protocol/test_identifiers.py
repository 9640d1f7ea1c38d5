from __future__ import annotations

import pytest

from protocol.errors import PolicyIdInvalid, ThingIdInvalid
from protocol.identifiers import PolicyId, ThingId, with_default_namespace


@pytest.mark.parametrize(
    ("text", "namespace", "name"),
    [
        ("farm.one:pump-7", "farm.one", "pump-7"),
        ("a-b.c_1:x", "a-b.c_1", "x"),
        (":x", "", "x"),
        ("a:b:c", "a", "b:c"),
        ("a: ", "a", " "),
        ("a:\u0100", "a", "\u0100"),
        ("a:" + "x" * 254, "a", "x" * 254),
    ],
)
def test_valid_ids_have_a_namespace_and_a_name(text: str, namespace: str, name: str) -> None:
    thing_id = ThingId.parse(text)
    assert isinstance(thing_id, ThingId)
    assert (thing_id, thing_id.namespace, thing_id.name) == (text, namespace, name)
    assert isinstance(PolicyId.parse(text), PolicyId)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:",
        ":",
        "1a:x",
        "a..b:x",
        ".a:x",
        "a.:x",
        "_:x",
        "a.1:x",
        "ä:x",
        "a:b/c",
        "a:\n",
        "a:x\n",
        "a:ÿ",
        "a:" + "x" * 255,
    ],
)
def test_other_text_is_refused_with_the_error_of_the_kind(text: str) -> None:
    with pytest.raises(ThingIdInvalid):
        ThingId.parse(text)
    with pytest.raises(PolicyIdInvalid):
        PolicyId.parse(text)


def test_an_empty_namespace_becomes_the_default_one() -> None:
    assert with_default_namespace(":x", "org.eclipse.ditto") == "org.eclipse.ditto:x"
    assert with_default_namespace("a:x", "org.eclipse.ditto") == "a:x"
