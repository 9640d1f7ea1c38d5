import signal

import aio_pika
import pytest

from tests.integration.cli.program import SECONDS, Twinlog, end
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start

SLICE = ("demo", "--airports", "30", "--readings", "1500")


async def test_the_demonstration_agrees_with_itself_also_when_interrupted_killed_and_started_again(
    twinlog: Twinlog, amqp_url: str
) -> None:
    demo = twinlog.with_(TWINLOG_AMQP_URL=amqp_url)

    async def published() -> bool:
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            try:
                queue = await channel.declare_queue("twinlog.commands", passive=True)
            except aio_pika.exceptions.ChannelNotFoundEntity:
                return False
            return bool(queue.declaration_result.consumer_count)

    interrupted = await demo.start(*SLICE)
    await eventually(published, within=SECONDS)
    ended = await end(interrupted, signal.SIGINT)
    assert ended.code == 130
    assert "goes on where it stopped" in ended.err
    assert "Traceback" not in ended.err

    killed = await demo.start(*SLICE)
    await eventually(published, within=SECONDS)
    await end(killed, signal.SIGKILL)

    for fresh in (None, 0):
        whole = await demo(*SLICE)
        assert whole.code == 0, whole.text + whole.err
        assert "all counts agree │ yes" in whole.text
        assert "events stored    │ 1,500" in whole.text
        assert fresh is None or f"({fresh} of them in this run)" in whole.text
        assert '"thingId": "org.twinlog.demo:station-SEA"' in whole.text
        assert "last events of org.twinlog.demo:station-SFO" in whole.text
        told = [line.partition(" s  ")[2] for line in whole.text.partition("Access that ends")[2].splitlines()]
        assert [line for line in told if line] == [
            *(line for line in told if line.startswith("surveyor and tourist may read")),
            *(line for line in told if line.startswith("announced over RabbitMQ: the access of")),
            "surveyor extends its access by an hour, in time: 204",
            "tourist does nothing",
            "tourist reads again: 401, Your access has expired.",
            "surveyor reads again: 200",
            "somebody who never had access: 404, as if there were nothing",
        ]
        assert len([line for line in told if line]) == 8

    listed = await demo("events", "list", "--namespace", "org.twinlog.demo", "--type", "modified", "--json")
    assert len({line["commandId"] for line in listed.lines}) == len(listed.lines) == 1_500
    assert not (demo.home / "demo" / "endpoints.json").exists()
    assert (demo.home / "demo" / "issuer.pem").stat().st_mode & 0o777 == 0o600


async def test_a_demonstration_without_a_broker_says_what_it_needs(twinlog: Twinlog) -> None:
    ended = await twinlog("demo", "--airports", "0")
    assert ended.code == 3
    assert "needs RabbitMQ" in ended.err
