"""What aiohttp does below the handler, made to answer as this edge does.

``aiohttp.web.Application`` puts its own router, middlewares and sub-application look-up in front of every handler;
with one handler and a table of our own none of that is needed, so the server is the low-level one. Its connections
answer broken HTTP themselves, in HTML or with the text of an exception; here they answer in plain text, with the right
status (aiohttp says 400 to everything) and a correlation id, and say nothing about what they are made of.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import structlog
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web import BaseRequest, RequestHandler, Server, StreamResponse
from typing_extensions import override

from services.http.answers import refusal_answer
from services.http.app import HttpApp
from services.http.headers import new_correlation_id
from services.http.refusals import PlainRefusal

HEADERS_MAX: Final = 64
KEEP_ALIVE_SECONDS: Final = 75
LINGER_SECONDS: Final = 1

log = structlog.get_logger(__name__)


class HttpConnection(RequestHandler):
    """One client's connection."""

    __slots__ = ()

    @override
    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """The answer to what could not be read as HTTP; the connection closes behind it."""
        refusal = self._refusal(exc)
        if refusal.status >= 500:
            log.error("http_connection_failed", exc_info=exc)
        response = refusal_answer(refusal, new_correlation_id())
        response.force_close()
        return response

    def _refusal(self, exc: BaseException | None) -> PlainRefusal:
        match exc:
            case LineTooLong(args=(_, limit, *_)) if limit == self.max_line_size:
                return PlainRefusal(414, f"The request URI is longer than {limit} bytes.")
            case LineTooLong():
                return PlainRefusal(431, f"A request header is longer than {self.max_field_size} bytes.")
            case BadHttpMessage(message=text) if text.startswith("Too many headers"):
                return PlainRefusal(431, f"The request has more than {self.max_headers} headers.")
            case BadHttpMessage():
                return PlainRefusal(400, "The request is not valid HTTP.")
            case _:
                return PlainRefusal(500, "The request could not be answered.")


class HttpListener(Server):
    """Makes connections; ``uri_bytes`` and ``header_bytes`` bound the request line and a single header."""

    def __init__(self, app: HttpApp, *, uri_bytes: int, header_bytes: int) -> None:
        # The two limits tell an overlong URI from an overlong header, so they must differ.
        field_bytes = header_bytes if header_bytes != uri_bytes else header_bytes + 1
        self._options: dict[str, Any] = {  # options of several types, as aiohttp takes them
            "max_line_size": uri_bytes,
            "max_field_size": field_bytes,
            "max_headers": HEADERS_MAX,
            "keepalive_timeout": KEEP_ALIVE_SECONDS,
            "lingering_time": LINGER_SECONDS,
            "auto_decompress": False,
            "access_log": None,
            "logger": logging.getLogger("aiohttp.server"),
        }
        super().__init__(app, **self._options)

    @override
    def __call__(self) -> RequestHandler:
        """A connection for aiohttp's protocol factory."""
        return HttpConnection(self, loop=self._loop, **self._options)
