"""One request on its way through an action: what was read of it so far, and whom to hand it to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp.web import BaseRequest

from protocol.enforcement.auth import AuthContext
from protocol.errors import HeaderInvalid
from protocol.identifiers import ThingId
from protocol.immutable import immutable
from protocol.json import JsonValue
from protocol.signals import Response, Signal
from services.http.headers import command_headers
from services.http.urls import Query
from services.searching.searching import Searching


class Commands(Protocol):
    """What this edge needs of ``services.commanding.Commanding``."""

    def submit(
        self, signal: Signal, auth: AuthContext, *, command_id: str | None = None, edge: str = "internal"
    ) -> asyncio.Future[Response]:
        """Take a signal; the future fails with the ``DittoError`` to print."""
        ...

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,  # noqa: ASYNC109 - a Ditto timeout: withdraws rather than cancels
    ) -> Response:
        """Submit and wait, at most ``timeout`` seconds."""
        ...

    async def list_things(
        self,
        auth: AuthContext,
        *,
        namespaces: Sequence[str] | None = None,
        fields: str | None = None,
        after: ThingId | None = None,
        limit: int = 200,
        edge: str = "internal",
    ) -> list[JsonValue]:
        """Things in order of their ids after ``after``: all, or those of some namespaces."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one request may cost: body bytes, JSON levels, and seconds waited when it names no timeout."""

    body_bytes: int = 1_048_576
    json_depth: int = 64
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What all requests share. ``stopping`` is set when the service goes down: long waits end early then.

    ``action_headers`` are those that token actions may make subjects of, in lower case.
    """

    commands: Commands
    bounds: Bounds
    default_namespace: str
    public_url: str | None
    stopping: asyncio.Event
    searching: Searching | None = None
    action_headers: frozenset[str] = frozenset()


@immutable
class Exchange:
    """One request. ``path`` is encoded as it came, without the query."""

    edge: Edge
    request: BaseRequest
    path: str
    query: Query
    correlation_id: str
    auth: AuthContext

    def headers(self) -> dict[str, JsonValue]:
        """The headers of the command; reading them is where bad ones are found. What its issuer adds comes last."""
        headers = command_headers(self.request.headers, self.query, self.correlation_id)
        return {**headers, **self.auth.headers} if self.auth.headers else headers

    def fields(self) -> str | None:
        """The field selector; a repeated parameter joins its lists."""
        found = self.query.get("fields")
        return None if found is None else ",".join(found)

    def command_id(self) -> str | None:
        """The ``Idempotency-Key`` (or ``ditto-message-id``, its name in other transports).

        Used again for the same entity it gives the first answer and changes nothing.
        """
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            key = self.request.headers.get("ditto-message-id")
        if key is not None and not (0 < len(key) <= 256 and key.isprintable()):
            raise HeaderInvalid("idempotency-key", "1 to 256 printable characters")
        return key

    def origin(self) -> str:
        """Scheme and authority under which the client reached us, for absolute URIs in answers."""
        if self.edge.public_url is not None:
            return self.edge.public_url.rstrip("/")
        return f"{self.request.scheme}://{self.request.host}"
