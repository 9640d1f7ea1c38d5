"""A service on loopback, alone and with a proxy of its own machine in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from services.application import running
from services.settings import Settings

WHOAMI, METRICS = "/api/2/whoami", "/metrics"


class Caller:
    """Asks by the path, as somebody whom the proxy says to be at an address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(self, path: str, address: str) -> int:
        async with self._session.get(self._url + path, headers={"X-Forwarded-For": address}) as reply:
            return reply.status


@asynccontextmanager
async def serving(database_url: str, home: Path, *proxies: str, rate: float | None = None) -> AsyncIterator[Caller]:
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr("off"),
        http_port=0,
        http_rate_per_address=rate,
        trusted_proxies=tuple(map(ip_network, proxies)),
        basic_users={"ada": SecretStr("secret")},
        devops_password=SecretStr("operate"),
    )
    credentials = {"Authorization": aiohttp.encode_basic_auth("ada", "secret")}
    async with (
        running(settings, frozenset({"http"})) as application,
        aiohttp.ClientSession(headers=credentials) as session,
    ):
        assert application.http_url is not None
        yield Caller(session, application.http_url)


async def test_each_client_behind_the_proxy_has_a_rate_of_its_own(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, "127.0.0.1", rate=0.001) as ask:
        assert [await ask(WHOAMI, "192.0.2.1") for _ in range(2)] == [200, 429]
        assert [await ask(WHOAMI, "192.0.2.2") for _ in range(2)] == [200, 429]
        assert await ask(WHOAMI, "192.0.2.9, 192.0.2.1") == 429


async def test_without_a_proxy_the_address_of_the_connection_counts(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path, rate=0.001) as ask:
        assert [await ask(WHOAMI, f"192.0.2.{number}") for number in range(3)] == [200, 429, 429]


async def test_loopback_is_private_until_a_proxy_brings_in_strangers(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path) as ask:
        assert await ask(METRICS, "192.0.2.1") == 200
    async with serving(database_url, tmp_path, "127.0.0.1") as ask:
        assert await ask(METRICS, "192.0.2.1") == 401
