"""The fleet that searches are measured on: small things of 17 values, and the questions about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import orjson

from eventstore.events import Appended, Commit, NewEvent, StreamAppend, StreamName
from eventstore.store import EventStore
from tests.benchmarks.fleet import SUBJECT, entries


class Policies(StrEnum):
    """Whether all things have the same policy, or each has one of its own."""

    SHARED = "shared"
    OWN = "own"


NAMESPACE: Final = "bench"
SHARED: Final = f"{NAMESPACE}:everybody"
PROPERTY: Final = "features/motor/properties/rpm"
MAKERS: Final = 20
TOGETHER: Final = 50
"""Things in one room, and in one of the ranges that are asked for."""
VARIANTS: Final = 200
"""Every question is asked about so many values, spread over the fleet, so that no single page stays the warmest."""
SEED_GROUP: Final = 500


def asset(number: int, size: int, policies: Policies) -> dict[str, object]:
    """A thing of 17 values, about 600 bytes."""
    return {
        "thingId": thing_id(number),
        "policyId": thing_id(number) if policies is Policies.OWN else SHARED,
        "attributes": {
            "serial": f"S-{number:07}",
            "room": f"r-{number % (size // TOGETHER)}",
            "maker": f"m-{number % MAKERS}",
            "floor": number % 7,
            "installed": _shuffled(number, size),
            "place": {"lat": number % 180 - 90, "lon": number % 360 - 180},
            "note": "x" * 80,
        },
        "features": {
            name: {"properties": {"rpm": _shuffled(number + at, size), "state": "on", "heat": number % 90 + 0.5}}
            for at, name in enumerate(("motor", "pump", "lamp"))
        },
    }


def thing_id(number: int) -> str:
    """The id of one of the things."""
    return f"{NAMESPACE}:asset-{number}"


def _shuffled(number: int, size: int) -> int:
    """Another order of the numbers below ``size`` (a prime step visits each once, as sizes are powers of ten)."""
    return number * 7_919 % size


async def seed(store: EventStore, size: int, policies: Policies, *subjects: str) -> None:
    """Put the fleet into the log in big groups; ``subjects`` (default: who asks over HTTP) may do everything."""
    group: list[Commit] = []
    for commit in _commits(size, policies, subjects or (SUBJECT,)):
        group.append(commit)
        if len(group) == SEED_GROUP:
            await _append(store, group)
            group = []
    if group:
        await _append(store, group)


async def _append(store: EventStore, group: list[Commit]) -> None:
    assert isinstance(await store.append(group, recorded_at=datetime.now(UTC)), Appended)


def _commits(size: int, policies: Policies, subjects: tuple[str, ...]) -> Iterator[Commit]:
    if policies is Policies.SHARED:
        yield Commit(appends=(_policy(SHARED, subjects),))
    for number in range(size):
        thing = _creation(f"thing:{thing_id(number)}", asset(number, size, policies))
        yield Commit(appends=(thing, _policy(thing_id(number), subjects)) if policies is Policies.OWN else (thing,))


def _policy(policy_id: str, subjects: tuple[str, ...]) -> StreamAppend:
    return _creation(f"policy:{policy_id}", {"policyId": policy_id, "entries": entries(*subjects)})


def _creation(stream: str, value: dict[str, object]) -> StreamAppend:
    event = NewEvent(type="created", path="/", value=orjson.dumps(value), headers=b"{}")
    return StreamAppend(stream=StreamName(stream), expected_revision=0, events=(event,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something to ask; ``text`` gives filter and option for one of its variants in a fleet of some size."""

    name: str
    text: Callable[[int, int], tuple[str, str]]
    counts: bool = False

    def variants(self, size: int) -> Iterator[tuple[str, str]]:
        """Filter and option of each variant."""
        for variant in range(VARIANTS):
            yield self.text(variant * (size // VARIANTS), size)

    def paths(self, size: int, *, fields: str = "") -> list[str]:
        """The request of each variant."""
        resource = "/api/2/search/things" + ("/count" if self.counts else "")
        return [
            resource
            + f"?filter={quote(asked)}"
            + (f"&option={quote(option)}" if option else "")
            + (f"&fields={fields}" if fields and not self.counts else "")
            for asked, option in self.variants(size)
        ]


def _between(path: str, low: int) -> str:
    return f"and(ge({path},{low}),lt({path},{low + TOGETHER}))"


BY_ID: Final = Question(name="`eq(thingId)`", text=lambda n, _: (f'eq(thingId,"{thing_id(n)}")', ""))
PAGE: Final = Question(
    name="equal, 50 hits", text=lambda n, size: (f'eq(attributes/room,"r-{n % (size // TOGETHER)}")', "")
)
QUESTIONS: Final = (
    BY_ID,
    Question(name="equal, 1 hit", text=lambda n, _: (f'eq(attributes/serial,"S-{n:07}")', "")),
    PAGE,
    Question(name="range of 50 hits", text=lambda n, _: (_between("attributes/installed", n), "")),
    Question(name="prefix of 10 hits", text=lambda n, _: (f'like(attributes/serial,"S-{n // 10:06}*")', "")),
    Question(name="`features/*` equal, 3 hits", text=lambda n, _: (f"eq(features/*/properties/rpm,{n})", "")),
    Question(name="`features/*` range", text=lambda n, _: (_between("features/*/properties/rpm", n), "")),
    Question(
        name="sort by a value, page of 50",
        text=lambda n, _: (f"ge(attributes/installed,{n // 2})", "sort(+attributes/installed),size(50)"),
    ),
    Question(
        name="1 in 20, sorted by a value, page of 50",
        text=lambda n, _: (f'eq(attributes/maker,"m-{n % MAKERS}")', "sort(-attributes/installed),size(50)"),
    ),
    Question(
        name="1 in 20, newest first, page of 50",
        text=lambda n, _: (f'eq(attributes/maker,"m-{n % MAKERS}")', "sort(-_modified),size(50)"),
    ),
    Question(
        name="count of 50",
        text=lambda n, size: (f'eq(attributes/room,"r-{n % (size // TOGETHER)}")', ""),
        counts=True,
    ),
    Question(name="count of 1 in 20", text=lambda n, _: (f'eq(attributes/maker,"m-{n % MAKERS}")', ""), counts=True),
    Question(name="count of all", text=lambda *_: ("exists(attributes/serial)", ""), counts=True),
)
