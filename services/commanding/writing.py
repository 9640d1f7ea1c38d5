"""Groups of commands on their way into the log: load, decide, append, and again with whoever was overtaken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from eventstore.errors import UnstorableEvent
from eventstore.events import Appended, Commit, Conflict, RecordedEvent, StreamName
from eventstore.group import refused
from protocol.enforcement.enforce import governing_policy
from protocol.entities import EntityState
from protocol.errors import DittoError, JsonInvalid
from protocol.json import Missing
from services.commanding.appending import Appender
from services.commanding.draft import Draft, Effect, Verdict
from services.commanding.errors import Contested, HeldBack, OutcomeUnknown, StoreDown
from services.commanding.ledger import Ledger, with_position
from services.commanding.limits import CommandingLimits
from services.commanding.loading import States
from services.commanding.pending import DONE, REPEATED, Pending
from services.commanding.records import originator_of, response_to_repeat, stored_response
from services.commanding.remembered import RememberedCommands
from services.commanding.rules import predicted_streams, stream_name
from services.commanding.states import NO_EPOCH


class Writer:
    """Works off groups, one at a time; each command of a group is answered, whatever becomes of the others."""

    def __init__(
        self,
        *,
        states: States,
        appender: Appender,
        ledger: Ledger,
        remembered: RememberedCommands,
        clock: Callable[[], datetime],
        limits: CommandingLimits,
        appended: Callable[[Sequence[RecordedEvent]], None],
        doubtful: Callable[[Verdict], None],
    ) -> None:
        self._states = states
        self._appender = appender
        self._ledger = ledger
        self._remembered = remembered
        self._clock = clock
        self._limits = limits
        self._metrics = ledger.metrics
        self._appended = appended
        self._doubtful = doubtful
        self._latest = datetime.min.replace(tzinfo=UTC)

    async def work(self, group: list[Pending]) -> None:
        """Take the group to its answers."""
        self._metrics.group_commands.observe(len(group))
        todo = [pending for pending in group if not self._is_over(pending)]
        draft = Draft(now=max(self._clock(), self._latest), limits=self._limits.rules, compile=self._states.compile)
        try:
            while todo or draft.effects:
                if any(pending.attempts >= self._limits.attempts_beside_others for pending in todo):
                    draft, todo = await self._append_alone(draft, todo, group)
                    continue
                await self._fill(draft, todo)
                self._conclude_verdicts(draft)
                if not draft.effects:
                    return
                draft, todo = await self._append(draft, group)
        except (StoreDown, OutcomeUnknown) as error:
            self._give_up(group, type(error))

    def _give_up(self, group: list[Pending], reason: type[StoreDown | OutcomeUnknown]) -> None:
        """The store is gone. Only for what was part of the lost append is the outcome unknown."""
        for pending in group:
            self._ledger.fail(pending, reason() if pending.taken else StoreDown())

    def _is_withdrawn(self, pending: Pending) -> bool:
        """Whether nobody waits any more, or one that has to come before it failed."""
        if pending.future.done():
            self._ledger.withdraw(pending)
            return True
        if self._ledger.is_cut_off(pending):
            self._ledger.fail(pending, HeldBack(pending.command.entity_id))
            return True
        return False

    def _is_over(self, pending: Pending) -> bool:
        """Whether the command is not to be executed any more, or the answer is known from the first time."""
        if self._is_withdrawn(pending):
            return True
        if pending.command_id is None:
            return False
        event = self._remembered.find((pending.stream, pending.command_id))
        if event is None or originator_of(event) not in pending.auth.subjects:
            return False
        self._ledger.close(pending, stored_response(event), REPEATED)
        return True

    async def _fill(self, draft: Draft, todo: list[Pending]) -> None:
        """Decide the commands, the whole group on one look at the log unless it has to follow what it finds there."""
        await self._learn(draft, self._predicted_streams(draft, todo))
        while missing := {stream for pending in todo for stream in draft.missing(pending)}:
            await self._learn(draft, missing)
        for pending in todo:
            if self._is_withdrawn(pending):
                continue
            while missing := set(draft.take(pending)):
                await self._learn(draft, missing)

    def _predicted_streams(self, draft: Draft, todo: Iterable[Pending]) -> set[StreamName]:
        """What the group will have to know, as far as it can be told, so that one round trip is enough."""
        epoch = self._states.epoch()
        unknown: set[StreamName] = set()
        for pending in todo:
            if draft.knows(pending.stream):
                continue
            state = self._states.trusted(pending.stream, epoch)
            if isinstance(state, Missing):
                unknown.add(pending.stream)
                remembered = self._states.remembered(pending.stream)
                unknown.update(predicted_streams(pending.command, remembered, pending.auth.subjects, draft.now))
            else:
                draft.learn(pending.stream, state)
                self._learn_policy(draft, state, epoch)
        return {stream for stream in unknown if not draft.knows(stream)}

    def _learn_policy(self, draft: Draft, state: EntityState | None, epoch: int) -> None:
        """What nearly every command has to know next, if memory has it."""
        policy_id = None if state is None else governing_policy(state)
        if policy_id is not None and not draft.knows(stream := stream_name(policy_id)):
            policy = self._states.trusted(stream, epoch)
            if not isinstance(policy, Missing):
                draft.learn(stream, policy)

    async def _learn(self, draft: Draft, streams: Iterable[StreamName]) -> None:
        for stream, state in (await self._states.verified(streams)).items():
            if not draft.knows(stream):
                draft.learn(stream, state)

    async def _append(self, draft: Draft, group: list[Pending]) -> tuple[Draft, list[Pending]]:
        """Append what was drafted. What is left is a draft of the effects that stand and the commands that do not."""
        return await self._outcome(draft, group, self._appender.append(_taken(draft), recorded_at=draft.now))

    async def _append_alone(
        self, overtaken: Draft, todo: Iterable[Pending], group: list[Pending]
    ) -> tuple[Draft, list[Pending]]:
        """Decide and append all that is left, in order, while nobody else can append: it is not overtaken once more.

        Two processes that write the same all the time would otherwise pass each other again and again, and whoever
        loads more slowly would be refused in the end. What was drafted so far was decided before, so it goes.
        """
        left = {*todo, *(verdict.pending for verdict in overtaken.held)}
        for effect in overtaken.effects:
            left.update((effect.pending, *effect.repeats))
        draft = Draft(now=overtaken.now, limits=self._limits.rules, compile=self._states.compile)

        async def decide() -> list[Commit]:
            await self._fill(draft, [pending for pending in group if pending in left])
            self._conclude_verdicts(draft)
            return _taken(draft)

        return await self._outcome(draft, group, self._appender.append_alone(decide, recorded_at=draft.now))

    async def _outcome(
        self, draft: Draft, group: list[Pending], appending: Awaitable[Appended | Conflict]
    ) -> tuple[Draft, list[Pending]]:
        epoch = self._states.epoch()
        try:
            with self._metrics.append_seconds.time():
                outcome = await appending
        except UnstorableEvent as error:
            index = 0 if len(draft.effects) == 1 else error.commit
            if index is None:
                return await self._one_by_one(draft)
            self._ledger.close(draft.effects[index].pending, JsonInvalid(str(error)))
            commits = [effect.commit for effect in draft.effects]
            outcome = Conflict(stale=refused(commits, streams=(), fallen=(index,)), repeated={})
        if isinstance(outcome, Appended):
            if outcome.events:
                self._commit(draft, outcome, epoch if self._states.epoch() == epoch else NO_EPOCH)
            return Draft(now=draft.now, limits=self._limits.rules, compile=self._states.compile), []
        self._metrics.conflicts.inc()
        return self._again(draft, outcome, group)

    def _commit(self, draft: Draft, outcome: Appended, epoch: int) -> None:
        """The group is durable: keep its states first, since whoever got an answer may read at once; then answer."""
        if outcome.events[0].recorded_at != draft.now:
            draft.shift(outcome.events[0].recorded_at)
        self._latest = outcome.events[-1].recorded_at
        positions: list[int] = []
        at = 0
        for effect in draft.effects:
            if effect.pending.command_id is not None:
                self._remembered.add(outcome.events[at])
            at += len(effect.events)
            positions.append(outcome.events[at - 1].position)
        for stream, state in draft.left():
            self._states.put(stream, state, epoch)
        self._metrics.events_appended.inc(len(outcome.events))
        self._appended(outcome.events)
        for effect, position in zip(draft.effects, positions, strict=True):
            response = with_position(effect.response, position)
            self._ledger.close(effect.pending, response, DONE)
            originator = effect.pending.auth.default_subject
            for repeat in effect.repeats:
                self._ledger.close(repeat, response_to_repeat(response, originator, repeat.auth), REPEATED)
        for verdict in draft.held:
            self._conclude(verdict)

    def _again(self, draft: Draft, conflict: Conflict, group: list[Pending]) -> tuple[Draft, list[Pending]]:
        """Somebody was faster: keep what stands, decide again what does not and what builds on it.

        ``conflict.stale`` names all commits that have to go, those included that build on others of them.
        """
        fallen = [effect for index, effect in enumerate(draft.effects) if index in conflict.stale]
        repeated = [(draft.effects[index], event) for index, event in conflict.repeated.items()]
        moved: set[StreamName] = set()
        for effect in (*fallen, *(effect for effect, _ in repeated)):
            moved.update(effect.seen)
        for stream in moved:
            self._states.suspect(stream)
        for effect, event in repeated:
            self._answer_again(effect, event)
        left = Draft(now=draft.now, limits=self._limits.rules, compile=self._states.compile)
        for index, effect in enumerate(draft.effects):
            if index not in conflict.stale and index not in conflict.repeated:
                left.keep(effect)
        again = {pending for effect in fallen for pending in (effect.pending, *effect.repeats)}
        for verdict in draft.held:
            if moved.isdisjoint(verdict.seen):
                left.held.append(verdict)
            else:
                again.add(verdict.pending)
        return left, [pending for pending in group if pending in again and not self._is_contested(pending)]

    def _is_contested(self, pending: Pending) -> bool:
        pending.attempts += 1
        if pending.attempts < self._limits.attempts_max:
            return False
        self._ledger.fail(pending, Contested(pending.command.entity_id, pending.attempts))
        return True

    def _answer_again(self, effect: Effect, event: RecordedEvent) -> None:
        self._remembered.add(event)
        answer, originator = stored_response(event), originator_of(event)
        for pending in (effect.pending, *effect.repeats):
            self._ledger.close(pending, response_to_repeat(answer, originator, pending.auth), REPEATED)

    def _conclude_verdicts(self, draft: Draft) -> None:
        for verdict in draft.verdicts:
            self._conclude(verdict)
        draft.verdicts.clear()

    def _conclude(self, verdict: Verdict) -> None:
        """Answer what changes nothing; a refused command with an id may have been executed before: the log knows."""
        pending = verdict.pending
        refused_change = isinstance(verdict.answer, DittoError) and pending.command.verb != "retrieve"
        if refused_change and pending.command_id is not None:
            self._doubtful(verdict)
        else:
            self._ledger.close(pending, verdict.answer)

    async def _one_by_one(self, draft: Draft) -> tuple[Draft, list[Pending]]:
        """The store refuses something in the group and cannot tell what: each command goes alone."""
        for effect in draft.effects:
            await self.work([effect.pending, *effect.repeats])
        for verdict in draft.held:
            await self.work([verdict.pending])
        return Draft(now=draft.now, limits=self._limits.rules, compile=self._states.compile), []


def _taken(draft: Draft) -> list[Commit]:
    """What the draft appends; from now on its commands may have taken effect."""
    for effect in draft.effects:
        effect.pending.taken = True
    return [effect.commit for effect in draft.effects]
