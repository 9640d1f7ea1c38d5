"""``twinlog search``: a table for people, lines of JSON for programs, all pages, and how it ends when it cannot."""

from collections.abc import AsyncIterator

import orjson
import pytest

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.postgres import PostgresEventStore
from tests.integration.cli.conftest import FIRST_DAY
from tests.integration.cli.program import SECONDS, Ended, Twinlog
from tests.waiting import eventually

PUMPS = 430
"""More than two pages of the API."""

REFUSED = (
    (("x" * 10_000,), "URI is longer than 8192 bytes"),
    (("eq(attributes/n, 1",), "expected"),
    (("like(attributes/n,1)",), "like"),
    (("--sort", "attributes/n"), "+ or -"),
    (("--namespaces", "a b"), "namespace"),
    (("--fields", "a("), "field selector"),
    (("-n", "0"), "-n"),
)

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start


def created(stream: str, value: object) -> Commit:
    event = NewEvent(type="created", path="/", value=orjson.dumps(value), headers=b"{}")
    return Commit(appends=(StreamAppend(stream=StreamName(stream), expected_revision=0, events=(event,)),))


async def fill(store: PostgresEventStore) -> None:
    resources = {"thing:/": {"grant": ["READ"], "revoke": []}, "policy:/": {"grant": ["READ", "WRITE"], "revoke": []}}
    owner = {"subjects": {"nginx:ada": {"type": "test"}}, "resources": resources}
    commits = [created("policy:farm:all", {"policyId": "farm:all", "entries": {"owner": owner}})]
    for number in range(PUMPS):
        name = f"{'farm' if number % 43 else 'barn'}:pump-{number:03}"
        thing = {"thingId": name, "policyId": "farm:all", "attributes": {"n": number, "even": number % 2 == 0}}
        commits.append(created(f"thing:{name}", thing))
    await store.append(commits, recorded_at=FIRST_DAY)


@pytest.fixture
async def served(twinlog: Twinlog, store: PostgresEventStore) -> AsyncIterator[Twinlog]:
    """A service whose search shows every pump."""
    async with twinlog.serving("--role", "http", "--role", "projector"):
        await fill(store)

        async def shown() -> bool:
            return len((await twinlog("search", "--json", "-n", "1000")).lines) == PUMPS

        await eventually(shown, within=SECONDS)
        yield twinlog


def numbers(ended: Ended) -> list[str]:
    assert ended.code == 0, ended.err
    return [str(line["thingId"])[-3:] for line in ended.lines]


async def test_a_search_shows_a_table_or_lines_of_json_to_its_last_page(served: Twinlog) -> None:
    table = await served("search", "eq(attributes/n,7)", "--fields", "attributes/n")
    assert table.code == 0
    assert "thing" in table.text
    assert "farm:pump-007" in table.text
    assert '{"attributes":{"n":7}}' in table.text

    lines = await served("search", "eq(attributes/n,7)", "--json")
    assert lines.lines == [{"thingId": "farm:pump-007", "policyId": "farm:all", "attributes": {"n": 7, "even": False}}]
    fields = await served("search", "eq(attributes/n,7)", "--fields", "thingId,_revision", "--json")
    assert fields.lines == [{"thingId": "farm:pump-007", "_revision": 1}]

    every = [f"{number:03}" for number in range(PUMPS)]
    assert numbers(await served("search", "--sort", "+attributes/n", "--json", "-n", "1000")) == every
    assert numbers(await served("search", "--sort=-attributes/n", "--json", "-n", "215")) == every[::-1][:215]
    assert len(numbers(await served("search", "--json"))) == 25
    odd = await served(
        "search", "eq(attributes/even,false)", "--sort=-thingId", "--json", "-n", "3", "--namespaces", "farm"
    )
    assert numbers(odd) == ["429", "427", "425"]
    barn = await served("search", "--namespaces", "barn", "--json", "-n", "1000")
    assert numbers(barn) == [f"{number:03}" for number in range(0, PUMPS, 43)]

    nothing = await served("search", "eq(attributes/n,-1)", "--json")
    assert (nothing.code, nothing.out) == (0, b"")


async def test_what_the_service_refuses_is_said_in_its_words_and_ends_with_2(twinlog: Twinlog) -> None:
    async with twinlog.serving("--role", "http"):
        for arguments, words in REFUSED:
            refused = await twinlog("search", *arguments)
            assert (refused.code, refused.out) == (2, b""), arguments
            assert words in " ".join(refused.err.replace("│", " ").split()), (arguments, refused.err)
            assert "Traceback" not in refused.err


async def test_without_a_service_a_search_says_so_and_ends_with_3(twinlog: Twinlog) -> None:
    ended = await twinlog("search", "eq(attributes/n,1)")
    assert (ended.code, ended.out) == (3, b"")
    assert "twinlog serve" in ended.err


async def test_a_service_that_is_gone_is_one_sentence_and_3(twinlog: Twinlog) -> None:
    """What a killed service left behind says where it was."""
    async with twinlog.serving("--role", "http"):
        left = (twinlog.home / "endpoints.json").read_bytes()
    (twinlog.home / "endpoints.json").write_bytes(left)
    ended = await twinlog("search")
    assert (ended.code, ended.out) == (3, b"")
    assert "Traceback" not in ended.err
