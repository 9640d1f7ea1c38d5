"""Answering what a caller may do: the entities asked about, the policies that govern them, and the pure answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from eventstore.events import StreamName
from protocol.context import Limits
from protocol.enforcement.auth import AuthContext
from protocol.enforcement.checks import answer_check
from protocol.enforcement.enforce import governing_policy
from protocol.entities import EntityState
from protocol.identifiers import EntityId, PolicyId
from protocol.json import JsonObject
from protocol.signals import CheckPermissions, Command, Response
from services.commanding.errors import StoreDown
from services.commanding.ledger import Ledger
from services.commanding.loading import States
from services.commanding.pending import Answer, Pending
from services.commanding.rules import stream_name
from services.commanding.surroundings import Surrounding, Surroundings

NO_POLICY = PolicyId("_:_")
"""Stands for the many entities that a check is about, as in its topic."""


@dataclass(slots=True)
class Checking:
    """A check of permissions on its way."""

    signal: CheckPermissions
    whole: Pending


class Checker:
    """Answers checks from states that were compared with the log, so that a change of a policy counts at once."""

    def __init__(self, *, states: States, ledger: Ledger, clock: Callable[[], datetime], limits: Limits) -> None:
        self._states = states
        self._ledger = ledger
        self._clock = clock
        self._limits = limits

    async def work(self, group: list[Checking]) -> None:
        """Answer each of the group."""
        for checking in group:
            self._ledger.close(checking.whole, await self._answer(checking))

    async def _answer(self, checking: Checking) -> Answer:
        signal = checking.signal
        known: dict[StreamName, EntityState | None] = {}
        around = Surroundings(known, now=self._clock(), limits=self._limits, compile=self._states.compile)
        # By stream, since a thing and a policy of the same name are equal texts.
        probes = {stream_name(check.entity_id): _probe(check.entity_id) for check in signal.checks.values()}
        streams = set(probes)
        try:
            while streams:
                busy = [stream for stream in streams if stream in self._ledger.busy]
                known.update(await self._states.verified(streams, distrusted=busy))
                found = [self._surrounding(probe, known, around, checking) for probe in probes.values()]
                streams = {stream for each in found if isinstance(each, tuple) for stream in each}
        except StoreDown as down:
            return down
        answers: JsonObject = {}
        for name, check in signal.checks.items():
            stream = stream_name(check.entity_id)
            surrounding = self._surrounding(probes[stream], known, around, checking)
            assert not isinstance(surrounding, tuple)  # noqa: S101 - the loop ended when nothing was left to learn
            answers[name] = answer_check(check, known[stream], surrounding.context, explain=signal.explain)
        return Response(entity_id=NO_POLICY, verb="retrieve", path=(), status=200, value=answers)

    def _surrounding(
        self,
        probe: Command,
        known: Mapping[StreamName, EntityState | None],
        around: Surroundings,
        checking: Checking,
    ) -> Surrounding | tuple[StreamName, ...]:
        """What an answer has to know, or the streams to learn first; for reasons as much as for a resolved policy."""
        state, auth = known[stream_name(probe.entity_id)], checking.whole.auth
        found = around.of(probe, state, auth)
        policy_id = None if state is None else governing_policy(state)
        if isinstance(found, tuple) or not checking.signal.explain or policy_id is None:
            return found
        resolving = replace(_probe(policy_id), headers={"policy-view": "resolved"})
        return around.of(resolving, found.context.policies[policy_id], auth)


def checking(
    signal: CheckPermissions, auth: AuthContext, edge: str, future: asyncio.Future[Response], since: float
) -> Checking:
    """The check as something that waits for its answer."""
    whole = Pending(_probe(NO_POLICY), auth, None, edge, stream_name(NO_POLICY), future, since)
    return Checking(signal, whole)


def _probe(entity_id: EntityId) -> Command:
    return Command(entity_id=entity_id, verb="retrieve", path=())
