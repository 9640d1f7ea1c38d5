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
    for document in (base, policy):
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
    revoked = await twinlog(*explain, "thing:/attributes", "read")
    assert revoked.code == 1
    assert "guests" in revoked.text
    assert "decides" in revoked.text
    assert "not granted" in revoked.text
    assert "[" not in revoked.text
    stranger = await twinlog("policy", "explain", "farm.one:p", "-s", "nginx:bob", "thing:/", "READ")
    assert stranger.code == 1


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
