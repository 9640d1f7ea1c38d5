import asyncio
import signal
from pathlib import Path

import aio_pika
import orjson
import pytest

from tests.integration.cli.conftest import Fill
from tests.integration.cli.program import SECONDS, Twinlog, end, listen
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start

MANY = 40_000


async def test_replay_writes_every_selected_event_as_a_line_and_its_progress_elsewhere(
    twinlog: Twinlog, fill: Fill
) -> None:
    await fill(12)
    replayed = await twinlog("events", "replay")
    assert replayed.out == (await twinlog("events", "list", "--json")).out
    assert "12 events" in replayed.err
    some = await twinlog("events", "replay", "--entity", "farm.one:pump-1")
    assert [line["position"] for line in some.lines] == [2, 12]


async def test_a_file_that_exists_is_not_overwritten(twinlog: Twinlog, fill: Fill, tmp_path: Path) -> None:
    await fill(3)
    target = tmp_path / "log.ndjson"
    target.write_bytes(b"precious\n")
    for options in ((), ("--resume",)):
        ended = await twinlog("events", "replay", str(target), *options)
        assert ended.code == 2
        assert target.read_bytes() == b"precious\n"


async def test_a_folder_that_is_not_there_is_said(twinlog: Twinlog, fill: Fill, tmp_path: Path) -> None:
    await fill(3)
    ended = await twinlog("events", "replay", str(tmp_path / "none" / "log"))
    assert ended.code == 1
    assert "cannot be written" in ended.err


@pytest.mark.parametrize("kept", [0, 1, 40, 10_000, 1_500_000])
async def test_a_torn_file_is_resumed_without_gap_or_repeat(
    twinlog: Twinlog, fill: Fill, tmp_path: Path, kept: int
) -> None:
    await fill(12_000)
    whole = (await twinlog("events", "replay")).out
    target = tmp_path / "log.ndjson"
    target.write_bytes(whole[:kept])
    assert (await twinlog("events", "replay", str(target), "--resume")).code == 0
    assert target.read_bytes() == whole
    assert (await twinlog("events", "replay", str(target), "--resume")).code == 0
    assert target.read_bytes() == whole


async def test_a_killed_replay_to_a_file_is_resumed_without_gap_or_repeat(
    twinlog: Twinlog, fill: Fill, tmp_path: Path
) -> None:
    await fill(MANY)
    target = tmp_path / "log.ndjson"
    process = await twinlog.start("events", "replay", str(target), "--since", "1000d")

    async def begun() -> bool:
        return (target.exists() and target.stat().st_size > 100_000) or process.returncode is not None

    await eventually(begun, within=SECONDS)
    await end(process, signal.SIGKILL)
    assert (await twinlog("events", "replay", str(target), "--since", "1000d", "--resume")).code == 0
    assert [orjson.loads(line)["position"] for line in target.read_bytes().splitlines()] == list(range(1, MANY + 1))


async def test_a_killed_replay_to_an_exchange_is_resumed_without_a_gap(
    twinlog: Twinlog, fill: Fill, amqp_url: str
) -> None:
    await fill(MANY)
    replaying = twinlog.with_(TWINLOG_AMQP_URL=amqp_url)
    command = ("events", "replay", "amqp:farm.rebuild", "--since", "1000d")
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("farm.rebuild", "topic", durable=True)
        queue = await channel.declare_queue("rebuilt", durable=True)
        await queue.bind(exchange, "things.farm.one.#")
        process = await replaying.start(*command)

        async def begun() -> bool:
            return bool((await channel.declare_queue("rebuilt", passive=True)).declaration_result.message_count)

        await eventually(begun, within=SECONDS)
        await end(process, signal.SIGKILL)
        assert (await replaying(*command, "--resume")).code == 0
        heard = await listen(queue)
        places: list[int] = []
        seen: set[int] = set()
        async with asyncio.timeout(SECONDS):
            while len(seen) < MANY:
                message = await heard.get()
                places.append(int(str(message.headers["position"])))
                seen.add(places[-1])
    assert list(dict.fromkeys(places)) == list(range(1, MANY + 1))
    assert not list((twinlog.home / "replays").iterdir())


async def test_replayed_messages_are_envelopes_that_a_consumer_can_tell_apart(
    twinlog: Twinlog, fill: Fill, amqp_url: str
) -> None:
    await fill(11)
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("again", "topic", durable=True)
        queue = await channel.declare_queue("heard", exclusive=True)
        await queue.bind(exchange, "things.farm.one.pump-0.modified")
        assert (await twinlog.with_(TWINLOG_AMQP_URL=amqp_url)("events", "replay", "amqp:again")).code == 0
        async with asyncio.timeout(SECONDS):
            message = await queue.get(no_ack=True)
    assert message is not None
    assert message.headers["x-twinlog-replay"] == 1
    assert message.message_id == "thing:farm.one:pump-0@2"
    assert message.content_type == "application/vnd.eclipse.ditto+json"
    envelope = orjson.loads(message.body)
    assert envelope["topic"] == "farm.one/pump-0/things/twin/events/modified"
    assert (envelope["path"], envelope["value"], envelope["revision"]) == ("/attributes/n", 10, 2)


async def test_an_exchange_or_broker_that_is_not_there_is_one_sentence_and_3(
    twinlog: Twinlog, fill: Fill, amqp_url: str
) -> None:
    await fill(1)
    for url, words in ((amqp_url, "no exchange"), ("amqp://127.0.0.1:1/", "broker said"), ("off", "no broker")):
        ended = await twinlog.with_(TWINLOG_AMQP_URL=url)("events", "replay", "amqp:nowhere")
        assert ended.code == 3
        assert words in ended.err
        assert "Traceback" not in ended.err
