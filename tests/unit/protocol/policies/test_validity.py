"""What a policy must be like, and how it is refused otherwise."""

from __future__ import annotations

import pytest

from protocol.context import Limits
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue, dump
from protocol.pointers import resolve
from tests.unit.protocol.policies.scenario import ALICE, BASE, BOB, P1, entry, given, owned, rights

LATER = "2026-06-01T10:00:01Z"


def temporary(owner: str = ALICE) -> JsonObject:
    resources: JsonObject = {"policy:/": rights("READ", "WRITE")}
    return {"subjects": {owner: {"type": "t", "expiry": LATER}}, "resources": resources}


@pytest.mark.parametrize(
    "broken",
    [
        {"entries": {}},
        {"entries": {"a": temporary()}},
        {"entries": {"a": entry(ALICE, more={"resources": {"policy:/entries": rights("WRITE")}})}},
        owned(b=entry(ALICE, more={"resources": {"policy:/": rights(revoke=("WRITE",))}})),
    ],
)
def test_a_permanent_owner_is_needed(broken: JsonObject) -> None:
    given().when("create", "/", broken).refused("policies:policy.modificationinvalid", 403)
    given(owned()).when("modify", "/", broken).refused("policies:policy.modificationinvalid", 403)
    given(owned()).when("modify", "/entries", broken["entries"]).refused("policies:policy.modificationinvalid", 403)


def role_of(*subjects: str, **role: JsonValue) -> JsonObject:
    """A policy whose members get what their role grants by a reference to it."""
    role_entry = entry(more={"resources": {"policy:/": rights("READ", "WRITE")}, **role})
    return {"entries": {"role": role_entry, "members": entry(*subjects, more={"references": [{"entry": "role"}]})}}


def test_an_owner_may_get_his_rights_by_a_reference() -> None:
    stored: JsonObject = {"policyId": P1, **role_of(ALICE)}
    given().when("create", "/", role_of(ALICE)).then("created", 201, stored)
    here = given(role_of(ALICE))
    here.when("modify", "/entries", role_of(BOB)["entries"]).then("modified", 204)
    for verb, path, value in (
        ("modify", "/entries/members/subjects", {}),
        ("modify", "/entries/members/references", []),
        ("delete", "/entries/members/references", None),
        ("modify", "/entries/role/resources", {}),
        ("modify", "/entries/role/allowedAdditions", []),
    ):
        here.when(verb, path, value).refused("policies:entry.modificationinvalid", 403)  # type: ignore[arg-type]  # a row of the table, whose first member is a verb


def test_what_a_reference_takes_away_is_taken_from_the_owner() -> None:
    """Alice is in an entry that grants, and in one that gets a revoke from elsewhere."""
    deny = entry(more={"resources": {"policy:/": rights(revoke=("WRITE",))}})
    denied = entry(ALICE, more={"references": [{"entry": "deny"}]})
    given().when("create", "/", owned(deny=deny, denied=denied)).refused("policies:policy.modificationinvalid", 403)
    others = entry(BOB, more={"references": [{"entry": "deny"}]})
    stored: JsonObject = {"policyId": P1, **owned(deny=deny, denied=others)}
    given().when("create", "/", owned(deny=deny, denied=others)).then("created", 201, stored)


def test_a_reference_that_leaves_out_ones_own_subjects_makes_no_owner() -> None:
    given().when("create", "/", role_of(ALICE, allowedAdditions=[])).refused("policies:policy.modificationinvalid", 403)


def test_a_change_of_an_entry_may_not_take_the_last_owner() -> None:
    here = given(owned())
    for verb, path, value in (
        ("delete", "/entries/owner", None),
        ("modify", "/entries/owner", temporary()),
        ("modify", "/entries/owner/subjects", {}),
        ("modify", f"/entries/owner/subjects/{ALICE}", {"type": "t", "expiry": LATER}),
        ("delete", f"/entries/owner/subjects/{ALICE}", None),
        ("modify", "/entries/owner/resources", {}),
        ("modify", "/entries/owner/resources/policy:/", rights("READ")),
        ("delete", "/entries/owner/resources/policy:/", None),
    ):
        here.when(verb, path, value).refused("policies:entry.modificationinvalid", 403)  # type: ignore[arg-type]  # a row of the table, whose first member is a verb


def test_with_imports_or_without_prevention_nobody_has_to_be_owner() -> None:
    imports: JsonObject = {str(BASE): {}}
    here = given(owned()).beside(owned())
    here.when("modify", "/", {"imports": imports, "entries": {}}).then("modified", 204)
    free = given(owned()).with_limits(Limits(prevents_lockout=False))
    free.when("delete", "/entries/owner").then("deleted", 204)


def test_a_policy_that_imports_everything_needs_no_entries() -> None:
    imports: JsonObject = {"imports": {str(BASE): {}}}
    given().beside(owned()).when("create", "/", imports).then(
        "created", 201, {"policyId": P1, **imports, "entries": {}}
    )


def test_members_of_an_entry_that_are_null_count_as_missing() -> None:
    names = ("subjects", "resources", "importable", "namespaces", "allowedAdditions", "references")
    nothing: JsonObject = dict.fromkeys(names)
    given(owned()).when("modify", "/entries/x", nothing).then("created", 201, entry())
    given().when("create", "/", owned(x=nothing)).then("created", 201, {"policyId": P1, **owned(x=entry())})


def test_a_creator_must_be_able_to_change_the_policy_or_say_that_this_is_meant() -> None:
    given().when("create", "/", owned(BOB)).refused("policies:policy.notcreatable", 403)
    stored: JsonObject = {"policyId": P1, **owned(BOB)}
    given().when("create", "/", owned(BOB), allow_policy_lockout=True).then("created", 201, stored)


def test_imported_rights_count_for_the_creator() -> None:
    document: JsonObject = {"imports": {str(BASE): {}}, "entries": {}}
    given().beside(owned()).when("create", "/", document).then("created", 201, {"policyId": P1, **document})


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/entries/imported-x", entry(), "policies:label.invalid"),
        ("/entries/nsimportedx", entry(), "policies:label.invalid"),
        ("/entries/x", 1, "policies:entry.invalid"),
        ("/entries/x/subjects/alice", {"type": "t"}, "policies:subjectid.invalid"),
        ("/entries/x/subjects/https://alice", {"type": "t"}, "policies:subjectid.invalid"),
        ("/entries/x/subjects/a:b", {}, "json.field.missing"),
        ("/entries/x/subjects/a:b", {"type": ""}, "json.format.invalid"),
        ("/entries/x/subjects/a:b", {"type": 1}, "json.format.invalid"),
        ("/entries/x/subjects/a:b", {"type": "t", "expiry": "soon"}, "policies:subjectexpiry.invalid"),
        ("/entries/x/subjects/a:b", {"type": "t", "expiry": "2026-01-02T11:00:00Z"}, "policies:subjectexpiry.invalid"),
        ("/entries/x/subjects/a:b", {"type": "t", "expiry": "2026-01-02T12:00:00Z"}, "policies:subjectexpiry.invalid"),
        (
            "/entries/x/subjects/a:b",
            {"type": "t", "announcement": {"beforeExpiry": "10ms"}},
            "policies:subjectannouncement.invalid",
        ),
        (
            "/entries/x/subjects/a:b",
            {"type": "t", "announcement": {"beforeExpiry": "1d"}},
            "policies:subjectannouncement.invalid",
        ),
        (
            "/entries/x/subjects/a:b",
            {"type": "t", "announcement": {"whenDeleted": "yes"}},
            "policies:subjectannouncement.invalid",
        ),
        ("/entries/x/resources/device:/", rights("READ"), "policies:entry.invalid"),
        ("/entries/x/resources/thing", rights("READ"), "policies:entry.invalid"),
        ("/entries/x/resources/thing:a", rights("READ"), "policies:entry.invalid"),
        ("/entries/x/resources/thing:/a//b", rights("READ"), "json.pointer.invalid"),
        ("/entries/x/resources/thing:/", {"grant": []}, "json.field.missing"),
        ("/entries/x/resources/thing:/", rights("FLY"), "json.format.invalid"),
        ("/entries/x/importable", "maybe", "policies:entry.invalid"),
        ("/entries/x/namespaces", ["a..b"], "policies:entry.invalid"),
        ("/entries/x/namespaces", "a", "policies:entry.invalid"),
        ("/entries/x/allowedAdditions", ["all"], "policies:entry.invalid"),
        ("/entries/x/references", [{"entry": "x"}], "policies:entry.invalid"),
        ("/entries/x/references", [{"entry": "none"}], "policies:entry.invalid"),
        ("/entries/x/references", [{"entry": "never"}], "policies:entry.invalid"),
        ("/entries/x/references", [{"entry": "owner"}, {"entry": "owner"}], "policies:entry.invalid"),
        ("/entries/x/references", [{"entry": "reader", "import": "farm.base:common"}], "policies:import.invalid"),
        ("/imports", {"nonsense": {}}, "policies:id.invalid"),
        ("/imports/farm.one:p1", {}, "policies:import.invalid"),
        ("/imports/farm.base:common", 1, "policies:import.invalid"),
        ("/imports/farm.base:common", None, "policies:import.invalid"),
        ("/imports", {"farm.base:common": None}, "policies:import.invalid"),
        ("/imports/farm.base:common", {"entries": ["a/b"]}, "policies:entry.invalid"),
        ("/imports/farm.base:common", {"entries": ["imported-x"]}, "policies:label.invalid"),
        ("/entries/x/references", [{"entry": "owner", "import": None}], "json.format.invalid"),
        ("/", {"policyId": None, **owned()}, "policies:id.notsettable"),
        ("/", {"policyId": 1, **owned()}, "policies:id.notsettable"),
        ("/", {"policyId": "nonsense", **owned()}, "policies:id.notsettable"),
    ],
)
def test_bad_parts_are_refused_with_their_own_error(path: str, value: JsonValue, code: str) -> None:
    here = given(owned(x=entry(), never=entry(importable="never"))).beside(owned())
    here.when("modify", path, value).refused(code, 400)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("/", {"entries": {"owner": {"subjects": {"a:b": 1}}}}, "'/entries/owner/subjects/a:b'"),
        ("/entries/x", {"subjects": {"a:b": {}}}, "'type' is missing in the subject at '/entries/x/subjects/a:b'"),
        ("/entries/x", {"subjects": []}, "'/entries/x/subjects'"),
        ("/entries/x/subjects/a:b", {"type": 1}, "'/entries/x/subjects/a:b/type'"),
        ("/entries/x", {"resources": {"thing:/": {"grant": []}}}, "'/entries/x/resources/thing:/'"),
        ("/entries/x/resources", {"thing:/": rights("FLY")}, "'grant' of '/entries/x/resources/thing:/'"),
        ("/entries/x", {"importable": "no"}, "'/entries/x/importable' must be one of implicit, explicit, never"),
        ("/entries", {"x": {"namespaces": "a"}}, "'/entries/x/namespaces' must be a JSON array"),
        ("/imports", {str(BASE): {"transitiveImports": [1]}}, f"'/imports/{BASE}/transitiveImports'"),
    ],
)
def test_a_refusal_tells_where_the_mistake_is(path: str, value: JsonValue, told: str) -> None:
    error = given(owned(x=entry())).beside(owned()).when("modify", path, value).error
    assert error is not None
    assert told in error.message


def test_lists_hold_everything_once() -> None:
    here = given({"imports": {str(BASE): {}}, **owned()}).beside(owned())
    state = here.when("modify", "/entries/owner/namespaces", ["a.b", "a.*", "a.b"]).then("modified", 204)
    assert state is not None
    assert resolve(state.document, ("entries", "owner", "namespaces")) == ["a.b", "a.*"]
    state = here.when("modify", f"/imports/{BASE}/entries", ["x", "y", "x"]).then("modified", 204)
    assert state is not None
    assert resolve(state.document, ("imports", BASE, "entries")) == ["x", "y"]


def test_resource_keys_are_kept_in_one_form() -> None:
    nested = "policy:/entries/owner/resources/policy:/"
    written: JsonObject = {key: rights("READ") for key in ("thing:", "thing:a/", "message:/inbox", nested)}
    state = given(owned(user=entry())).when("modify", "/entries/user/resources", written).then("modified", 204)
    assert state is not None
    kept = resolve(state.document, ("entries", "user", "resources"))
    assert isinstance(kept, dict)
    assert list(kept) == ["thing:/", "thing:/a", "message:/inbox", nested]


def test_sizes_and_counts_are_limited() -> None:
    given(owned()).with_limits(Limits(policy_characters=300)).when("modify", "/", owned(more=entry(BOB))).refused(
        "policies:policy.toolarge", 413
    )
    imports: JsonObject = {f"farm.base:p{number}": {} for number in range(11)}
    given(owned()).when("modify", "/imports", imports).refused("policies:imports.toolarge", 400)


def test_the_largest_size_is_still_allowed() -> None:
    document = {"policyId": P1, **owned(more=entry(BOB))}
    exact = Limits(policy_characters=len(dump(document)))
    given(owned()).with_limits(exact).when("modify", "/", document).then("modified", 204)


def test_the_last_import_is_allowed_and_one_more_is_not() -> None:
    imports: JsonObject = {f"farm.base:p{number}": {} for number in range(9)}
    state = (
        given({"imports": imports, **owned()})
        .beside(owned())
        .when("modify", f"/imports/{BASE}", {})
        .then("created", 201, {})
    )
    assert state is not None
    one_more = PolicyId("farm.base:more")
    given(state.document).beside(owned(), one_more).when("modify", f"/imports/{one_more}", {}).refused(
        "policies:imports.toolarge", 400
    )


def test_what_others_refer_to_cannot_go() -> None:
    here = given(
        {
            "imports": {str(BASE): {"entries": ["secret"]}},
            **owned(
                template=entry(),
                user=entry(more={"references": [{"entry": "template"}, {"entry": "secret", "import": str(BASE)}]}),
            ),
        }
    ).beside(owned(secret=entry(importable="explicit")))
    here.when("delete", "/entries/template").refused("policies:entry.referenceconflict", 409)
    here.when("delete", f"/imports/{BASE}").refused("policies:import.referenceconflict", 409)
    here.when("delete", "/imports").refused("policies:import.referenceconflict", 409)
    here.when("modify", f"/imports/{BASE}/entries", []).refused("policies:import.referenceconflict", 409)
    here.when("modify", "/entries/owner/references", [{"entry": "none", "import": str(BASE)}]).refused(
        "policies:import.invalid", 400
    )
    here.when("delete", "/entries/user").then("deleted", 204)


def test_who_takes_a_target_away_is_told_of_the_conflict_and_who_leaves_it_out_that_a_reference_leads_nowhere() -> None:
    user = entry(more={"references": [{"entry": "template"}]})
    here = given(owned(template=entry(), user=user))
    here.when("modify", "/entries/template/importable", "never").refused("policies:entry.referenceconflict", 409)
    here.when("modify", "/entries/template", entry(importable="never")).refused("policies:entry.invalid", 400)
    here.when("modify", "/entries", owned(user=user)["entries"]).refused("policies:entry.invalid", 400)
    here.when("modify", "/", owned(user=user)).refused("policies:entry.invalid", 400)
    lent = entry(more={"references": [{"entry": "reader", "import": str(BASE)}]})
    importing = given({"imports": {str(BASE): {}}, **owned(user=lent)}).beside(owned(reader=entry()))
    importing.when("modify", "/imports", {}).refused("policies:import.referenceconflict", 409)
    importing.when("modify", "/", owned(user=lent)).refused("policies:import.invalid", 400)


def test_a_refused_removal_names_who_refers_to_it() -> None:
    user = entry(more={"references": [{"entry": "template"}]})
    error = given(owned(template=entry(), user=user)).when("delete", "/entries/template").error
    assert error is not None
    assert error.message.endswith("'template' of the policy 'farm.one:p1' is referred to by the entry 'user'.")


def test_who_refers_into_an_import_must_be_able_to_read_what_is_there() -> None:
    user = entry(more={"references": [{"entry": "reader", "import": str(BASE)}]})
    imports: JsonObject = {"imports": {str(BASE): {}}}
    blind = given({**imports, **owned()}).beside(owned(BOB, reader=entry()))
    changes: dict[str, JsonValue] = {
        "/entries/user": user,
        "/entries/owner/references": [{"entry": "none", "import": str(BASE)}],
        "/": {**imports, **owned(user=user)},
    }
    for path, value in changes.items():
        blind.when("modify", path, value).refused("policies:policy.notfound", 404)
    gone = given({**imports, **owned()})
    gone.when("modify", "/entries/user", user).refused("policies:policy.notfound", 404)
    others = given({**imports, **owned(user=user)}).beside(owned(BOB, reader=entry()))
    others.when("modify", "/entries/user", {**user, "subjects": {BOB: {"type": "t"}}}).then("modified", 204)


def test_a_policy_cannot_import_itself_by_way_of_another() -> None:
    here = given({"imports": {str(BASE): {}}, **owned()}).beside(owned())
    around: JsonObject = {"transitiveImports": [str(P1)]}
    changes: dict[str, JsonValue] = {
        f"/imports/{BASE}/transitiveImports": [str(P1)],
        f"/imports/{BASE}": around,
        "/imports": {str(BASE): around},
        "/": {"imports": {str(BASE): around}, **owned()},
    }
    for path, value in changes.items():
        here.when("modify", path, value).refused("policies:import.invalid", 400)


def test_who_imports_must_be_able_to_read_what_is_taken() -> None:
    hidden = given(owned()).beside(owned(BOB))
    hidden.when("modify", f"/imports/{BASE}", {}).refused("policies:policy.notfound", 404)
    given(owned()).when("modify", f"/imports/{BASE}", {}).refused("policies:policy.notfound", 404)
    readable = entry(ALICE, importable="never", more={"resources": {"policy:/entries/reader": rights("READ")}})
    partly: JsonObject = {"entries": {"x": readable, "reader": entry(), "secret": entry(importable="explicit")}}
    given(owned()).beside(partly).when("modify", f"/imports/{BASE}", {}).then("created", 201, {})
    given(owned()).beside(partly).when("modify", f"/imports/{BASE}", {"entries": ["secret"]}).refused(
        "policies:policy.notfound", 404
    )
