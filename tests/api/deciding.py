"""Commands decided in memory, one after the other, without a log: enough of commanding to speak to the edge."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from protocol.enforcement.auth import AuthContext
from protocol.errors import CommandTimeout
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import JsonObject
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.selectors import parse_fields
from protocol.signals import Command, Event, Response, RetrieveThings, Signal
from protocol.things.creation import entities_needed
from protocol.things.decide import decide
from protocol.things.decision import Context, respond
from protocol.things.evolve import evolve
from protocol.things.state import ThingState, living

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class DecidingCommands:
    """``hold`` makes everything wait; what is waiting when its time is over is answered with 408."""

    def __init__(self) -> None:
        self.things: dict[ThingId, ThingState] = {}
        self.policies: dict[PolicyId, PolicyState] = {}
        self.position = 0
        self.waiting = 0
        self.released = asyncio.Event()
        self.released.set()
        self.answered: dict[tuple[EntityId, str], Response] = {}

    def hold(self) -> None:
        self.released.clear()

    def submit(
        self, signal: Signal, auth: AuthContext, *, command_id: str | None = None, edge: str = "internal"
    ) -> asyncio.Future[Response]:
        return asyncio.ensure_future(self.execute(signal, auth, command_id=command_id, edge=edge))

    async def execute(
        self,
        signal: Signal,
        auth: AuthContext,
        *,
        command_id: str | None = None,
        edge: str = "internal",
        timeout: float | None = None,
    ) -> Response:
        if not self.released.is_set():
            self.waiting += 1
            try:
                async with asyncio.timeout(timeout):
                    await self.released.wait()
            except TimeoutError:
                raise CommandTimeout(timeout or 0) from None
        if isinstance(signal, RetrieveThings):
            return self._many(signal)
        repeated = self.answered.get((signal.entity_id, command_id or ""))
        response = repeated or self._decide(signal, auth)
        if command_id is not None:
            self.answered[signal.entity_id, command_id] = response
        return response

    async def list_things(
        self, auth: AuthContext, *, namespaces: tuple[str, ...], fields: str | None, after: str | None, limit: int
    ) -> list[JsonObject]:
        ids = sorted(
            thing_id
            for thing_id in self.things
            if (not namespaces or thing_id.namespace in namespaces) and (after is None or thing_id > after)
        )
        things = (self._thing(thing_id, fields) for thing_id in ids)
        return [thing for thing in things if thing is not None][:limit]

    def _many(self, signal: RetrieveThings) -> Response:
        found = (self._thing(thing_id, signal.fields) for thing_id in signal.thing_ids)
        value = [thing for thing in found if thing is not None]
        return Response(entity_id=ThingId(":"), verb="retrieve", path=(), status=200, value=list(value))

    def _thing(self, thing_id: ThingId, fields: str | None) -> JsonObject | None:
        thing = living(self.things.get(thing_id))
        if thing is None:
            return None
        return thing.document if fields is None else parse_fields(fields).select(thing.document)

    def _decide(self, command: Command, auth: AuthContext) -> Response:
        assert isinstance(command.entity_id, ThingId)
        thing = self.things.get(command.entity_id)
        context = Context(now=BEGINNING + timedelta(seconds=self.position), subjects=auth.subjects)
        while needed := entities_needed(command, thing, context):
            policies = {name: self.policies.get(name) for name in needed if isinstance(name, PolicyId)}
            things = {name: self.things.get(name) for name in needed if isinstance(name, ThingId)}
            context = replace(context, policies={**context.policies, **policies}, things={**context.things, **things})
        decision = decide(command, thing, context)
        for event in decision.events:
            self._apply(event, context.now)
        position = self.position if decision.events else None
        return respond(decision, self.things[command.entity_id], position=position)

    def _apply(self, event: Event, now: datetime) -> None:
        self.position += 1
        if isinstance(event.entity_id, PolicyId):
            policy = self.policies.get(event.entity_id)
            revision = (policy.revision if policy else 0) + 1
            self.policies[event.entity_id] = evolve_policy(policy, event, revision=revision, timestamp=now)
        else:
            thing = self.things.get(event.entity_id)
            revision = (thing.revision if thing else 0) + 1
            self.things[event.entity_id] = evolve(thing, event, revision=revision, timestamp=now)
