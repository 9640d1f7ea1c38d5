"""The search model is rebuilt while commands of every kind go on, and is the live one row for row."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime

from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from projections.rebuild import Rebuild, RebuildOptions
from projections.runner import ProjectionRunner
from projections.search.projection import SearchProjection
from projections.twins import TwinsProjection, TwinsReader
from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.signals import Command, Headers, Verb
from services.commanding.commanding import Commanding
from tests.integration.projections.fleet import contents, reached, running

ADA = AuthContext(subjects=("nginx:ada",))
THINGS = [f"farm.{'one' if number % 3 else 'two'}:t{number}" for number in range(24)]
POLICIES = [f"farm.one:p{number}" for number in range(4)]
VALUES: list[JsonValue] = [
    *(1, -7, 2.5, 2**64 - 1, 1e20, "", "x", "é\x01\x02~", "long " * 300, True, False, None),
    [],
    {},
    [1, "a", [2, {"deep": [None, 3]}]],
    {"a": {"b": [1, 2]}, "c": None},
    [{"k": 1}, {"k": "2"}, {"j": {}}],
]
PATHS: list[Pointer] = [
    *(("attributes",), ("attributes", "a"), ("attributes", "a", "b"), ("attributes", "list"), ("definition",)),
    *(("features",), ("features", "f"), ("features", "f", "properties"), ("features", "f", "properties", "a", "b")),
    *(("features", "g", "desiredProperties", "c"), ("features", "f", "definition"), ("policyId",)),
]
ALL: JsonObject = {"grant": ["READ", "WRITE"], "revoke": []}


class Life:
    """Random commands, valid or not; the same ones each time."""

    def __init__(self) -> None:
        self._chance = random.Random(17)  # noqa: S311 - a fixed sequence is the point

    def commands(self) -> Iterator[Command]:
        for name in POLICIES:
            yield self._command(PolicyId(name), "modify", (), self._policy(name))
        for name in THINGS:
            yield self._command(ThingId(name), "modify", (), self._thing())
        while True:
            yield self._next()

    def _next(self) -> Command:
        chance = self._chance
        kind = chance.random()
        if kind < 0.06:
            name = chance.choice(POLICIES)
            return self._command(PolicyId(name), "modify", (), self._policy(name))
        thing = ThingId(chance.choice(THINGS))
        if kind < 0.12:
            return self._command(thing, "delete", ())
        if kind < 0.2:
            return self._command(thing, "modify", (), self._thing())
        path = chance.choice(PATHS)
        if kind < 0.32:
            return self._command(thing, "delete", path)
        if kind < 0.55:
            headers: Headers = {"content-type": "application/merge-patch+json"}
            return self._command(thing, "merge", path, chance.choice(VALUES), headers)
        if kind < 0.62:
            metadata: Headers = {"put-metadata": [{"key": "/unit", "value": chance.choice(["C", "F", 1])}]}
            return self._command(thing, "modify", ("attributes", "a"), chance.choice([1, 2, "x"]), metadata)
        value = chance.choice(POLICIES) if path == ("policyId",) else self._fitting(path)
        return self._command(thing, "modify", path, value)

    def _fitting(self, path: Pointer) -> JsonValue:
        if path == ("definition",):
            return "farm:pump:1.0.0"
        if path[-1] == "definition":
            return ["farm:motor:1.0.0", f"farm:motor:{self._chance.randrange(3)}.0.0"]
        return self._chance.choice(VALUES)

    def _thing(self) -> JsonValue:
        value = self._chance.choice
        return {
            "policyId": value(POLICIES),
            "attributes": {"a": value(VALUES), "list": [value(VALUES), value(VALUES)]},
            "features": {"f": {"properties": {"a": value(VALUES)}}, "g": {}},
        }

    def _policy(self, name: str) -> JsonValue:
        subjects: JsonObject = {f"nginx:{self._chance.choice('xyz')}": {"type": "test"}}
        hidden: JsonObject = {f"thing:/attributes/{self._chance.choice('ab')}": {"grant": [], "revoke": ["READ"]}}
        entries: JsonObject = {
            "owner": {"subjects": {"nginx:ada": {"type": "test"}}, "resources": {"thing:/": ALL, "policy:/": ALL}},
            "other": {"subjects": subjects, "resources": {"thing:/": {"grant": ["READ"], "revoke": []}, **hidden}},
        }
        imports: JsonObject = {} if name == POLICIES[0] else {POLICIES[0]: {}}
        return {"entries": entries, "imports": imports if self._chance.random() < 0.5 else {}}

    def _command(
        self,
        entity: EntityId,
        verb: Verb,
        path: Pointer,
        value: JsonValue | Missing = MISSING,
        headers: Headers | None = None,
    ) -> Command:
        return Command(entity_id=entity, verb=verb, path=path, value=value, headers=headers or {})


async def test_a_rebuild_while_commands_go_on_is_the_live_model_row_for_row(pool: Pool) -> None:
    async with PostgresEventStore(pool) as store:
        lease = SoleWriter(store)
        async with (
            running(
                lease.run(),
                ProjectionRunner(pool, store, TwinsProjection).run(),
                ProjectionRunner(pool, store, SearchProjection).run(),
            ),
            Commanding(
                store=store, twins=TwinsReader(pool), sole_writer=lease, clock=lambda: datetime.now(UTC)
            ) as commanding,
        ):
            stop = asyncio.Event()
            life = Life().commands()
            before_it = await live(commanding, life, 400)

            async def go_on() -> int:
                count = 0
                while not stop.is_set():
                    count += await live(commanding, life, 20)
                    await reached(pool, "search", await store.head())  # a rebuild catches up with what is bearable
                return count

            writing = asyncio.create_task(go_on())
            for page_size, load_from in ((500, 1), (37, 1), (100, 1_000_000), (7, 100)):
                before = await store.head()
                options = RebuildOptions(compare=True, page_size=page_size, load_from=load_from)
                rebuilt = await Rebuild(pool, store, SearchProjection(), options=options).run()
                assert rebuilt.differences == ()
                assert rebuilt.position >= before
            stop.set()
            meanwhile = await writing
            await reached(pool, "search", await store.head())
        followed = await contents(pool, SearchProjection())
        last = await Rebuild(pool, store, SearchProjection(), options=RebuildOptions(compare=True)).run()
        replayed = await contents(pool, SearchProjection())
    assert last.differences == ()
    assert before_it > 150
    assert meanwhile > 50
    assert all(followed[table] for table in followed if table != "search_indexes")
    assert followed == replayed


async def live(commanding: Commanding, commands: Iterator[Command], count: int) -> int:
    """Execute some; how many changed something."""
    futures = [commanding.submit(command, ADA) for command in itertools.islice(commands, count)]
    answers = await asyncio.gather(*futures, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DittoError):
            raise answer
    return sum(not isinstance(answer, BaseException) for answer in answers)
