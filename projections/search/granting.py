"""Derives what policies grant from what they say and bring in, and writes what differs from before.

A policy may be imported by all policies of a fleet, and a root policy counts for all of its namespaces. However many
depend on what changed, memory stays bounded, commands get their turn meanwhile, and grants that stay are not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeAlias

from projections.search.grants import grant_rows
from projections.statements import Connection, statement
from projections.turns import Turns
from protocol.context import RootPolicies, roots_of
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, parse
from protocol.policies.resolve import policies_imported
from protocol.policies.state import PolicyState

SLICE: Final = 200
"""Policies whose grants are derived at once."""

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)

Grant: TypeAlias = "tuple[str, str, str]"
"""Policy, subject and class: the key of a row, whose class tells its rules."""


async def write_grants(
    connection: Connection, names: Iterable[str], known: Mapping[str, JsonObject], root_policies: RootPolicies
) -> None:
    """Bring the grants of these policies up to date, slice by slice; ``known`` are documents at hand."""
    rest, turns = iter(sorted(names)), Turns()
    while some := list(islice(rest, SLICE)):
        wanted = await _derived(connection, some, known, root_policies, turns)
        rows = await connection.fetch(statement("read_search_grants"), some)
        written = {(row["policy_id"], row["subject"], row["class"]) for row in rows}
        if gone := written - wanted.keys():
            await connection.execute(statement("delete_search_grants"), *zip(*gone, strict=True))
        if new := [(*key, rules) for key, rules in wanted.items() if key not in written]:
            await connection.execute(statement("insert_search_grants"), *zip(*new, strict=True))


async def read_policies(connection: Connection, names: Sequence[str], turns: Turns) -> dict[str, PolicyState]:
    """The policies as they are written, by id; those that are not there are left out."""
    found: dict[str, PolicyState] = {}
    for row in await connection.fetch(statement("read_search_policies"), names):
        found[row["policy_id"]] = PolicyState(
            policy_id=PolicyId(row["policy_id"]),
            document=_object(row["state"]),
            revision=row["revision"],
            created=_NO_TIME,
            modified=_NO_TIME,
        )
        await turns.give()
    return found


async def _derived(
    connection: Connection,
    names: Sequence[str],
    known: Mapping[str, JsonObject],
    root_policies: RootPolicies,
    turns: Turns,
) -> dict[Grant, bytes]:
    """The rules of every grant that the policies should have."""
    roots = {name: roots_of(PolicyId(name), root_policies) for name in names}
    documents: dict[PolicyId, JsonObject | None] = {PolicyId(name): document for name, document in known.items()}
    await _load(connection, documents, {PolicyId(name) for name in names}.union(*roots.values()), turns)
    while missing := {
        needed for name in names for needed in policies_imported(documents[PolicyId(name)] or {}, documents)
    }:
        await _load(connection, documents, missing, turns)
    wanted: dict[Grant, bytes] = {}
    for name in names:
        document = documents[PolicyId(name)]
        if document is not None:
            rows = grant_rows(document, documents, roots[name])
            wanted.update({(name, subject, class_): rules for subject, class_, rules in rows})
        await turns.give()
    return wanted


async def _load(
    connection: Connection, documents: dict[PolicyId, JsonObject | None], names: set[PolicyId], turns: Turns
) -> None:
    missing = [name for name in names if name not in documents]
    if missing:
        found = await read_policies(connection, missing, turns)
        documents.update({name: found[name].document if name in found else None for name in missing})


def _object(written: bytes) -> JsonObject:
    value = parse(written, max_depth=1_000)
    return value if isinstance(value, dict) else {}
