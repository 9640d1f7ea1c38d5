"""What a caller may know of the entries that other policies bring in: those that he may READ where they are written."""

from __future__ import annotations

from protocol.context import Context, documents
from protocol.enforcement.rules import Origin
from protocol.enforcement.tree import PermissionTree
from protocol.identifiers import PolicyId
from protocol.policies.resolve import policies_imported


class Sources:
    """Answers for one caller and one moment; each policy is asked once, however many of its entries are looked at.

    Where the context does not know everything that bears on a policy nothing of it is shown: what is missing could be
    the revoke.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = documents(context.policies)
        self._trees: dict[PolicyId, PermissionTree | None] = {}

    def shows(self, origin: Origin) -> bool:
        """Whether the caller may read all of the entry; of one that he may read in part nothing is shown."""
        policy_id, label = origin
        tree = self._tree(policy_id)
        return tree is not None and tree.unrestricted(("entries", label))

    def _tree(self, policy_id: PolicyId) -> PermissionTree | None:
        if policy_id not in self._trees:
            self._trees[policy_id] = self._planted(policy_id)
        return self._trees[policy_id]

    def _planted(self, policy_id: PolicyId) -> PermissionTree | None:
        context = self._context
        policy = context.policy(policy_id)
        if policy is None or policies_imported(policy.document, self._documents):
            return None
        if any(root not in self._documents for root in context.limits.roots_of(policy_id)):
            return None
        return context.enforcer_of(policy).tree(context.subjects, "READ", "policy")
