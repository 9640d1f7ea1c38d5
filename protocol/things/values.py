"""What may stand where in a thing: one check per kind of value, named in the table of resources.

A check returns nothing or raises the error that Ditto answers. JSON ``null`` is a value of its own kind that every
member except the two ids may have (Ditto's "null attributes", "null feature"). Source: Ditto documentation, pages
*basic-thing*, *basic-feature* and *basic-definition*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeAlias

from protocol.errors import (
    DefinitionIdentifierInvalid,
    FeatureDefinitionEmpty,
    JsonFormatInvalid,
)
from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import check_key

Check: TypeAlias = Callable[[JsonValue], None]
Also: TypeAlias = Callable[[str, JsonValue], bool]
"""Which members are kept beside the known ones."""


class Known(Protocol):
    """Strips from a value what Ditto does not keep."""

    def __call__(self, value: JsonValue, also: Also = ...) -> JsonValue: ...  # noqa: D102 - said by the class


THING_MEMBERS = ("thingId", "policyId", "definition", "attributes", "features")
FEATURE_MEMBERS = ("definition", "properties", "desiredProperties")

_DEFINITION = re.compile(r"[_a-zA-Z0-9.\-]+:[_a-zA-Z0-9.\-]+:[_a-zA-Z0-9.\-]+|https?://[^\s/?#]+\S*")


def check_thing(value: JsonValue) -> None:
    """A thing: an object whose known members are valid; unknown members are no concern of anyone."""
    thing = _object(value, "thing")
    thing_id, policy_id = thing.get("thingId"), thing.get("policyId")
    if thing_id is not None:
        ThingId.parse(_string(thing_id, "thingId"))
    if policy_id is not None:
        check_policy_id(policy_id)
    check_definition(thing.get("definition"))
    check_container(thing.get("attributes"))
    check_features(thing.get("features"))


def check_policy_id(value: JsonValue) -> None:
    """The id of a policy; whether there is such a policy is not asked (page *basic-thing*)."""
    PolicyId.parse(_string(value, "policyId"))


def check_definition(value: JsonValue) -> None:
    """A thing's definition: ``namespace:name:version``, an http(s) URL, or null."""
    if value is not None:
        _identifier(_string(value, "definition"))


def check_container(value: JsonValue) -> None:
    """Attributes, properties or desired properties: an object with valid keys, or null."""
    if value is not None:
        check_any(_object(value, "attributes or properties"))


def check_features(value: JsonValue) -> None:
    """All features: an object of feature ids and features, or null."""
    if value is not None:
        for feature_id, feature in _object(value, "features").items():
            check_key(feature_id)
            check_feature(feature)


def check_feature(value: JsonValue) -> None:
    """A feature: an object of definition, properties and desiredProperties, each optional, or null."""
    if value is not None:
        feature = _object(value, "feature")
        check_feature_definition(feature.get("definition"))
        check_container(feature.get("properties"))
        check_container(feature.get("desiredProperties"))


def check_feature_definition(value: JsonValue) -> None:
    """A feature's definition: a non-empty array of identifiers, or null."""
    if value is None:
        return
    if not isinstance(value, list):
        raise JsonFormatInvalid("the feature definition", "an array of definition identifiers")
    if not value:
        raise FeatureDefinitionEmpty()
    for identifier in value:
        _identifier(_string(identifier, "definition identifier"))


def check_any(value: JsonValue) -> None:
    """Any JSON value; the keys of its objects must be valid, as they become parts of pointers.

    Objects inside arrays cannot be pointed at, so their keys are free.
    """
    if isinstance(value, dict):
        for key, member in value.items():
            check_key(key)
            if isinstance(member, dict):
                check_any(member)


def depth(value: JsonValue) -> int:
    """How many objects and arrays are nested in the value; 0 for a scalar."""
    levels = 0
    level = [value] if isinstance(value, dict | list) else []
    while level:
        levels += 1
        level = [inner for outer in level for inner in _members(outer) if isinstance(inner, dict | list)]
    return levels


def nothing(_key: str, _member: JsonValue) -> bool:
    """No member is kept but those that Ditto knows."""
    return False


def only_thing(value: JsonValue, also: Also = nothing) -> JsonValue:
    """The thing without unknown members, at the root and in its features; the same object if there are none."""
    thing = _only(value, THING_MEMBERS, also)
    if isinstance(thing, dict) and "features" in thing:
        features = only_features(thing["features"], also)
        if features is not thing["features"]:
            return {**thing, "features": features}
    return thing


def only_features(value: JsonValue, also: Also = nothing) -> JsonValue:
    """The features without unknown members; the same object if there are none."""
    if not isinstance(value, dict):
        return value
    features = {feature_id: only_feature(feature, also) for feature_id, feature in value.items()}
    return value if all(features[feature_id] is value[feature_id] for feature_id in value) else features


def only_feature(value: JsonValue, also: Also = nothing) -> JsonValue:
    """The feature without unknown members; the same object if there are none."""
    return _only(value, FEATURE_MEMBERS, also)


def _only(value: JsonValue, known: tuple[str, ...], also: Also) -> JsonValue:
    if isinstance(value, dict) and any(key not in known for key in value):
        return {key: member for key, member in value.items() if key in known or also(key, member)}
    return value


def _members(value: JsonObject | list[JsonValue]) -> list[JsonValue]:
    return list(value.values()) if isinstance(value, dict) else value


def _object(value: JsonValue, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise JsonFormatInvalid(f"the {what}", "an object")
    return value


def _string(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise JsonFormatInvalid(f"the {what}", "a string")
    return value


def _identifier(text: str) -> None:
    if _DEFINITION.fullmatch(text) is None:
        raise DefinitionIdentifierInvalid(text)
