"""``twinlog policy``: why somebody may or may not, straight from the log."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from eventstore.events import StreamName
from projections.events import follow
from protocol.context import Context
from protocol.enforcement.checks import read_resource
from protocol.enforcement.explain import Bearing, Explanation
from protocol.enforcement.rules import Permission
from protocol.entities import EntityState
from protocol.errors import DittoError
from protocol.identifiers import PolicyId
from protocol.json import dump
from protocol.pointers import text
from protocol.policies.resolve import policies_imported
from protocol.policies.state import PolicyState
from services.cli.connection import Log, open_log, settings
from services.cli.exits import EPILOG, Exit, fail
from services.cli.printing import console
from services.cli.running import run
from services.core import now, rules_of

policies = typer.Typer(no_args_is_help=True, help="Look into policies, straight from the log.")

_PERMISSIONS: Final[dict[str, Permission]] = {"READ": "READ", "WRITE": "WRITE", "EXECUTE": "EXECUTE"}
_COLOURS: Final = {True: "green", False: "red"}


@policies.callback()
def _group() -> None:
    """Keep ``explain`` a command of its own while it is the only one."""


@policies.command("explain", epilog=EPILOG)
def explain(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="The policy that governs: namespace:name.")],
    resource: Annotated[
        str, typer.Argument(metavar="RESOURCE", help="thing:/, policy:/ or message:/ and a path: thing:/features/lamp.")
    ],
    permission: Annotated[str, typer.Argument(metavar="PERMISSION", help="READ, WRITE or EXECUTE.")],
    *,
    subject: Annotated[
        list[str], typer.Option("--subject", "-s", help="A subject of the caller; repeat it for all that are pooled.")
    ],
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="The namespace of the thing; that of the policy if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Say which entry of which policy grants or revokes a permission.

    Each rule about the subjects is a row: policy and entry in which it is
    written. If it comes by an import, a reference or a root policy, "counts as"
    is the entry that it belongs to in policy-view: resolved. The subjects of one
    caller count together; GET /api/2/whoami lists them.

    The deepest rule at or above the resource decides, and of two as deep a
    revoke. A revoke below denies, too: the question is about all of the resource.
    A grant below helps no change, but a read then shows that part. Rows that say
    "elsewhere" are of entries for other namespaces. Root policies are those that
    TWINLOG_NAMESPACE_POLICIES names where this command runs.

    Callers hear the same about themselves from
    POST /api/2/checkPermissions?explain=true.
    Exit code 1: not granted on all of the resource.

    Examples:
      twinlog policy explain farm.one:p -s nginx:ada thing:/attributes WRITE
      twinlog policy explain farm.one:p -s login:bea -s login:staff thing:/ READ
      twinlog policy explain farm.base:all -n farm.two -s a:b thing:/ READ --json
    """
    run(_explain(policy, tuple(subject), resource, permission, namespace, as_json=as_json))


async def _explain(
    policy: str, subjects: tuple[str, ...], resource: str, permission: str, namespace: str | None, *, as_json: bool
) -> None:
    try:
        policy_id = PolicyId.parse(policy)
        resource_type, path = read_resource(resource)
    except DittoError as error:
        fail(f"{error.message} {error.description or ''}", Exit.USAGE)
    asked = _PERMISSIONS.get(permission.upper())
    if asked is None:
        fail(f"There is no permission {permission}; there are {', '.join(_PERMISSIONS)}.", Exit.USAGE)
    async with open_log() as log:
        context = await _context(log, policy_id, subjects)
    enforcer = context.enforcer(policy_id)
    if enforcer is None:
        fail(f"There is no policy {policy_id}.", Exit.NOT_FOUND)
    of_things = policy_id.namespace if namespace is None else namespace
    found = enforcer.explain(subjects, asked, resource_type, path, None if resource_type == "policy" else of_things)
    if as_json:
        console().print_json(dump(found.to_json()).decode())
    else:
        title = f"{asked} on {resource_type}:{text(path)} for {', '.join(subjects)}"
        if found.bearing or found.elsewhere:
            console().print(_table(found, policy_id, title))
        console().print(_verdict(found))
    if not found.allowed:
        raise typer.Exit(Exit.FAILED)


async def _context(log: Log, policy_id: PolicyId, subjects: tuple[str, ...]) -> Context:
    """The policy as it is now, with everything that it imports, and the root policies that count for it."""
    limits = rules_of(settings())
    policies = {policy_id: await _state(log, policy_id)}
    while True:
        documents = {
            each: None if state is None or state.deleted else state.document for each, state in policies.items()
        }
        document = documents[policy_id]
        wanted = frozenset() if document is None else policies_imported(document, documents)
        wanted |= frozenset(limits.roots_of(policy_id)) - policies.keys()
        if not wanted:
            return Context(now=now(), subjects=subjects, policies=policies, limits=limits)
        for each in wanted:
            policies[each] = await _state(log, each)


async def _state(log: Log, policy_id: PolicyId) -> PolicyState | None:
    state: EntityState | None = None
    for event in await log.store.read_stream(StreamName(f"policy:{policy_id}")):
        state = follow(state, event)
    return state if isinstance(state, PolicyState) else None


def _table(found: Explanation, policy_id: PolicyId, title: str) -> Table:
    table = Table(
        *("policy", "entry", "counts as", "subjects", "resource", "effect", "where", ""),
        title=title,
        title_justify="left",
        header_style="bold",
    )
    for bearing in found.bearing:
        table.add_row(*_row(bearing, policy_id), "decides" if bearing is found.decided_by else "")
    for bearing in found.elsewhere:
        table.add_row(*_row(bearing, policy_id), "elsewhere", style="dim")
    return table


def _row(bearing: Bearing, policy_id: PolicyId) -> tuple[str | Text, ...]:
    rule, label = bearing.rule, bearing.entry.label
    own = (rule.policy_id, rule.label) == (policy_id, label)
    return (
        str(rule.policy_id),
        rule.label,
        "" if own else label,
        ", ".join(bearing.subjects),
        bearing.resource,
        Text(bearing.effect, _COLOURS[bearing.effect == "grant"]),
        bearing.relation,
    )


def _verdict(found: Explanation) -> Text:
    if found.allowed:
        return Text("granted", _COLOURS[True])
    if found.partial:
        return Text("granted in part: a read shows what is granted, a change of all of it is refused", "yellow")
    reason = "" if found.bearing else ": no rule about the subjects speaks of it"
    return Text(f"not granted{reason}", _COLOURS[False])
