"""Errors of JSON text, keys, pointers and field selectors."""

from __future__ import annotations

from protocol.errors.base import DittoError


class JsonError(DittoError):
    """The request's JSON cannot be used."""

    status = 400


class JsonInvalid(JsonError):
    """Text that is no JSON, is nested too deeply, or is empty where a value is needed."""

    code = "json.invalid"
    hint = "Send one complete JSON value in UTF-8 (RFC 8259)."

    def __init__(self, reason: str, description: str | None = None) -> None:
        super().__init__(f"This is not usable JSON: {reason}.", description)


class JsonFormatInvalid(JsonError):
    """JSON of the wrong type for its place."""

    code = "json.format.invalid"
    hint = "Send a value of the type that this resource has."

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(f"The JSON at {where} has the wrong type: expected {expected}.")


class JsonFieldMissing(JsonError):
    """A mandatory member is absent."""

    code = "json.field.missing"

    def __init__(self, field: str, where: str = "the JSON object") -> None:
        super().__init__(f"The mandatory member '{field}' is missing in {where}.", f"Add the member '{field}'.")
        self.field = field


class JsonFieldSelectorInvalid(JsonError):
    """``fields`` is empty or its parentheses do not match."""

    code = "json.fieldselector.invalid"
    hint = "Write a comma separated list such as: thingId,attributes(maker,place/city),features/*/properties/on"

    def __init__(self, selector: str, reason: str) -> None:
        super().__init__(f"The field selector '{selector[:300]}' is not valid: {reason}.")


class JsonKeyInvalid(JsonError):
    """A member name, feature id or path key that cannot be kept."""

    code = "json.key.invalid"
    hint = "Keys have 1 to 256 characters, no '/' and no control characters (U+0000 to U+001F, U+007F to U+00FF)."

    def __init__(self, key: str) -> None:
        shown = key if len(key) <= 300 else key[:300] + "..."
        super().__init__(f"The JSON key {shown!r} is not valid.")


class JsonPointerInvalid(JsonError):
    """A path that is no JSON pointer."""

    code = "json.pointer.invalid"
    hint = "Write '/key/key' without empty keys; '~0' stands for '~'."

    def __init__(self, pointer: str) -> None:
        shown = pointer if len(pointer) <= 300 else pointer[:300] + "..."
        super().__init__(f"The JSON pointer '{shown}' is not valid.")


class JsonTypeNotParsable(JsonError):
    """The ``type`` of an internal command is unknown."""

    code = "json.type.notparsable"
    hint = "Use one of the documented command types."

    def __init__(self, type_name: str) -> None:
        super().__init__(f"There is no command of type '{type_name}'.")
