"""Writes what policies say about reading: each policy as it is written, and the grants that follow with its imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventstore.events import RecordedEvent, StreamName
from projections.events import follow
from projections.projection import NeedsRebuild
from projections.search.granting import read_policies, write_grants
from projections.statements import Connection, statement
from projections.turns import Turns
from protocol.context import EVERYWHERE, RootPolicies, roots_of
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, dump
from protocol.policies.state import PolicyState

_POLICY = "policy:"
_PAGE = 10_000
"""Ids of policies that are read at once."""


class PolicyRows:
    """The part of the search model that follows from policies.

    The grants of all policies that import what changed, or to which it is added as a root policy, follow in the same
    transaction.
    """

    def __init__(self, root_policies: RootPolicies = ()) -> None:
        self._root_policies = root_policies

    async def apply(self, connection: Connection, groups: Mapping[StreamName, list[RecordedEvent]]) -> None:
        """Write the policies that changed and derive the grants of these and of all that import them."""
        turns = Turns()
        before = await read_policies(connection, [_id(stream) for stream in groups], turns)
        changed: dict[str, PolicyState] = {}
        for stream, group in groups.items():
            changed[_id(stream)] = _after(before.get(_id(stream)), group)
            await turns.give()
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
        await write_grants(connection, {*names, *importers, *rooted}, documents, self._root_policies)

    def rooted(self, policy_id: str) -> bool:
        """Whether root policies are added to the policy."""
        return bool(roots_of(PolicyId(policy_id), self._root_policies))

    async def settle(self, connection: Connection) -> None:
        """Derive the grants of all policies that depend on others."""
        rooted = await self._added_to(connection, [pattern for pattern, _ in self._root_policies])
        await write_grants(connection, rooted, {}, self._root_policies)
        last = ""
        while rows := await connection.fetch(statement("read_search_importing"), last, _PAGE):
            importing = [row["policy_id"] for row in rows]
            await write_grants(connection, importing, {}, self._root_policies)
            last = importing[-1]

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


def _id(stream: StreamName) -> str:
    return stream.removeprefix(_POLICY)
