"""The table of policy resources: what can be addressed in a policy, what may be done there, and how it fails.

A row is a kind of resource; ``*`` in its pattern stands for one key. Source: Ditto documentation, page
*protocol-specification-policies*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from protocol import errors
from protocol.errors import DittoError, UnknownCommand, UnknownPath
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import Pointer, text
from protocol.policies import values
from protocol.policies.values import Reader
from protocol.signals import Verb

Fault: TypeAlias = Callable[[str, str], DittoError]
"""The error that a resource answers with, made of the policy id and the path's text."""

_CHANGED: frozenset[Verb] = frozenset({"retrieve", "modify"})
_REMOVED: frozenset[Verb] = _CHANGED | {"delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row.

    ``always_there`` resources are answered 204 and ``modified`` also when nothing was stored before. ``default`` is
    what a part reads as when nothing is stored, and to delete it then changes nothing. ``taggable`` is whether a change
    is answered with an entity tag (page *httpapi-concepts*). ``of_entry`` chooses between the two errors for a policy
    left without an owner.
    """

    pattern: str
    read: Reader
    not_found: Fault
    not_modifiable: Fault
    verbs: frozenset[Verb] = _REMOVED
    always_there: bool = False
    default: JsonValue | Missing = MISSING
    taggable: bool = True
    of_entry: bool = True


TABLE: tuple[Resource, ...] = (
    Resource(
        pattern="/",
        read=values.read_policy,
        not_found=errors.PolicyNotFound,
        not_modifiable=errors.PolicyNotModifiable,
        verbs=_REMOVED | {"create"},
        of_entry=False,
    ),
    Resource(
        pattern="/entries",
        read=values.read_entries,
        not_found=errors.PolicyNotFound,
        not_modifiable=errors.PolicyNotModifiable,
        verbs=_CHANGED,
        always_there=True,
        of_entry=False,
    ),
    Resource(
        pattern="/entries/*",
        read=values.read_entry,
        not_found=errors.PolicyEntryNotFound,
        not_modifiable=errors.PolicyEntryNotModifiable,
    ),
    Resource(
        pattern="/entries/*/subjects",
        read=values.read_subjects,
        not_found=errors.PolicySubjectsNotFound,
        not_modifiable=errors.PolicySubjectsNotModifiable,
        verbs=_CHANGED,
        always_there=True,
    ),
    Resource(
        pattern="/entries/*/subjects/*",
        read=values.read_subject,
        not_found=errors.PolicySubjectNotFound,
        not_modifiable=errors.PolicySubjectNotModifiable,
    ),
    Resource(
        pattern="/entries/*/resources",
        read=values.read_resources,
        not_found=errors.PolicyResourcesNotFound,
        not_modifiable=errors.PolicyResourcesNotModifiable,
        verbs=_CHANGED,
        always_there=True,
    ),
    Resource(
        pattern="/entries/*/resources/*",
        read=values.read_resource,
        not_found=errors.PolicyResourceNotFound,
        not_modifiable=errors.PolicyResourceNotModifiable,
    ),
    Resource(
        pattern="/entries/*/importable",
        read=values.read_importable,
        not_found=errors.PolicyEntryNotFound,
        not_modifiable=errors.PolicyEntryNotModifiable,
        verbs=_CHANGED,
        always_there=True,
        default="implicit",
        taggable=False,
    ),
    Resource(
        pattern="/entries/*/namespaces",
        read=values.read_namespaces,
        not_found=errors.PolicyEntryNotFound,
        not_modifiable=errors.PolicyEntryNotModifiable,
        verbs=_CHANGED,
        always_there=True,
        default=[],
        taggable=False,
    ),
    Resource(
        pattern="/entries/*/allowedAdditions",
        read=values.read_additions,
        not_found=errors.PolicyEntryNotFound,
        not_modifiable=errors.PolicyEntryNotModifiable,
        always_there=True,
        default=[],
    ),
    Resource(
        pattern="/entries/*/references",
        read=values.read_references,
        not_found=errors.PolicyEntryNotFound,
        not_modifiable=errors.PolicyEntryNotModifiable,
        default=[],
    ),
    Resource(
        pattern="/imports",
        read=values.read_imports,
        not_found=errors.PolicyImportsNotFound,
        not_modifiable=errors.PolicyImportsNotModifiable,
        always_there=True,
        default={},
        of_entry=False,
    ),
    Resource(
        pattern="/imports/*",
        read=values.read_import,
        not_found=errors.PolicyImportNotFound,
        not_modifiable=errors.PolicyImportNotModifiable,
        of_entry=False,
    ),
    Resource(
        pattern="/imports/*/entries",
        read=values.read_import_entries,
        not_found=errors.PolicyImportNotFound,
        not_modifiable=errors.PolicyImportNotModifiable,
        verbs=_CHANGED,
        always_there=True,
        default=[],
        of_entry=False,
    ),
    Resource(
        pattern="/imports/*/transitiveImports",
        read=values.read_transitive,
        not_found=errors.PolicyImportNotFound,
        not_modifiable=errors.PolicyImportNotModifiable,
        verbs=_CHANGED,
        always_there=True,
        default=[],
        taggable=False,
        of_entry=False,
    ),
)
"""Every resource of a policy. There is no other."""

_BY_PATTERN = {tuple(row.pattern.strip("/").split("/")) if row.pattern != "/" else (): row for row in TABLE}


@lru_cache(maxsize=4096)
def resource_at(path: Pointer) -> Resource:
    """The row of a path. Raises ``UnknownPath`` for a path that no policy has."""
    pattern = tuple("*" if place % 2 else key for place, key in enumerate(path))
    row = _BY_PATTERN.get(pattern)
    if row is None:
        raise UnknownPath(text(path))
    return row


def served(path: Pointer, verb: Verb) -> Resource:
    """The row of a path, if the verb can be said of it; raises ``UnknownPath`` or ``UnknownCommand``."""
    resource = resource_at(path)
    if verb not in resource.verbs:
        raise UnknownCommand(f"{verb} of {text(path)}")
    return resource
