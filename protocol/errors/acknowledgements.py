"""Errors of acknowledgements: their labels, requests and answers."""

from __future__ import annotations

from protocol.errors.base import DittoError


class AcknowledgementCorrelationIdMissing(DittoError):
    """An acknowledgement that does not say what it acknowledges."""

    code = "acknowledgement:correlation-id.missing"
    status = 400
    hint = "Send the correlation-id of the signal that you acknowledge."

    def __init__(self) -> None:
        super().__init__("The acknowledgement has no correlation-id.")


class AcknowledgementLabelError(DittoError):
    """The label cannot be used by this sender."""

    status = 400
    reason = "it is not known"

    def __init__(self, label: str) -> None:
        super().__init__(f"The acknowledgement label '{label[:200]}' cannot be used: {self.reason}.")
        self.label = label


class AcknowledgementLabelForbidden(AcknowledgementLabelError):
    """A client sent an acknowledgement with a built-in label."""

    code = "acknowledgement:ditto.acklabel.forbidden"
    hint = "Use a label of your own; only the service issues the built-in ones."
    reason = "it is built in"


class AcknowledgementLabelInvalid(AcknowledgementLabelError):
    """A label of the wrong form."""

    code = "acknowledgement:label.invalid"
    hint = "Labels have 3 to 165 characters of a-z, A-Z, 0-9, '-', '_' and ':'."
    reason = "it has the wrong form"


class AcknowledgementLabelNotDeclared(AcknowledgementLabelError):
    """A label that this session or connection did not declare."""

    code = "acknowledgement:label.not.declared"
    hint = "Declare the label when you connect."
    reason = "it was not declared"


class AcknowledgementLabelNotUnique(AcknowledgementLabelError):
    """A declared label that another subscriber has."""

    code = "acknowledgement:label.not.unique"
    status = 409
    hint = "Declare a label that no other subscriber uses."
    reason = "another subscriber has declared it"


class AcknowledgementRequestDuplicateCorrelationId(DittoError):
    """The same correlation id was used again too soon."""

    code = "acknowledgement:request.duplicate.correlation-id"
    status = 409
    hint = "Use a new correlation-id for every command that requests acknowledgements."

    def __init__(self, correlation_id: str) -> None:
        super().__init__(f"The correlation-id '{correlation_id[:200]}' is still in use.")


class AcknowledgementRequestParsingFailed(DittoError):
    """An element of ``requested-acks`` cannot be used."""

    code = "acknowledgement:request.parsing.failed"
    status = 422
    hint = "List valid labels."

    def __init__(self, request: str) -> None:
        super().__init__(f"The acknowledgement request '{request[:200]}' cannot be understood.")


class AcknowledgementRequestTimeout(DittoError):
    """A requested acknowledgement did not come in time."""

    code = "acknowledgement:request.timeout"
    status = 408
    hint = "Check that a subscriber that declared the label is connected, or ask for more time with 'timeout'."

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The acknowledgement did not arrive within {seconds:g} s.")
