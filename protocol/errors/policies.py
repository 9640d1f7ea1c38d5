"""Errors of policies: the policy, its parts, and what would leave it without an owner."""

from __future__ import annotations

from protocol.errors.base import DittoError, NotFound, NotModifiable, Precondition, TooLarge, Unavailable
from protocol.errors.general import NamespacedEntityIdInvalid


class PolicyNotFound(NotFound):
    """The policy, or the one to import or copy from, is missing or hidden."""

    code = "policies:policy.notfound"
    what = "policy"


class PolicyEntryNotFound(NotFound):
    """There is no such entry; also for writes below a missing entry."""

    code = "policies:entry.notfound"
    what = "policy entry"


class PolicySubjectsNotFound(NotFound):
    """The subjects are hidden."""

    code = "policies:subjects.notfound"
    what = "subjects object"


class PolicySubjectNotFound(NotFound):
    """There is no such subject."""

    code = "policies:subject.notfound"
    what = "subject"


class PolicyResourcesNotFound(NotFound):
    """The resources are hidden."""

    code = "policies:resources.notfound"
    what = "resources object"


class PolicyResourceNotFound(NotFound):
    """There is no such resource."""

    code = "policies:resource.notfound"
    what = "resource"


class PolicyImportsNotFound(NotFound):
    """The imports are hidden."""

    code = "policies:imports.notfound"
    what = "imports object"


class PolicyImportNotFound(NotFound):
    """There is no such import."""

    code = "policies:import.notfound"
    what = "import"


class PolicyNotModifiable(NotModifiable):
    """The policy may not be written or deleted."""

    code = "policies:policy.notmodifiable"
    what = "policy"


class PolicyEntryNotModifiable(NotModifiable):
    """The entry may not be written."""

    code = "policies:entry.notmodifiable"
    what = "policy entry"


class PolicySubjectsNotModifiable(NotModifiable):
    """The subjects may not be written."""

    code = "policies:subjects.notmodifiable"
    what = "subjects object"


class PolicySubjectNotModifiable(NotModifiable):
    """The subject may not be written."""

    code = "policies:subject.notmodifiable"
    what = "subject"


class PolicyResourcesNotModifiable(NotModifiable):
    """The resources may not be written."""

    code = "policies:resources.notmodifiable"
    what = "resources object"


class PolicyResourceNotModifiable(NotModifiable):
    """The resource may not be written."""

    code = "policies:resource.notmodifiable"
    what = "resource"


class PolicyImportsNotModifiable(NotModifiable):
    """The imports may not be written."""

    code = "policies:imports.notmodifiable"
    what = "imports object"


class PolicyImportNotModifiable(NotModifiable):
    """The import may not be written."""

    code = "policies:import.notmodifiable"
    what = "import"


class PolicyPreconditionFailed(Precondition):
    """``If-Match``, ``If-None-Match`` or ``if-equal`` stopped the request."""

    code = "policies:precondition.failed"
    status = 412


class PolicyPreconditionNotModified(Precondition):
    """``If-None-Match`` hit on a query."""

    code = "policies:precondition.notmodified"
    status = 304


class PolicyTooLarge(TooLarge):
    """The policy would exceed its limit, in characters of its JSON."""

    code = "policies:policy.toolarge"
    what = "policy"


class PolicyTooManyModifyingRequests(Unavailable):
    """Too many changes of one policy are waiting."""

    code = "policies:policy.toomanymodifyingrequests"
    status = 429
    hint = "Send changes of this policy more slowly."


class PolicyUnavailable(Unavailable):
    """The policy cannot be loaded for the moment."""

    code = "policies:policy.unavailable"


class PolicyIdInvalid(NamespacedEntityIdInvalid):
    """An id that cannot name a policy."""

    code = "policies:id.invalid"


class PolicyError(DittoError):
    """The request cannot be carried out on a policy as it stands."""

    status = 400


class PolicyIdNotSettable(PolicyError):
    """The id in the body is not the addressed one, or was given where the service makes it."""

    code = "policies:id.notsettable"
    hint = "Leave 'policyId' out of the body, or give the one that is addressed; to choose an id yourself use PUT."

    def __init__(self, given: str, addressed: str | None = None) -> None:
        reason = "the service chooses the id" if addressed is None else f"the addressed policy is '{addressed}'"
        super().__init__(f"The policy id cannot be set to '{given[:300]}': {reason}.")


class PolicyConflict(PolicyError):
    """A create command for a policy that exists."""

    code = "policies:policy.conflict"
    status = 409
    hint = "Choose another id, or modify the existing policy."

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"The policy '{policy_id}' exists already.")


class PolicyHistoryNotFound(PolicyError):
    """No state is known for that revision or time."""

    code = "policies:policy.history.notfound"
    status = 404
    hint = "Ask for a revision or time within the policy's life."

    def __init__(self, policy_id: str, when: str) -> None:
        super().__init__(f"The policy '{policy_id}' has no history at {when}.")


class PolicyNotCreatable(PolicyError):
    """The creator would not be able to change the policy afterwards."""

    code = "policies:policy.notcreatable"
    status = 403
    hint = "Grant your subject WRITE on 'policy:/', or send the header allow-policy-lockout: true."

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"The policy '{policy_id}' cannot be created: you could not change it afterwards.")


class PolicyModificationInvalid(PolicyError):
    """The change would leave the policy without a permanent owner."""

    code = "policies:policy.modificationinvalid"
    status = 403
    hint = "At least one subject without expiry needs WRITE on 'policy:/'."

    def __init__(self, policy_id: str, reason: str = "no permanent subject could change it any more") -> None:
        super().__init__(f"The policy '{policy_id}' cannot be changed like this: {reason}.")


class PolicyEntryModificationInvalid(PolicyError):
    """The change of an entry would leave the policy without a permanent owner."""

    code = "policies:entry.modificationinvalid"
    status = 403
    hint = PolicyModificationInvalid.hint

    def __init__(
        self, policy_id: str, label: str, reason: str = "no permanent subject could change the policy any more"
    ) -> None:
        super().__init__(f"The entry '{label}' of the policy '{policy_id}' cannot be changed like this: {reason}.")


class PolicyActionFailed(PolicyError):
    """A token could not be activated or deactivated; the status (400, 403, 404 or 500) tells why."""

    code = "policies:action.failed"
    status = 500
    hint = (
        "The action needs JWT authentication, EXECUTE on the action, and an entry that grants READ on a thing resource."
    )

    def __init__(self, action: str, reason: str, *, status: int = 500) -> None:
        super().__init__(f"The action '{action}' failed: {reason}.")
        self.status = status


class PolicyEntryInvalid(PolicyError):
    """An entry, or its label, importable, namespaces or references, is not valid."""

    code = "policies:entry.invalid"
    hint = 'Write {"subjects": {...}, "resources": {...}}; the documentation page basic-policy tells what may be added.'


class PolicyLabelInvalid(PolicyError):
    """A label with a reserved prefix."""

    code = "policies:label.invalid"
    hint = "Labels cannot begin with 'imported' or 'nsimported'."

    def __init__(self, label: str) -> None:
        super().__init__(f"The label '{label[:300]}' is reserved.")


class PolicySubjectIdInvalid(PolicyError):
    """A subject id that is no ``issuer:subject``."""

    code = "policies:subjectid.invalid"
    hint = "Write 'issuer:subject', at most 256 characters, without control characters."

    def __init__(self, subject_id: str) -> None:
        super().__init__(f"The subject id {subject_id[:300]!r} is not valid.")


class PolicySubjectExpiryInvalid(PolicyError):
    """An expiry that is no ISO-8601 time or lies in the past."""

    code = "policies:subjectexpiry.invalid"
    hint = "Write a time in the future such as 2030-01-01T00:00:00Z."

    def __init__(self, expiry: str) -> None:
        super().__init__(f"The expiry '{expiry[:100]}' is not valid.")


class PolicySubjectAnnouncementInvalid(PolicyError):
    """An announcement that does not parse."""

    code = "policies:subjectannouncement.invalid"
    hint = "Write beforeExpiry with the unit s, m or h, for example 1h."


class PolicyImportInvalid(PolicyError):
    """A policy that imports itself, a malformed import, or an unknown reference."""

    code = "policies:import.invalid"
    hint = 'Write {"entries": ["label"], "transitiveImports": ["namespace:name"]}, where both may be left out.'


class PolicyImportsTooLarge(PolicyError):
    """Too many imports."""

    code = "policies:imports.toolarge"
    hint = "Import fewer policies."

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"The policy has {count} imports, but {limit} are the limit.")


class PolicyEntryReferenceConflict(PolicyError):
    """An entry that others refer to cannot be removed."""

    code = "policies:entry.referenceconflict"
    status = 409
    hint = "Remove the references first."

    def __init__(self, policy_id: str, label: str, referring: str) -> None:
        super().__init__(f"The entry '{label}' of the policy '{policy_id}' is referred to by the entry '{referring}'.")


class PolicyImportReferenceConflict(PolicyError):
    """An import that entries refer to cannot be removed."""

    code = "policies:import.referenceconflict"
    status = 409
    hint = "Remove the references first."

    def __init__(self, policy_id: str, imported: str, referring: str) -> None:
        super().__init__(
            f"What is imported from '{imported}' into '{policy_id}' is referred to by the entry '{referring}'."
        )


class PolicyViewInvalid(PolicyError):
    """A ``policy-view`` that does not exist."""

    code = "policies:view.invalid"
    hint = "Use 'original' or 'resolved'."

    def __init__(self, view: str) -> None:
        super().__init__(f"There is no policy view '{view[:100]}'.")
