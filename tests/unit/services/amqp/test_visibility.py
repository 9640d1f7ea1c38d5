"""The exchange of an audience carries what the audience may see, by the policies of the event's time."""

from __future__ import annotations

from protocol.context import DEFAULT_LIMITS
from protocol.json import JsonObject
from services.amqp.visibility import Visibility
from tests.unit.services.commanding.stage import ALICE, PUMP, Stage, create, put
from tests.unit.services.commanding.test_policies import OWNED, READER, SHARED, WRITER, policy


async def published(stage: Stage, *, after: int = 0) -> list[tuple[str, bytes | None]]:
    visibility = Visibility(stage.store, ("test:bob",), DEFAULT_LIMITS)
    seen = [await visibility.of(event) async for page in stage.store.read() for event in page if event.position > after]
    return [(event.path, event.value) for event in seen if event is not None and event.stream.startswith("thing:")]


async def history(stage: Stage) -> None:
    async with stage.service() as service:
        await service.execute(create(attributes={"open": 0}), ALICE)
        await service.execute(policy("modify", "/entries/user", READER, policy_id=PUMP), ALICE)
        await service.execute(put("open", 1), ALICE)
        await service.execute(put("closed", 1), ALICE)
        await service.execute(policy("modify", "/entries/user", WRITER, policy_id=PUMP), ALICE)
        await service.execute(put("closed", 2), ALICE)
        await service.execute(policy("delete", "/entries/user", policy_id=PUMP), ALICE)
        await service.execute(put("open", 3), ALICE)


async def test_each_event_is_judged_by_the_policy_of_its_time() -> None:
    stage = Stage()
    await history(stage)
    assert await published(stage) == [("/attributes/open", b"1"), ("/attributes/closed", b"2")]


async def test_a_publisher_that_starts_in_the_middle_judges_alike() -> None:
    stage = Stage()
    await history(stage)
    whole = await published(stage)
    for after in range(1, await stage.store.head()):
        rest = await published(stage, after=after)
        assert rest == whole[len(whole) - len(rest) :]


async def test_a_new_thing_is_judged_by_the_policy_that_is_made_with_it() -> None:
    stage = Stage()
    inline: JsonObject = {"entries": {**OWNED["entries"], "user": READER}}  # type: ignore[dict-item]  # an object of ours
    async with stage.service() as service:
        await service.execute(create(_policy=inline, attributes={"open": 1, "closed": 2}), ALICE)
        await service.execute(policy("create", "/", OWNED), ALICE)
        await service.execute(put("open", 2), ALICE)
    assert SHARED in str(stage.store.events("policy:farm:shared")[0].stream)
    assert await published(stage) == [
        ("/", b'{"thingId":"farm:pump","attributes":{"open":1}}'),
        ("/attributes/open", b"2"),
    ]


async def test_a_part_of_a_value_comes_without_the_hash_of_the_whole() -> None:
    stage = Stage()
    inline: JsonObject = {"entries": {**OWNED["entries"], "user": READER}}  # type: ignore[dict-item]  # an object of ours
    async with stage.service() as service:
        await service.execute(create(_policy=inline), ALICE, command_id="c-1")
        await service.execute(put("", {"open": 1, "closed": 1234}), ALICE, command_id="c-2")
        await service.execute(put("open", 2), ALICE, command_id="c-3")
    visibility = Visibility(stage.store, ("test:bob",), DEFAULT_LIMITS)
    told = {event.revision: await visibility.of(event) for event in stage.store.events(f"thing:{PUMP}")}
    assert b"etag" in stage.store.events(f"thing:{PUMP}")[1].headers
    part, whole = told[2], told[3]
    assert part is not None
    assert part.value == b'{"open":1}'
    assert b"etag" not in part.headers
    assert whole is not None
    assert whole is stage.store.events(f"thing:{PUMP}")[2]
