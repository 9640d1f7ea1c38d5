import orjson

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.postgres import PostgresEventStore
from tests.integration.cli.conftest import FIRST_DAY
from tests.integration.cli.program import Twinlog

EVERYTHING = {"thing:/": {"grant": ["READ", "WRITE"], "revoke": []}}
BASE = {"owner": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": EVERYTHING, "importable": "implicit"}}
GUESTS = {
    "guests": {
        "subjects": {"nginx:ada": {"type": "t"}},
        "resources": {"thing:/attributes/secret": {"grant": [], "revoke": ["READ"]}},
        "importable": "implicit",
    }
}


async def given_policies(store: PostgresEventStore) -> None:
    base = {"policyId": "farm.one:base", "entries": BASE}
    policy = {"policyId": "farm.one:p", "imports": {"farm.one:base": {}}, "entries": GUESTS}
    abroad = {"policyId": "farm.one:abroad", "entries": {"owner": {**BASE["owner"], "namespaces": ["farm.two"]}}}
    for document in (base, policy, abroad):
        event = NewEvent(type="created", path="/", value=orjson.dumps(document), headers=b"{}")
        append = StreamAppend(stream=StreamName(f"policy:{document['policyId']}"), expected_revision=0, events=(event,))
        await store.append((Commit(appends=(append,)),), recorded_at=FIRST_DAY)


async def test_a_permission_is_explained_by_the_entry_that_decides_imported_or_not(
    twinlog: Twinlog, store: PostgresEventStore
) -> None:
    await given_policies(store)
    explain = ("policy", "explain", "farm.one:p", "--subject", "nginx:ada")
    granted = await twinlog(*explain, "thing:/attributes/a", "READ", "--json")
    assert granted.code == 0
    found = orjson.loads(granted.out)
    assert found["allowed"] is True
    assert (found["decidedBy"]["policyId"], found["decidedBy"]["entry"]) == ("farm.one:base", "owner")
    assert found["decidedBy"]["countsAs"] == "imported-farm.one:base-owner"
    revoked = await twinlog(*explain, "thing:/attributes/secret", "read")
    assert revoked.code == 1
    (decisive,) = (line for line in revoked.text.splitlines() if "decides" in line)
    cells = [cell.strip() for cell in decisive.strip("│").split("│")]
    assert cells[:4] == ["farm.one:p", "guests", "", "nginx:ada"]
    assert cells[4:] == ["thing:/attributes/secret", "revoke", "same", "decides"]
    assert revoked.text.splitlines()[-1] == "not granted"
    assert "[" not in revoked.text
    part = await twinlog(*explain, "thing:/attributes", "READ")
    assert part.code == 1
    assert part.text.splitlines()[-1].startswith("granted in part")
    stranger = await twinlog("policy", "explain", "farm.one:p", "-s", "nginx:bob", "thing:/", "READ")
    assert (stranger.code, stranger.text.strip()) == (1, "not granted: no rule about the subjects speaks of it")


async def test_an_entry_for_other_namespaces_is_shown_as_one_that_does_not_count(
    twinlog: Twinlog, store: PostgresEventStore
) -> None:
    await given_policies(store)
    explain = ("policy", "explain", "farm.one:abroad", "-s", "nginx:ada", "thing:/", "READ")
    here = await twinlog(*explain)
    assert (here.code, here.text.splitlines()[-1]) == (1, "not granted: no rule about the subjects speaks of it")
    assert [line.split()[-2] for line in here.text.splitlines() if "owner" in line] == ["elsewhere"]
    assert (await twinlog(*explain, "-n", "farm.two")).text.splitlines()[-1] == "granted"


async def test_a_question_that_makes_no_sense_ends_with_a_sentence(twinlog: Twinlog, store: PostgresEventStore) -> None:
    await given_policies(store)
    for arguments, code in (
        (("farm.one:none", "thing:/", "READ"), 4),
        (("noid", "thing:/", "READ"), 2),
        (("farm.one:p", "door:/", "READ"), 2),
        (("farm.one:p", "thing:/", "FLY"), 2),
    ):
        ended = await twinlog("policy", "explain", *arguments, "-s", "a:b")
        assert (ended.code, ended.out) == (code, b"")
        assert ended.err.strip()
        assert "Traceback" not in ended.err
