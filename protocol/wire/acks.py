"""Acknowledgements as messages: one label in the topic, or several in the value.

    farm.one/p1/policies/acks/app:seen        status: that of the label
    farm.one/p1/things/twin/acks/app:seen     the form in which Ditto's Java takes those of announcements too
    farm.one/p1/policies/acks                 value: {"app:seen": {"status": 200}, ...}

Source: Ditto documentation page *protocol-specification-acks*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from protocol.acknowledgements import Outcome, aggregate_status
from protocol.errors import (
    AcknowledgementCorrelationIdMissing,
    AcknowledgementLabelForbidden,
    AcknowledgementLabelInvalid,
    JsonFieldMissing,
    JsonFormatInvalid,
)
from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING, JsonValue, Missing
from protocol.signals import Acknowledgement, Command, Headers
from protocol.wire.envelope import Envelope
from protocol.wire.headers import JSON_TYPE, for_response
from protocol.wire.topics import Topic

BUILT_IN: Final = frozenset({"twin-persisted", "search-persisted", "live-response"})
_LABEL: Final = re.compile(r"[a-zA-Z0-9-_:]{3,165}")


def read_acknowledgement(envelope: Envelope, headers: Headers) -> Acknowledgement:
    """The statuses by label that a message tells.

    400 without a correlation id, for a built-in label, for a label or status of the wrong form.
    """
    topic = envelope.topic
    correlation_id = headers.get("correlation-id")
    if not isinstance(correlation_id, str) or not correlation_id:
        raise AcknowledgementCorrelationIdMissing
    if topic.subject is None:
        statuses = _several(envelope)
    else:
        statuses = {_label(topic.subject): _status(envelope.status, "status")}
    kind = PolicyId if topic.group == "policies" else ThingId
    return Acknowledgement(
        entity_id=kind.parse(topic.entity_id), correlation_id=correlation_id, statuses=statuses, headers=headers
    )


def outcomes_envelope(command: Command, outcomes: Mapping[str, Outcome]) -> Envelope:
    """The message that answers a command with how its acknowledgements turned out: of one label, or of several."""
    label: str | None = None
    value: JsonValue | Missing
    if len(outcomes) == 1:
        ((label, only),) = outcomes.items()
        value = only.payload
    else:
        value = {name: each.to_json(full=True) for name, each in outcomes.items()}
    headers = for_response(command.headers, {})
    if value is not MISSING:
        headers["content-type"] = JSON_TYPE
    return Envelope(
        topic=Topic(command.entity_id.namespace, command.entity_id.name, "things", "twin", "acks", subject=label),
        path="/",
        headers=headers,
        value=value,
        status=aggregate_status(outcomes),
    )


def _several(envelope: Envelope) -> dict[str, int]:
    value = envelope.value
    if not isinstance(value, dict):
        raise JsonFormatInvalid("'value'", "an object of acknowledgements by label")
    return {
        _label(label): _status(each.get("status") if isinstance(each, dict) else None, f"value/{label}/status")
        for label, each in value.items()
    }


def _label(label: str) -> str:
    if label in BUILT_IN:
        raise AcknowledgementLabelForbidden(label)
    if _LABEL.fullmatch(label) is None:
        raise AcknowledgementLabelInvalid(label)
    return label


def _status(status: JsonValue, where: str) -> int:
    if status is None:
        raise JsonFieldMissing(where, "the acknowledgement")
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise JsonFormatInvalid(f"'{where}'", "an HTTP status")
    return status
