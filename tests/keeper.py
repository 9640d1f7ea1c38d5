"""The keeper of a test run's servers: one process that starts PostgreSQL and RabbitMQ when first asked, and ends them.

Many pytest workers share one run's servers. The pytest process that started the run starts the keeper and holds its
standard input open; workers ask over a Unix socket. When that input ends, because the run is over, was interrupted or
was killed, the keeper stops its servers and deletes their folder. There is no other way for it to end, so nothing is
left behind, and nobody counts references.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventstore.migrations import migrate
from services.embedded.accounts import remove_server_folder
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.processes import ServerFailed
from services.embedded.rabbitmq import EmbeddedRabbitMQ

ADDRESS = "TWINLOG_TEST_KEEPER"
"""The environment variable that tells the workers where the keeper listens."""

TEMPLATE = "twinlog_template"
VHOST_BATCH = 16
ANSWER_SECONDS = 500.0
PROJECT = Path(__file__).parents[1]

# Tests crash the server, never the machine, so what the kernel has taken is safe; commits still wait for the log.
# Statistics are gathered by a test that looks at a plan, and by nobody else meanwhile.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "autovacuum": "off"}


def programs_home() -> Path:
    """The data folder below which `make install` may have unpacked RabbitMQ."""
    return PROJECT / os.environ.get("TWINLOG_HOME", ".twinlog")


def other_postgres() -> Path | None:
    """The binaries to test with instead of the wheel's newest: another version of PostgreSQL."""
    folder = os.environ.get("TWINLOG_TEST_POSTGRES")
    return Path(folder) if folder else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the keeper says: a server's URL, or why there is none."""

    url: str = ""
    error: str = ""


class Keeper:
    """Answers what it is asked, starting each server once."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._turn = asyncio.Lock()
        self._postgres: EmbeddedPostgres | None = None
        self._rabbitmq: EmbeddedRabbitMQ | None = None
        self._vhosts: list[str] = []
        self._vhosts_made = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one question, write one answer."""
        question = (await reader.readline()).decode().strip()
        async with self._turn:
            try:
                answer = Answer(url=await self._url_for(question))
            except Exception as error:  # noqa: BLE001 - the outermost loop: whatever it is, the asking test must learn it
                answer = Answer(error="".join(traceback.format_exception_only(error)))
        writer.write(json.dumps({"url": answer.url, "error": answer.error}).encode())
        await writer.drain()
        writer.close()

    async def end(self) -> None:
        """Stop what was started and delete its folder."""
        try:
            if self._rabbitmq:
                await self._rabbitmq.kill()
            if self._postgres:
                await self._postgres.stop()
        finally:
            remove_server_folder(self._home, "rabbitmq")
            remove_server_folder(self._home, "postgres")
            shutil.rmtree(self._home)

    async def _url_for(self, question: str) -> str:
        if question == "postgres":
            return (await self._the_postgres()).url
        server = await self._the_rabbitmq()
        return server.url_of(self._next_vhost(server)) if question == "vhost" else server.url

    async def _the_postgres(self) -> EmbeddedPostgres:
        if self._postgres is None:
            server = EmbeddedPostgres(self._home, settings=TEST_SETTINGS, binaries=other_postgres())
            await server.start()
            try:
                await server.create_database(TEMPLATE)
                await migrate(server.url_of(TEMPLATE))
            except BaseException:
                await server.stop()
                raise
            self._postgres = server
        return self._postgres

    async def _the_rabbitmq(self) -> EmbeddedRabbitMQ:
        if self._rabbitmq is None:
            server = EmbeddedRabbitMQ(self._home, programs=programs_home())
            await server.start()
            self._rabbitmq = server
        return self._rabbitmq

    def _next_vhost(self, server: EmbeddedRabbitMQ) -> str:
        if not self._vhosts:
            self._vhosts = [f"test-{self._vhosts_made + number}" for number in range(VHOST_BATCH)]
            self._vhosts_made += VHOST_BATCH
            server.add_vhosts(self._vhosts)
        return self._vhosts.pop()


@contextmanager
def servers_home() -> Iterator[Path]:
    """A fresh home for servers that a test may stop and kill, deleted at the end with what they kept elsewhere.

    pytest's own `tmp_path` will not do: it is closed to the user that root's servers run as, so that their data would
    go to the system's folder and stay there.
    """
    folder = Path(tempfile.mkdtemp(prefix="twinlog-home-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for home in (folder, *folder.iterdir()):
            for server in ("postgres", "rabbitmq"):
                remove_server_folder(home, server)
        shutil.rmtree(folder)


def ask(question: str) -> str:
    """The URL of `postgres`, of `rabbitmq`, or of a fresh `vhost`; the servers start when first asked for."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(os.environ[ADDRESS])
        connection.sendall(question.encode() + b"\n")
        with connection.makefile("rb") as file:
            answer = Answer(**json.loads(file.read()))
    if answer.error:
        raise ServerFailed(answer.error)
    return answer.url


def start_keeper() -> subprocess.Popen[bytes]:
    """Start a keeper that lives until its standard input is closed, and publish its address in our environment."""
    home = Path(tempfile.mkdtemp(prefix="twinlog-tests-"))
    home.chmod(0o711)  # root's servers run as another user, who must get through here
    os.environ[ADDRESS] = str(home / "keeper")
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.keeper"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    if keeper.stdout is None or not keeper.stdout.readline():
        raise ServerFailed("the keeper of the tests' servers did not start")
    return keeper


def end_keeper(keeper: subprocess.Popen[bytes]) -> None:
    """Let the keeper stop its servers, and wait until it has."""
    keeper.communicate()


async def _main() -> None:
    address = Path(os.environ[ADDRESS])
    keeper = Keeper(address.parent)
    over = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(over), sys.stdin)
    try:
        async with await asyncio.start_unix_server(keeper.answer, address):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await over.read()
    finally:
        await keeper.end()


if __name__ == "__main__":
    asyncio.run(_main())
