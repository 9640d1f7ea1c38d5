"""The table of thing resources: what can be addressed in a thing, what may be done there, and how it fails.

A row is a kind of resource; ``*`` in its pattern stands for one key and ``**`` for one or more. The verbs of ``decide``
walk the table and know no resource by name. Source: Ditto documentation, page *protocol-specification-things*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from protocol import errors
from protocol.errors import NotFound, NotModifiable, ThingPolicyIdNotDeletable
from protocol.json import JsonValue
from protocol.pointers import Pointer, text
from protocol.signals import Command, Verb
from protocol.things import values
from protocol.things.values import Also, Check, Known

_ALL: frozenset[Verb] = frozenset({"retrieve", "modify", "merge", "delete"})


def _everything(value: JsonValue, also: Also = values.nothing) -> JsonValue:  # noqa: ARG001 - one signature for all rows
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row.

    ``check`` judges a new value, ``known`` strips what Ditto does not keep from it. ``selectable`` resources honour
    ``fields``. What is ``in_feature`` cannot be modified or deleted while the feature is missing. ``merge_tag`` is the
    kind of entity tag that a merge answers with.
    """

    pattern: str
    check: Check
    not_found: type[NotFound]
    not_modifiable: type[NotModifiable]
    known: Known = _everything
    verbs: frozenset[Verb] = _ALL
    not_deletable: type[ThingPolicyIdNotDeletable] | None = None
    selectable: bool = False
    in_feature: bool = False
    merge_tag: Literal["revision", "value"] = "value"


TABLE: tuple[Resource, ...] = (
    Resource(
        pattern="/",
        check=values.check_thing,
        known=values.only_thing,
        not_found=errors.ThingNotFound,
        not_modifiable=errors.ThingNotModifiable,
        verbs=_ALL | {"create"},
        selectable=True,
        merge_tag="revision",
    ),
    Resource(
        pattern="/policyId",
        check=values.check_policy_id,
        not_found=errors.ThingPolicyIdNotFound,
        not_modifiable=errors.ThingPolicyIdNotModifiable,
        verbs=_ALL - {"delete"},
        not_deletable=errors.ThingPolicyIdNotDeletable,
        merge_tag="revision",
    ),
    Resource(
        pattern="/definition",
        check=values.check_definition,
        not_found=errors.DefinitionNotFound,
        not_modifiable=errors.DefinitionNotModifiable,
        merge_tag="revision",
    ),
    Resource(
        pattern="/attributes",
        check=values.check_container,
        not_found=errors.AttributesNotFound,
        not_modifiable=errors.AttributesNotModifiable,
        selectable=True,
    ),
    Resource(
        pattern="/attributes/**",
        check=values.check_any,
        not_found=errors.AttributeNotFound,
        not_modifiable=errors.AttributeNotModifiable,
    ),
    Resource(
        pattern="/features",
        check=values.check_features,
        known=values.only_features,
        not_found=errors.FeaturesNotFound,
        not_modifiable=errors.FeaturesNotModifiable,
        selectable=True,
    ),
    Resource(
        pattern="/features/*",
        check=values.check_feature,
        known=values.only_feature,
        not_found=errors.FeatureNotFound,
        not_modifiable=errors.FeatureNotModifiable,
        selectable=True,
    ),
    Resource(
        pattern="/features/*/definition",
        check=values.check_feature_definition,
        not_found=errors.FeatureDefinitionNotFound,
        not_modifiable=errors.FeatureDefinitionNotModifiable,
        in_feature=True,
    ),
    Resource(
        pattern="/features/*/properties",
        check=values.check_container,
        not_found=errors.FeaturePropertiesNotFound,
        not_modifiable=errors.FeaturePropertiesNotModifiable,
        selectable=True,
        in_feature=True,
    ),
    Resource(
        pattern="/features/*/properties/**",
        check=values.check_any,
        not_found=errors.FeaturePropertyNotFound,
        not_modifiable=errors.FeaturePropertyNotModifiable,
        in_feature=True,
    ),
    Resource(
        pattern="/features/*/desiredProperties",
        check=values.check_container,
        not_found=errors.FeatureDesiredPropertiesNotFound,
        not_modifiable=errors.FeatureDesiredPropertiesNotModifiable,
        selectable=True,
        in_feature=True,
    ),
    Resource(
        pattern="/features/*/desiredProperties/**",
        check=values.check_any,
        not_found=errors.FeatureDesiredPropertyNotFound,
        not_modifiable=errors.FeatureDesiredPropertyNotModifiable,
        in_feature=True,
    ),
)
"""Every resource of a thing. There is no other."""


@dataclass(slots=True)
class _Node:
    """A step on the way through the patterns: the row that ends here and the ways on."""

    row: Resource | None = None
    below: Resource | None = None
    named: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None


def _compiled(table: tuple[Resource, ...]) -> _Node:
    root = _Node()
    for row in table:
        node = root
        for key in [key for key in row.pattern.split("/") if key]:
            if key == "**":
                node.below = row
                break
            if key == "*":
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(key, _Node())
        else:
            node.row = row
    return root


_ROOT = _compiled(TABLE)


def resource_at(path: Pointer) -> Resource:
    """The row for the path; raises ``UnknownPath`` for a path at which a thing has nothing."""
    node = _ROOT
    for key in path:
        if node.below is not None:
            return node.below
        following = node.named.get(key) or node.any
        if following is None:
            raise errors.UnknownPath(text(path))
        node = following
    if node.row is None:
        raise errors.UnknownPath(text(path))
    return node.row


def served(command: Command) -> Resource:
    """The row of a command's path; raises ``UnknownPath``, or the error for what can never be deleted."""
    resource = resource_at(command.path)
    if command.verb == "delete" and resource.not_deletable is not None:
        raise resource.not_deletable(command.entity_id)
    return resource
