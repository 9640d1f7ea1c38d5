"""Sending a part of the log again as Ditto envelopes to an AMQP exchange, confirmed and resumable."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from pathlib import Path
from typing import Final

import orjson

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from protocol.wire.envelope import CONTENT_TYPE
from services.amqp.envelopes import envelope_of
from services.amqp.frames import persistent_properties, short_string, table
from services.amqp.publisher import message_id
from services.amqp.routing import routing_prefix
from services.amqp.sending import Sender, open_sender
from services.cli.connection import Log, amqp_url
from services.cli.replay import after_position, pages_with_progress
from services.endpoints import write_private

_TYPE: Final = short_string(CONTENT_TYPE)


async def to_exchange(log: Log, chosen: Selection, exchange: str, *, said: object, resume: bool) -> None:
    """Publish the selected events to an exchange that exists, in order, each confirmed before it counts as sent.

    How far it came is kept in the data folder under ``said``, the selection in the operator's words. So a replay that
    was killed leaves no gap when it is resumed: at most what was sent and not yet noted is sent twice, under the same
    message id.
    """
    url, home = amqp_url()
    note = _note(home, exchange, said)
    chosen = after_position(chosen, _noted(note) if resume else 0)
    async with (
        open_sender(url, exchange, after=chosen.after_position) as sender,
        aclosing(pages_with_progress(log, chosen)) as pages,
    ):
        async for page in pages:
            for event in page:
                await _send(sender, event)
            write_private(note, orjson.dumps({"position": sender.confirmed}))
        await sender.settle()
    note.unlink(missing_ok=True)


async def _send(sender: Sender, event: RecordedEvent) -> None:
    prefix = routing_prefix(event.stream)
    if prefix is None:
        return
    properties = persistent_properties(
        content_type=_TYPE,
        headers=table(
            (
                ("stream", event.stream),
                ("revision", event.revision),
                ("position", event.position),
                ("x-twinlog-replay", 1),
            )
        ),
        message_id=message_id(event),
        timestamp=int(event.recorded_at.timestamp()),
        message_type=event.type,
    )
    await sender.send(event.position, prefix + event.type, properties, envelope_of(event))


def _note(home: Path, exchange: str, said: object) -> Path:
    name = hashlib.blake2b(repr((exchange, said)).encode(), digest_size=12).hexdigest()
    return home / "replays" / name


def _noted(note: Path) -> int:
    try:
        return int(orjson.loads(note.read_bytes())["position"])
    except FileNotFoundError:
        return 0
