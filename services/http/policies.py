"""The policies of HTTP API 2: their rows in the routing table.

Source: Ditto documentation, page *http-api-doc* (tag Policies).
"""

from __future__ import annotations

from typing import Final

from aiohttp.web import StreamResponse

from protocol.errors import JsonKeyInvalid, PolicyEntryInvalid, PolicyIdNotSettable
from protocol.identifiers import PolicyId, with_default_namespace
from protocol.json import MISSING
from protocol.pointers import check_key, resource_key
from protocol.policies.values import LABEL_FORM
from services.http import bodies
from services.http.exchange import Exchange
from services.http.headers import check_once, check_text
from services.http.resources import change_at, creating, delete, putting, retrieve, without
from services.http.routes import Captures, Locate, Place, Route
from services.http.urls import percent_decode, percent_decode_if_possible

POLICIES: Final = "/api/2/policies"
TOKEN_ACTIONS: Final = ("activateTokenIntegration", "deactivateTokenIntegration")
_POLICY_PARTS: Final = 5

_OBJECT: Final = {"GET": retrieve, "PUT": putting(bodies.read_object), "DELETE": delete}
_ANYTHING: Final = {"GET": retrieve, "PUT": putting(bodies.read_value), "DELETE": delete}


def routes(default_namespace: str) -> tuple[Route, ...]:
    """Every policy resource that HTTP serves."""
    kept, kept_array = without(_OBJECT, "DELETE"), without(_ANYTHING, "DELETE")
    create = creating(POLICIES, PolicyId.parse, "policyId", PolicyIdNotSettable)
    entry, imported = "/entries/{}", "/imports/{}"
    rows = {
        "": _OBJECT,
        "/entries": kept,
        entry: _OBJECT,
        f"{entry}/subjects": kept,
        f"{entry}/subjects/{{*}}": _OBJECT,
        f"{entry}/resources": kept,
        f"{entry}/resources/{{*}}": _OBJECT,
        f"{entry}/importable": kept_array,
        f"{entry}/namespaces": kept_array,
        f"{entry}/allowedAdditions": _ANYTHING,
        f"{entry}/references": _ANYTHING,
        "/imports": _OBJECT,
        imported: _OBJECT,
        f"{imported}/entries": kept_array,
        f"{imported}/transitiveImports": kept_array,
        **{f"{scope}/actions/{action}": {"POST": _act} for scope in ("", entry) for action in TOKEN_ACTIONS},
    }
    return (
        Route(path=POLICIES, methods={"POST": create}),
        *(
            Route(path=path, methods=methods, locate=_locator(path, default_namespace))
            for path, methods in ((f"{POLICIES}/{{}}{below}", methods) for below, methods in rows.items())
        ),
    )


async def _act(exchange: Exchange, place: Place) -> StreamResponse:
    """A token action; its body may be left out.

    Headers of the request that the subjects are made of go with it, whatever they are called.
    """
    headers = exchange.headers()
    for name in exchange.edge.action_headers - headers.keys():
        check_once(exchange.request.headers, name)
        if name in exchange.request.headers:
            headers[name] = check_text(name, exchange.request.headers[name])
    value = await bodies.read_optional(exchange)
    if value is not MISSING:
        bodies.media_type(exchange, bodies.JSON)
    return await change_at(exchange, place, "execute", value, headers)


def _locator(path: str, default_namespace: str) -> Locate:
    template = path.split("/")[_POLICY_PARTS:]

    def locate(captures: Captures) -> Place:
        policy_id = PolicyId.parse(with_default_namespace(captures[0], default_namespace))
        caught = iter(captures[1:])
        keys: list[str] = []
        for part in template:
            if part == "{*}":
                keys.append(_open_ended(keys[-1], next(caught)))
            elif part == "{}":
                keys.append(_label(next(caught)) if keys[-1] == "entries" else str(PolicyId.parse(next(caught))))
            else:
                keys.append(part)
        return Place(policy_id, tuple(keys))

    return locate


def _label(label: str) -> str:
    try:
        return check_key(label)
    except JsonKeyInvalid as error:
        raise PolicyEntryInvalid(f"The label {label[:300]!r} is not valid.", LABEL_FORM) from error


def _open_ended(kind: str, remainder: str) -> str:
    """The key that the rest of a path is, slashes and all.

    Ditto takes a subject id as it stands in the path, while clients escape what they put there. So escapes are decoded
    where they are some, and left where they are none.
    """
    return percent_decode_if_possible(remainder) if kind == "subjects" else resource_key(percent_decode(remainder))
