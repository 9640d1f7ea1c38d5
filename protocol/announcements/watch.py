"""A watched subject: from the change that added it to its policy until it is removed and its removal announced.

    waiting    an announcement is due at ``next_at``
    announced  the next attempt is recorded in the log, and published now or soon
    published  the broker confirmed the attempt; acknowledgements are awaited until ``next_at``
    expiring   nothing is left to announce; the subject is removed at ``next_at``
    idle       the subject does not expire; only its removal would be announced
    ended      over, for the reason that ``outcome`` names

Source: Ditto documentation, page *basic-policy*, sections on subject expiry and announcements.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

from protocol.errors import DittoError
from protocol.json import JsonObject, canonical, dump
from protocol.json import parse as parse_json
from protocol.policies.expiry import Announcement, read_announcement
from protocol.wire.timestamps import iso, parse

Stage: TypeAlias = Literal["waiting", "announced", "published", "expiring", "idle", "ended"]
Occasion: TypeAlias = Literal["expiry", "deletion"]
"""Why a subject is announced: because it will expire, or because it was removed (``whenDeleted``)."""
Outcome: TypeAlias = Literal["expired", "removed", "replaced", "announced", "unanswered"]
"""``expired``: removed by the service. ``removed``: by a client. ``replaced``: still there, with other settings.
``announced``: its removal was announced. ``unanswered``: its removal was announced until the grace was over, and not
acknowledged as requested."""

AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Due whatever the clock says: a clock that is put back must not delay what is due already."""

UNANSWERED: Final = frozenset({408, 424})
MAX_REMEMBERED: Final = 512
"""Longer announcement objects are read anew each time, so that nobody can fill the memory with them."""

_DEPTH: Final = 1_000
_FINEST: Final = timedelta(microseconds=1)
_NOTHING: Final = Announcement(
    before_expiry=None, when_deleted=False, ack_labels=(), ack_timeout=None, randomization=None
)


def requests_redelivery(status: int) -> bool:
    """Whether an acknowledgement with this status asks for redelivery: 408, 424 and 5xx do."""
    return status in UNANSWERED or status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """An acknowledgement of an announcement; ``by`` is the default subject of its sender."""

    label: str
    status: int
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A watched subject.

    ``watch_id`` identifies the subject's value in its policy and the revision that brought it there (``since``).
    ``attempt`` counts the attempts of the present announcement, and ``correlation`` begins their correlation ids.
    ``told`` says that the announcement before the expiry was published and, where requested, acknowledged. ``gone_at``
    is when the subject was removed. ``timeout`` is how long acknowledgements are awaited and ``backoff`` the last wait
    between two attempts, both in seconds.
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
    def announcement(self) -> Announcement:
        """The settings of the subject's ``announcement`` object."""
        return announcement_of(self.subject)

    @cached_property
    def expiry(self) -> datetime | None:
        """When the subject expires, if it does."""
        return expiry_of(self.subject)

    @property
    def announcement_id(self) -> str:
        """The id of the present announcement, the same in all its attempts."""
        return self.watch_id if self.occasion == "expiry" else f"{self.watch_id}.deleted"

    @property
    def delete_at(self) -> datetime | None:
        """The ``deleteAt`` of the announcement: when the subject will be, or was, removed."""
        return self.expiry if self.occasion == "expiry" else self.gone_at

    @property
    def missing(self) -> tuple[str, ...]:
        """The requested labels that are not acknowledged yet."""
        answered = {ack.label for ack in self.acks}
        return tuple(label for label in self.announcement.ack_labels if label not in answered)

    @property
    def answered_well(self) -> bool:
        """Whether every requested label is acknowledged, none with a status that asks for redelivery."""
        return not self.missing and not any(requests_redelivery(ack.status) for ack in self.acks)

    def with_(self, **changes: object) -> Watch:
        """The watch with other values for these fields; its cached properties stay, for the subject is the same."""
        if not _CHANGEABLE.issuperset(changes):
            raise TypeError(f"not to be changed: {changes.keys() - _CHANGEABLE}")
        # ``dataclasses.replace`` costs 6 µs; three of them would be a tenth of the whole work for a subject.
        changed = object.__new__(Watch)
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    def is_due(self, now: datetime) -> bool:
        """Whether the announcer has to act on the watch now (see ``next_step``)."""
        return self.next_at is not None and self.next_at <= now


_MEMBERS: Final = tuple(member.name for member in fields(Watch))
_CHANGEABLE: Final = frozenset(_MEMBERS) - {"watch_id", "subject_id", "subject", "since"}


def announcement_of(subject: JsonObject) -> Announcement:
    """The settings of a subject's ``announcement`` object; an unreadable one counts as if it were absent."""
    found = subject.get("announcement")
    if found is None:
        return _NOTHING
    written = dump(found)
    return _remembered(written) if len(written) <= MAX_REMEMBERED else _read(written)


def _read(written: bytes) -> Announcement:
    try:
        return read_announcement(parse_json(written, max_depth=_DEPTH), granularity=_FINEST)[0]
    except DittoError:
        return _NOTHING


_remembered = lru_cache(maxsize=1_024)(_read)
"""Many subjects have equal settings, which are read whenever a row of the read model is."""


def expiry_of(subject: JsonObject) -> datetime | None:
    """When the subject expires, if it does."""
    text = subject.get("expiry")
    return parse(text) if isinstance(text, str) else None


def is_watched(subject: JsonObject) -> bool:
    """Whether the subject expires, or its removal is to be announced."""
    return expiry_of(subject) is not None or announcement_of(subject).when_deleted


def watch_id(policy_id: str, subject_id: str, subject: JsonObject, since: int) -> str:
    """A digest that is equal for equal subjects added by the same change, and different for all others."""
    told = canonical([policy_id, since, subject_id, subject])
    return blake2b(told, digest_size=16).hexdigest()


def randomization_factor(watch: str) -> float:
    """A number in [0, 1) made of the watch id: spread evenly among watches, always the same for one of them."""
    return int(watch[:12], 16) / float(1 << 48)


def to_json(watch: Watch) -> JsonObject:
    """The watch as the read model stores it, without members that have their default."""
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
