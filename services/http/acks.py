"""Acknowledgements that a change was requested with: waiting for them, and the one answer made of several.

Rules: http-api.md section 3.4 (Ditto documentation, page *basic-acknowledgements*). Nobody but the twin itself can
acknowledge yet: a foreign label is waited for as long as the client said and then counts as missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.errors import AcknowledgementRequestTimeout
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.signals import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """How one label turned out."""

    status: int
    payload: JsonValue | Missing = MISSING
    headers: Headers = field(default_factory=dict)

    def to_json(self, *, full: bool) -> JsonObject:
        """Its entry in an aggregated body; only the status if the client wanted no response."""
        entry: JsonObject = {"status": self.status}
        if full and self.payload is not MISSING:
            entry["payload"] = self.payload
        if full:
            entry["headers"] = dict(self.headers)
        return entry


def persisted() -> Acknowledgement:
    """The entry of the search index once it shows the change."""
    return Acknowledgement(status=204)


async def wait_for_nobody(seconds: float, stopping: asyncio.Event) -> None:
    """Wait as long as the client would for an acknowledgement, or until the service goes down."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def missing(seconds: float) -> Acknowledgement:
    """The entry for a label that did not come in time."""
    error = AcknowledgementRequestTimeout(seconds)
    return Acknowledgement(status=error.status, payload=error.to_json())


def aggregate_status(acknowledgements: Mapping[str, Acknowledgement]) -> int:
    """That of the only one; of several 200 if all are positive, else 424."""
    statuses = [acknowledgement.status for acknowledgement in acknowledgements.values()]
    if len(statuses) == 1:
        return statuses[0]
    return 200 if all(200 <= status < 300 for status in statuses) else 424
