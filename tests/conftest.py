"""The servers of a test run, and a database or virtual host of its own for each test that asks.

A missing server fails the tests that need it; nothing is skipped.
"""

import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest

from services.embedded.postgres import with_database
from tests import keeper

KEEPER = pytest.StashKey[subprocess.Popen[bytes]]()

# A run tells of a change of the code: the same examples each time, and no example fails for the load of the machine.
# TWINLOG_HYPOTHESIS=explore looks for new ones.
hypothesis.settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("explore", parent=hypothesis.settings.get_profile("steady"), derandomize=False)
hypothesis.settings.load_profile(os.environ.get("TWINLOG_HYPOTHESIS", "steady"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forbid-skips", action="store_true", help="a skipped test fails the run")


def pytest_configure(config: pytest.Config) -> None:
    # A run that a shell put into the background is born ignoring SIGINT, and so would be every program that tests
    # interrupt. A handler of our own is not inherited: they start with the default.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ and not config.option.collectonly:
        config.stash[KEEPER] = keeper.start_keeper()


def pytest_unconfigure(config: pytest.Config) -> None:
    if KEEPER in config.stash:
        keeper.end_keeper(config.stash[KEEPER])


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """URL of the run's PostgreSQL as superuser; its database `twinlog_template` is migrated."""
    return keeper.ask("postgres")


@pytest.fixture
async def database_url(postgres_server: str) -> AsyncIterator[str]:
    """URL of a fresh, migrated database, dropped after the test."""
    async for url in _database(postgres_server, keeper.TEMPLATE):
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: str) -> AsyncIterator[str]:
    """URL of a fresh database without any table, dropped after the test."""
    async for url in _database(postgres_server, "template0"):
        yield url


@pytest.fixture(scope="session")
def rabbitmq_server() -> str:
    """URL of the run's RabbitMQ, default virtual host; its user may do everything."""
    return keeper.ask("rabbitmq")


@pytest.fixture
def amqp_url(rabbitmq_server: str) -> str:
    """URL of a fresh virtual host."""
    return keeper.ask("vhost")


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder for servers of the test's own, which it may stop and kill; deleted after the test."""
    with keeper.servers_home() as folder:
        yield folder


async def _database(server: str, template: str) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(8)}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield with_database(server, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--forbid-skips") and _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--forbid-skips") and _skipped:
        terminalreporter.section("skipped, which fails this run")
        for name in _skipped:
            terminalreporter.line(name)


_skipped: list[str] = []
