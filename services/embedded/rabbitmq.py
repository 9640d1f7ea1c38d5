"""The embedded RabbitMQ: a node of its own, with its own Erlang port mapper, below one home.

Everything that nodes of one machine usually share is private here: port mapper, cookie, home, configuration, database,
log and process id. So any number of nodes run beside each other and beside the system's own. Only loopback is bound.
The node is born with one generated user; `guest` never exists.
"""

import secrets
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from services.embedded.accounts import server_folder
from services.embedded.credentials import Credentials, write_secret
from services.embedded.installations import find_installation
from services.embedded.processes import LOOPBACK, FolderLock, ServerFailed, ServerProcess, free_port

NODE = "twinlog@localhost"
START_SECONDS = 120.0
STOP_SECONDS = 20.0
CONTROL_SECONDS = 180.0
MISSING = "RabbitMQ is not installed: run `make install`, or as root `apt-get install rabbitmq-server`"

CONFIGURATION = """\
listeners.tcp.default = {host}:{port}
default_user = {user}
default_pass = {password}
log.console = true
log.console.level = warning
log.file = false
"""


class EmbeddedRabbitMQ:
    """A private RabbitMQ with its node below `home`; `async with` starts and stops it.

    `programs` is the home below which an unpacked RabbitMQ may lie (default: `home`).
    """

    def __init__(self, home: Path, *, programs: Path | None = None) -> None:
        installation = find_installation(programs or home)
        if installation is None:
            raise ServerFailed(MISSING)
        self._installation = installation
        self.folder, self._account = server_folder(home, "rabbitmq")
        self._node = ServerProcess("rabbitmq", self.folder, self._account)
        self._mapper = ServerProcess("epmd", self.folder, self._account)
        self._lock = FolderLock(self.folder)
        self._credentials: Credentials | None = None
        self._environment: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where clients connect, with user and password, in the default virtual host `/`."""
        return self.url_of("/")

    def url_of(self, vhost: str) -> str:
        """Where clients connect for this virtual host."""
        if self._credentials is None:
            raise ServerFailed("the embedded rabbitmq has not been started")
        return _url(self._credentials, vhost)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the node and return when it accepts connections."""
        self._lock.take()
        try:
            await self._node.end_leftover(signal.SIGTERM, signal.SIGKILL, each=STOP_SECONDS)
            await self._mapper.end_leftover(signal.SIGKILL, each=STOP_SECONDS)
            await self._launch()
        except BaseException:
            await self._end(signal.SIGKILL)
            raise

    async def stop(self) -> None:
        """Shut the node down in order, and its port mapper after it."""
        await self._end(signal.SIGTERM, signal.SIGKILL)

    async def kill(self) -> None:
        """End the node with SIGKILL, as a crash would."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop and start on the same port."""
        await self.stop()
        await self.start()

    def control(self, *arguments: str) -> str:
        """What `rabbitmqctl` answers to these arguments; it takes a second or two."""
        argv = [str(self._installation.scripts / "rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            self._account.command(argv) if self._account else argv,
            check=False,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONTROL_SECONDS,
        )
        if done.returncode:
            raise ServerFailed(f"rabbitmqctl {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def add_vhosts(self, names: Sequence[str]) -> None:
        """Make virtual hosts in which our user may do everything; many cost little more than one."""
        if self._credentials is None:
            raise ServerFailed("the embedded rabbitmq has not been started")
        self.control("eval", _ADD_VHOSTS.format(names=_erlang_list(names), user=self._credentials.user))

    def settle(self) -> None:
        """Have everything declared so far written to disk.

        RabbitMQ (Mnesia, before 4) writes declarations with a delay of about two seconds: a broker killed sooner comes
        back without the queue, and without the messages in it that it had confirmed. A test settles before it kills.
        """
        self.control("eval", "ok = mnesia:sync_log().")

    async def _launch(self) -> None:
        known = self._credentials or Credentials.load(self.folder) or Credentials.new(f"twinlog-{secrets.token_hex(4)}")
        port, mapper_port = free_port(known.port), free_port()
        self._credentials = known.at(port).save(self.folder)
        self._environment = {**self._installation.environment(), **self._node_environment(mapper_port)}
        self._write_configuration(self._credentials)
        self._mapper.start(
            [str(self._installation.erlang / "epmd"), "-port", str(mapper_port), "-address", LOOPBACK],
            environment=self._environment,
            on_our_death=signal.SIGKILL,
        )
        await self._mapper.ready(lambda: _answers(mapper_port), within=START_SECONDS)
        self._node.start(
            [str(self._installation.scripts / "rabbitmq-server")],
            environment=self._environment,
            on_our_death=signal.SIGTERM,
        )
        await self._node.ready(lambda: _answers(port, b"AMQP\x00\x00\x09\x01"), within=START_SECONDS)

    def _node_environment(self, mapper_port: int) -> dict[str, str]:
        folder, distribution_port = self.folder, free_port()
        return {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(mapper_port),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CTL_DIST_PORT_MIN": "20000",
            "RABBITMQ_CTL_DIST_PORT_MAX": "32000",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            # The script then becomes the Erlang machine instead of a shell before it, and our signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _write_configuration(self, credentials: Credentials) -> None:
        settings = CONFIGURATION.format(
            host=LOOPBACK, port=credentials.port, user=credentials.user, password=credentials.password
        )
        write_secret(self.folder / "rabbitmq.conf", settings, self._account)
        write_secret(self.folder / "enabled_plugins", "[].\n", self._account)
        write_secret(self.folder / "rabbitmq-env.conf", "", self._account)
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            write_secret(cookie, secrets.token_hex(20), self._account)
            cookie.chmod(0o400)

    async def _end(self, *signals: signal.Signals) -> None:
        await self._node.end(*signals, each=STOP_SECONDS)
        await self._mapper.end(signal.SIGKILL, each=STOP_SECONDS)
        self._lock.release()


def running_url(home: Path) -> str | None:
    """Where the node of this home listens while some process runs it, else None."""
    folder = home / "rabbitmq"
    credentials = Credentials.load(folder)
    if credentials is None or credentials.port is None or not FolderLock(folder).taken_by_another():
        return None
    return _url(credentials, "/")


_ADD_VHOSTS = """
lists:foreach(fun(Name) ->
    ok = rabbit_vhost:add(Name, <<"twinlog">>),
    ok = rabbit_auth_backend_internal:set_permissions(<<"{user}">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"twinlog">>)
end, {names}).
"""


def _erlang_list(names: Sequence[str]) -> str:
    for name in names:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"a virtual host's name here is letters, digits, - and _, not {name!r}")
    return "[" + ", ".join(f'<<"{name}">>' for name in names) + "]"


def _url(credentials: Credentials, vhost: str) -> str:
    path = vhost.replace("/", "%2F")
    return f"amqp://{credentials.user}:{credentials.password}@{LOOPBACK}:{credentials.port}/{path}"


def _answers(port: int, greeting: bytes = b"") -> bool:
    """Whether the port accepts a connection and, if greeted, says something."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        if not greeting:
            return True
        connection.sendall(greeting)
        return bool(connection.recv(1))
    return False
