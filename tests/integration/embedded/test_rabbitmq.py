"""The embedded RabbitMQ keeps what it acknowledged, shares nothing with other nodes, and has no user but its own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import psutil
import pytest

from services.embedded.processes import ServerFailed
from services.embedded.rabbitmq import EmbeddedRabbitMQ, running_url
from tests.keeper import programs_home, servers_home


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


@pytest.fixture(scope="module")
def node() -> Iterator[EmbeddedRabbitMQ]:
    """One node for the tests that only look at it."""
    with servers_home() as home:
        server = rabbitmq(home)
        asyncio.run(server.start())
        yield server
        asyncio.run(server.stop())


async def test_messages_hosts_and_address_survive_the_end_of_the_node(home: Path) -> None:
    async with rabbitmq(home) as server:
        server.add_vhosts(["mine"])
        await given_a_message(server.url_of("mine"))
        server.settle()
        before = server.url
        for end in (server.kill, server.stop):
            await end()
            assert not programs_of(server)
            await server.start()
            assert server.url == before
            assert await messages(server.url_of("mine")) == 1


async def test_two_nodes_run_beside_each_other(home: Path, node: EmbeddedRabbitMQ) -> None:
    async with rabbitmq(home) as other:
        await given_a_message(other.url)
        assert await messages(node.url) == 0
    assert await messages(node.url) == 0


async def test_everything_listens_on_loopback_only_and_not_as_root(node: EmbeddedRabbitMQ) -> None:
    processes = programs_of(node)
    assert {"beam.smp", "epmd"} <= {process.name() for process in processes}
    listening = [c for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} <= {"127.0.0.1", "::1"}
    assert all(process.uids().effective != 0 for process in processes)


async def test_only_the_generated_user_exists(node: EmbeddedRabbitMQ) -> None:
    users = node.control("list_users", "--no-table-headers").splitlines()
    assert [user.split("-")[0] for user in users] == ["twinlog"]
    generated = node.url.removeprefix("amqp://").split("@")[0]
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(node.url.replace(generated, "guest:guest"))


async def test_one_home_has_one_node_and_others_learn_its_address(node: EmbeddedRabbitMQ, home: Path) -> None:
    with pytest.raises(ServerFailed, match="another process runs"):
        await rabbitmq(node.folder.parent).start()
    assert running_url(node.folder.parent) == node.url
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
