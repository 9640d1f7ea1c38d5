"""Printing answers: the one place where a response, a refusal or an error becomes HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp.web import Response as HttpResponse
from multidict import CIMultiDict

from protocol import json
from protocol.errors import DittoError
from protocol.json import MISSING, JsonValue, Missing
from protocol.signals import Response
from services.http.exchange import Exchange
from services.http.refusals import PlainRefusal

SERVER: Final = "twinlog"
_SENT_BACK: Final = ("response-required", "timeout", "reply-to")


def answer(
    status: int, value: JsonValue | Missing, correlation_id: str, headers: Mapping[str, JsonValue]
) -> HttpResponse:
    """A status with a JSON body (none for ``MISSING``) and response headers with typed values."""
    printed = [("correlation-id", correlation_id), ("Server", SERVER)]
    printed += [(name, given if type(given) is str else _printed(given)) for name, given in headers.items()]
    if value is MISSING:
        return HttpResponse(status=status, headers=CIMultiDict(printed))
    printed.append(("Content-Type", "application/json"))
    return HttpResponse(status=status, headers=CIMultiDict(printed), body=json.dump(value))


def _printed(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dump(value).decode()


def error_answer(error: DittoError, correlation_id: str) -> HttpResponse:
    """The error as JSON (Ditto documentation, page *basic-errors*); no body with 304 (RFC 9110 section 15.4.5)."""
    body: JsonValue | Missing = MISSING if error.status == HTTPStatus.NOT_MODIFIED else error.to_json()
    return answer(error.status, body, correlation_id, error.headers)


def refusal_answer(refusal: PlainRefusal, correlation_id: str) -> HttpResponse:
    """One line of plain text."""
    printed = CIMultiDict({"correlation-id": correlation_id, "Server": SERVER, **refusal.headers})
    return HttpResponse(status=refusal.status, text=refusal.text + "\n", headers=printed)


def response_answer(
    exchange: Exchange, response: Response, asked: Mapping[str, JsonValue], *, location: str | None = None
) -> HttpResponse:
    """The response to a command; ``asked`` are the command's headers, some of which are sent back.

    ``location`` is where something created can be found. ``twinlog-position`` is the place of a change in the log,
    beyond Ditto: a read model that has reached it shows the change.
    """
    headers = dict(response.headers)
    headers.setdefault("ditto-originator", exchange.auth.default_subject)
    for name in _SENT_BACK:
        if name in asked:
            headers[name] = asked[name]
    if response.position is not None:
        headers["twinlog-position"] = response.position
    if response.status == HTTPStatus.CREATED and location is not None:
        headers["Location"] = location
    return answer(response.status, response.value, exchange.correlation_id, headers)
