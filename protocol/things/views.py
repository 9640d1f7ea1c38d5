"""How a thing is shown: values by path and field selector, and their entity tags.

Source: Ditto documentation, pages *httpapi-concepts* (fields, entity tags) and *basic-thing*.
"""

from __future__ import annotations

from protocol.errors import DittoError, FeatureNotFound
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer, resolve, text
from protocol.selectors import FieldSelector, parse_fields
from protocol.things.resources import resource_at
from protocol.things.state import ThingState
from protocol.wire.etags import revision_tag, value_tag
from protocol.wire.timestamps import iso


def view(
    state: ThingState, path: Pointer, fields: str | None = None, policy: JsonObject | None = None
) -> JsonValue | Missing:
    """The value at the path, cut down to the selected fields; missing when the thing has nothing there.

    Of the members with an underscore only those that are selected appear, ``_policy`` only if a policy is handed in.
    Resources that cannot be selected from ignore ``fields``.
    """
    value = resolve(state.document, path)
    if fields is None or not isinstance(value, dict) or not resource_at(path).selectable:
        return value
    selector = parse_fields(fields)
    return selector.select(value if path else _with_underscores(state, selector, policy))


def whole(state: ThingState) -> JsonObject:
    """Everything that is known of the thing itself: its document with all members that begin with an underscore."""
    return {**state.document, **_own_facts(state), "_metadata": state.metadata}


def etag(state: ThingState, path: Pointer) -> str | None:
    """The entity tag at the path: by revision for the whole thing, by value below it; none for nothing."""
    if not path:
        return revision_tag(state.revision)
    value = resolve(state.document, path)
    return None if isinstance(value, Missing) else value_tag(value)


def not_found_error(state: ThingState, path: Pointer) -> DittoError:
    """The 404 for a path at which the thing has nothing: of the feature if that is missing, else of the resource."""
    resource = resource_at(path)
    if resource.in_feature and resolve(state.document, path[:2]) is MISSING:
        return FeatureNotFound(state.thing_id, text(path[:2]))
    return resource.not_found(state.thing_id, text(path))


def _with_underscores(state: ThingState, selector: FieldSelector, policy: JsonObject | None) -> JsonObject:
    offered: dict[str, JsonValue | Missing] = {
        **_own_facts(state),
        "_metadata": state.metadata or MISSING,
        "_policy": MISSING if policy is None else policy,
    }
    chosen = {
        name: value for name, value in offered.items() if not isinstance(value, Missing) and selector.mentions(name)
    }
    return {**state.document, **chosen}


def _own_facts(state: ThingState) -> dict[str, str | int]:
    return {
        "_namespace": state.thing_id.namespace,
        "_revision": state.revision,
        "_created": iso(state.created),
        "_modified": iso(state.modified),
    }
