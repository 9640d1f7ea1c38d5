"""Devices that publish commands and insist: each message again, under its id, until the broker has confirmed it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import orjson
from aio_pika.abc import AbstractExchange

from services.amqp.topology import Topology
from tests.waiting import DEADLINE, eventually

CONTENT_TYPE = "application/vnd.eclipse.ditto+json"
MERGE_PATCH = "application/merge-patch+json"
BATCH = 32
"""Publications on their way at once: so many may be unconfirmed when the connection breaks."""

CONNECT_SECONDS, CONFIRM_SECONDS = 30.0, 60.0
NAMESPACE = "farm"
ANSWERS = "answers"
TROUBLE = (aio_pika.exceptions.AMQPError, OSError, RuntimeError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A command for a thing, with the id under which it may take effect once."""

    message_id: str
    thing: str
    action: str
    path: str
    value: object

    def message(self, *, answered: bool) -> aio_pika.Message:
        body = {
            "topic": f"{NAMESPACE}/{self.thing}/things/twin/commands/{self.action}",
            "headers": {"content-type": MERGE_PATCH} if self.action == "merge" else {},
            "path": self.path,
            "value": self.value,
        }
        return aio_pika.Message(
            orjson.dumps(body),
            content_type=CONTENT_TYPE,
            message_id=self.message_id,
            correlation_id=self.message_id,
            reply_to=ANSWERS if answered else None,
            delivery_mode=2,
        )


class Load:
    """Creates things and changes them for as long as it runs, in the order and mixture that chance dictates.

    At most ``window`` messages are ahead of what the log holds, so that a fault is followed by a backlog that can be
    worked off, not by one that grows with the time the fault lasts. If there are ``things`` already, only those are
    changed: with several consumers a change may overtake the creation before it. Everything in ``confirmed`` was
    accepted by the broker; nothing else is left when ``run`` has returned.
    """

    def __init__(
        self,
        url: str,
        chance: random.Random,
        *,
        landed: Callable[[], int],
        window: int = 1_500,
        things: tuple[str, ...] = (),
    ) -> None:
        self.confirmed: dict[str, Envelope] = {}
        self.reconnects = 0
        self._url = url
        self._chance = chance
        self._landed = landed
        self._window = window
        self._creates = not things
        self._things = list(things)
        self._numbers = 0
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping = True

    async def run(self) -> None:
        """Publish until stopped, over as many connections as it takes."""
        batch: list[Envelope] = []
        self._stopping = False
        while batch or not self._stopping:
            try:
                async with await aio_pika.connect(self._url, timeout=CONNECT_SECONDS) as connection:
                    channel = await connection.channel()
                    exchange = await channel.get_exchange(Topology().commands, ensure=False)
                    while batch or not self._stopping:
                        batch = batch or self._next()
                        batch = await self._publish(exchange, batch)
                        await self._room()
            except TROUBLE:
                self.reconnects += 1
                await asyncio.sleep(0.05)

    async def _publish(self, exchange: AbstractExchange, batch: list[Envelope]) -> list[Envelope]:
        """What was not confirmed of the batch; raises if that is all of it."""
        async with asyncio.timeout(DEADLINE):
            outcomes = await asyncio.gather(
                *(exchange.publish(each.message(answered=True), each.thing, timeout=CONFIRM_SECONDS) for each in batch),
                return_exceptions=True,
            )
        left = []
        for envelope, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                left.append(envelope)
            else:
                self.confirmed[envelope.message_id] = envelope
                if envelope.action == "create":
                    self._things.append(envelope.thing)
        if left and len(left) == len(batch):
            raise ConnectionError("nothing was confirmed")
        return left

    async def _room(self) -> None:
        async def there_is() -> bool:
            return self._stopping or len(self.confirmed) - self._landed() <= self._window

        await eventually(there_is, "the backlog is worked off", within=5 * DEADLINE)

    def _next(self) -> list[Envelope]:
        """Changes of things whose creation is confirmed, or one creation, alone: nothing may overtake it."""
        if self._creates and (len(self._things) < 4 or self._chance.random() < 0.02):
            return [self._creation()]
        return [self._change() for _ in range(BATCH)]

    def _creation(self) -> Envelope:
        name = f"pump-{len(self._things)}"
        features = {"f": {"properties": {"made": 0}}}
        return self._envelope(name, "create", "/", {"attributes": {"made": 0}, "features": features})

    def _change(self) -> Envelope:
        thing = self._chance.choice(self._things)
        key, number = f"k{self._chance.randrange(4)}", self._numbers
        match self._chance.randrange(4):
            case 0:
                return self._envelope(thing, "modify", f"/attributes/{key}", number)
            case 1:
                return self._envelope(thing, "modify", f"/features/f/properties/{key}", {"n": number})
            case 2:
                return self._envelope(thing, "merge", "/attributes", {key: {"m": number}})
            case _:
                return self._envelope(thing, "merge", "/", {"features": {"f": {"properties": {"last": number}}}})

    def _envelope(self, thing: str, action: str, path: str, value: object) -> Envelope:
        self._numbers += 1
        message_id = f"m-{self._numbers}"
        return Envelope(message_id=message_id, thing=thing, action=action, path=path, value=value)


@asynccontextmanager
async def loading(load: Load) -> AsyncIterator[Load]:
    """Let the devices publish during the block; when it is left, all they began is confirmed."""
    task = asyncio.ensure_future(load.run())
    try:
        yield load
        load.stop()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
