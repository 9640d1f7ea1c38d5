"""Errors of things as a whole: the id, the policy, and what a change may not do."""

from __future__ import annotations

from protocol.errors.base import DittoError, NotModifiable, Precondition, TooLarge, Unavailable
from protocol.errors.general import NamespacedEntityIdInvalid


class EventNotAllowed(NotModifiable):
    """A live event without WRITE on its path."""

    code = "things:event.notallowed"
    what = "thing by an event at"


class PreconditionFailed(Precondition):
    """``If-Match``, ``If-None-Match`` or ``if-equal`` stopped the request."""

    code = "things:precondition.failed"
    status = 412


class PreconditionNotModified(Precondition):
    """``If-None-Match`` hit on a query: the caller has the current value already."""

    code = "things:precondition.notmodified"
    status = 304


class ThingTooLarge(TooLarge):
    """The thing would exceed its limit, in characters of its JSON."""

    code = "things:thing.toolarge"
    what = "thing"


class ThingTooManyModifyingRequests(Unavailable):
    """Too many changes of one thing are waiting."""

    code = "things:thing.toomanymodifyingrequests"
    status = 429
    hint = "Send changes of this thing more slowly, or merge several into one."


class ThingUnavailable(Unavailable):
    """The thing cannot be loaded for the moment."""

    code = "things:thing.unavailable"


class ThingIdInvalid(NamespacedEntityIdInvalid):
    """An id that cannot name a thing."""

    code = "things:id.invalid"


class ThingError(DittoError):
    """The request cannot be carried out on a thing as it stands."""

    status = 400


class ThingIdNotDeletable(ThingError):
    """A merge patch with ``thingId: null``."""

    code = "things:id.notdeletable"
    hint = "Leave 'thingId' out of the patch; to remove the thing, delete it."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The id of the thing '{thing_id}' cannot be deleted.")


class ThingIdNotSettable(ThingError):
    """The id in the body is not the addressed one, or was given where the service makes it."""

    code = "things:id.notsettable"
    hint = "Leave 'thingId' out of the body, or give the one that is addressed; to choose an id yourself use PUT."

    def __init__(self, given: str, addressed: str | None = None) -> None:
        reason = "the service chooses the id" if addressed is None else f"the addressed thing is '{addressed}'"
        super().__init__(f"The thing id cannot be set to '{given[:300]}': {reason}.")


class ThingPolicyIdNotDeletable(ThingError):
    """A merge patch with ``policyId: null``, or a delete of ``/policyId``."""

    code = "things:policyId.notdeletable"
    hint = "Every thing needs a policy; set another policy id instead."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The policy id of the thing '{thing_id}' cannot be deleted.")


class ThingPolicyConflicting(ThingError):
    """``_policy`` and ``_copyPolicyFrom`` together."""

    code = "things:policy.conflicting"
    hint = "Give either '_policy' or '_copyPolicyFrom'."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The policy of the thing '{thing_id}' was given both inline and to be copied.")


class ThingPolicyIdMissing(ThingError):
    """A thing without a policy id that could be resolved."""

    code = "things:policy.id.missing"
    hint = "Give a 'policyId'."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"There is no policy id for the thing '{thing_id}'.")


class ThingPolicyIdNotAllowed(ThingError):
    """Policy ids that contradict each other."""

    code = "things:policy.id.notallowed"
    hint = "Give the policy id once."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The thing '{thing_id}' was given several policy ids.")


class ThingPolicyInvalid(ThingError):
    """An inline or copied policy that does not parse or may not stand alone."""

    code = "things:policy.invalid"
    hint = "A policy needs at least one permanent subject with WRITE on 'policy:/'."

    def __init__(self, thing_id: str, reason: str, description: str | None = None) -> None:
        super().__init__(f"The policy for the thing '{thing_id}' is not valid: {reason}.", description)


class ThingPolicyNotAllowed(ThingError):
    """An inline policy where none is allowed."""

    code = "things:policy.notallowed"
    hint = "Leave '_policy' out; change the policy itself."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The thing '{thing_id}' cannot be given an inline policy here.")


class ThingNotCreatable(ThingError):
    """The thing's policy exists already or cannot be created, or the channel cannot create things.

    Ditto answers 400 for a policy that exists, 405 on the live channel, and else the policy error's status.
    """

    code = "things:thing.notcreatable"

    def __init__(self, thing_id: str, reason: str, *, status: int = 400, description: str | None = None) -> None:
        super().__init__(f"The thing '{thing_id}' cannot be created: {reason}.", description)
        self.status = status

    hint = "Name an existing policy by 'policyId', or give the new one an id that is free."


class ThingConflict(ThingError):
    """A create command for a thing that exists."""

    code = "things:thing.conflict"
    status = 409
    hint = "Choose another id, or modify the existing thing."

    def __init__(self, thing_id: str) -> None:
        super().__init__(f"The thing '{thing_id}' exists already.")


class ThingHistoryNotFound(ThingError):
    """No state is known for that revision or time."""

    code = "things:thing.history.notfound"
    status = 404
    hint = "Ask for a revision or time within the thing's life."

    def __init__(self, thing_id: str, when: str) -> None:
        super().__init__(f"The thing '{thing_id}' has no history at {when}.")


class ThingsIdsMissing(ThingError):
    """A retrieve of several things that names none."""

    code = "things:things.ids.missing"
    hint = "Give at least one id in 'thingIds'."

    def __init__(self) -> None:
        super().__init__("No thing ids were given.")


class AttributePointerInvalid(ThingError):
    """An empty attribute path."""

    code = "things:attribute.pointerinvalid"
    hint = "Name the attribute after '/attributes/'."

    def __init__(self, pointer: str) -> None:
        super().__init__(f"The path '{pointer}' names no attribute.")


class DefinitionIdentifierInvalid(ThingError):
    """A definition that is neither ``namespace:name:version`` nor a URL."""

    code = "things:definition.identifier.invalid"
    hint = "Write 'namespace:name:version' or an http(s) URL."

    def __init__(self, definition: str) -> None:
        super().__init__(f"The definition '{definition[:300]}' is not valid.")


class FeatureDefinitionEmpty(ThingError):
    """A feature definition without an identifier."""

    code = "things:feature.definition.empty"
    hint = "Give at least one identifier, or delete the definition."

    def __init__(self) -> None:
        super().__init__("The definition of a feature cannot be empty.")


class MergeInvalid(ThingError):
    """A merge patch that is empty at the root or cannot be applied."""

    code = "things:merge.invalid"
    hint = "Send a JSON merge patch (RFC 7396) whose result is a valid thing."

    def __init__(self, reason: str, description: str | None = None) -> None:
        super().__init__(f"The merge patch cannot be applied: {reason}.", description)


class PatchInvalid(ThingError):
    """A JSON Patch document (RFC 6902) that does not parse or cannot be applied. Not part of Ditto."""

    code = "things:patch.invalid"
    hint = "Send an array of RFC 6902 operations whose paths exist in the resource."

    def __init__(self, reason: str) -> None:
        super().__init__(f"The JSON Patch cannot be applied: {reason}.")


class PatchTestFailed(ThingError):
    """A ``test`` operation of a JSON Patch did not hold; nothing was changed. Not part of Ditto."""

    code = "things:patch.testfailed"
    status = 409
    hint = "Read the resource again and make the patch anew."

    def __init__(self, path: str) -> None:
        super().__init__(f"The test operation at '{path}' failed; nothing was changed.")


class ConditionFailed(ThingError):
    """A condition was false or read a field that the caller may not read."""

    code = "things:condition.failed"
    status = 412
    hint = "The thing is not in the state that the condition asks for, or you may not READ a field it uses."

    def __init__(self, condition: str) -> None:
        super().__init__(f"The condition '{condition[:300]}' does not hold.")


class ConditionInvalid(ThingError):
    """A condition that cannot be evaluated."""

    code = "things:condition.invalid"
    hint = "Write the condition as an RQL expression."

    def __init__(self, condition: str, reason: str) -> None:
        super().__init__(f"The condition '{condition[:300]}' cannot be evaluated: {reason}.")


class LiveChannelConditionNotAllowed(ThingError):
    """``live-channel-condition`` on anything but a query of a thing."""

    code = "things:live.channelcondition.notallowed"
    status = 405
    hint = "Use this header with queries of a thing only."

    def __init__(self) -> None:
        super().__init__("A live channel condition cannot be used with this command.")


class FieldSelectionInvalid(ThingError):
    """A selector for events that names no field of a thing."""

    code = "things:field.selection.invalid"
    hint = "Use thingId, policyId, definition, attributes, features and the fields beginning with an underscore."

    def __init__(self, field: str) -> None:
        super().__init__(f"A thing has no field '{field}'.")


class MetadataHeadersConflict(ThingError):
    """More than one metadata header in one command."""

    code = "things:metadata.headersconflict"
    hint = "Use one of put-metadata, get-metadata and delete-metadata."

    def __init__(self) -> None:
        super().__init__("Several metadata headers cannot be used together.")


class MetadataNotModifiable(ThingError):
    """``put-metadata`` together with ``_metadata`` in the body."""

    code = "things:metadata.notmodifiable"
    hint = "Use either the header or the body."

    def __init__(self) -> None:
        super().__init__("Metadata was given both by header and by body.")
