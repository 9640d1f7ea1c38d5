"""The embedded RabbitMQ keeps what it acknowledged, shares nothing with other nodes, and has no user but its own."""

from pathlib import Path

import aio_pika
import psutil
import pytest

from services.embedded.processes import ServerFailed
from services.embedded.rabbitmq import EmbeddedRabbitMQ, running_url
from tests.keeper import programs_home


def rabbitmq(home: Path) -> EmbeddedRabbitMQ:
    return EmbeddedRabbitMQ(home, programs=programs_home())


async def given_a_message(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def messages(url: str) -> int | None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True)
        return queue.declaration_result.message_count


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_messages_hosts_and_address_survive_the_end_of_the_node(home: Path, end: str) -> None:
    async with rabbitmq(home) as server:
        server.add_vhosts(["mine"])
        await given_a_message(server.url_of("mine"))
        before = server.url
        await getattr(server, end)()
        await server.start()
        assert server.url == before
        assert await messages(server.url_of("mine")) == 1


async def test_two_nodes_run_beside_each_other(home: Path) -> None:
    async with rabbitmq(home / "one") as one, rabbitmq(home / "two") as two:
        await given_a_message(one.url)
        assert await messages(two.url) == 0
        await one.stop()
        assert await messages(two.url) == 0


async def test_everything_listens_on_loopback_only_and_ends_with_the_node(home: Path) -> None:
    async with rabbitmq(home) as server:
        processes = programs_of(server)
        names = {process.name() for process in processes}
        assert {"beam.smp", "epmd"} <= names
        listening = [c for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
        assert {c.laddr.ip for c in listening} <= {"127.0.0.1", "::1"}
        assert all(process.uids().effective == server.folder.stat().st_uid for process in processes)
    assert not programs_of(server)


async def test_only_the_generated_user_exists(home: Path) -> None:
    async with rabbitmq(home) as server:
        users = server.control("list_users", "--no-table-headers").split()
        assert users[0].startswith("twinlog-")
        assert "guest" not in users
        guest = server.url.replace(server.url.split("//")[1].split("@")[0], "guest:guest")
        with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
            await aio_pika.connect(guest)


async def test_one_home_has_one_node_and_others_learn_its_address(home: Path) -> None:
    assert running_url(home) is None
    async with rabbitmq(home) as server:
        with pytest.raises(ServerFailed, match="another process runs"):
            await rabbitmq(home).start()
        assert running_url(home) == server.url
    assert running_url(home) is None


def programs_of(server: EmbeddedRabbitMQ) -> list[psutil.Process]:
    """The node's processes, found by the home they were given."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(server.folder):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
