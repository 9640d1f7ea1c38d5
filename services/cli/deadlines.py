"""``twinlog deadlines``: which subjects expire when, and what was announced, acknowledged, removed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import orjson
import typer
from rich.table import Table

from eventstore.errors import translate_errors
from projections.deadlines import DeadlinesReader, Listed
from protocol.announcements.watch import AT_ONCE, Watch
from protocol.json import JsonObject
from protocol.wire.timestamps import iso
from services.cli.connection import open_log
from services.cli.printing import console
from services.cli.running import run


def deadlines(
    *,
    namespace: Annotated[str | None, typer.Option(help="Only policies of this namespace.")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Without those that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line instead of a table.")] = False,
) -> None:
    """Show what is due when for subjects that expire or are to be announced, and what became of them.

    Examples:
      twinlog deadlines --pending

      twinlog deadlines --json | jq 'select(.stage == "published") | .missing'
    """
    listed = run(_read(namespace, limit, ended=not pending))
    if as_json:
        for each in listed:
            typer.echo(orjson.dumps(_facts(each)).decode())
    else:
        _print(listed)


async def _read(namespace: str | None, limit: int, *, ended: bool) -> list[Listed]:
    async with open_log() as log:
        with translate_errors():
            return await DeadlinesReader(log.pool).list(namespace=namespace, ended=ended, limit=limit)


def _facts(listed: Listed) -> JsonObject:
    watch = listed.watch
    return {
        "policyId": listed.policy_id,
        "subjectId": watch.subject_id,
        "stage": watch.stage,
        "outcome": watch.outcome,
        "nextAt": _text(watch.next_at),
        "announceAt": _text(watch.announce_at),
        "deleteAt": _text(watch.delete_at),
        "announcementId": watch.announcement_id,
        "attempts": watch.attempt,
        "publishedAt": _text(watch.published_at),
        "acknowledged": [
            {"label": ack.label, "status": ack.status, "by": ack.by, "at": iso(ack.at)} for ack in watch.acks
        ],
        "missing": list(watch.missing) if watch.attempt else [],
        "goneAt": _text(watch.gone_at),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None or moment == AT_ONCE else iso(moment)


def _print(listed: list[Listed]) -> None:
    table = Table(title="watched subjects", header_style="bold")
    for column in ("policy", "subject", "stage", "next", "delete at", "attempts", "published", "acknowledged", "gone"):
        table.add_column(column, overflow="fold")
    for each in listed:
        watch = each.watch
        table.add_row(
            each.policy_id,
            watch.subject_id,
            watch.stage if watch.outcome is None else watch.outcome,
            "now" if watch.next_at == AT_ONCE else _text(watch.next_at) or "",
            _text(watch.delete_at) or "",
            str(watch.attempt or ""),
            _text(watch.published_at) or "",
            _answers(watch),
            _text(watch.gone_at) or "",
        )
    console().print(table)


def _answers(watch: Watch) -> str:
    return ", ".join(f"{ack.label} {ack.status} by {ack.by}" for ack in watch.acks)
