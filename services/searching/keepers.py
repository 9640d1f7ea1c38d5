"""Where subscriptions are kept: in memory for a session that one process has, in a table for those that all share."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final, Protocol

from eventstore.errors import translate_errors
from projections.statements import Pool, statement
from protocol.json import JsonValue, dump, parse
from protocol.wire.timestamps import iso
from protocol.wire.timestamps import parse as parse_time
from services.searching.subscription import Act, Route, Step, Subscription

_DEPTH: Final = 1_000
_AT_ONCE: Final = 100


class Keeper(Protocol):
    """Keeps subscriptions; each step is taken on the present state of one, and no two at the same time."""

    async def add(self, subscription: Subscription, *, most: int) -> bool:
        """Keep a new one, unless its subjects have ``most`` already that go on."""
        ...

    async def change(self, subscription_id: str, step: Step) -> tuple[Subscription | None, Act]:
        """Take a step; what became of the subscription."""
        ...

    async def due(self, now: datetime) -> list[str]:
        """The ids of some that have to be looked at."""
        ...


class InMemoryKeeper:
    """For one process and one client, such as a WebSocket session, which end together."""

    def __init__(self) -> None:
        self._kept: dict[str, Subscription] = {}

    async def add(self, subscription: Subscription, *, most: int) -> bool:
        """See ``Keeper``."""
        mine = [each for each in self._kept.values() if each.subjects == subscription.subjects and not each.ended]
        if len(mine) >= most:
            return False
        self._kept[subscription.id] = subscription
        return True

    async def change(self, subscription_id: str, step: Step) -> tuple[Subscription | None, Act]:
        """See ``Keeper``."""
        after, act = step(self._kept.get(subscription_id))
        if after is None:
            self._kept.pop(subscription_id, None)
        else:
            self._kept[subscription_id] = after
        return after, act

    async def due(self, now: datetime) -> list[str]:
        """See ``Keeper``."""
        return [name for name, each in self._kept.items() if each.due <= now]


class SharedKeeper:
    """In a table, so that any process can serve a request, whichever took the subscription, and go on after a crash.

    Raises ``StoreUnavailable``.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, subscription: Subscription, *, most: int) -> bool:
        """See ``Keeper``; two at the same moment may both find room."""
        with translate_errors():
            added = await self._pool.fetchval(
                statement("add_search_subscription"), *_row(subscription), _caller(subscription), most
            )
        return added is not None

    async def change(self, subscription_id: str, step: Step) -> tuple[Subscription | None, Act]:
        """See ``Keeper``; a row lock keeps others away, for the moment of the step only."""
        with translate_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                written = await connection.fetchval(statement("lock_search_subscription"), subscription_id)
                before = None if written is None else _read(written)
                after, act = step(before)
                if before is not None and after is None:
                    await connection.execute(statement("delete_search_subscription"), subscription_id)
                elif before is not None and after is not None and after is not before:
                    await connection.execute(statement("update_search_subscription"), *_row(after))
                return (after if before is not None else None), act

    async def due(self, now: datetime) -> list[str]:
        """See ``Keeper``."""
        with translate_errors():
            rows = await self._pool.fetch(statement("read_due_search_subscriptions"), now, _AT_ONCE)
        return [row[0] for row in rows]


def _caller(subscription: Subscription) -> str:
    return hashlib.blake2b(dump(list(subscription.subjects)), digest_size=16).hexdigest()


def _row(subscription: Subscription) -> tuple[str, bool, datetime, bytes]:
    return subscription.id, not subscription.ended, subscription.due, _written(subscription)


def _written(subscription: Subscription) -> bytes:
    namespaces: JsonValue = None if subscription.namespaces is None else list(subscription.namespaces)
    return dump(
        {
            "id": subscription.id,
            "subjects": list(subscription.subjects),
            "address": subscription.route.address,
            "tag": subscription.route.tag,
            "due": iso(subscription.due),
            "filter": subscription.filter,
            "option": subscription.option,
            "namespaces": namespaces,
            "fields": subscription.fields,
            "headers": dict(subscription.headers),
            "demand": subscription.demand,
            "place": subscription.place,
            "worker": subscription.worker,
            "failure": subscription.failure,
            "tries": subscription.tries,
            "troubled": None if subscription.troubled is None else iso(subscription.troubled),
            "ended": subscription.ended,
        }
    )


def _read(written: bytes) -> Subscription:
    row = parse(written, max_depth=_DEPTH)
    if not isinstance(row, dict):
        raise TypeError(f"no subscription: {written[:200]!r}")
    subjects, headers, demand, failure = row["subjects"], row["headers"], row["demand"], row["failure"]
    tries, troubled = row.get("tries"), _text(row.get("troubled"))
    return Subscription(
        id=str(row["id"]),
        subjects=_texts(subjects) or (),
        route=Route(address=str(row["address"]), tag=_text(row["tag"])),
        due=_moment(str(row["due"])),
        filter=_text(row["filter"]),
        option=str(row["option"]),
        namespaces=_texts(row["namespaces"]),
        fields=_text(row["fields"]),
        headers=headers if isinstance(headers, dict) else {},
        demand=demand if isinstance(demand, int) else 0,
        place=_text(row["place"]),
        worker=_text(row["worker"]),
        failure=failure if isinstance(failure, dict) else None,
        tries=tries if isinstance(tries, int) else 0,
        troubled=None if troubled is None else _moment(troubled),
        ended=row["ended"] is True,
    )


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: JsonValue) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) else None


def _moment(text: str) -> datetime:
    found = parse_time(text)
    if found is None:
        raise ValueError(f"no moment: {text}")
    return found
