"""Every resource with every verb that it has, and with those that it has not."""

from __future__ import annotations

import pytest

from protocol.json import JsonObject, JsonValue
from protocol.pointers import parse_policy_path, resolve
from protocol.policies.resources import TABLE
from protocol.wire.etags import value_tag
from tests.unit.protocol.policies.scenario import ALICE, BASE, BOB, P1, entry, given, owned, rights

USER = entry(
    BOB,
    more={
        "resources": {"thing:/features/a": rights("READ")},
        "namespaces": ["farm.one"],
        "allowedAdditions": ["subjects"],
        "references": [{"entry": "owner"}],
    },
)
WHOLE: JsonObject = {
    "imports": {str(BASE): {"entries": ["reader"], "transitiveImports": []}},
    **owned(user=USER, other=entry(ALICE)),
}
IMPORTED: JsonObject = owned(reader=entry(BOB, importable="explicit"))
KNOWN = given(WHOLE).beside(IMPORTED)

CASES: list[tuple[str, JsonValue, str]] = [
    ("/entries", owned()["entries"], "policies:policy.notfound"),
    ("/entries/user", entry(BOB), "policies:entry.notfound"),
    ("/entries/user/subjects", {ALICE: {"type": "t"}}, "policies:subjects.notfound"),
    (f"/entries/user/subjects/{BOB}", {"type": "u"}, "policies:subject.notfound"),
    ("/entries/user/resources", {}, "policies:resources.notfound"),
    ("/entries/user/resources/thing:/features/a", rights("WRITE"), "policies:resource.notfound"),
    ("/entries/user/importable", "never", "policies:entry.notfound"),
    ("/entries/user/namespaces", ["a.b.*"], "policies:entry.notfound"),
    ("/entries/user/allowedAdditions", [], "policies:entry.notfound"),
    ("/entries/user/references", [{"entry": "other"}], "policies:entry.notfound"),
    ("/imports", {}, "policies:imports.notfound"),
    (f"/imports/{BASE}", {}, "policies:import.notfound"),
    (f"/imports/{BASE}/entries", [], "policies:import.notfound"),
    (f"/imports/{BASE}/transitiveImports", [], "policies:import.notfound"),
]
UNDELETABLE = {"entries", "subjects", "resources", "importable", "namespaces", "transitiveImports"}
DEFAULTS: dict[str, JsonValue] = {
    "importable": "implicit",
    "namespaces": [],
    "allowedAdditions": [],
    "references": [],
    "imports": {},
    "entries": [],
    "transitiveImports": [],
}


def test_every_row_of_the_table_has_its_case() -> None:
    patterns = {tuple("*" if place % 2 else key for place, key in enumerate(parse_policy_path(p))) for p, _, _ in CASES}
    rows = {tuple(row.pattern.strip("/").split("/")) for row in TABLE if row.pattern != "/"}
    assert patterns == rows


@pytest.mark.parametrize(("path", "value", "missing"), CASES)
def test_what_is_there_is_read_changed_and_deleted(path: str, value: JsonValue, missing: str) -> None:
    pointer = parse_policy_path(path)
    assert KNOWN.state is not None
    KNOWN.when("retrieve", path).then(None, 200, resolve(KNOWN.state.document, pointer))
    state = KNOWN.when("modify", path, value).then("modified", 204)
    assert state is not None
    assert resolve(state.document, pointer) == value
    if pointer[-1] in UNDELETABLE:
        KNOWN.when("delete", path).refused("protocoladapter:unknown.command", 400)
    else:
        state = KNOWN.when("delete", path).then("deleted", 204)
        assert state is not None
        assert pointer[-1] not in str(resolve(state.document, pointer[:-1]))
    del missing


@pytest.mark.parametrize(("path", "value", "missing"), CASES)
def test_what_is_missing_is_created_and_cannot_be_read_or_deleted(path: str, value: JsonValue, missing: str) -> None:
    pointer = parse_policy_path(path)
    here = given({"imports": {str(BASE): {}}, **owned(user={}, other=entry(ALICE))}).beside(IMPORTED)
    if pointer[0] == "imports" and len(pointer) < 3:
        here = given(owned()).beside(IMPORTED)
    if path in ("/entries/user", "/entries"):
        here = given(owned())
    fresh = pointer[-1] in {"user", BOB, BASE, "thing:/features/a"}
    if pointer[-1] == "references":
        here.when("modify", path, value).then("modified", 201, value)
    else:
        here.when("modify", path, value).then(
            "created" if fresh else "modified", 201 if fresh else 204, *[value] * fresh
        )
    if fresh:
        here.when("retrieve", path).refused(missing, 404)
        here.when("delete", path).refused(missing, 404)
    elif pointer[-1] in DEFAULTS and path != "/entries":
        here.when("retrieve", path).then(None, 200, DEFAULTS[pointer[-1]])


@pytest.mark.parametrize("path", ["/entries/user/allowedAdditions", "/entries/user/references", "/imports"])
def test_to_delete_a_part_that_is_not_there_changes_nothing(path: str) -> None:
    given(owned(user=entry(BOB))).when("delete", path).then(None, 204)
    given().when("delete", path).refused("policies:policy.notfound", 404)
    if path != "/imports":
        given(owned()).when("delete", path).refused("policies:entry.notfound", 404)


def test_references_are_created_by_the_first_of_them() -> None:
    path = "/entries/user/references"
    references: JsonValue = [{"entry": "owner"}]
    without: tuple[JsonObject, ...] = ({}, {"references": []})
    for before in without:
        here = given(owned(user=entry(BOB, more=before)))
        here.when("modify", path, references).then("modified", 201, references)
        here.when("modify", path, []).then("modified", 204)


@pytest.mark.parametrize(("path", "value", "missing"), CASES)
def test_nothing_can_be_done_below_what_is_missing(path: str, value: JsonValue, missing: str) -> None:
    pointer = parse_policy_path(path)
    given().when("modify", path, value).refused("policies:policy.notfound", 404)
    given().when("retrieve", path).refused("policies:policy.notfound", 404)
    if len(pointer) > 2:
        parent = "policies:entry.notfound" if pointer[0] == "entries" else "policies:import.notfound"
        for verb in ("modify", "retrieve"):
            given(owned()).when(verb, path, value).refused(parent, 404)
    del missing


@pytest.mark.parametrize("path", ["/nonsense", "/entries/user/nonsense", "/policyId"])
def test_other_paths_are_unknown(path: str) -> None:
    assert KNOWN.when("retrieve", path).error is not None


def test_a_policy_is_created_read_replaced_and_deleted() -> None:
    stored: JsonObject = {"policyId": P1, **owned()}
    given().when("create", "/", owned()).then("created", 201, stored)
    given().when("modify", "/", owned()).then("created", 201, stored)
    given(owned()).when("create", "/", owned()).refused("policies:policy.conflict", 409)
    given(owned()).when("modify", "/", owned(user=USER)).then("modified", 204)
    given(owned()).when("retrieve", "/").then(None, 200, stored)
    given(owned()).when("retrieve", "/", fields="policyId,_revision").then(None, 200, {"policyId": P1, "_revision": 1})
    deleted = given(owned()).when("delete", "/").then("deleted", 204)
    assert deleted is not None
    assert deleted.deleted


def test_the_id_in_the_value_must_be_the_addressed_one() -> None:
    given().when("create", "/", {"policyId": "farm.one:other", **owned()}).refused("policies:id.notsettable", 400)


def test_preconditions_hold_for_policies_too() -> None:
    here = given(owned())
    here.when("retrieve", "/", if_none_match='"rev:1"').refused("policies:precondition.notmodified", 304)
    here.when("modify", "/", owned(), if_match='"rev:7"').refused("policies:precondition.failed", 412)
    here.when("modify", "/entries/owner/importable", "implicit", if_equal="skip").refused(
        "policies:precondition.failed", 412
    )


def test_parts_that_are_always_there_have_an_entity_tag_before_anything_is_stored() -> None:
    here = given(owned(user=entry(BOB))).beside(owned())
    read = here.when("retrieve", "/imports").decision
    assert read is not None
    tag = str(read.headers["etag"])
    here.when("retrieve", "/imports", if_none_match=tag).refused("policies:precondition.notmodified", 304)
    here.when("modify", "/imports", {str(BASE): {}}, if_match=tag).then("modified", 204)
    imported = given({"imports": {str(BASE): {}}, **owned()}).beside(owned())
    imported.when("modify", "/imports", {}, if_match=tag).refused("policies:precondition.failed", 412)
    here.when("modify", "/entries/user/references", [{"entry": "owner"}], if_none_match="*").then(
        "modified", 201, [{"entry": "owner"}]
    )


def test_a_creation_asks_its_entity_tags_before_it_says_that_the_policy_exists() -> None:
    given(owned()).when("create", "/", owned()).refused("policies:policy.conflict", 409)
    given(owned()).when("create", "/", owned(), if_none_match="*").refused("policies:precondition.failed", 412)
    given().when("create", "/", owned(), if_match="*").refused("policies:precondition.failed", 412)


def test_a_part_that_is_left_out_has_the_entity_tag_of_its_default() -> None:
    here = given(owned(user=entry(BOB)))
    here.when("retrieve", "/entries/user/namespaces", if_none_match=value_tag([])).refused(
        "policies:precondition.notmodified", 304
    )
    here.when("retrieve", "/entries/user/namespaces", if_match=value_tag(["a.b"])).refused(
        "policies:precondition.failed", 412
    )
