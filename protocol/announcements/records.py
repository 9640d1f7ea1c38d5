"""What is recorded about announcements, in a stream of its own beside the policy's.

    announced     an attempt begins: what is told, under which correlation id, which labels are asked for
    published     the broker has confirmed the attempt
    acknowledged  somebody answered a label, and who
    failed        the attempt was not answered as asked; when the next one is due, if there is one

The policy's revision stays what clients expect, and nothing about a delivery is known but from here: so a rebuilt read
model neither forgets nor repeats one. The path of a record is the subject's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from protocol.announcements.watch import Occasion
from protocol.json import JsonObject, JsonValue, dump, parse
from protocol.pointers import text, unescape
from protocol.wire.timestamps import iso
from protocol.wire.timestamps import parse as moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An attempt begins. ``timeout`` is how long its acknowledgements are awaited, in seconds."""

    watch_id: str
    subject_id: str
    announcement_id: str
    occasion: Occasion
    attempt: int
    delete_at: datetime | None
    correlation: str
    labels: tuple[str, ...] = ()
    timeout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The broker has the attempt."""

    watch_id: str
    subject_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A label was answered; ``by`` is the first subject of whoever did."""

    watch_id: str
    subject_id: str
    announcement_id: str
    label: str
    status: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The attempt failed: the statuses by label, the wait before the next one, and when it is due; ``None``: never."""

    watch_id: str
    subject_id: str
    attempt: int
    statuses: Mapping[str, int] = field(default_factory=dict)
    backoff: float | None = None
    retry_at: datetime | None = None


Record: TypeAlias = Announced | Published | Acknowledged | Failed
RecordType: TypeAlias = Literal["announced", "published", "acknowledged", "failed"]

_TYPES: dict[type, RecordType] = {
    Announced: "announced",
    Published: "published",
    Acknowledged: "acknowledged",
    Failed: "failed",
}


def correlation_id(correlation: str, attempt: int) -> str:
    """The correlation id of an attempt: a fresh one for each, which still tells to which announcement it belongs."""
    return f"{correlation}-{attempt}"


def correlation_of(correlation_id: str) -> str:
    """The part of a correlation id that all attempts of an announcement share."""
    return correlation_id.rpartition("-")[0]


def store_record(record: Record) -> tuple[RecordType, str, bytes]:
    """Type, path and value as the log keeps them."""
    value: JsonObject = {"watch": record.watch_id}
    match record:
        case Announced():
            value |= {
                "announcement": record.announcement_id,
                "occasion": record.occasion,
                "attempt": record.attempt,
                "deleteAt": None if record.delete_at is None else iso(record.delete_at),
                "correlation": record.correlation,
                "requestedAcks": list(record.labels),
                "timeout": record.timeout,
            }
        case Published():
            value["attempt"] = record.attempt
        case Acknowledged():
            value |= {
                "announcement": record.announcement_id,
                "label": record.label,
                "status": record.status,
                "by": record.by,
            }
        case Failed():
            value |= {
                "attempt": record.attempt,
                "statuses": dict(record.statuses),
                "backoff": record.backoff,
                "retryAt": None if record.retry_at is None else iso(record.retry_at),
            }
    return _TYPES[type(record)], text((record.subject_id,)), dump(value)


def restore_record(type_: str, path: str, value: bytes | None) -> Record:
    """The record that was stored; ``ValueError`` for a type that was never written."""
    kept = parse(value or b"{}")
    facts: dict[str, JsonValue] = kept if isinstance(kept, dict) else {}
    own = {"watch_id": str(facts["watch"]), "subject_id": unescape(path.removeprefix("/"))}
    match type_:
        case "announced":
            return Announced(
                **own,
                announcement_id=str(facts["announcement"]),
                occasion="expiry" if facts["occasion"] == "expiry" else "deletion",
                attempt=_whole(facts["attempt"]),
                delete_at=_moment(facts["deleteAt"]),
                correlation=str(facts["correlation"]),
                labels=_texts(facts["requestedAcks"]),
                timeout=_seconds(facts["timeout"]) or 0.0,
            )
        case "published":
            return Published(**own, attempt=_whole(facts["attempt"]))
        case "acknowledged":
            return Acknowledged(
                **own,
                announcement_id=str(facts["announcement"]),
                label=str(facts["label"]),
                status=_whole(facts["status"]),
                by=str(facts["by"]),
            )
        case "failed":
            return Failed(
                **own,
                attempt=_whole(facts["attempt"]),
                statuses=_statuses(facts["statuses"]),
                backoff=_seconds(facts["backoff"]),
                retry_at=_moment(facts["retryAt"]),
            )
        case _:
            raise ValueError(f"no record of an announcement: {type_!r}")


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def _seconds(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _moment(value: JsonValue) -> datetime | None:
    return moment(value) if isinstance(value, str) else None


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _statuses(value: JsonValue) -> dict[str, int]:
    return {label: _whole(status) for label, status in value.items()} if isinstance(value, dict) else {}
