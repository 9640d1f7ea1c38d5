"""The announcement as a message. Source: Ditto documentation, page *protocol-specification-policies-announcement*."""

from __future__ import annotations

from protocol.announcements.records import correlation_id
from protocol.announcements.watch import Watch
from protocol.identifiers import PolicyId
from protocol.json import JsonObject
from protocol.wire.envelope import Envelope
from protocol.wire.headers import JSON_TYPE
from protocol.wire.timestamps import iso
from protocol.wire.topics import Topic

SUBJECT_DELETION = "subjectDeletion"
ANNOUNCEMENT_ID = "announcement-id"
"""The header that is the same in all attempts of an announcement, so that a consumer can drop a repeat."""


def announcement_envelope(policy_id: PolicyId, watch: Watch) -> Envelope:
    """The present attempt of the watch's announcement.

    ``subjectIds`` has one element; clients must accept several.
    """
    headers: JsonObject = {
        "correlation-id": correlation_id(watch.correlation or watch.watch_id, watch.attempt),
        "content-type": JSON_TYPE,
        ANNOUNCEMENT_ID: watch.announcement_id,
    }
    labels = watch.announcement.ack_labels
    if labels:
        headers["requested-acks"] = list(labels)
        headers["timeout"] = _duration(watch.timeout)
    value: JsonObject = {"subjectIds": [watch.subject_id]}
    if watch.delete_at is not None:
        value = {"deleteAt": iso(watch.delete_at), **value}
    topic = Topic(policy_id.namespace, policy_id.name, "policies", None, "announcements", subject=SUBJECT_DELETION)
    return Envelope(topic=topic, path="/", headers=headers, value=value)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
