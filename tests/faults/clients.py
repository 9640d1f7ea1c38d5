"""Apps that talk HTTP and insist: a request without an answer is sent again under the same ``Idempotency-Key``."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.faults.service import PASSWORD, USER, Service
from tests.waiting import DEADLINE

TROUBLE = (aiohttp.ClientError, TimeoutError, OSError)
NOT_NOW = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    value: object
    etag: str | None


@dataclass(slots=True, kw_only=True)
class Client:
    """One app's view of several processes of one service."""

    session: aiohttp.ClientSession
    name: str
    keys: Iterator[int] = field(default_factory=itertools.count)
    repeats: int = 0

    async def put(
        self, services: Sequence[Service], path: str, value: object, *, key: str | None = None, **headers: str
    ) -> Answer:
        """PUT with a key, one of its own if none is given: takes effect at most once, however often and to whomever."""
        chosen = key or f"{self.name}-{next(self.keys)}"
        return await self._insist(services, "PUT", path, value, {"Idempotency-Key": chosen, **headers})

    async def get(self, services: Sequence[Service], path: str) -> Answer:
        return await self._insist(services, "GET", path, None, {})

    async def _insist(
        self, services: Sequence[Service], method: str, path: str, value: object, headers: dict[str, str]
    ) -> Answer:
        async with asyncio.timeout(DEADLINE):
            for service in itertools.cycle(services):
                try:
                    answer = await self.once(service, method, path, value, headers)
                except TROUBLE:
                    await asyncio.sleep(0.05)
                else:
                    if answer.status != NOT_NOW:
                        return answer
                    await asyncio.sleep(0.05)
                self.repeats += 1
        raise AssertionError("there is always another service to ask")

    async def once(
        self,
        service: Service,
        method: str,
        path: str,
        value: object,
        headers: dict[str, str],
    ) -> Answer:
        """One request, one answer or trouble."""
        body = None if method == "GET" else value
        target = f"{service.url}/api/2/things/{path}"
        async with self.session.request(method, target, json=body, headers=headers) as response:
            found = await response.json() if response.content_type.endswith("json") else None
            return Answer(status=response.status, value=found, etag=response.headers.get("ETag"))


@asynccontextmanager
async def client(name: str) -> AsyncIterator[Client]:
    credentials = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
    async with aiohttp.ClientSession(headers=credentials, timeout=aiohttp.ClientTimeout(total=DEADLINE / 3)) as session:
        yield Client(session=session, name=name)
