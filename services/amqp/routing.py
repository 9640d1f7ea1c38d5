"""Routing keys of events: ``things.<namespace>.<name>.<action>`` and ``policies.<namespace>.<name>.<action>``.

The dots of a namespace stay, the name is always exactly one word. So a backend binds

    things.farm.one.*.*         to all events of namespace ``farm.one`` and no other
    things.farm.#               to ``farm`` and every namespace below it
    things.farm.one.pump-7.*    to one thing
    things.#.deleted            to one action everywhere

A name is percent-encoded (UTF-8 stays) where it holds ``.``, ``*``, ``#``, ``%``, ``~`` or white space; an empty
namespace is ``_``. Should a key be longer than AMQP's 255 bytes, the name becomes ``~`` and the hex of its 16-byte
BLAKE2b hash, and if that does not suffice, so does the namespace.

Announcements about a subject have the key ``policies.<namespace>.<name>.<kind>.<subject>`` on their own exchange, the
subject as one word, encoded like a name. So a backend binds

    policies.farm.one.*.subjectDeletion.*     to all announcements of namespace ``farm.one``
    #.subjectDeletion.integration:app-1       to those about one subject, in whatever policy

If the key gets too long, the subject is hashed first, then the name, then the namespace.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

GROUPS = {"thing": "things", "policy": "policies"}
LONGEST = 255
LONGEST_ACTION = 16

_ESCAPED = re.compile(r"[.*#%~\s]")


@lru_cache(maxsize=16_384)
def routing_prefix(stream: str) -> str | None:
    """The routing key of a stream's events up to the action, with the dot; None if the stream is not published."""
    category, _, entity = stream.partition(":")
    group = GROUPS.get(category)
    if group is None:
        return None
    namespace, _, name = entity.partition(":")
    space, word = namespace or "_", _ESCAPED.sub(_percent, name)
    if _too_long(group, space, word):
        word = hashed(name)
    if _too_long(group, space, word):
        space = hashed(namespace)
    return f"{group}.{space}.{word}."


@lru_cache(maxsize=4_096)
def announcement_key(policy_id: str, kind: str, subject_id: str) -> str:
    """The routing key of an announcement about a subject of a policy."""
    namespace, _, name = policy_id.partition(":")
    space, word, subject = namespace or "_", _ESCAPED.sub(_percent, name), _ESCAPED.sub(_percent, subject_id)
    key = f"policies.{space}.{word}.{kind}.{subject}"
    if len(key.encode()) > LONGEST:
        subject = hashed(subject_id)
        key = f"policies.{space}.{word}.{kind}.{subject}"
    if len(key.encode()) > LONGEST:
        word = hashed(name)
        key = f"policies.{space}.{word}.{kind}.{subject}"
    return key if len(key.encode()) <= LONGEST else f"policies.{hashed(namespace)}.{word}.{kind}.{subject}"


def _too_long(group: str, space: str, word: str) -> bool:
    return len(f"{group}.{space}.{word}.".encode()) > LONGEST - LONGEST_ACTION


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def hashed(text: str) -> str:
    """A short stand-in for a name that is too long."""
    return "~" + blake2b(text.encode(), digest_size=16).hexdigest()
