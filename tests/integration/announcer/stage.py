"""A service that announces, on PostgreSQL and RabbitMQ, with its clock in the test's hand."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from eventstore.events import RecordedEvent, StreamName
from eventstore.pool import Pool, create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from projections.deadlines import Claims, DeadlinesProjection, DeadlinesReader, Listed, Waking
from projections.runner import ProjectionRunner
from projections.twins import TwinsProjection, TwinsReader
from protocol.announcements.decide import Rules
from protocol.context import Limits
from protocol.enforcement.auth import AuthContext
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.policies.expiry import Granularity
from protocol.signals import Command, Response
from services.amqp.consumer import CommandConsumer
from services.amqp.envelopes import DittoMapper
from services.amqp.identity import Identity
from services.announcer.acknowledging import Acknowledging
from services.announcer.announcer import Announcer, Pace
from services.announcer.meters import Meters
from services.announcer.publishing import AnnouncementPublisher
from services.announcer.recording import Recorder
from services.commanding.commanding import Commanding
from services.commanding.limits import CommandingLimits
from services.metrics import Metrics
from tests.integration.amqp.harness import background, new_link, new_meters, running, take
from tests.waiting import DEADLINE, eventually

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
POLICY = PolicyId("farm.one:p1")
APP = "integration:app-1"
OWNER = AuthContext(subjects=("nginx:owner",))
FINE = Granularity(expiry=timedelta(milliseconds=1), announcement=timedelta(milliseconds=1))
QUICK = Pace(poll=0.02, rest=0.05, lost=30.0)
GRANTS: JsonObject = {"thing:/": {"grant": ["READ"], "revoke": []}}
OWNS: JsonObject = {"policy:/": {"grant": ["READ", "WRITE"], "revoke": []}}


@dataclass
class Clock:
    """Stands still until it is moved, or goes along with the real one."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def set(self, seconds: float) -> None:
        self.moment = START + timedelta(seconds=seconds)


def real_clock() -> datetime:
    return datetime.now(UTC)


def at(seconds: float, start: datetime = START) -> str:
    return (start + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def subject(expiry: str | None, **announcement: JsonValue) -> JsonObject:
    value: JsonObject = {"type": "temp"}
    if expiry is not None:
        value["expiry"] = expiry
    if announcement:
        value["announcement"] = {"randomizationInterval": "0s", **announcement}
    return value


@dataclass
class Stage:
    """One process: commands, read models, announcer."""

    url: str
    pool: Pool
    store: PostgresEventStore
    commanding: Commanding
    clock: Callable[[], datetime]
    rules: Rules = field(default_factory=Rules)
    metrics: Metrics = field(default_factory=Metrics)
    waking: Waking = field(default_factory=Waking)
    pace: Pace = QUICK

    @property
    def reader(self) -> DeadlinesReader:
        return DeadlinesReader(self.pool)

    async def create(self, policy_id: str = POLICY, **subjects: JsonObject) -> Response:
        """A policy with the owner, and an entry ``guest`` with the subjects ``integration:<name>``."""
        guests: JsonObject = {f"integration:{name}": value for name, value in subjects.items()}
        return await self.create_with(policy_id, guests)

    async def create_with(self, policy_id: str, guests: JsonObject) -> Response:
        entries: JsonObject = {
            "owner": {"subjects": {"nginx:owner": {"type": "x"}}, "resources": OWNS},
            "guest": {"subjects": guests, "resources": GRANTS},
        }
        value: JsonObject = {"policyId": policy_id, "entries": entries}
        return await self.do("create", (), value, policy_id=policy_id)

    async def do(self, verb: str, path: tuple[str, ...], value: JsonValue = None, policy_id: str = POLICY) -> Response:
        if verb == "delete":
            command = Command(entity_id=PolicyId(policy_id), verb="delete", path=path)
        else:
            chosen = "create" if verb == "create" else "modify"
            command = Command(entity_id=PolicyId(policy_id), verb=chosen, path=path, value=value)  # type: ignore[arg-type]  # one of two
        return await self.commanding.execute(command, OWNER)

    async def put(self, value: JsonObject, *, label: str = "guest", subject_id: str = APP) -> Response:
        return await self.do("modify", ("entries", label, "subjects", subject_id), value)

    async def subjects(self, policy_id: str = POLICY) -> list[str]:
        command = Command(entity_id=PolicyId(policy_id), verb="retrieve", path=())
        policy = (await self.commanding.execute(command, OWNER)).value
        assert isinstance(policy, dict)
        entries: dict[str, dict[str, dict[str, object]]] = policy["entries"]  # type: ignore[assignment]  # as made above
        return sorted({each for entry in entries.values() for each in entry["subjects"]} - {"nginx:owner"})

    async def events(self, stream: str) -> list[RecordedEvent]:
        return await self.store.read_stream(StreamName(stream))

    async def listed(self) -> list[Listed]:
        return await self.reader.list()

    @asynccontextmanager
    async def announcing(self, *, claim_seconds: float = 60.0) -> AsyncIterator[Announcer]:
        """An announcer of this process; any number may run.

        No test outlasts a claim or the wait for a confirm: then an announcement may be told twice, as is promised.
        """
        meters = Meters(Metrics())
        publisher = AnnouncementPublisher(new_link(self.url, "announcements"), confirm_seconds=60)
        announcer = Announcer(
            claims=Claims(self.pool, uuid.uuid4().hex, seconds=claim_seconds),
            reader=self.reader,
            recorder=Recorder(self.store, self.clock),
            publisher=publisher,
            commanding=self.commanding,
            clock=self.clock,
            rules=self.rules,
            meters=meters,
            waking=self.waking,
            pace=self.pace,
        )
        async with background(publisher.run()), background(announcer.run()) as working:
            yield announcer
            assert not working.done(), working.exception()

    @asynccontextmanager
    async def hearing(self, url: str) -> AsyncIterator[CommandConsumer]:
        """Takes commands and acknowledgements from the queue."""
        acknowledging = Acknowledging(
            reader=self.reader, recorder=Recorder(self.store, self.clock), meters=Meters(Metrics())
        )
        consumer = CommandConsumer(
            new_link(url, "commands"),
            commanding=self.commanding,
            mapper=DittoMapper(),
            identity=Identity(default_subjects=("amqp:backend",)),
            clock=real_clock,
            meters=new_meters(),
            acknowledging=acknowledging,
        )
        async with background(acknowledging.run()), running(consumer):
            yield consumer


@asynccontextmanager
async def stage(
    database_url: str,
    amqp_url: str,
    *,
    clock: Callable[[], datetime],
    rules: Rules | None = None,
    projecting: bool = True,
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await create_pool(database_url, size=8))
        store = await stack.enter_async_context(PostgresEventStore(pool))
        lease = SoleWriter(store)
        await stack.enter_async_context(background(lease.run()))
        limits = CommandingLimits(rules=Limits(granularity=FINE))
        commanding = Commanding(
            store=store, twins=TwinsReader(pool), sole_writer=lease, clock=clock, limits=limits, metrics=Metrics()
        )
        await stack.enter_async_context(commanding)
        found = Stage(url=amqp_url, pool=pool, store=store, commanding=commanding, clock=clock, rules=rules or Rules())
        if projecting:
            waking = found.waking
            deadlines = ProjectionRunner(
                pool,
                store,
                lambda: DeadlinesProjection(touched=waking.touched),
                on_applied=waking.committed,
                pace=0.005,
                page_size=100,
            )
            await stack.enter_async_context(background(deadlines.run()))
            await stack.enter_async_context(background(ProjectionRunner(pool, store, TwinsProjection).run()))
        yield found


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, within: float = DEADLINE) -> None:
    await eventually(condition, what, within=within)


async def told(queue: AbstractQueue) -> JsonObject:
    """The next announcement's envelope."""
    envelope: JsonObject = orjson.loads((await take(queue)).body)
    return envelope


def id_of(message: AbstractIncomingMessage) -> str:
    assert message.message_id == message.headers["announcement-id"]
    return str(message.message_id)
