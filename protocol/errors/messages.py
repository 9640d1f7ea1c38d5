"""Errors of messages to and from things and features."""

from __future__ import annotations

from protocol.errors.base import DittoError, TooLarge


class MessageAuthorizationBlocked(DittoError):
    """Claim requests come too often."""

    code = "messages:authorization.blocked"
    status = 429
    hint = "Wait a minute before the next claim."


class MessageFeatureIdInvalid(DittoError):
    """The feature id of a message differs from its path."""

    code = "messages:featureid.invalid"
    status = 400
    hint = "Send the message to the path of the feature that it names."

    def __init__(self, feature_id: str) -> None:
        super().__init__(f"The feature id '{feature_id[:200]}' does not fit the path of the message.")


class MessageFormatInvalid(DittoError):
    """A payload that violates its schema, or a raw message that cannot be used."""

    code = "messages:messageformat.invalid"
    status = 400
    hint = "Send a payload that fits the message's schema."

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.extras = {"validationErrors": list(problems)}


class MessagePayloadTooLarge(TooLarge):
    """A payload above its limit, in bytes."""

    code = "messages:payload.toolarge"
    what = "message payload"


class MessageSendNotAllowed(DittoError):
    """The sender lacks WRITE on the message resource."""

    code = "messages:send.notallowed"
    status = 403
    hint = "Ask an owner of the policy for WRITE on this message resource."

    def __init__(self, thing_id: str, path: str) -> None:
        super().__init__(f"You may not send the message '{path}' of the thing '{thing_id}'.")


class MessageSubjectInvalid(DittoError):
    """An empty subject, or one that is no URI path."""

    code = "messages:subject.invalid"
    status = 400
    hint = "Use the characters of a URI path (RFC 3986)."

    def __init__(self, subject: str) -> None:
        super().__init__(f"The message subject '{subject[:200]}' is not valid.")
