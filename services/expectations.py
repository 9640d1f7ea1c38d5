"""What a client waits for: a response or none, which acknowledgements, and for how long.

Source: Ditto documentation, pages *basic-acknowledgements* and *httpapi-concepts*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final

from protocol.durations import parse_duration
from protocol.errors import (
    AcknowledgementLabelInvalid,
    AcknowledgementRequestParsingFailed,
    CommandHeadersInvalid,
    GatewayTimeoutInvalid,
    HeaderInvalid,
)
from protocol.json import JsonValue

TWIN_PERSISTED: Final = "twin-persisted"
SEARCH_PERSISTED: Final = "search-persisted"
_LIVE_RESPONSE: Final = "live-response"
_LABEL: Final = re.compile(r"[a-zA-Z0-9\-_:]{3,165}")
_MAX_SECONDS: Final = 60
_NAMES: Final = frozenset({"response-required", "timeout", "requested-acks"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """``labels`` are the acknowledgements waited for, in the order given; ``seconds`` None means the default time."""

    response_required: bool = True
    seconds: float | None = None
    labels: tuple[str, ...] = (TWIN_PERSISTED,)

    @property
    def foreign_labels(self) -> tuple[str, ...]:
        """Labels that somebody else than the twin itself has to acknowledge."""
        return tuple(label for label in self.labels if label != TWIN_PERSISTED)

    def labels_served_by(self, served: Set[str]) -> bool:
        """Whether each of the labels is one of those."""
        return served >= set(self.labels)


_USUAL: Final = Expectation()
_WITHOUT_ACKS: Final = Expectation(labels=())


def of_change(headers: Mapping[str, JsonValue]) -> Expectation:
    """What is expected of a command that changes something."""
    if _NAMES.isdisjoint(headers):
        return _USUAL
    seconds = _seconds(headers)
    required = bool(headers.get("response-required", seconds != 0))
    if "requested-acks" in headers:
        labels = tuple(label for label in _labels(headers["requested-acks"]) if label != _LIVE_RESPONSE)
    else:
        labels = (TWIN_PERSISTED,) if required and seconds != 0 else ()
    if seconds == 0 and (required or labels):
        raise HeaderInvalid("timeout", "more than 0 where a response or acknowledgements are awaited", "0")
    return Expectation(response_required=required, seconds=seconds, labels=labels)


def of_policy_change(headers: Mapping[str, JsonValue]) -> Expectation:
    """What is expected of a command that changes a policy: nobody but the twin's own side ever acknowledges it.

    So ``requested-acks`` only has to be well-formed. ``timeout=0`` is refused in any case, as Ditto does.
    """
    if _NAMES.isdisjoint(headers):
        return _WITHOUT_ACKS
    seconds = _seconds(headers)
    if seconds == 0:
        raise HeaderInvalid("timeout", "more than 0 for a command to a policy", "0")
    if "requested-acks" in headers:
        _labels(headers["requested-acks"])
    return Expectation(response_required=bool(headers.get("response-required", True)), seconds=seconds, labels=())


def of_query(headers: Mapping[str, JsonValue]) -> Expectation:
    """What is expected of a query: always a response."""
    if _NAMES.isdisjoint(headers):
        return _USUAL
    seconds = _seconds(headers)
    if headers.get("response-required", True) is False:
        raise CommandHeadersInvalid("response-required", "a query without a response asks nothing")
    if seconds == 0:
        raise HeaderInvalid("timeout", "more than 0 where a response is awaited", "0")
    return Expectation(seconds=seconds)


def _seconds(headers: Mapping[str, JsonValue]) -> float | None:
    text = headers.get("timeout")
    if text is None:
        return None
    seconds = parse_duration(str(text)).total_seconds()
    if seconds > _MAX_SECONDS:
        raise GatewayTimeoutInvalid(str(text), _MAX_SECONDS)
    return seconds


def _labels(requests: JsonValue) -> tuple[str, ...]:
    if not isinstance(requests, list):
        raise HeaderInvalid("requested-acks", "a JSON array of labels or a list of labels with commas")
    for request in requests:
        if not isinstance(request, str):
            raise AcknowledgementRequestParsingFailed(str(request))
        if not _LABEL.fullmatch(request):
            raise AcknowledgementLabelInvalid(request)
    return tuple(dict.fromkeys(str(request) for request in requests))
