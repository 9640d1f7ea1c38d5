import orjson
import pytest

from tests.integration.cli.conftest import Fill
from tests.integration.cli.program import Ended, Twinlog

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def positions(ended: Ended) -> list[object]:
    return [line["position"] for line in ended.lines]


async def test_events_are_listed_oldest_first_with_value_and_headers_as_they_lie_in_the_log(
    twinlog: Twinlog, fill: Fill
) -> None:
    await fill(12)
    listed = await twinlog("events", "list", "--json")
    assert positions(listed) == list(range(1, 13))
    assert listed.lines[0] == {
        "position": 1,
        "stream": "thing:farm.one:pump-0",
        "revision": 1,
        "type": "created",
        "path": "/",
        "value": {"thingId": "farm.one:pump-0", "attributes": {"n": 0}},
        "headers": {"ditto-originator": "nginx:ada"},
        "recordedAt": "2026-01-01T00:00:00Z",
        "commandId": None,
    }
    assert listed.code == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--after", "10"), [11, 12]),
        (("--limit", "2"), [1, 2]),
        (("--last", "2"), [11, 12]),
        (("--type", "modified"), [11, 12]),
        (("--type", "modified", "--type", "created", "--limit", "1"), [1]),
        (("--entity", "farm.one:pump-1"), [2, 12]),
        (("--entity", "thing:farm.one:pump-1", "--last", "1"), [12]),
        (("--entity", "policy:farm.one:pump-1"), []),
        (("--namespace", "farm.one", "--after", "11"), [12]),
        (("--namespace", "farm"), []),
        (("--since", "2026-01-01T00:00:00Z", "--after", "11"), [12]),
        (("--since", "1s"), []),
        (("--until", "2026-01-01"), []),
        (("--until", "2026-01-02", "--last", "1"), [12]),
    ],
)
async def test_options_choose_events(
    twinlog: Twinlog, fill: Fill, options: tuple[str, ...], expected: list[int]
) -> None:
    await fill(12)
    assert positions(await twinlog("events", "list", "--json", *options)) == expected


async def test_people_get_a_table_in_which_ids_are_ids(twinlog: Twinlog, fill: Fill) -> None:
    await fill(2)
    listed = await twinlog("events", "list")
    assert "thing:farm.one:pump-1" in listed.text
    assert "2026-01-01 00:00:00.000" in listed.text
    assert "nginx:ada" in listed.text


async def test_nothing_found_is_said_on_standard_error(twinlog: Twinlog) -> None:
    ended = await twinlog("events", "list")
    assert (ended.code, ended.out) == (0, b"")
    assert "No event matches" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("events", "list", "--since", "yesterday"), "neither an ISO 8601 time nor an age"),
        (("events", "list", "--entity", "pump"), "no entity id"),
        (("events", "list", "--type", "exploded"), "no event type"),
        (("events", "list", "--after", "-1"), "--after"),
        (("thing", "show", "pump"), "not valid"),
        (("thing", "show", "a:b", "--revision", "1", "--at", "2h"), "either a revision or a time"),
        (("rebuild", "everything"), "there are twins, revisions"),
        (("events", "replay", "-", "--resume"), "cannot be resumed"),
        (("events", "replay", "amqp:"), "Name the exchange"),
        (("serve", "--role", "cook"), "--role"),
        (("serve", "--port", "70000"), "--port"),
    ],
)
async def test_wrong_usage_is_said_and_ends_with_2(twinlog: Twinlog, arguments: tuple[str, ...], words: str) -> None:
    ended = await twinlog(*arguments)
    assert ended.code == 2
    assert words in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("events", "list"),
        ("events", "tail"),
        ("events", "replay"),
        ("thing", "show", "a:b"),
        ("thing", "history", "a:b"),
        ("rebuild", "twins"),
        ("migrate",),
        ("serve", "--port", "0"),
    ],
)
async def test_a_database_that_is_not_there_is_one_sentence_and_3(twinlog: Twinlog, arguments: tuple[str, ...]) -> None:
    ended = await twinlog.with_(TWINLOG_DATABASE_URL=NOWHERE)(*arguments)
    assert ended.code == 3
    assert "refused" in ended.err
    assert "Traceback" not in ended.err


async def test_wrong_settings_are_all_listed_and_end_with_2(twinlog: Twinlog) -> None:
    ended = await twinlog.with_(TWINLOG_DATABASE_URL="mysql://x", TWINLOG_GROUP_MAX="none")("events", "list")
    assert ended.code == 2
    assert "TWINLOG_DATABASE_URL" in ended.err
    assert "TWINLOG_GROUP_MAX" in ended.err


async def test_a_folder_without_a_twinlog_is_said_with_3(twinlog: Twinlog) -> None:
    without = Twinlog({"TWINLOG_HOME": twinlog.environment["TWINLOG_HOME"]})
    for command in (("status",), ("events", "list")):
        ended = await without(*command)
        assert ended.code == 3
        assert "make run" in ended.err


@pytest.mark.parametrize(
    "command", [("events", "list"), ("events", "tail"), ("thing", "show", "a:b"), ("rebuild", "twins")]
)
async def test_a_database_without_our_tables_says_what_to_do(
    twinlog: Twinlog, empty_database_url: str, command: tuple[str, ...]
) -> None:
    ended = await twinlog.with_(TWINLOG_DATABASE_URL=empty_database_url)(*command)
    assert ended.code == 3
    assert "twinlog migrate" in ended.err


async def test_migrate_makes_the_tables_and_can_be_repeated(twinlog: Twinlog, empty_database_url: str) -> None:
    empty = twinlog.with_(TWINLOG_DATABASE_URL=empty_database_url)
    assert "twinlog migrate" in (await empty("status")).text
    assert (await empty("migrate")).code == 0
    assert (await empty("migrate")).code == 0
    assert (await empty("status")).code == 0


@pytest.mark.parametrize("command", [("events", "list"), ("events", "list", "--json"), ("events", "replay")])
async def test_a_reader_that_goes_away_ends_the_command_quietly(
    twinlog: Twinlog, fill: Fill, command: tuple[str, ...]
) -> None:
    await fill(8_000)
    process = await twinlog.start(*command)
    assert process.stdout
    assert process.stderr
    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]  # what `| head -1` does to a pipe
    err = (await process.stderr.read()).decode()
    assert await process.wait() == 0
    assert "Error" not in err
    assert "Exception" not in err


async def test_a_thing_is_shown_as_it_is_and_as_it_was(twinlog: Twinlog, fill: Fill) -> None:
    await fill(2_021)
    now = orjson.loads((await twinlog("thing", "show", "farm.one:pump-0")).out)
    assert (now["attributes"], now["_revision"]) == ({"n": 2_020}, 203)
    second = orjson.loads((await twinlog("thing", "show", "farm.one:pump-0", "--revision", "2")).out)
    assert (second["attributes"], second["_revision"]) == ({"n": 10}, 2)
    then = orjson.loads((await twinlog("thing", "show", "farm.one:pump-0", "--at", "2026-01-01T12:00")).out)
    assert then["attributes"] == {"n": 990}


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "farm.one:none"),
        ("history", "farm.one:none"),
        ("show", "farm.one:pump-0", "--revision", "99"),
        ("show", "farm.one:pump-0", "--at", "2025-12-31"),
    ],
)
async def test_what_never_was_is_4(twinlog: Twinlog, fill: Fill, arguments: tuple[str, ...]) -> None:
    await fill(10)
    ended = await twinlog("thing", *arguments)
    assert ended.code == 4
    assert "farm.one" in ended.err


async def test_the_history_of_a_thing_is_every_change(twinlog: Twinlog, fill: Fill) -> None:
    await fill(31)
    told = await twinlog("thing", "history", "farm.one:pump-0", "--json")
    assert [line["revision"] for line in told.lines] == [1, 2, 3, 4]
    later = await twinlog("thing", "history", "farm.one:pump-0", "--after-revision", "2", "--json")
    assert [line["revision"] for line in later.lines] == [3, 4]
    assert "modified" in (await twinlog("thing", "history", "farm.one:pump-0")).text


@pytest.mark.parametrize(
    "command",
    [
        *(("serve",), ("migrate",), ("rebuild",), ("status",), ("events", "list"), ("events", "tail")),
        *(("events", "replay"), ("thing", "show"), ("thing", "history"), ("search-index", "set"), ("deadlines",)),
        *(("policy", "explain"), ("search-index", "show"), ("search-index", "reset")),
    ],
)
async def test_every_command_has_help_with_its_exit_codes(twinlog: Twinlog, command: tuple[str, ...]) -> None:
    told = await twinlog(*command, "--help")
    assert told.code == 0
    assert "Exit codes" in told.text
    assert "TWINLOG_DATABASE_URL" in told.text


@pytest.mark.parametrize(
    ("command", "looks_for"), [("settings", None), ("demo", None), ("search", "service"), ("aggregate", "service")]
)
async def test_what_looks_for_no_database_has_help_with_its_exit_codes_and_says_so(
    twinlog: Twinlog, command: str, looks_for: str | None
) -> None:
    told = await twinlog(command, "--help")
    assert told.code == 0
    assert "Exit codes" in told.text
    assert "Finds the database" not in told.text
    assert ("Asks the service" in told.text) == (looks_for == "service")


async def test_the_help_of_an_option_names_the_variable_behind_it(twinlog: Twinlog) -> None:
    told = (await twinlog("serve", "--help")).text
    assert all(name in told for name in ("TWINLOG_HTTP_PORT", "TWINLOG_HTTP_HOST", "TWINLOG_HOME"))


async def test_settings_are_shown_without_secrets(twinlog: Twinlog) -> None:
    shown = await twinlog.with_(TWINLOG_DEVOPS_PASSWORD="open sesame", TWINLOG_GROUP_MAX="77")("settings")
    assert "77" in shown.text
    assert "sesame" not in shown.text
    assert "lovelace" not in shown.text
