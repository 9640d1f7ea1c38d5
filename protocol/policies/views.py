"""How a policy is shown: values by path and field selector, and their entity tags."""

from __future__ import annotations

from protocol.json import JsonValue, Missing
from protocol.pointers import Pointer, resolve
from protocol.policies.state import PolicyState
from protocol.selectors import parse_fields
from protocol.wire.etags import revision_tag, value_tag
from protocol.wire.timestamps import iso


def view(state: PolicyState, path: Pointer, fields: str | None = None) -> JsonValue | Missing:
    """The value at the path; for the whole policy cut down to the selected fields.

    Of the members with an underscore only those that are selected appear.
    """
    value = resolve(state.document, path)
    if fields is None or path or not isinstance(value, dict):
        return value
    selector = parse_fields(fields)
    offered: dict[str, JsonValue] = {
        "_namespace": state.policy_id.namespace,
        "_revision": state.revision,
        "_created": iso(state.created),
        "_modified": iso(state.modified),
    }
    return selector.select({**value, **{name: fact for name, fact in offered.items() if selector.mentions(name)}})


def etag(state: PolicyState, path: Pointer) -> str | None:
    """The entity tag at the path: by revision for the whole policy, by value below it; none for nothing."""
    if not path:
        return revision_tag(state.revision)
    value = resolve(state.document, path)
    return None if isinstance(value, Missing) else value_tag(value)
