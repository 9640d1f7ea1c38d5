"""The things that benchmarks work on, and the requests and messages about them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import aiohttp
import orjson

from eventstore.events import Appended, Commit, NewEvent, StreamAppend, StreamName
from eventstore.store import EventStore
from tests.benchmarks.processes import PASSWORD, USER

NAMESPACE = "bench"
THINGS = 100
SUBJECT = f"nginx:{USER}"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PROPERTY = "features/motor/properties/rpm"
MESSAGE = (
    orjson.dumps(
        {
            "topic": f"{NAMESPACE}/thing-KEY/things/twin/commands/modify",
            "headers": {"response-required": False, "correlation-id": "c-NUMBER", "sent-at": "TIME"},
            "path": f"/{PROPERTY}",
            "value": {"rpm": "NUMBER", "note": "x" * 40},
        }
    )
    .decode()
    .replace('"TIME"', "{t}")
    .replace('"NUMBER"', "{n}")
    .replace("NUMBER", "{n}")
    .replace("KEY", "{k}")
)


def thing(number: int) -> dict[str, object]:
    """A thing of about 2 kB."""
    return {
        "attributes": {"number": number, "place": {"room": f"r{number % 50}", "floor": number % 7}, "text": "x" * 500},
        "features": {
            name: {"properties": {"rpm": 1.5, "state": "on", "history": list(range(40)), "text": "y" * 200}}
            for name in ("motor", "pump", "lamp")
        },
    }


def entries(*subjects: str) -> dict[str, object]:
    """Entries of a policy under which each of the subjects may do everything."""
    all_of_it = {"grant": ["READ", "WRITE"], "revoke": []}
    return {
        "owner": {
            "subjects": {subject: {"type": "bench"} for subject in subjects},
            "resources": dict.fromkeys(("thing:/", "policy:/", "message:/"), all_of_it),
        }
    }


def paths(suffix: str = "", count: int = THINGS) -> list[str]:
    """The request paths of the things."""
    return [f"/api/2/things/{NAMESPACE}:thing-{number}{suffix}" for number in range(count)]


async def create_things(port: int, *subjects: str, count: int = THINGS) -> bytes:
    """Create the things over HTTP, each with a policy for the subjects, and return one of them as it is answered."""
    async with aiohttp.ClientSession(headers={"Authorization": AUTHORIZATION}) as session:
        policy = {"_policy": {"entries": entries(SUBJECT, *subjects)}}
        for number, path in enumerate(paths(count=count)):
            async with session.put(f"http://127.0.0.1:{port}{path}", json=thing(number) | policy) as response:
                assert response.status in {201, 204}, await response.text()
        async with session.get(f"http://127.0.0.1:{port}{paths()[0]}") as response:
            return await response.read()


async def seed_log(store: EventStore, count: int, group: int = 250) -> None:
    """Put ``count`` created things with a policy each straight into the log, as fast as the store takes them."""
    for begin in range(0, count, group):
        commits = [_creation(number) for number in range(begin, min(begin + group, count))]
        outcome = await store.append(commits, recorded_at=datetime.now(UTC))
        assert isinstance(outcome, Appended)


def small_groups(count: int, size: int) -> Iterator[list[Commit]]:
    """Groups of one-event commits on streams of their own, as appends of changes look."""
    event = NewEvent(
        type="modified", path=f"/{PROPERTY}", value=b'{"rpm":1234,"note":"' + b"x" * 40 + b'"}', headers=b"{}"
    )
    for begin in range(0, count, size):
        yield [
            Commit(
                appends=(
                    StreamAppend(
                        stream=StreamName(f"thing:{NAMESPACE}:s-{number}"), expected_revision=0, events=(event,)
                    ),
                )
            )
            for number in range(begin, begin + size)
        ]


def _creation(number: int) -> Commit:
    thing_id = f"{NAMESPACE}:thing-{number}"
    created: dict[str, dict[str, object]] = {
        f"thing:{thing_id}": {"thingId": thing_id, "policyId": thing_id, **thing(number)},
        f"policy:{thing_id}": {"policyId": thing_id, "entries": entries(SUBJECT)},
    }
    return Commit(
        appends=tuple(
            StreamAppend(stream=StreamName(stream), expected_revision=0, events=(_created(value),))
            for stream, value in created.items()
        )
    )


def _created(value: dict[str, object]) -> NewEvent:
    return NewEvent(type="created", path="/", value=orjson.dumps(value), headers=b"{}")
