"""Which properties an RQL expression may use, and how they are written."""

from __future__ import annotations

import re
from typing import Final

from protocol.errors import DittoError
from protocol.pointers import Pointer, parse
from protocol.rql.literals import Fault, unescaped
from protocol.rql.tree import Property

ROOTS: Final = frozenset({"thingId", "policyId", "definition", "_revision", "_modified", "_created", "_namespace"})
"""Properties that are one name; ``namespace`` is another spelling of ``_namespace``."""

PLACEHOLDERS: Final = frozenset(
    {
        *(f"topic:{part}" for part in ("full", "namespace", "entityName", "group", "channel", "criterion")),
        *("topic:action", "topic:subject", "topic:action-subject", "resource:type", "resource:path", "feature:id"),
        *("entity:id", "entity:namespace", "entity:name", "thing:id", "thing:namespace", "thing:name"),
    }
)
"""What filters of events and messages may ask about the message itself, beside ``header:<name>``."""

_header = re.compile(r"header:[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_text = re.compile(r'(?:[^,)"\\]|\\.)+', re.DOTALL)


def read_property(text: str, start: int, fault: Fault) -> tuple[Property, int]:
    r"""The property at ``start`` and the place behind it; raises ``fault`` for what no thing has.

    A thing has the names of ``ROOTS``, ``attributes/<p>``, ``_metadata/<p>``, and below ``features/<id or *>`` the
    ``definition``, ``properties/<p>`` and ``desiredProperties/<p>``; a slash in front may stand. Commas, parentheses,
    quotes and backslashes of a key are escaped by a backslash or as ``\uXXXX``.
    """
    found = _text.match(text, start)
    if found is None:
        raise fault("a property", start)
    spelled = unescaped(found[0], start, fault, also=",()")
    try:
        path = parse(spelled)
    except DittoError as error:
        raise fault(f"a property that is a JSON pointer ({error.message})", start) from error
    if path == ("namespace",):
        path = ("_namespace",)
    if not (_has_values(path) or _is_object(path)):
        raise fault(f"a property that things have, instead of '{spelled[:100]}'", start)
    return Property(path), found.end()


def read_filter_property(text: str, start: int, fault: Fault) -> tuple[Property, int]:
    """Like ``read_property``, but ``PLACEHOLDERS`` and ``header:<name>`` are properties of one key too.

    Source: Ditto documentation, page *basic-changenotifications*. Names of headers are lower case.
    """
    found = _text.match(text, start)
    if found is not None and found[0] in PLACEHOLDERS:
        return Property((found[0],)), found.end()
    if found is not None and _header.fullmatch(found[0]):
        return Property((found[0].lower(),)), found.end()
    return read_property(text, start, fault)


def check_has_values(subject: Property, start: int, fault: Fault) -> None:
    """Raise ``fault`` if the property is always an object, which can exist or be empty, but not be compared."""
    if _is_object(subject.path):
        raise fault("a property that is compared to a value; an object is asked for by exists or empty", start)


def _has_values(path: Pointer) -> bool:
    match path:
        case (name,):
            return name in ROOTS
        case ("attributes" | "_metadata", _, *_):
            return True
        case ("features", _, "definition"):
            return True
        case ("features", _, "properties" | "desiredProperties", _, *_):
            return True
        case _:
            return False


def _is_object(path: Pointer) -> bool:
    match path:
        case ("attributes" | "_metadata" | "features",) | ("features", _):
            return True
        case ("features", _, "properties" | "desiredProperties"):
            return True
        case _:
            return False
