"""What the methods of HTTP do with a resource of an entity, whichever it is: the same for things and policies."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from aiohttp.web import StreamResponse

from protocol.errors import DittoError, JsonFormatInvalid
from protocol.identifiers import NamespacedId, PolicyId
from protocol.json import MISSING, JsonValue, Missing
from protocol.signals import Command, Verb
from services import expectations
from services.expectations import Expectation
from services.http import bodies
from services.http.answers import response_answer
from services.http.changes import change
from services.http.exchange import Exchange
from services.http.routes import Action, Place

ReadBody: TypeAlias = Callable[[Exchange], Awaitable[JsonValue]]
Id = TypeVar("Id", bound=NamespacedId)


async def retrieve(exchange: Exchange, place: Place) -> StreamResponse:
    """``GET``: the resource, cut down to ``fields``."""
    headers = exchange.headers()
    seconds = expectations.of_query(headers).seconds
    command = command_at(place, "retrieve", MISSING, headers, fields=exchange.fields())
    response = await exchange.edge.commands.execute(command, exchange.auth, edge="http", timeout=seconds)
    return response_answer(exchange, response, headers)


async def delete(exchange: Exchange, place: Place) -> StreamResponse:
    """``DELETE``."""
    return await change_at(exchange, place, "delete", MISSING, exchange.headers())


def putting(read: ReadBody) -> Action:
    """``PUT`` of a body that ``read`` reads."""

    async def put(exchange: Exchange, place: Place) -> StreamResponse:
        headers = exchange.headers()
        bodies.media_type(exchange, bodies.JSON)
        return await change_at(exchange, place, "modify", await read(exchange), headers)

    return put


def creating(collection: str, parse: Callable[[str], Id], member: str, taken: Callable[[str], DittoError]) -> Action:
    """``POST`` to a collection: an entity with an id of our making, which its body may not name as ``member``."""

    async def create(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        headers = exchange.headers()
        bodies.media_type(exchange, bodies.JSON)
        entity = await bodies.read_object(exchange)
        if not isinstance(entity, dict):
            raise JsonFormatInvalid("the request body", "an object")
        if member in entity:
            raise taken(str(entity[member]))
        entity_id = parse(_new_id(exchange))
        location = f"{exchange.origin()}{collection}/{quote(entity_id, safe=':._~-')}"
        command = Command(entity_id=entity_id, verb="create", path=(), value=entity, headers=headers)  # type: ignore[arg-type]  # a thing's or policy's id, as parse gives it
        return await change(exchange, command, headers, _expectation(command), location=location)

    return create


async def change_at(
    exchange: Exchange, place: Place, verb: Verb, value: JsonValue | Missing, headers: dict[str, JsonValue]
) -> StreamResponse:
    """Have the place changed and print the answer."""
    command = command_at(place, verb, value, headers)
    location = exchange.origin() + exchange.path
    return await change(exchange, command, headers, _expectation(command), location=location)


def command_at(
    place: Place,
    verb: Verb,
    value: JsonValue | Missing,
    headers: dict[str, JsonValue],
    fields: str | None = None,
) -> Command:
    """The command about the place."""
    assert place.entity_id is not None  # noqa: S101 - every row that acts on a resource locates an entity
    return Command(
        entity_id=place.entity_id, verb=verb, path=place.pointer, value=value, fields=fields, headers=headers
    )


def without(methods: Mapping[str, Action], *names: str) -> Mapping[str, Action]:
    """The methods but those."""
    return {name: action for name, action in methods.items() if name not in names}


def _expectation(command: Command) -> Expectation:
    of = expectations.of_policy_change if isinstance(command.entity_id, PolicyId) else expectations.of_change
    return of(command.headers)


def _new_id(exchange: Exchange) -> str:
    """A random id; with an ``Idempotency-Key`` always the same, or a repeated request would make a second entity."""
    namespace = exchange.query.get("namespace", (exchange.edge.default_namespace,))[-1]
    key = exchange.command_id()
    if key is None:
        name = uuid.uuid4()
    else:
        seed = "\n".join((exchange.auth.default_subject, namespace, key)).encode()
        name = uuid.UUID(bytes=hashlib.blake2b(seed, digest_size=16).digest(), version=5)
    return f"{namespace}:{name}"
