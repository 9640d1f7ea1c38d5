"""Errors that belong to no entity: headers, media types, timeouts, streams, RQL, CloudEvents, and faults of our own."""

from __future__ import annotations

from protocol.errors.base import DittoError, Unavailable


class InternalError(DittoError):
    """An unexpected fault in the service."""

    code = "internalerror"


class UnknownError(DittoError):
    """Stands for an error whose code this receiver does not know."""

    code = "unknown"


class ApiVersionNotSupported(DittoError):
    """``/api/N`` or ``/ws/N`` with an N that is not served."""

    code = "api.version.notsupported"
    status = 404
    hint = "Use version 2: /api/2 or /ws/2."

    def __init__(self, version: str) -> None:
        super().__init__(f"API version '{version}' is not supported.")


class UnsupportedApiVersion(DittoError):
    """A command that the requested schema version does not have."""

    code = "unsupported.api.version"
    status = 404
    hint = "Use schema version 2."


class AskError(Unavailable):
    """An internal question stayed unanswered."""

    code = "ask.error"


class EnforcementTimeout(Unavailable):
    """The authorization step did not finish in time."""

    code = "enforcement.timeout"


class ServiceTimeout(Unavailable):
    """The service did not answer in time; the outcome of a write is not known."""

    code = "service.timeout"
    status = 504
    hint = "Read the resource to see whether the change was made, or repeat it with the same message id."


class CommandTimeout(DittoError):
    """No response or acknowledgement within the command's ``timeout``."""

    code = "command.timeout"
    status = 408
    hint = "Ask for more time with the header 'timeout', or check that the receiver is connected."

    def __init__(self, seconds: float, description: str | None = None) -> None:
        super().__init__(f"The command was not answered within {seconds:g} s.", description)


class CommandHeadersInvalid(DittoError):
    """A header that makes no sense for this command, such as a query that wants no response."""

    code = "command.headers.invalid"
    status = 400
    hint = "Leave the header out for this command."

    def __init__(self, header: str, reason: str) -> None:
        super().__init__(f"The header '{header}' cannot be used with this command: {reason}.")


class HeaderInvalid(DittoError):
    """A header whose value does not parse, or an impossible combination of headers."""

    code = "header.invalid"
    status = 400

    def __init__(self, header: str, expected: str, value: object = None) -> None:
        shown = "" if value is None else f" {_short(value)!r}"
        super().__init__(f"The value{shown} of the header '{header}' is not valid.", f"Send {expected}.")
        self.extras = {"invalidHeaderKey": header}


class HeaderNotSupported(DittoError):
    """A metadata wildcard that is legal, but not at this resource."""

    code = "header.notsupported"
    status = 400
    hint = "Use this wildcard at the level of the resource that it names."


class HeadersTooLarge(DittoError):
    """The headers exceed their budget, in bytes or in authorization subjects."""

    code = "headers.too.large"
    status = 431
    hint = "Send fewer or shorter headers."

    def __init__(self, size: int, limit: int, unit: str = "bytes") -> None:
        super().__init__(f"The headers have {size} {unit}, but {limit} are the limit.")


class MediaTypeUnsupported(DittoError):
    """The content type is not the one that this request needs."""

    code = "mediatype.unsupported"
    status = 415

    def __init__(self, media_type: str | None, supported: tuple[str, ...]) -> None:
        given = "No content type was given" if media_type is None else f"The content type '{media_type}' cannot be used"
        super().__init__(f"{given} for this request.", f"Send content-type: {' or '.join(supported)}.")


class NamespaceBlocked(DittoError):
    """The namespace is being purged."""

    code = "namespace.blocked"
    status = 409
    hint = "Try again when the operator has finished."

    def __init__(self, namespace: str) -> None:
        super().__init__(f"The namespace '{namespace}' is blocked for the moment.")


class NamespacedEntityIdInvalid(DittoError):
    """An id that is no ``namespace:name``; things and policies have their own kind."""

    code = "namespacedentity.id.invalid"
    status = 400
    hint = "Write 'namespace:name', 256 characters at most: a namespace like org.acme, a name without '/'."
    href = "https://eclipse.dev/ditto/basic-namespaces-and-names.html"

    def __init__(self, entity_id: str) -> None:
        shown = entity_id if len(entity_id) <= 300 else entity_id[:300] + "..."
        super().__init__(f"The id {shown!r} is not valid.")


class EntityNotCreatable(DittoError):
    """The rules for creating entities forbid this one."""

    code = "entity.notcreatable"
    status = 403
    hint = "Use a namespace in which you may create entities."

    def __init__(self, entity_id: str) -> None:
        super().__init__(f"You may not create the entity '{entity_id}'.")


class TimeoutInvalid(DittoError):
    """A duration that does not parse or exceeds its maximum."""

    code = "timeout.invalid"
    status = 400
    hint = "Write a whole number with an optional unit: 500ms, 10, 10s, 2m, 1h."

    def __init__(self, text: str, reason: str = "it is no duration") -> None:
        super().__init__(f"The timeout '{text[:80]}' is not valid: {reason}.")


class TooManyRequests(Unavailable):
    """The throttling limit is exceeded."""

    code = "too.many.requests"
    status = 429
    hint = "Send more slowly."


class RqlExpressionInvalid(DittoError):
    """A filter or condition that does not parse."""

    code = "rql.expression.invalid"
    status = 400
    hint = 'Write for example: and(eq(attributes/maker,"ACME"),gt(features/motor/properties/rpm,900))'


class SignalUnsupported(DittoError):
    """A kind of signal that cannot be used here, or is not served by this installation."""

    code = "signal.unsupported"
    status = 400
    hint = "Use one of the signals that this service lists in its documentation."

    def __init__(self, signal: str, reason: str = "it is not served here") -> None:
        super().__init__(f"The signal '{signal}' cannot be used: {reason}.")


class SignalEnrichmentFailed(DittoError):
    """The extra fields of an event could not be fetched."""

    code = "signal.enrichment.failed"
    status = 500


class PathUnknown(DittoError):
    """A path for which there is no kind of entity tag."""

    code = "signals.commands:path.unknown"
    status = 400
    hint = "Use one of the documented resource paths."

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no resource at the path '{path}'.")


class PubsubAbnormalTermination(DittoError):
    """The source of live signals broke down; the stream closes."""

    code = "pubsub:abnormal.termination"
    status = 500


class StreamingSubscriptionNotFound(DittoError):
    """``request`` or ``cancel`` for a history subscription that does not exist."""

    code = "streaming.subscription.not.found"
    status = 404
    hint = "Subscribe anew; idle subscriptions end by themselves."

    def __init__(self, subscription_id: str) -> None:
        super().__init__(f"There is no subscription '{subscription_id}'.")


class StreamingSubscriptionProtocolError(DittoError):
    """A rule of the streaming protocol was broken."""

    code = "streaming.subscription.protocol.error"
    status = 400
    hint = "Request a positive number of items, and nothing after the end."


class StreamingSubscriptionTimeout(DittoError):
    """A history subscription was idle for too long."""

    code = "streaming.subscription.timeout"
    status = 408
    hint = "Subscribe anew and request items without long pauses."

    def __init__(self, subscription_id: str) -> None:
        super().__init__(f"The subscription '{subscription_id}' was idle for too long.")


class CloudEventDataSchemaUnsupported(DittoError):
    """A CloudEvent with a ``dataschema`` of a foreign scheme."""

    code = "cloudevent.dataschema.unsupported"
    status = 400
    hint = "Use a dataschema with the scheme 'ditto', or none."


class CloudEventPayloadMissing(DittoError):
    """A CloudEvent without data."""

    code = "cloudevent.payload.missing"
    status = 400
    hint = "Put a Ditto protocol message into the data of the event."


class CloudEventUnparsable(DittoError):
    """A request that is no CloudEvent 1.0."""

    code = "cloudevent.unparsable"
    status = 400
    hint = "Send a CloudEvent 1.0 in binary or structured mode."


class ConnectionIdEnforcementFailed(DittoError):
    """The identity of a message's sender does not fit the entity that it addresses."""

    code = "connectivity:connection.id.enforcement.failed"
    status = 400
    hint = "A device may only speak for the entities that its connection's enforcement allows."

    def __init__(self, entity_id: str) -> None:
        super().__init__(f"The sender of this message may not speak for '{entity_id}'.")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else text[:120] + "..."
