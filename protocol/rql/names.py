"""Which properties an RQL expression may use, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from protocol.errors import DittoError
from protocol.pointers import parse
from protocol.rql.tree import ANY_FEATURE, Property

ROOTS: Final = frozenset({"thingId", "policyId", "definition", "_revision", "_modified", "_created", "_namespace"})
"""Properties that are one name; ``namespace`` is another spelling of ``_namespace``."""

_text = re.compile(r'(?:[^,()"\\]|\\.)+', re.DOTALL)
_escape = re.compile(r"\\(.)", re.DOTALL)

Fault = Callable[[str, int | None], DittoError]


def read_property(text: str, start: int, fault: Fault) -> tuple[Property, int]:
    """The property at ``start`` and the place behind it; raises ``fault`` for what no thing has.

    A thing has the names of ``ROOTS``, ``attributes/<p>``, ``_metadata/<p>``, and below ``features/<id or *>`` the
    ``definition``, ``properties/<p>`` and ``desiredProperties/<p>``; a slash in front may stand.
    """
    found = _text.match(text, start)
    if found is None:
        raise fault("a property", start)
    spelled = _escape.sub(r"\1", found[0])
    try:
        path = parse(spelled)
    except DittoError as error:
        raise fault(f"a property that is a JSON pointer ({error.message})", start) from error
    if path == ("namespace",):
        path = ("_namespace",)
    if not _is_known(path):
        raise fault(f"a property that things have, instead of '{spelled[:100]}'", start)
    return Property(path), found.end()


def _is_known(path: tuple[str, ...]) -> bool:
    match path:
        case (name,) if name in ROOTS:
            return True
        case ("attributes" | "_metadata", *_):
            return True
        case ("features",) | ("features", _) | ("features", _, "definition"):
            return True
        case ("features", _, "properties" | "desiredProperties", *_):
            return True
        case _:
            return False


__all__ = ["ANY_FEATURE", "ROOTS", "read_property"]
