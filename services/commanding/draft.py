"""What a group of commands comes to before anything of it is durable: a pure computation on verified states."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from eventstore.events import Commit, StreamName
from protocol.context import Context, Limits
from protocol.decision import Decision
from protocol.entities import EntityState, evolve_entity, respond
from protocol.identifiers import PolicyId
from protocol.json import MISSING
from protocol.signals import Event, Response
from services.commanding.deciding import enforce_and_decide, result_or_error, unchanged
from services.commanding.pending import Answer, Pending
from services.commanding.records import ETAG, commit_of
from services.commanding.remembered import CommandKey
from services.commanding.rules import stream_name
from services.commanding.surroundings import Compile, Surroundings


@dataclass(slots=True)
class Effect:
    """A command that changes something: what it saw, what it appends, the states it leaves, the answer it will get."""

    pending: Pending
    events: tuple[Event, ...]
    seen: dict[StreamName, EntityState | None]
    states: dict[StreamName, EntityState]
    response: Response
    commit: Commit
    repeats: list[Pending] = field(default_factory=list)


@dataclass(slots=True)
class Verdict:
    """The answer to a command that changes nothing."""

    pending: Pending
    answer: Answer
    seen: dict[StreamName, EntityState | None]


class Draft:
    """Decides commands one after the other, each on the states that those before it leave.

    ``effects`` are to be appended in their order. ``verdicts`` rest on verified states alone, to be answered at once.
    ``held`` rest on states that the group itself makes, and become true when these are durable.
    """

    def __init__(self, *, now: datetime, limits: Limits, compile: Compile) -> None:  # noqa: A002 - as in ``Context``
        self.now = now
        self.effects: list[Effect] = []
        self.verdicts: list[Verdict] = []
        self.held: list[Verdict] = []
        self._states: dict[StreamName, EntityState | None] = {}
        self._surroundings = Surroundings(self._states, now=now, limits=limits, compile=compile)
        self._drafted: set[StreamName] = set()
        self._by_id: dict[CommandKey, Effect] = {}

    def learn(self, stream: StreamName, state: EntityState | None) -> None:
        """Take in a verified state; the group's own changes are made on top of it."""
        self._states[stream] = state

    def knows(self, stream: StreamName) -> bool:
        """Whether the state of the stream has been learned."""
        return stream in self._states

    def take(self, pending: Pending) -> tuple[StreamName, ...]:
        """Decide the command on what the earlier ones left; or name the streams to learn first and decide nothing."""
        first = None if pending.command_id is None else self._by_id.get((pending.stream, pending.command_id))
        if first is not None and first.pending.auth.default_subject in pending.auth.subjects:
            first.repeats.append(pending)
            return ()
        state = self._states[pending.stream]
        around = self._surroundings.of(pending.command, state, pending.auth)
        if isinstance(around, tuple):
            return around
        self._decide(pending, {pending.stream: state, **around.seen}, around.context, first)
        return ()

    def missing(self, pending: Pending) -> tuple[StreamName, ...]:
        """The streams to learn before the command can be decided, as far as can be told from those that are known."""
        if pending.stream not in self._states:
            return (pending.stream,)
        state = self._states[pending.stream]
        around = self._surroundings.of(pending.command, state, pending.auth)
        return around if isinstance(around, tuple) else ()

    def keep(self, effect: Effect) -> None:
        """Take over an effect of an earlier draft whose streams are as it expected them."""
        self._add(effect)

    def left(self) -> list[tuple[StreamName, EntityState]]:
        """The states that the effects leave, by stream."""
        return [(stream, state) for stream in self._drafted if (state := self._states[stream]) is not None]

    def shift(self, recorded_at: datetime) -> None:
        """The log recorded the group later than it was decided (its last event came from a clock ahead of ours)."""
        states: dict[StreamName, EntityState | None] = {}
        for effect in self.effects:
            seen = {stream: states.get(stream, state) for stream, state in effect.seen.items()}
            states.update(states_after(effect.events, seen, recorded_at))
        self._states.update(states)
        self._surroundings.forget()

    def _decide(
        self,
        pending: Pending,
        seen: dict[StreamName, EntityState | None],
        context: Context,
        first: Effect | None,
    ) -> None:
        """``first`` has the same command id and another caller: who may not do this must not hear that it was done."""
        found = result_or_error(pending.command.entity_id, self._outcome, pending, seen, context)
        if not isinstance(found, Effect):
            built = not self._drafted.isdisjoint(seen)
            (self.held if built else self.verdicts).append(Verdict(pending, found, seen))
        elif first is None:
            self._add(found)
        else:
            first.repeats.append(pending)

    def _outcome(
        self, pending: Pending, seen: dict[StreamName, EntityState | None], context: Context
    ) -> Effect | Answer:
        decision, shown = enforce_and_decide(pending.command, seen[pending.stream], context)
        return self._effect(pending, decision, seen) if decision.events else unchanged(decision, shown)

    def _effect(self, pending: Pending, decision: Decision, seen: dict[StreamName, EntityState | None]) -> Effect:
        states = states_after(decision.events, seen, self.now)
        response = respond(decision, states[pending.stream])
        commit = commit_of(pending, decision.events, seen, response.headers.get(ETAG, MISSING))
        return Effect(pending, decision.events, seen, states, response, commit)

    def _add(self, effect: Effect) -> None:
        self.effects.append(effect)
        self._states.update(effect.states)
        self._drafted.update(effect.states)
        if len(effect.states) > 1 or isinstance(effect.pending.command.entity_id, PolicyId):
            self._surroundings.forget()
        if effect.pending.command_id is not None:
            self._by_id[effect.pending.stream, effect.pending.command_id] = effect


def states_after(
    events: tuple[Event, ...], seen: dict[StreamName, EntityState | None], recorded_at: datetime
) -> dict[StreamName, EntityState]:
    """The states that the events lead to when they are recorded at this time."""
    states: dict[StreamName, EntityState] = {}
    for event in events:
        stream = stream_name(event.entity_id)
        before = states.get(stream) or seen.get(stream)
        revision = 1 if before is None else before.revision + 1
        states[stream] = evolve_entity(before, event, revision=revision, timestamp=recorded_at)
    return states
