"""Everything a client may be told went wrong: one class per error, with code, status and wording.

Source of codes and statuses: the Ditto error catalogue (documentation page *basic-errors* and the exception classes).
The wording is our own: the message says what is wrong, the description what to do about it.

    DittoError
    +-- NotFound 404 (entity_id, path)           ThingNotFound, AttributeNotFound ... PolicyNotFound ...
    +-- NotModifiable 403 (entity_id, path)      ThingNotModifiable, AttributeNotModifiable ... PolicyNotModifiable ...
    +-- Precondition (header, expected, actual)  PreconditionFailed 412, PreconditionNotModified 304, and for policies
    +-- TooLarge 413 (size, limit)               ThingTooLarge, PolicyTooLarge, MessagePayloadTooLarge
    +-- Unavailable 503, 504, 429                ThingUnavailable, GatewayServiceUnavailable, TooManyRequests ...
    +-- NamespacedEntityIdInvalid 400            ThingIdInvalid, PolicyIdInvalid
    +-- ThingError, PolicyError 400              what a request to a thing or policy may not do: ThingIdNotSettable ...
    +-- JsonError 400                            JsonInvalid, JsonFormatInvalid, JsonFieldMissing, JsonKeyInvalid ...
    +-- AdapterError 400                         UnknownTopicPath, UnknownPath, UnknownCommand ...; IllegalAdaptable 422
    +-- Unauthorized 401                         AuthenticationFailed, JwtConditionFailed ...
    +-- PlaceholderError 400                     PlaceholderUnresolved ...
    +-- HeaderInvalid 400, MediaTypeUnsupported 415, CommandTimeout 408 ... and the other modules' single errors

Errors of the Web of Things and of managed connections are left out until those exist.
"""

# Each module lists one family; together they are one catalogue, so all of their classes are handed on from here.
from protocol.errors.acknowledgements import *  # noqa: F403 - the whole family
from protocol.errors.adapter import *  # noqa: F403 - the whole family
from protocol.errors.base import *  # noqa: F403 - the whole family
from protocol.errors.gateway import *  # noqa: F403 - the whole family
from protocol.errors.general import *  # noqa: F403 - the whole family
from protocol.errors.json import *  # noqa: F403 - the whole family
from protocol.errors.messages import *  # noqa: F403 - the whole family
from protocol.errors.placeholders import *  # noqa: F403 - the whole family
from protocol.errors.policies import *  # noqa: F403 - the whole family
from protocol.errors.search import *  # noqa: F403 - the whole family
from protocol.errors.thing_parts import *  # noqa: F403 - the whole family
from protocol.errors.things import *  # noqa: F403 - the whole family
