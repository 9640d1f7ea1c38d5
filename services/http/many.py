"""``GET /things``: several by their ids, or page by page through namespaces."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from aiohttp.web import StreamResponse

from protocol import json
from protocol.errors import CommandHeadersInvalid, JsonInvalid, SearchOptionInvalid
from protocol.identifiers import ThingId, with_default_namespace
from protocol.json import JsonObject
from protocol.signals import RetrieveThings
from services import expectations
from services.http.answers import answer, response_answer
from services.http.exchange import Exchange
from services.http.routes import Place

SIZE_DEFAULT: Final = 25
SIZE_MAX: Final = 200
_UNHEEDED: Final = frozenset({"condition", "live-channel-condition"})
_OPTION: Final = re.compile(r"\s*(\w+)\(([^()]*)\)\s*(?:,|$)")
_ONLY_ORDER: Final = frozenset({"+thingId", " thingId", "thingId", "+/thingId", " /thingId", "/thingId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a listing is asked for: ``size`` things behind the id ``after``."""

    size: int = SIZE_DEFAULT
    after: ThingId | None = None


async def retrieve_many(exchange: Exchange, place: Place) -> StreamResponse:
    """Things by ``ids`` in the order given, unknown ones left out; without ``ids`` a page in order of their ids."""
    del place
    if "ids" in exchange.query:
        return await _by_ids(exchange)
    return await _by_namespaces(exchange)


async def _by_ids(exchange: Exchange) -> StreamResponse:
    headers = exchange.headers()
    seconds = expectations.of_query(headers).seconds
    namespace = exchange.edge.default_namespace
    ids = tuple(ThingId.parse(with_default_namespace(text, namespace)) for text in _listed(exchange, "ids"))
    signal = RetrieveThings(thing_ids=ids, fields=exchange.fields(), headers=headers)
    response = await exchange.edge.commands.execute(signal, exchange.auth, edge="http", timeout=seconds)
    return response_answer(exchange, response, headers)


async def _by_namespaces(exchange: Exchange) -> StreamResponse:
    headers = exchange.headers()
    expectations.of_query(headers)
    for name in _UNHEEDED.intersection(headers):
        raise CommandHeadersInvalid(name, "a listing of namespaces is not filtered; name the things by ids")
    namespaces = tuple(filter(None, _listed(exchange, "namespaces"))) if "namespaces" in exchange.query else ()
    page = read_page(",".join(exchange.query.get("option", ())), namespaces)
    fields = exchange.fields()
    shown = await _things(exchange, namespaces, _with_id(fields), page)
    links = [f'<{_uri(exchange, page.size, page.after, namespaces)}>; rel="canonical"']
    if shown:
        # A full page may be the last one, and one that lost a thing to a delete in the same moment may not be.
        last = ThingId(str(shown[-1]["thingId"]))
        if await _things(exchange, namespaces, "thingId", Page(size=1, after=last)):
            links.append(f'<{_uri(exchange, page.size, last, namespaces)}>; rel="next"')
    if not _selects_id(fields):
        shown = [{name: value for name, value in thing.items() if name != "thingId"} for thing in shown]
    return answer(200, list(shown), exchange.correlation_id, {"Link": ", ".join(links)})


async def _things(exchange: Exchange, namespaces: Sequence[str], fields: str | None, page: Page) -> list[JsonObject]:
    listed = await exchange.edge.commands.list_things(
        exchange.auth,
        namespaces=namespaces or None,
        fields=fields,
        after=page.after,
        limit=page.size,
        edge="http",
    )
    return [thing for thing in listed if isinstance(thing, dict)]


def read_page(option: str, namespaces: Sequence[str]) -> Page:
    """The page that ``size(n),cursor(...)`` asks for; ``SearchOptionInvalid`` for anything else.

    Other orders than by id and the old ``limit(offset,count)`` are search, which is not served here.
    """
    size, place = SIZE_DEFAULT, 0
    after: ThingId | None = None
    while place < len(option):
        match = _OPTION.match(option, place)
        if match is None:
            raise SearchOptionInvalid(option, "it is not written as size(n),cursor(id)")
        name, text = match.groups()
        if name == "size":
            size = _size(text)
        elif name == "cursor":
            after = _after(text, namespaces)
        elif name != "sort" or text not in _ONLY_ORDER:
            raise SearchOptionInvalid(f"{name}({text})", "it is not known here")
        place = match.end()
    return Page(size=size, after=after)


def cursor(after: str, namespaces: Sequence[str]) -> str:
    """An opaque text for the place behind a thing id, good for the same namespaces only."""
    return base64.urlsafe_b64encode(json.dump([after, _digest(namespaces)])).decode().rstrip("=")


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= SIZE_MAX):
        raise SearchOptionInvalid(f"size({text})", f"the size is a number from 1 to {SIZE_MAX}")
    return int(text)


def _after(text: str, namespaces: Sequence[str]) -> ThingId:
    try:
        match json.parse(base64.urlsafe_b64decode(text.encode() + b"=="), max_depth=2):
            case [str(after), str(digest)] if digest == _digest(namespaces):
                return ThingId.parse(after)
    except (binascii.Error, ValueError, JsonInvalid):
        pass
    raise SearchOptionInvalid(f"cursor({text})", "it is no cursor of this query")


def _digest(namespaces: Sequence[str]) -> str:
    return hashlib.blake2b(",".join(sorted(namespaces)).encode(), digest_size=8).hexdigest()


def _listed(exchange: Exchange, parameter: str) -> list[str]:
    return [part.strip() for value in exchange.query[parameter] for part in value.split(",")]


def _selects_id(fields: str | None) -> bool:
    return fields is None or "thingId" in fields.replace("/", "").split(",")


def _with_id(fields: str | None) -> str | None:
    return fields if fields is None or _selects_id(fields) else f"{fields},thingId"


def _uri(exchange: Exchange, size: int, after: str | None, namespaces: Sequence[str]) -> str:
    options = f"size({size})" + (f",cursor({cursor(after, namespaces)})" if after is not None else "")
    query = {name: ",".join(values) for name, values in exchange.query.items() if name != "option"}
    return f"{exchange.origin()}{exchange.path}?" + urlencode(query | {"option": options}, quote_via=quote, safe="(),:")
