from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from yarl import URL

from eventstore.memory import InMemorySoleWriter
from projections.twins import InMemoryTwins
from services.auth.authentication import Authentication
from services.auth.setup import api_authentication, operator_authentication
from services.commanding.commanding import Commanding
from services.http.app import HttpApp, create_app
from services.http.exchange import Bounds, Commands
from services.http.operations import Check, Operations
from services.http.proxies import TrustedProxies
from services.http.server import serve_http
from services.http.throttle import UNTHROTTLED, Throttles
from services.settings import Settings
from tests.api.gated import GatedStore
from tests.waiting import DEADLINE

SETTINGS = Settings(
    basic_users={"ada": SecretStr("lovelace")}, devops_password=SecretStr("operate"), pre_authentication=True
)
ADA = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}
DEVOPS = {"Authorization": aiohttp.encode_basic_auth("devops", "operate")}
# Passwords are slow to hash on purpose: all tests share the users.
API, OPERATORS = api_authentication(SETTINGS), operator_authentication(SETTINGS)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the test knows it to be
        return orjson.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Client:
    """Speaks to one server as Ada; a path is sent exactly as it is written."""

    def __init__(self, session: aiohttp.ClientSession, app: HttpApp, port: int) -> None:
        self.app = app
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self._session = session

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        data: bytes | None = None,
        auth: Mapping[str, str] = ADA,
    ) -> Reply:
        content = orjson.dumps(body) if data is None and method in {"PUT", "POST", "PATCH"} else data
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        given = {"Content-Type": kind} if content is not None else {}
        url = URL(self.origin + path, encoded=True)
        async with self._session.request(
            method, url, data=content, headers={**given, **auth, **(headers or {})}, skip_auto_headers=["Content-Type"]
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def raw(self, data: bytes) -> bytes:
        """Everything the server answers to these bytes until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(DEADLINE):
                return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(
    commands: Commands,
    *,
    checks: Mapping[str, Check] | None = None,
    bounds: Bounds | None = None,
    open_metrics: bool = False,
    api: Authentication = API,
    throttles: Throttles = UNTHROTTLED,
    proxies: TrustedProxies | None = None,
    action_headers: frozenset[str] = frozenset(),
) -> AsyncIterator[Client]:
    app = create_app(
        commands,
        api=api,
        operators=OPERATORS,
        operations_of=Operations(
            version="1.2.3", checks=checks or {}, metrics=CollectorRegistry(), open_metrics=open_metrics
        ),
        bounds=bounds,
        throttles=throttles,
        proxies=proxies,
        action_headers=action_headers,
    )
    async with serve_http(app, host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as session:
        yield Client(session, app, port)


@pytest.fixture
async def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
async def commands(store: GatedStore) -> AsyncIterator[Commanding]:
    """The real one, on a store in memory, in a process of its own so to speak: its states may be trusted."""
    lease = InMemorySoleWriter(held=True)
    async with Commanding(store=store, twins=InMemoryTwins(store), sole_writer=lease, clock=_now) as commands:
        yield commands


@pytest.fixture
async def client(commands: Commanding) -> AsyncIterator[Client]:
    async with serving(commands) as client:
        yield client


def _now() -> datetime:
    return datetime.now(UTC)
