"""The documentation's example, with seconds instead of hours: two applications may read a twin for a limited time.

Both are told over RabbitMQ before it ends. One extends it with its own token and goes on; the other does nothing, is
removed from the policy by the service, and hears 401 from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import orjson
from rich.console import Console
from rich.text import Text

from services.amqp.channels import Delivery
from services.demo.issuer import PREFIX, Issuer
from services.demo.listening import listening
from services.demo.service import DemoFailedError

ENTITY: Final = "org.twinlog.visitors:lighthouse"
THING: Final = f"/api/2/things/{ENTITY}"
POLICY: Final = f"/api/2/policies/{ENTITY}"
STAYS: Final = "surveyor"
LEAVES: Final = "tourist"
SECONDS: Final = 12
NOTICE_SECONDS: Final = 10
EXTENSION: Final = timedelta(hours=1)
PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.1
UNAUTHORIZED: Final = 401


@dataclass(slots=True)
class Heard:
    """Announcements by subject: the value of the first of each that tells of ``expiry``."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, delivery: Delivery) -> None:
        """Take one announcement."""
        value = orjson.loads(delivery.body)["value"]
        for subject in value["subjectIds"]:
            self.values[subject] = value
        self.moved.set()

    async def of(self, subject: str, expiry: datetime) -> None:
        """Return when the subject was told of this expiry. Raises ``TimeoutError``."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (
                datetime.fromisoformat(self.values.get(subject, {}).get("deleteAt", "1970-01-01T00:00:00Z")) != expiry
            ):
                self.moved.clear()
                await self.moved.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The story as it goes: who asks whom, and where it is told."""

    session: aiohttp.ClientSession
    issuer: Issuer
    tell: Callable[[str], None]

    async def ask(self, who: str | None, method: str, path: str, value: object = None) -> tuple[int, Any]:
        """Status and body of a request, by an application with its token, or by the owner (``None``)."""
        headers = {} if who is None else {"Authorization": f"Bearer {self.issuer.token(who)}"}
        async with self.session.request(method, path, headers=headers, json=value) as response:
            return response.status, orjson.loads(await response.read() or b"null")


async def visit(session: aiohttp.ClientSession, amqp_url: str, exchange: str, issuer: Issuer, out: Console) -> bool:
    """Tell the story; whether it came out as it should. Raises ``DemoFailedError``."""
    began = time.monotonic()

    def tell(text: str) -> None:
        out.print(Text.assemble((f"{time.monotonic() - began:5.1f} s", "dim"), f"  {text}"))

    out.rule("Access that ends")
    out.print(
        "Two applications may read a twin for some seconds. Both are told before it ends, and one of them extends it."
    )
    story = Visit(session=session, issuer=issuer, tell=tell)
    if (await story.ask(STAYS, "GET", "/api/2/whoami"))[0] == UNAUTHORIZED:
        tell("left out: this service was not started by the demonstration and does not know its issuer of tokens")
        return True
    heard = Heard()
    bindings = (f"#.subjectDeletion.{PREFIX}:{each}" for each in (STAYS, LEAVES))
    async with listening(amqp_url, exchange, *bindings, hear=heard.hear):
        try:
            return await _told(story, heard)
        except TimeoutError as late:
            raise DemoFailedError("An announcement or the end of an access did not come in time.") from late


async def _told(story: Visit, heard: Heard) -> bool:
    expiry = (datetime.now(UTC) + timedelta(seconds=SECONDS)).replace(microsecond=0)
    await _prepare(story, expiry)
    stored = datetime.fromisoformat((await story.ask(None, "GET", f"{_subject(LEAVES)}"))[1]["expiry"])
    if stored - expiry > timedelta(seconds=SECONDS):
        story.tell(f"left out: this service ends access at {stored:%H:%M:%S}, which is too long to wait for")
        return True
    clock = f"{expiry:%H:%M:%S}"
    statuses = [(await story.ask(each, "GET", THING))[0] for each in (STAYS, LEAVES)]
    story.tell(f"{STAYS} and {LEAVES} may read {ENTITY} until {clock} UTC: {statuses[0]}, {statuses[1]}")
    for each in (STAYS, LEAVES):
        await heard.of(f"{PREFIX}:{each}", expiry)
        story.tell(f"announced over RabbitMQ: the access of {each} ends at {clock}")
    extended = (await story.ask(STAYS, "PUT", _subject(STAYS), _temporary(expiry + EXTENSION)))[0]
    story.tell(f"{STAYS} extends its access by an hour, in time: {extended}")
    story.tell(f"{LEAVES} does nothing")
    refusal = await _end_of_access(story)
    story.tell(f"{LEAVES} reads again: {UNAUTHORIZED}, {refusal['message']}")
    left = (await story.ask(STAYS, "GET", THING))[0]
    story.tell(f"{STAYS} reads again: {left}")
    stranger = (await story.ask("stranger", "GET", THING))[0]
    story.tell(f"somebody who never had access: {stranger}, as if there were nothing")
    return (statuses, extended, left, stranger) == ([200, 200], 204, 200, 404) and datetime.now(UTC) >= expiry


async def _prepare(story: Visit, expiry: datetime) -> None:
    """The twin and its policy, made anew: whoever was removed in an earlier run is in it again."""
    owner = (await story.ask(None, "GET", "/api/2/whoami"))[1]["defaultSubject"]
    everything = {"grant": ["READ", "WRITE"], "revoke": []}
    entries: dict[str, object] = {
        "owner": {
            "subjects": {owner: {"type": "person"}},
            "resources": dict.fromkeys(("thing:/", "policy:/"), everything),
        }
    }
    for each in (STAYS, LEAVES):
        own = f"policy:/entries/{each}/subjects/{PREFIX}:{each}"
        resources = {"thing:/": {"grant": ["READ"], "revoke": []}, own: everything}
        entries[each] = {"subjects": {f"{PREFIX}:{each}": _temporary(expiry)}, "resources": resources}
    await _expect(story, POLICY, {"entries": entries})
    await _expect(story, THING, {"policyId": ENTITY, "attributes": {"lamp": "on"}})


async def _expect(story: Visit, path: str, value: Mapping[str, object]) -> None:
    status, body = await story.ask(None, "PUT", path, value)
    if status not in {201, 204}:
        raise DemoFailedError(f"PUT of {path} was answered {status}: {body}")


async def _end_of_access(story: Visit) -> dict[str, Any]:
    """What the application that did nothing hears in the end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, body = await story.ask(LEAVES, "GET", THING)
            if status == UNAUTHORIZED and isinstance(body, dict):
                return body
            await asyncio.sleep(LOOK_SECONDS)


def _temporary(expiry: datetime) -> dict[str, object]:
    announcement = {"beforeExpiry": f"{NOTICE_SECONDS}s", "randomizationInterval": "0s"}
    return {"type": "application", "expiry": expiry.isoformat(), "announcement": announcement}


def _subject(application: str) -> str:
    return f"{POLICY}/entries/{application}/subjects/{PREFIX}:{application}"
