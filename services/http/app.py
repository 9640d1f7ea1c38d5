"""The one handler behind every path: who is it, which row of the table, and what if something goes wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

import structlog
from aiohttp.web import BaseRequest, StreamResponse

from protocol.enforcement.auth import NOBODY, AuthContext
from protocol.errors import ApiVersionNotSupported, DittoError, GatewayInternalError, HeaderInvalid
from protocol.json import MISSING
from services.auth.authentication import Authentication
from services.http import namespaces, operations, permissions, policies, search, things, whoami
from services.http.answers import answer, error_answer, refusal_answer
from services.http.exchange import Bounds, Commands, Edge, Exchange
from services.http.headers import check_once, check_text, correlation_id_of, new_correlation_id
from services.http.operations import Operations
from services.http.proxies import TrustedProxies
from services.http.refusals import PlainRefusal, wrong_method
from services.http.routes import Place, Route, Router
from services.http.throttle import UNTHROTTLED, Throttles
from services.http.urls import NO_QUERY, Query, percent_decode_if_possible, read_query, split_target
from services.searching.indexes import SearchIndexes
from services.searching.searching import Searching

API: Final = "/api/2/"
_VERSIONED: Final = re.compile(r"/(?:api|ws)/(\d{1,9})(?:/|$)", re.ASCII)

log = structlog.get_logger(__name__)


class HttpApp:
    """Answers requests. Whatever happens becomes an answer: no client sees a traceback or a closed socket."""

    def __init__(
        self,
        *,
        edge: Edge,
        api: Authentication,
        operators: Authentication,
        routes: Iterable[Route],
        throttles: Throttles,
        proxies: TrustedProxies,
    ) -> None:
        self._throttles = throttles
        self._proxies = proxies
        self._edge = edge
        self._api = api
        self._operators = operators
        table = tuple(routes)
        self._router = Router(table)
        self._operated = tuple(row.path.partition("{")[0] for row in table if row.access == "operator")

    @property
    def edge(self) -> Edge:
        """What all requests share; the server sets ``stopping`` in it when it goes down."""
        return self._edge

    async def __call__(self, request: BaseRequest) -> StreamResponse:
        """Answer one request. The outermost loop of this edge, so the only place that catches everything."""
        correlation_id = ""
        try:
            path, query_text = split_target(request.raw_path)
            query = read_query(query_text) if query_text else NO_QUERY
            correlation_id = _correlation_id(request, query)
            response = await self._answer(request, path, query, correlation_id)
        except DittoError as error:
            response = error_answer(error, correlation_id or new_correlation_id())
            if error.status == 401:
                response.headers["WWW-Authenticate"] = self._challenge(request)
        except PlainRefusal as refusal:
            response = refusal_answer(refusal, correlation_id or new_correlation_id())
        except Exception:
            correlation_id = correlation_id or new_correlation_id()
            client = self._proxies.client_of(request)
            log.exception("http_request_failed", method=request.method, client=client, correlation_id=correlation_id)
            response = error_answer(GatewayInternalError("The request could not be answered."), correlation_id)
        if self._edge.stopping.is_set():
            response.force_close()
        return response

    async def _answer(self, request: BaseRequest, path: str, query: Query, correlation_id: str) -> StreamResponse:
        # Before the row is looked up, so that a stranger does not learn which paths there are.
        auth = await self._user(request) if self._is_api(path) else NOBODY
        route, place = self._find(path)
        if route.access == "api" and auth is NOBODY:
            # An escaped prefix (``/%61pi/2``) leads to the same row, and must not lead past the door.
            auth = await self._user(request)
        action = route.methods.get(request.method)
        if action is None:
            if request.method == "OPTIONS":
                return answer(204, MISSING, correlation_id, {"Allow": route.allowed})
            if request.method != "HEAD" or "GET" not in route.methods:
                raise wrong_method(request.method, route.allowed)
            action = route.methods["GET"]
        if route.access == "operator":
            auth = await self._operator(request)
        exchange = Exchange(
            edge=self._edge, request=request, path=path, query=query, correlation_id=correlation_id, auth=auth
        )
        return await action(exchange, place)

    async def _user(self, request: BaseRequest) -> AuthContext:
        self._arrived(request)
        verdict = self._api.authenticate(request.headers)
        auth = verdict if isinstance(verdict, AuthContext) else await verdict
        self._throttles.identified(auth.default_subject)
        return auth

    async def _operator(self, request: BaseRequest) -> AuthContext:
        self._arrived(request)
        check_once(request.headers, "authorization")
        verdict = self._operators.authenticate(request.headers)
        return verdict if isinstance(verdict, AuthContext) else await verdict

    def _arrived(self, request: BaseRequest) -> None:
        if self._throttles.address is not None:
            self._throttles.arrived(self._proxies.client_of(request))

    def _is_api(self, path: str) -> bool:
        """Whether the path is for users of the API; operators authenticate in another way."""
        return path.startswith(API) and not path.startswith(self._operated)

    def _find(self, path: str) -> tuple[Route, Place]:
        try:
            return self._router.find(path)
        except PlainRefusal as refusal:
            version = _VERSIONED.match(path)
            if refusal.status == 404 and version is not None and version[1] != "2":
                raise ApiVersionNotSupported(version[1]) from None
            raise

    def _challenge(self, request: BaseRequest) -> str:
        path = percent_decode_if_possible(split_target(request.raw_path)[0])
        authentication = self._operators if path.startswith(self._operated) else self._api
        return authentication.challenge_to(request.headers.get("Authorization"))


def create_app(  # noqa: PLR0913 - what a server is made of
    commands: Commands,
    *,
    api: Authentication,
    operators: Authentication,
    operations_of: Operations,
    default_namespace: str = "org.eclipse.ditto",
    bounds: Bounds | None = None,
    public_url: str | None = None,
    searching: Searching | None = None,
    search_indexes: SearchIndexes | None = None,
    throttles: Throttles = UNTHROTTLED,
    proxies: TrustedProxies | None = None,
    action_headers: frozenset[str] = frozenset(),
) -> HttpApp:
    """The HTTP edge over ``commands``: every route, none of the sockets (those are ``services.http.server``)."""
    edge = Edge(
        commands=commands,
        bounds=bounds or Bounds(),
        default_namespace=default_namespace,
        public_url=public_url,
        stopping=asyncio.Event(),
        searching=searching,
        action_headers=action_headers,
    )
    routes = routing_table(default_namespace, operations_of, searching=searching, search_indexes=search_indexes)
    return HttpApp(
        edge=edge,
        api=api,
        operators=operators,
        routes=routes,
        throttles=throttles,
        proxies=proxies or TrustedProxies(),
    )


def routing_table(
    default_namespace: str,
    operations_of: Operations,
    *,
    searching: Searching | None = None,
    search_indexes: SearchIndexes | None = None,
) -> tuple[Route, ...]:
    """Every row that the edge serves; those of search only where there is a read model to search."""
    return (
        *things.routes(default_namespace),
        *policies.routes(default_namespace),
        *whoami.ROUTES,
        *permissions.ROUTES,
        *(() if searching is None else search.routes(searching)),
        *(() if search_indexes is None else namespaces.routes(search_indexes)),
        *operations.routes(operations_of),
    )


def _correlation_id(request: BaseRequest, query: Query) -> str:
    given = correlation_id_of(request.headers, query)
    if given is None:
        return new_correlation_id()
    if len(given) > 1_024:
        raise HeaderInvalid("correlation-id", "at most 1024 characters")
    return check_text("correlation-id", given)
