"""What may stand where in a policy: one reader per kind of value, which returns the value as it is stored.

Readers refuse with the error that Ditto answers, fill in what is implied (an entry without resources has ``{}``) and
round expiries and announcements up. Source: Ditto documentation, page *basic-policy*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from protocol.errors import (
    JsonFieldMissing,
    JsonFormatInvalid,
    JsonKeyInvalid,
    PolicyEntryInvalid,
    PolicyImportInvalid,
    PolicyImportsTooLarge,
    PolicyLabelInvalid,
    PolicySubjectIdInvalid,
)
from protocol.identifiers import PolicyId
from protocol.json import JsonObject, JsonValue
from protocol.pointers import ROOT, Pointer, check_key, parse, parse_policy_path, resource_key, text
from protocol.policies.entries import ADDITIONS
from protocol.policies.expiry import Granularity, read_announcement, read_expiry
from protocol.policies.substitution import substitute_caller
from protocol.wire.timestamps import iso

PERMISSIONS: Final = ("READ", "WRITE", "EXECUTE")
IMPORTABLE: Final = ("implicit", "explicit", "never")
MAX_IMPORTS: Final = 10
POLICY_MEMBERS: Final = ("policyId", "imports", "entries")
LABEL_FORM: Final = "Labels have 1 to 256 characters, no '/' and none of U+0000 to U+001F and U+007F to U+00FF."
REFERENCE_FORM: Final = (
    'Write {"entry": "label"} for an entry of this policy,'
    ' and {"import": "namespace:name", "entry": "label"} for one of an imported policy.'
)

_RESERVED = ("imported", "nsimported")
_SUBJECT_ID = re.compile(r"[^\x00-\x1F\x7F-\x9F]{1,256}")
_RESOURCE_KEY = re.compile(r"(thing|policy|message):(.*)", re.DOTALL)
_NAMESPACE = re.compile(r"[a-zA-Z]\w*(?:[.-][a-zA-Z]\w*)*(?:\.\*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading depends on: the time, how finely times are told apart, the subject of who writes, and the place."""

    now: datetime
    granularity: Granularity
    caller: str
    place: Pointer = ROOT

    @property
    def where(self) -> str:
        """The place as a refusal names it."""
        return f"'{text(self.place)}'"

    def below(self, key: str) -> Reading:
        """The same for a member of the value."""
        return Reading(now=self.now, granularity=self.granularity, caller=self.caller, place=(*self.place, key))


Reader: TypeAlias = Callable[[JsonValue, Reading], JsonValue]


def read_policy(value: JsonValue, reading: Reading) -> JsonObject:
    """A whole policy, which needs entries of its own unless it imports some.

    ``policyId`` is for the caller to compare.
    """
    policy = _object(value, reading)
    stored: JsonObject = {}
    if policy.get("policyId") is not None:
        stored["policyId"] = str(PolicyId.parse(_string(policy["policyId"], reading.below("policyId"))))
    if policy.get("imports") is not None:
        stored["imports"] = read_imports(policy["imports"], reading.below("imports"))
    if "entries" not in policy and not stored.get("imports"):
        raise JsonFieldMissing("entries", "the policy")
    stored["entries"] = read_entries(policy.get("entries", {}), reading.below("entries"))
    return stored


def read_entries(value: JsonValue, reading: Reading) -> JsonValue:
    """All entries by label."""
    return {
        check_label(label): read_entry(entry, reading.below(label)) for label, entry in _object(value, reading).items()
    }


def read_entry(value: JsonValue, reading: Reading) -> JsonValue:
    """One entry: missing subjects or resources mean that it has none, and null is missing."""
    if not isinstance(value, dict):
        raise PolicyEntryInvalid(f"The policy entry at {reading.where} must be a JSON object.")
    stored: JsonObject = {
        "subjects": read_subjects(_given(value, "subjects", {}), reading.below("subjects")),
        "resources": read_resources(_given(value, "resources", {}), reading.below("resources")),
        "importable": read_importable(_given(value, "importable", "implicit"), reading.below("importable")),
    }
    for member, read in (
        ("namespaces", read_namespaces),
        ("allowedAdditions", read_additions),
        ("references", read_references),
    ):
        if value.get(member) is not None:
            stored[member] = read(value[member], reading.below(member))
    return stored


def read_subjects(value: JsonValue, reading: Reading) -> JsonValue:
    """Subjects by id, where a placeholder may stand for the caller."""
    return {
        check_subject_id(substitute_caller(subject_id, reading.caller)): read_subject(
            subject, reading.below(subject_id)
        )
        for subject_id, subject in _object(value, reading).items()
    }


def read_subject(value: JsonValue, reading: Reading) -> JsonValue:
    """One subject: ``type`` is mandatory, ``expiry`` and ``beforeExpiry`` are rounded up."""
    subject = _object(value, reading)
    if subject.get("type") is None:
        raise JsonFieldMissing("type", f"the subject at {reading.where}")
    if not isinstance(subject["type"], str) or not subject["type"]:
        raise JsonFormatInvalid(reading.below("type").where, "a JSON string that is not empty")
    stored: JsonObject = {"type": subject["type"]}
    if subject.get("expiry") is not None:
        ends = read_expiry(subject["expiry"], now=reading.now, granularity=reading.granularity.expiry)
        stored["expiry"] = iso(ends)
    if subject.get("announcement") is not None:
        granularity = reading.granularity.announcement
        _, stored["announcement"] = read_announcement(subject["announcement"], granularity=granularity)
    return stored


def read_resources(value: JsonValue, reading: Reading) -> JsonValue:
    """Permissions by resource key."""
    return {
        check_resource_key(key): read_resource(rights, reading.below(key))
        for key, rights in _object(value, reading).items()
    }


def read_resource(value: JsonValue, reading: Reading) -> JsonValue:
    """The permissions on one resource: both ``grant`` and ``revoke``."""
    rights = _object(value, reading)
    stored: JsonObject = {}
    for member in ("grant", "revoke"):
        if member not in rights:
            raise JsonFieldMissing(member, f"the resource at {reading.where}; it may be []")
        stored[member] = _permissions(rights[member], member, reading)
    return stored


def read_importable(value: JsonValue, reading: Reading) -> JsonValue:
    """How far an entry may be imported."""
    if value not in IMPORTABLE:
        raise PolicyEntryInvalid(f"The value at {reading.where} must be one of {', '.join(IMPORTABLE)}.")
    return value


def read_namespaces(value: JsonValue, reading: Reading) -> JsonValue:
    """The namespaces that an entry is limited to: ``a.b`` or ``a.b.*``."""
    patterns: dict[str, JsonValue] = {}
    for pattern in _array(value, PolicyEntryInvalid, reading):
        if not isinstance(pattern, str) or _NAMESPACE.fullmatch(pattern) is None:
            raise PolicyEntryInvalid(
                f"The namespace pattern {pattern!r} at {reading.where} is not valid.",
                "Write a.b for a namespace, or a.b.* for all below it.",
            )
        patterns[pattern] = pattern
    return list(patterns.values())


def read_additions(value: JsonValue, reading: Reading) -> JsonValue:
    """What those who refer to an entry may add to it."""
    items = _array(value, PolicyEntryInvalid, reading)
    if not all(item in ADDITIONS for item in items):
        raise PolicyEntryInvalid(f"The value at {reading.where} may hold {', '.join(ADDITIONS)} and nothing else.")
    return [item for item in ADDITIONS if item in items]


def read_references(value: JsonValue, reading: Reading) -> JsonValue:
    """The entries that an entry takes in; whether they exist is a question to the whole policy."""
    references: list[JsonValue] = []
    for item in _array(value, PolicyEntryInvalid, reading):
        if not isinstance(item, dict) or not isinstance(item.get("entry"), str):
            raise PolicyEntryInvalid(f"A reference at {reading.where} is not valid.", REFERENCE_FORM)
        reference: JsonObject = {"entry": item["entry"]}
        if "import" in item:
            reference["import"] = str(PolicyId.parse(_string(item["import"], reading.below("import"))))
        if reference in references:
            raise PolicyEntryInvalid(
                f"The reference to {item['entry']!r} is given twice at {reading.where}.", "Give it once."
            )
        references.append(reference)
    return references


def read_imports(value: JsonValue, reading: Reading) -> JsonValue:
    """Imports by policy id, ten at most."""
    imports = _object(value, reading)
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    return {
        str(PolicyId.parse(policy_id)): read_import(setting, reading.below(policy_id))
        for policy_id, setting in imports.items()
    }


def read_import(value: JsonValue, reading: Reading) -> JsonValue:
    """One import: which explicit entries it takes, and what is resolved there first."""
    if not isinstance(value, dict):
        raise PolicyImportInvalid(f"The import at {reading.where} must be a JSON object.")
    stored: JsonObject = {}
    if value.get("entries") is not None:
        stored["entries"] = read_import_entries(value["entries"], reading.below("entries"))
    if value.get("transitiveImports") is not None:
        stored["transitiveImports"] = read_transitive(value["transitiveImports"], reading.below("transitiveImports"))
    return stored


def read_import_entries(value: JsonValue, reading: Reading) -> JsonValue:
    """The labels that an import takes, each once."""
    labels: dict[str, JsonValue] = {}
    for label in _array(value, PolicyImportInvalid, reading):
        if not isinstance(label, str):
            raise PolicyImportInvalid(f"The value at {reading.where} may hold labels and nothing else.")
        labels[label] = check_label(label)
    return list(labels.values())


def read_transitive(value: JsonValue, reading: Reading) -> JsonValue:
    """The policies that are resolved in the imported policy first."""
    return [
        str(PolicyId.parse(_string(policy_id, reading))) for policy_id in _array(value, PolicyImportInvalid, reading)
    ]


def check_label(label: str) -> str:
    """A label: a JSON key without a reserved prefix. Raises ``PolicyEntryInvalid`` or ``PolicyLabelInvalid``."""
    try:
        check_key(label)
    except JsonKeyInvalid as error:
        raise PolicyEntryInvalid(f"The label {label[:300]!r} is not valid.", LABEL_FORM) from error
    if label.startswith(_RESERVED):
        raise PolicyLabelInvalid(label)
    return label


def check_subject_id(subject_id: str) -> str:
    """A subject id: ``issuer:subject``, where the ``://`` of a URL is not the delimiter."""
    issuer, colon, subject = subject_id.replace("://", "", 1).partition(":")
    if _SUBJECT_ID.fullmatch(subject_id) is None or not (issuer and colon and subject):
        raise PolicySubjectIdInvalid(subject_id)
    return subject_id


def check_resource_key(key: str) -> str:
    """A resource key as it is stored: a type, a colon and a JSON pointer. Raises ``PolicyEntryInvalid``.

    The pointer may lack its first slash or have one too many at its end, and a ``~`` need not be escaped, as in Ditto.
    Other types mean nothing.
    """
    found = _RESOURCE_KEY.fullmatch(key)
    if found is None:
        raise PolicyEntryInvalid(
            f"The resource key {key[:300]!r} is not valid.",
            "Write thing:, policy: or message: and a path, such as thing:/features/lamp.",
        )
    pointer = "/" + found[2].removeprefix("/")
    (parse_policy_path if found[1] == "policy" else parse)(pointer)
    return resource_key(f"{found[1]}:{pointer}")


def _permissions(value: JsonValue, member: str, reading: Reading) -> list[JsonValue]:
    if not isinstance(value, list) or not all(item in PERMISSIONS for item in value):
        raise JsonFormatInvalid(
            f"'{member}' of {reading.where}", f"an array that holds {', '.join(PERMISSIONS)} or nothing"
        )
    return [item for item in PERMISSIONS if item in value]


def _array(value: JsonValue, error: Callable[[str], Exception], reading: Reading) -> list[JsonValue]:
    if not isinstance(value, list):
        raise error(f"The value at {reading.where} must be a JSON array.")
    return value


def _given(value: JsonObject, member: str, default: JsonValue) -> JsonValue:
    """The member, or the default if there is none; as Ditto's model reads it, null is none."""
    found = value.get(member)
    return default if found is None else found


def _object(value: JsonValue, reading: Reading) -> JsonObject:
    if not isinstance(value, dict):
        raise JsonFormatInvalid(reading.where, "a JSON object")
    return value


def _string(value: JsonValue, reading: Reading) -> str:
    if not isinstance(value, str):
        raise JsonFormatInvalid(reading.where, "a JSON string")
    return value
