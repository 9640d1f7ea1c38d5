"""A subject that is watched, from the change that brought it into its policy until it has gone and that was told.

    waiting    an announcement is due at ``next_at``
    announced  its next attempt is in the log; it is published, or is about to be
    published  the broker has it; acknowledgements are awaited until ``next_at``
    expiring   nothing is left to be told before the subject is removed at ``next_at``
    idle       neither time nor announcement is due; only its removal would be announced
    ended      over, for the reason that ``outcome`` names

Source: Ditto documentation, page *basic-policy*, sections on subject expiry and announcements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

from protocol.errors import DittoError
from protocol.json import JsonObject, JsonValue, canonical, dump
from protocol.json import parse as parse_json
from protocol.policies.expiry import Announcement, announcement
from protocol.wire.timestamps import iso, parse

Stage: TypeAlias = Literal["waiting", "announced", "published", "expiring", "idle", "ended"]
Occasion: TypeAlias = Literal["expiry", "deletion"]
"""Why a subject is announced: because it will expire, or because it was removed (``whenDeleted``)."""
Outcome: TypeAlias = Literal["expired", "removed", "replaced", "announced", "unanswered"]
"""``expired``: removed by the service. ``removed``: by somebody else. ``replaced``: the subject lives on with other
settings. ``announced``: its removal was told. ``unanswered``: its removal was told as often as the grace allows."""

AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When something is due whatever the clock says: one that was put back must not delay what has happened already."""

UNANSWERED: Final = frozenset({408, 424})
_NONE: Final[JsonObject] = {}
MAX_REMEMBERED: Final = 512
"""Longer announcement objects are read anew each time, so that nobody can fill the memory with them."""

_DEPTH: Final = 1_000
_FINEST: Final = timedelta(microseconds=1)
_NOTHING: Final = Announcement(
    before_expiry=None, when_deleted=False, ack_labels=(), ack_timeout=None, randomization=None
)


def calls_again(status: int) -> bool:
    """Whether an acknowledgement with this status asks for the announcement once more (408, 424 and 5xx do)."""
    return status in UNANSWERED or status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """An answer to an announcement: its label, its status, the first subject of whoever sent it."""

    label: str
    status: int
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A watched subject.

    ``watch_id`` names the subject's value within its policy and the revision since which it is there. ``attempt``
    counts the attempts of the present announcement and ``correlation`` is what their correlation ids begin with.
    ``told`` says that an announcement before the expiry was published and, where asked for, acknowledged. ``gone_at``
    is when the subject left the policy. ``backoff`` is the last wait between two attempts, in seconds.
    """

    watch_id: str
    subject_id: str
    subject: JsonObject
    since: int
    stage: Stage
    occasion: Occasion = "expiry"
    announce_at: datetime | None = None
    next_at: datetime | None = None
    attempt: int = 0
    correlation: str | None = None
    timeout: float = 0.0
    backoff: float | None = None
    acks: tuple[Ack, ...] = ()
    told: bool = False
    published_at: datetime | None = None
    gone_at: datetime | None = None
    outcome: Outcome | None = None

    @cached_property
    def asked(self) -> Announcement:
        """What the subject's announcement object asks for."""
        return asked(self.subject)

    @cached_property
    def expiry(self) -> datetime | None:
        """When the subject ends."""
        return expiry_of(self.subject)

    @property
    def announcement_id(self) -> str:
        """The name of the present announcement, the same in all its attempts."""
        return self.watch_id if self.occasion == "expiry" else f"{self.watch_id}.deleted"

    @property
    def delete_at(self) -> datetime | None:
        """What an announcement says: when the subject will be, or was, removed."""
        return self.expiry if self.occasion == "expiry" else self.gone_at

    @property
    def missing(self) -> tuple[str, ...]:
        """The labels that nobody has answered yet."""
        answered = {ack.label for ack in self.acks}
        return tuple(label for label in self.asked.ack_labels if label not in answered)

    @property
    def answered_well(self) -> bool:
        """Whether every label asked for was answered, none with a call for repetition."""
        return not self.missing and not any(calls_again(ack.status) for ack in self.acks)

    def with_(self, **changes: object) -> Watch:
        """The watch with changes to anything but its subject; what was read from that is not read again."""
        if not _CHANGEABLE.issuperset(changes):
            raise TypeError(f"not to be changed: {changes.keys() - _CHANGEABLE}")
        # What ``dataclasses.replace`` does costs 6 µs, and three of it are a tenth of all that is done for a subject.
        changed = object.__new__(Watch)
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    def is_due(self, now: datetime) -> bool:
        """Whether something is to be done."""
        return self.next_at is not None and self.next_at <= now


_MEMBERS: Final = tuple(member.name for member in fields(Watch))
_CHANGEABLE: Final = frozenset(_MEMBERS) - {"watch_id", "subject_id", "subject", "since"}


def asked(subject: JsonObject) -> Announcement:
    """What the announcement object of a subject asks for; what nobody can read asks for nothing."""
    found = subject.get("announcement")
    if found is None:
        return _NOTHING
    written = dump(found)
    return _remembered(written) if len(written) <= MAX_REMEMBERED else _read(written)


def _read(written: bytes) -> Announcement:
    try:
        return announcement(parse_json(written, max_depth=_DEPTH), granularity=_FINEST)[0]
    except DittoError:
        return _NOTHING


_remembered = lru_cache(maxsize=1_024)(_read)
"""Many subjects ask for the same, and each of them is read again whenever its row is."""


def expiry_of(subject: JsonObject) -> datetime | None:
    """When the subject ends, if it does."""
    text = subject.get("expiry")
    return parse(text) if isinstance(text, str) else None


def subjects_of(document: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    """Label, id and value of every subject of a policy."""
    for label, entry in entries_of(document):
        for subject_id, subject in _objects(subjects_in(entry)):
            yield label, subject_id, subject


def entries_of(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Label and value of every entry of a policy."""
    return _objects(document.get("entries"))


def subjects_in(entry: JsonObject | None) -> JsonObject:
    """The subjects of an entry by id; none where there is no entry."""
    subjects = None if entry is None else entry.get("subjects")
    return subjects if isinstance(subjects, dict) else _NONE


def is_watched(subject: JsonObject) -> bool:
    """Whether time or a removal will have consequences for the subject."""
    return expiry_of(subject) is not None or asked(subject).when_deleted


def watch_id(policy_id: str, subject_id: str, subject: JsonObject, since: int) -> str:
    """The same for equal subjects that came with the same change, and different for all others."""
    told = canonical([policy_id, since, subject_id, subject])
    return blake2b(told, digest_size=16).hexdigest()


def chance_of(watch: str) -> float:
    """A number in [0, 1) that belongs to the watch: random among watches, and the same whenever it is asked for."""
    return int(watch[:12], 16) / float(1 << 48)


def to_json(watch: Watch) -> JsonObject:
    """The watch as it is kept; what says nothing is left out."""
    kept: JsonObject = {}
    for name in _MEMBERS:
        value = getattr(watch, name)
        if value is None or value is False or value == ():
            continue
        if name == "acks":
            kept["acks"] = [
                {"label": ack.label, "status": ack.status, "by": ack.by, "at": iso(ack.at)} for ack in watch.acks
            ]
        else:
            kept[name] = iso(value) if isinstance(value, datetime) else value
    return kept


def from_json(kept: JsonObject) -> Watch:
    """The watch that ``to_json`` wrote."""
    members: dict[str, object] = dict(kept)
    for name in ("announce_at", "next_at", "published_at", "gone_at"):
        if name in members:
            members[name] = parse(str(members[name]))
    acks = kept.get("acks")
    if isinstance(acks, list):
        members["acks"] = tuple(_ack(each) for each in acks if isinstance(each, dict))
    return Watch(**members)  # type: ignore[arg-type]  # what we wrote has the right types


def _ack(kept: JsonObject) -> Ack:
    return Ack(**{**kept, "at": parse(str(kept["at"]))})  # type: ignore[arg-type]  # as above


def _objects(value: JsonValue) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield from ((key, member) for key, member in value.items() if isinstance(member, dict))
