"""What a policy is at one moment, and the policy that a thing gets when nobody says which."""

from __future__ import annotations

from datetime import datetime

from protocol.identifiers import PolicyId
from protocol.immutable import immutable
from protocol.json import JsonObject


@immutable
class PolicyState:
    """A policy after its event number ``revision``; ``document`` holds policyId, entries and imports.

    ``expired`` are the subjects that the service removed because their time was over and that have not come back, the
    latest last, as many as are worth remembering.
    """

    policy_id: PolicyId
    document: JsonObject
    revision: int
    created: datetime
    modified: datetime
    deleted: bool = False
    expired: tuple[str, ...] = ()


def default_policy(policy_id: PolicyId, subject: str) -> JsonObject:
    """The policy of a thing that is created without one: its creator may do everything (page *basic-policy*)."""
    return {
        "policyId": policy_id,
        "entries": {
            "DEFAULT": {
                "subjects": {subject: {"type": "generated"}},
                "resources": {
                    resource: {"grant": ["READ", "WRITE"], "revoke": []}
                    for resource in ("thing:/", "policy:/", "message:/")
                },
                "importable": "implicit",
            }
        },
    }
