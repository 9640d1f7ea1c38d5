"""Reading request bodies: media type, then bytes within bounds, then JSON."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from protocol import json
from protocol.errors import JsonFormatInvalid, JsonInvalid, MediaTypeUnsupported
from protocol.json import MISSING, JsonValue, Missing
from services.http.exchange import Exchange
from services.http.refusals import PlainRefusal, body_too_large

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"

READ_SECONDS: Final = 30
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def media_type(exchange: Exchange, *supported: str) -> str:
    """The content type without its parameters; 415 if it is none of the supported ones."""
    given = exchange.request.headers.get("Content-Type")
    if given is not None:
        name = given.partition(";")[0].strip().lower()
        if name in supported:
            return name
    raise MediaTypeUnsupported(given, supported)


async def read_object(exchange: Exchange) -> JsonValue:
    """The body where an object is expected; an empty one is 400 ``json.format.invalid``.

    Whether it is an object is checked where every edge has it checked, with the resource.
    """
    data = await read_bytes(exchange)
    if not data:
        raise JsonFormatInvalid("the request body", "an object, but it is empty")
    return json.parse(data, max_depth=exchange.edge.bounds.json_depth)


async def read_value(exchange: Exchange) -> JsonValue:
    """The body where any JSON is expected; an empty one is 400 ``json.invalid``."""
    return json.parse(await read_bytes(exchange), max_depth=exchange.edge.bounds.json_depth)


async def read_optional(exchange: Exchange) -> JsonValue | Missing:
    """The body where there may be one."""
    data = await read_bytes(exchange)
    return json.parse(data, max_depth=exchange.edge.bounds.json_depth) if data else MISSING


async def read_text_or_value(exchange: Exchange) -> JsonValue:
    """The body where a JSON string is expected; its bare text is tolerated, as Ditto does for ``policyId``."""
    data = await read_bytes(exchange)
    try:
        return json.parse(data, max_depth=exchange.edge.bounds.json_depth)
    except JsonInvalid:
        if not data or data[:1] in b'"[{':
            raise
        return data.decode("utf-8", "replace")


async def read_bytes(exchange: Exchange) -> bytes:
    """The whole body; 413 beyond the bound, 400 if its framing is broken, 408 if it does not come."""
    request = exchange.request
    limit = exchange.edge.bounds.body_bytes
    if (request.content_length or 0) > limit:
        raise body_too_large(limit)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise PlainRefusal(415, "Compressed request bodies are not accepted.", {"Accept-Encoding": "identity"})
    content = request.content
    if content.is_eof() and content.exception() is None:
        return _within(limit, content.read_nowait())
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
    return await _read_arriving(request, limit)


async def _read_arriving(request: web.BaseRequest, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            while chunk := await request.content.readany():
                size += len(chunk)
                if size > limit:
                    raise body_too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise PlainRefusal(408, "The request body did not arrive in time.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise PlainRefusal(400, "The request body could not be read.") from None
    return b"".join(chunks)


def _within(limit: int, data: bytes) -> bytes:
    if len(data) > limit:
        raise body_too_large(limit)
    return data
