"""Errors of placeholders such as ``{{ request:subjectId }}`` and the functions on them."""

from __future__ import annotations

from typing import ClassVar

from protocol.errors.base import DittoError


class PlaceholderError(DittoError):
    """An expression in double braces cannot be used."""

    status = 400
    reason: ClassVar[str] = "it is not valid"
    hint = "Compare the expression with the documented placeholders and functions."

    def __init__(self, expression: str, description: str | None = None) -> None:
        super().__init__(f"The expression '{expression[:300]}' cannot be used: {self.reason}.", description)


class PlaceholderFunctionSignatureInvalid(PlaceholderError):
    """The arguments of a function are wrong."""

    code = "placeholder:function.signature.invalid"
    reason = "the arguments of the function are wrong"


class PlaceholderFunctionTooComplex(PlaceholderError):
    """Too many functions in one pipeline."""

    code = "placeholder:function.too.complex"
    reason = "it has too many functions"


class PlaceholderFunctionUnknown(PlaceholderError):
    """There is no such function."""

    code = "placeholder:function.unknown"
    reason = "there is no such function"


class PlaceholderNotResolvable(PlaceholderError):
    """There is no such placeholder."""

    code = "placeholder:placeholder.notresolvable"
    reason = "there is no such placeholder"


class PlaceholderReferenceNotSupported(PlaceholderError):
    """A reference to something that is neither thing nor policy."""

    code = "placeholder:placeholder.reference.notsupported"
    reason = "references lead to things and policies only"


class PlaceholderReferenceUnknownField(PlaceholderError):
    """The field that a reference names does not exist."""

    code = "placeholder:placeholder.reference.unknownfield"
    reason = "the field it refers to does not exist"


class PlaceholderUnresolved(PlaceholderError):
    """The placeholder has no value here."""

    code = "placeholder:unresolved"
    reason = "it has no value here"


class PlaceholderTooManyTexts(PlaceholderUnresolved):
    """The template stands for more texts than are good."""

    reason = "it stands for too many texts"
