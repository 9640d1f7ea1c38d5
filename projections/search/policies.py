"""Writes what policies say about reading: each policy as it is written, and the grants that follow with its imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from eventstore.events import RecordedEvent, StreamName
from projections.events import follow
from projections.projection import NeedsRebuild
from projections.search.grants import grant_rows
from projections.statements import Connection, statement
from protocol.context import EVERYWHERE, RootPolicies, roots_of
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, dump, parse
from protocol.policies.resolve import policies_imported
from protocol.policies.state import PolicyState

_POLICY = "policy:"
_SLICE = 500
"""Policies whose grants are derived at once."""
_NO_TIME = datetime.min.replace(tzinfo=UTC)


class PolicyRows:
    """The part of the search model that follows from policies.

    A change of a root policy writes the grants of every policy in its namespaces anew.
    """

    def __init__(self, root_policies: RootPolicies = ()) -> None:
        self._root_policies = root_policies

    async def apply(self, connection: Connection, groups: Mapping[StreamName, list[RecordedEvent]]) -> None:
        """Write the policies that changed and derive the grants of these and of all that import them."""
        before = await _read(connection, [_id(stream) for stream in groups])
        changed = {_id(stream): _after(before.get(_id(stream)), group) for stream, group in groups.items()}
        living = {policy_id: state for policy_id, state in changed.items() if not state.deleted}
        names = list(changed)
        await connection.execute(statement("delete_search_imports"), names)
        await connection.execute(statement("delete_search_policies"), sorted(changed.keys() - living.keys()))
        if living:
            await connection.execute(
                statement("upsert_search_policies"),
                list(living),
                [state.revision for state in living.values()],
                [dump(state.document) for state in living.values()],
            )
        imports = [(name, imported) for name, state in living.items() for imported in _imported(state.document)]
        if imports:
            await connection.execute(statement("insert_search_imports"), *zip(*imports, strict=True))
        importers = [row["policy_id"] for row in await connection.fetch(statement("read_search_importers"), names)]
        rooted = await self._rooted(connection, names)
        documents = {name: state.document for name, state in living.items()}
        await _derive(connection, {*names, *importers, *rooted}, documents, self._root_policies)

    def rooted(self, policy_id: str) -> bool:
        """Whether root policies are added to the policy."""
        return bool(roots_of(PolicyId(policy_id), self._root_policies))

    async def settle(self, connection: Connection) -> None:
        """Derive the grants of all policies that depend on others."""
        rooted = await self._added_to(connection, [pattern for pattern, _ in self._root_policies])
        for begin in range(0, len(rooted), _SLICE):
            await _derive(connection, set(rooted[begin : begin + _SLICE]), {}, self._root_policies)
        last, full = "", True
        while full:
            rows = await connection.fetch(statement("read_search_importing"), last, _SLICE)
            importing = [row["policy_id"] for row in rows]
            if importing:
                await _derive(connection, set(importing), {}, self._root_policies)
                last = importing[-1]
            full = len(importing) == _SLICE

    async def _rooted(self, connection: Connection, names: Sequence[str]) -> list[str]:
        """The policies to which some of these are added as root policies."""
        return await self._added_to(connection, [pattern for pattern, root in self._root_policies if root in names])

    async def _added_to(self, connection: Connection, patterns: Sequence[str]) -> list[str]:
        """The policies in the namespaces that these patterns speak of."""
        if not patterns:
            return []
        rows = await connection.fetch(
            statement("read_search_policies_in"),
            [pattern for pattern in patterns if not pattern.endswith(EVERYWHERE)],
            [pattern.removesuffix(EVERYWHERE) for pattern in patterns if pattern.endswith(EVERYWHERE)],
        )
        return [row["policy_id"] for row in rows]


async def _derive(
    connection: Connection, names: set[str], known: Mapping[str, JsonObject], root_policies: RootPolicies
) -> None:
    """Write the grants of these policies anew; ``known`` are documents at hand."""
    roots = {name: roots_of(PolicyId(name), root_policies) for name in names}
    documents: dict[PolicyId, JsonObject | None] = {PolicyId(name): document for name, document in known.items()}
    await _load(connection, documents, {PolicyId(name) for name in names}.union(*roots.values()))
    while missing := {
        needed for name in names for needed in policies_imported(documents[PolicyId(name)] or {}, documents)
    }:
        await _load(connection, documents, missing)
    rows = [
        (name, *row)
        for name in sorted(names)
        if (document := documents[PolicyId(name)]) is not None
        for row in grant_rows(document, documents, roots[name])
    ]
    await connection.execute(statement("delete_search_grants"), list(names))
    if rows:
        await connection.execute(statement("insert_search_grants"), *zip(*rows, strict=True))


async def _load(connection: Connection, documents: dict[PolicyId, JsonObject | None], names: set[PolicyId]) -> None:
    missing = [name for name in names if name not in documents]
    if missing:
        found = await _read(connection, missing)
        documents.update({name: found[name].document if name in found else None for name in missing})


async def _read(connection: Connection, names: Sequence[str]) -> dict[str, PolicyState]:
    return {
        row["policy_id"]: PolicyState(
            policy_id=PolicyId(row["policy_id"]),
            document=_object(row["state"]),
            revision=row["revision"],
            created=_NO_TIME,
            modified=_NO_TIME,
        )
        for row in await connection.fetch(statement("read_search_policies"), names)
    }


def _after(before: PolicyState | None, events: Sequence[RecordedEvent]) -> PolicyState:
    first = events[0]
    begins = before is None and first.type == "created" and first.path == "/"
    goes_on = before is not None and first.revision == before.revision + 1
    if not (begins or goes_on) or events[-1].revision != first.revision + len(events) - 1:
        raise NeedsRebuild(f"the row of {first.stream} does not lead to revision {first.revision}")
    state = before
    for event in events:
        followed = follow(state, event)
        assert isinstance(followed, PolicyState)  # noqa: S101 - the stream is that of a policy
        state = followed
    assert state is not None  # noqa: S101 - there is one event at least
    return state


def _imported(document: JsonObject) -> list[str]:
    imports = document.get("imports")
    return list(imports) if isinstance(imports, dict) else []


def _object(written: bytes) -> JsonObject:
    value = parse(written, max_depth=1_000)
    return value if isinstance(value, dict) else {}


def _id(stream: StreamName) -> str:
    return stream.removeprefix(_POLICY)
