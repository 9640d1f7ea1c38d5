"""The cells of rows that are about no single entity: lists, creations, who am I, may I, and the operator's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

from tests.matrix.cell import Cell
from tests.matrix.model import NOTHING, UNAUTHENTICATED, Expected, Oracle, joining
from tests.matrix.world import MAIN, NEVER, NO_POLICY, ORPHAN, OTHER, PLAIN, POLICY_RULES, PUMP, THING_RULES, Document
from tests.unit.protocol.enforcement.slow_model import keys_of

Cells = Iterator[Cell]
NEW_THING: Final = "farm.one:new"


def _cell(
    oracle: Oracle,
    method: str,
    route: str,
    expected: Expected,
    query: str = "",
    body: Any = NOTHING,  # noqa: ANN401 - JSON
) -> Cell:
    known = expected if oracle.role.subjects else UNAUTHENTICATED
    return Cell(route=route, method=method, url=route + query, expected=known, body=body)


def _things(oracle: Oracle) -> Cells:
    """Several things by their ids, and all there are: what may not be seen is left out."""
    ids = [*oracle.role.things, PUMP, OTHER, ORPHAN, NEVER, "farm.one:plain", "rnd.n0:t0", "rnd.n1:t1"]
    seen = {thing_id: oracle.visible_thing(thing_id) for thing_id in (*ids, *oracle.world.things)}
    route = "/api/2/things"
    listed = [seen[name] for name in dict.fromkeys(ids) if seen[name] is not None]
    yield _cell(oracle, "GET", route, Expected(200, value=listed), "?ids=" + ",".join(ids))
    picked = [_only(found, "thingId", "policyId") for found in listed if found is not None]
    yield _cell(oracle, "GET", route, Expected(200, value=picked), f"?fields=thingId,policyId&ids={','.join(ids)}")
    holds = [
        found
        for name, found in seen.items()
        if found is not None and name in ids and _unrestricted(oracle, name, ("attributes", "secret", "pin"))
    ]
    ordered = [each for name in dict.fromkeys(ids) for each in holds if each["thingId"] == name]
    conditional = "&condition=eq(attributes/secret/pin,1234)"
    yield _cell(oracle, "GET", route, Expected(200, value=ordered), f"?ids={','.join(ids)}{conditional}")
    everything = [seen[name] for name in sorted(oracle.world.things) if seen[name] is not None]
    yield _cell(oracle, "GET", route, Expected(200, value=everything), "?option=size(200)")
    spaced = [found for found in everything if found is not None and str(found["thingId"]).startswith("farm.one:")]
    yield _cell(oracle, "GET", route, Expected(200, value=spaced), "?namespaces=farm.one")


def _unrestricted(oracle: Oracle, thing_id: str, path: tuple[str, ...]) -> bool:
    may = oracle.may("thing", thing_id, "READ")
    return may is not None and may.unrestricted(path)


def _only(document: Document, *names: str) -> Document:
    return {name: document[name] for name in names if name in document}


def _new_thing(oracle: Oracle) -> Cells:
    """Everybody may create a thing of their own; under somebody else's policy only who may write there."""
    route, query = "/api/2/things", "?namespace=farm.one"
    yield _cell(oracle, "POST", route, Expected(201, events=2), query, {"attributes": {}})
    for policy_id in (MAIN, PLAIN, NO_POLICY, *oracle.role.policies):
        yield _cell(oracle, "POST", route, joining(oracle, NEW_THING, policy_id), query, {"policyId": policy_id})
    yield _cell(oracle, "POST", route, _copying(oracle), query, {"_copyPolicyFrom": PLAIN})
    subject = next(iter(oracle.role.subjects), "s:nobody")
    yield _cell(oracle, "POST", route, Expected(201, events=2), query, {"_policy": _policy(subject)})
    locked = Expected(403, "things:thing.notcreatable")
    yield _cell(oracle, "POST", route, locked, query, {"_policy": _policy("s:somebody")})


def _copying(oracle: Oracle) -> Expected:
    """Who may read all of a policy may copy it, and must be able to do what the copy says."""
    if oracle.visible_policy(PLAIN) is None:
        return Expected(404, "policies:policy.notfound")
    owner = oracle.may("thing", "farm.one:plain", "WRITE")
    may = owner is not None and owner.unrestricted(())
    return Expected(201, events=2) if may else Expected(403, "things:thing.notmodifiable")


def _policy(subject: str) -> Document:
    rights = {key: {"grant": ["READ", "WRITE"], "revoke": []} for key in ("policy:/", "thing:/")}
    return {"entries": {"o": {"subjects": {subject: {"type": "t"}}, "resources": rights}}}


def _new_policy(oracle: Oracle) -> Cells:
    subject = next(iter(oracle.role.subjects), "s:nobody")
    yield _cell(oracle, "POST", "/api/2/policies", Expected(201, events=1), body=_policy(subject))
    locked = Expected(403, "policies:policy.notcreatable")
    yield _cell(oracle, "POST", "/api/2/policies", locked, body=_policy("s:somebody"))


def _whoami(oracle: Oracle) -> Cells:
    subjects = list(oracle.role.subjects)
    body = {"defaultSubject": next(iter(subjects), None), "subjects": subjects}
    yield _cell(oracle, "GET", "/api/2/whoami", Expected(200, value=body))


def _permissions(oracle: Oracle) -> Cells:
    """One cell that asks for every permission on every path of every entity of the role."""
    questions, answers = asked_permissions(oracle)
    yield _cell(oracle, "POST", "/api/2/checkPermissions", Expected(200, value=answers), body=questions)


def asked_permissions(oracle: Oracle) -> tuple[Document, Document]:
    """The questions by number, and their answers."""
    questions: Document = {}
    answers: Document = {}
    things = [("thing", "thing", thing_id, THING_RULES) for thing_id in oracle.role.things]
    messages = [("message", "thing", thing_id, ("/", "/inbox/messages/ask")) for thing_id in oracle.role.things]
    policies = [("policy", "policy", policy_id, POLICY_RULES) for policy_id in oracle.role.policies]
    wanted = (("READ",), ("WRITE",), ("EXECUTE",), ("READ", "WRITE"))
    for kind, entity, entity_id, paths in (*things, *messages, *policies):
        for path, permissions in product(paths, wanted):
            name = str(len(questions))
            questions[name] = {"resource": f"{kind}:{path}", "entityId": entity_id, "hasPermissions": [*permissions]}
            slow = [oracle.may(entity, entity_id, each, kind) for each in permissions]
            there = oracle.document(entity, entity_id) is not None
            answers[name] = there and all(may and may.unrestricted(keys_of(kind, path)) for may in slow)
    return questions, answers


def _open(route: str) -> Callable[[Oracle], Cells]:
    def found(oracle: Oracle) -> Cells:
        yield Cell(route=route, method="GET", url=route, expected=Expected(200))

    return found


def _operators(route: str) -> Callable[[Oracle], Cells]:
    """For whoever runs the service; no subject of the API is let in."""

    def found(oracle: Oracle) -> Cells:
        yield Cell(route=route, method="GET", url=route, expected=UNAUTHENTICATED)
        yield Cell(route=route, method="GET", url=route, expected=Expected(200), operator=True)

    return found


LISTS: Final[dict[tuple[str, str], Callable[[Oracle], Cells]]] = {
    ("/api/2/things", "GET"): _things,
    ("/api/2/things", "POST"): _new_thing,
    ("/api/2/policies", "POST"): _new_policy,
    ("/api/2/whoami", "GET"): _whoami,
    ("/api/2/checkPermissions", "POST"): _permissions,
    **{(route, "GET"): _open(route) for route in ("/", "/health", "/ready")},
    **{(route, "GET"): _operators(route) for route in ("/status", "/metrics")},
}
"""By row and method of the routing table; those of search are in ``searches``, since they need a read model."""
