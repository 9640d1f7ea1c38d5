"""A policy whose subjects are watched, lived through with a clock in hand and a broker that is up or down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from protocol.announcements.decide import Broker, Moment, Publish, Remove, Rules, next_step
from protocol.announcements.envelope import announcement_envelope
from protocol.announcements.evolve import Watching, after_change, after_record
from protocol.announcements.records import (
    Acknowledged,
    Announced,
    Failed,
    Published,
    Record,
    restore_record,
    store_record,
)
from protocol.announcements.watch import Watch, from_json, to_json
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue, dump, parse
from protocol.policies.entries import subjects_of
from protocol.policies.evolve import evolve_policy
from protocol.policies.removal import decide_removal, removal
from protocol.policies.state import PolicyState
from protocol.signals import Event

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
POLICY = PolicyId("farm.one:p1")
APP = "integration:app-1"


def subject(expiry: int | None = 3_600, **announcement: JsonValue) -> JsonObject:
    """A subject that expires so many seconds after the start."""
    value: JsonObject = {"type": "temp"}
    if expiry is not None:
        value["expiry"] = (START + timedelta(seconds=expiry)).isoformat().replace("+00:00", "Z")
    if announcement:
        value["announcement"] = {"randomizationInterval": "0s", **announcement}
    return value


@dataclass
class Life:
    """``told`` are the announcements that the broker got: when, and the message's value."""

    now: datetime = START
    grace: timedelta = timedelta(hours=4)
    broker: Broker = "up"
    confirms: bool = True
    revision: int = 0
    policy: PolicyState | None = None
    watching: Watching = field(default_factory=Watching)
    told: list[tuple[datetime, JsonObject]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def change(self, action: str, path: str, value: JsonValue = None, *, by_announcer: bool = False) -> None:
        pointer = tuple(path.strip("/").split("/", 3)) if path != "/" else ()
        if action == "deleted":
            event = Event(entity_id=POLICY, action="deleted", path=pointer)
        else:
            event = Event(entity_id=POLICY, action="modified", path=pointer, value=value)
        self.revision += 1
        self.policy = evolve_policy(self.policy, event, revision=self.revision, timestamp=self.now)
        unshared = after_change(self.watching, reread(self.policy), by_announcer=by_announcer)
        anywhere = after_change(self.watching, self.policy, by_announcer=by_announcer)
        self.watching = after_change(self.watching, self.policy, by_announcer=by_announcer, path=pointer)
        assert dict(self.watching.watches) == dict(unshared.watches) == dict(anywhere.watches)

    def put(self, value: JsonObject, *, label: str = "guest", subject_id: str = APP) -> None:
        self.change("modified", f"/entries/{label}/subjects/{subject_id}", value)

    def take(self, *, label: str = "guest", subject_id: str = APP) -> None:
        self.change("deleted", f"/entries/{label}/subjects/{subject_id}")

    def ack(self, status: int, label: str = "app:seen") -> None:
        for watch in self.open():
            if watch.correlation is not None:
                self.record(
                    Acknowledged(
                        watch_id=watch.watch_id,
                        subject_id=watch.subject_id,
                        announcement_id=watch.announcement_id,
                        label=label,
                        status=status,
                        by="amqp:app",
                    )
                )

    def record(self, record: Record) -> None:
        """Keep it as the log would."""
        again = restore_record(*store_record(record))
        assert again == record
        self.watching = after_record(self.watching, again, revision=self.watching.told_revision + 1, at=self.now)
        self.watching = replace(self.watching, watches={n: kept(w) for n, w in self.watching.watches.items()})

    def open(self) -> list[Watch]:
        return [watch for watch in self.watching.watches.values() if watch.stage != "ended"]

    def work(self) -> None:
        """Do everything that is due now."""
        for _ in range(100):
            moment = Moment(
                now=self.now, rules=Rules(grace=self.grace), chance=lambda: 0.5, new_id=lambda: "c", broker=self.broker
            )
            found = [(watch, step) for watch in self.open() if (step := next_step(watch, moment)) is not None]
            if not found:
                return
            for watch, step in found:
                self.steps.append(type(step).__name__)
                match step:
                    case Announced() | Failed():
                        self.record(step)
                    case Publish():
                        message = announcement_envelope(POLICY, watch)
                        assert isinstance(message.value, dict)
                        self.told.append((self.now, message.value))
                        self.ids.append(watch.announcement_id)
                        if not self.confirms:
                            return
                        self.record(
                            Published(watch_id=watch.watch_id, subject_id=watch.subject_id, attempt=watch.attempt)
                        )
                    case Remove():
                        command = removal(POLICY, [(watch.subject_id, watch.subject)])
                        for event in decide_removal(command, self.policy).events:
                            self.change("deleted", "/" + "/".join(event.path), by_announcer=True)
        raise AssertionError("it goes on for ever")

    def until(self, seconds: float, *, every: float = 1.0) -> None:
        """Let time pass, working like a service that never sleeps long."""
        end = START + timedelta(seconds=seconds)
        while self.now < end:
            self.now = min(self.now + timedelta(seconds=every), end)
            self.work()

    def subjects(self) -> list[str]:
        document = {} if self.policy is None or self.policy.deleted else self.policy.document
        return [subject_id for _, subject_id, _ in subjects_of(document)]

    def times(self) -> list[float]:
        return [(at - START).total_seconds() for at, _ in self.told]

    @property
    def outcomes(self) -> list[str | None]:
        return [watch.outcome for watch in self.watching.watches.values() if watch.stage == "ended"]


def reread(policy: PolicyState) -> PolicyState:
    """The policy as it comes from a row: no part of it is the same object as in any earlier state."""
    document = parse(dump(policy.document))
    assert isinstance(document, dict)
    return replace(policy, document=document)


def kept(watch: Watch) -> Watch:
    """The watch as it comes back from a row."""
    row = parse(dump(to_json(watch)))
    assert isinstance(row, dict)
    again = from_json(row)
    assert again == watch
    return again


def with_subject(value: JsonObject, **facts: object) -> Life:
    life = Life(**facts)  # type: ignore[arg-type]  # its own fields
    life.put(value)
    return life
