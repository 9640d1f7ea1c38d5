"""How the acknowledgements of a command turned out, and the one answer that is made of several.

Source: Ditto documentation page *basic-acknowledgements*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.errors import AcknowledgementRequestTimeout, DittoError
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.signals import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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


def persisted() -> Outcome:
    """That of the search index once it shows the change."""
    return Outcome(status=204)


def missing(seconds: float) -> Outcome:
    """That of a label that did not come in time."""
    return refused(AcknowledgementRequestTimeout(seconds))


def refused(error: DittoError) -> Outcome:
    """That of a label which will not come."""
    return Outcome(status=error.status, payload=error.to_json())


def aggregate_status(outcomes: Mapping[str, Outcome]) -> int:
    """That of the only one; of several 200 if all are positive, else 424."""
    statuses = [outcome.status for outcome in outcomes.values()]
    if len(statuses) == 1:
        return statuses[0]
    return 200 if all(200 <= status < 300 for status in statuses) else 424
