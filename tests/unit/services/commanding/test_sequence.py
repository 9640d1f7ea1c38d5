"""Whatever groups commands fall into, they end as if each had been decided alone, one after the other.

Reads are the exception that is promised: none misses a change that was submitted before it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.context import Context
from protocol.entities import respond
from protocol.errors import DittoError
from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonValue
from protocol.pointers import parse
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Command, Response
from protocol.things.creation import entities_needed
from protocol.things.decide import decide
from protocol.things.evolve import evolve
from protocol.things.state import ThingState
from services.commanding.limits import CommandingLimits
from tests.unit.services.commanding.stage import ALICE, MERGE, Clock, Stage

IDS = [ThingId("farm:a"), ThingId("farm:b")]
READ = Command(entity_id=IDS[0], verb="retrieve", path=())
VALUES: st.SearchStrategy[JsonValue] = st.sampled_from([1, "x", {"deep": True}, [1], None])


def whole(thing_id: ThingId) -> list[Command]:
    return [
        Command(entity_id=thing_id, verb="create", path=(), value={"policyId": thing_id}),
        Command(entity_id=thing_id, verb="create", path=(), value={}),
        Command(entity_id=thing_id, verb="modify", path=(), value={"attributes": {"a": 0}}),
        Command(entity_id=thing_id, verb="delete", path=()),
        Command(entity_id=thing_id, verb="retrieve", path=()),
    ]


@st.composite
def commands(draw: st.DrawFn) -> Command:
    thing_id = draw(st.sampled_from(IDS))
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(whole(thing_id)))
    path = parse(draw(st.sampled_from(["/attributes", "/attributes/a", "/attributes/b", "/features/f/properties/p"])))
    verb = draw(st.sampled_from(["modify", "merge", "delete", "retrieve"]))
    value: JsonValue = {"a": draw(VALUES)} if path == ("attributes",) else draw(VALUES)
    if verb in {"delete", "retrieve"}:
        return Command(entity_id=thing_id, verb=verb, path=path)  # type: ignore[arg-type]  # one of the verbs
    headers = MERGE if verb == "merge" else {}
    return Command(entity_id=thing_id, verb=verb, path=path, value=value, headers=headers)  # type: ignore[arg-type]  # as above


@dataclass
class OneAfterTheOther:
    """The slow model."""

    things: dict[ThingId, ThingState | None] = field(default_factory=lambda: dict.fromkeys(IDS))
    policies: dict[PolicyId, PolicyState | None] = field(default_factory=lambda: {PolicyId(each): None for each in IDS})

    def takes(self, command: Command) -> object:
        """What the command is answered now; a change is made."""
        now = Clock()()
        thing_id = ThingId(command.entity_id)
        context = Context(now=now, subjects=ALICE.subjects, policies=dict(self.policies))
        assert entities_needed(command, self.things[thing_id], context) == ()
        try:
            decision = decide(command, self.things[thing_id], context)
        except DittoError as error:
            return error.code
        for event in decision.events:
            if isinstance(event.entity_id, PolicyId):
                self.policies[event.entity_id] = evolve_policy(None, event, revision=1, timestamp=now)
            else:
                before = self.things[thing_id]
                revision = 1 if before is None else before.revision + 1
                self.things[thing_id] = evolve(before, event, revision=revision, timestamp=now)
        state = self.things[thing_id]
        assert state is not None
        return said(respond(decision, state))


def right_answers(sequence: list[Command]) -> list[list[object]]:
    """What each command may be answered: a change one thing only, a read whatever is true from its place on.

    A read sees every change that was submitted before it. One that waits for the log may see later ones, too.
    """
    model = OneAfterTheOther()
    answers: list[list[object]] = []
    for place, command in enumerate(sequence):
        answers.append([model.takes(command)])
        for read, earlier in zip(sequence[:place], answers[:place], strict=True):
            if read.verb == "retrieve":
                earlier.append(model.takes(read))
    return answers


def said(response: Response) -> object:
    return response.status, response.value, dict(response.headers)


@given(
    sequence=st.lists(commands(), max_size=25),
    pauses=st.lists(st.integers(0, 3), min_size=25, max_size=25),
    group_max=st.integers(1, 8),
    held=st.booleans(),
)
@example(sequence=[READ, READ, *whole(IDS[0])[1:3], READ], pauses=[0] * 25, group_max=1, held=False)
@settings(max_examples=60, deadline=None)
def test_any_grouping_ends_like_one_after_the_other(
    sequence: list[Command], pauses: list[int], group_max: int, held: bool
) -> None:
    async def grouped() -> list[object]:
        stage = Stage(limits=CommandingLimits(group_max=group_max))
        if held:
            stage.lease.take()
        async with stage.service() as service:
            futures = []
            for command, pause in zip(sequence, pauses, strict=False):
                futures.append(service.submit(command, ALICE))
                for _ in range(pause):
                    await asyncio.sleep(0)
            await asyncio.gather(*futures, return_exceptions=True)
        answers: list[object] = []
        for future in futures:
            error = future.exception()
            if isinstance(error, DittoError):
                answers.append(error.code)
            else:
                answers.append(said(future.result()))
        for thing_id in IDS:
            revisions = stage.revisions(thing_id)
            assert revisions == list(range(1, len(revisions) + 1))
        return answers

    for answer, right in zip(asyncio.run(grouped()), right_answers(sequence), strict=True):
        assert answer in right
