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
from protocol.pointers import check_key, parse, parse_policy_path
from protocol.policies.expiry import Granularity, announcement, expiry, printed
from protocol.policies.substitution import substituted

PERMISSIONS: Final = ("READ", "WRITE", "EXECUTE")
IMPORTABLE: Final = ("implicit", "explicit", "never")
ADDITIONS: Final = ("subjects", "resources", "namespaces")
MAX_IMPORTS: Final = 10
POLICY_MEMBERS: Final = ("policyId", "imports", "entries")

_RESERVED = ("imported", "nsimported")
_SUBJECT_ID = re.compile(r"[^\x00-\x1F\x7F-\x9F]{1,256}")
_RESOURCE_KEY = re.compile(r"(thing|policy|message):(.*)", re.DOTALL)
_NAMESPACE = re.compile(r"[a-zA-Z]\w*(?:[.-][a-zA-Z]\w*)*(?:\.\*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading depends on: the time, how finely times are told apart, and the subject of who writes."""

    now: datetime
    granularity: Granularity
    caller: str


Reader: TypeAlias = Callable[[JsonValue, Reading], JsonValue]


def read_policy(value: JsonValue, reading: Reading) -> JsonObject:
    """A whole policy; ``policyId`` is for the caller to compare."""
    policy = _object(value, "policy")
    stored: JsonObject = {}
    if policy.get("policyId") is not None:
        stored["policyId"] = str(PolicyId.parse(_string(policy["policyId"], "policyId")))
    if policy.get("imports") is not None:
        stored["imports"] = read_imports(policy["imports"], reading)
    if policy.get("entries") is None:
        raise JsonFieldMissing("entries")
    stored["entries"] = read_entries(policy["entries"], reading)
    return stored


def read_entries(value: JsonValue, reading: Reading) -> JsonValue:
    """All entries by label."""
    return {check_label(label): read_entry(entry, reading) for label, entry in _object(value, "entries").items()}


def read_entry(value: JsonValue, reading: Reading) -> JsonValue:
    """One entry: missing subjects or resources mean that it has none."""
    if not isinstance(value, dict):
        raise PolicyEntryInvalid("A policy entry must be a JSON object.")
    stored: JsonObject = {
        "subjects": read_subjects(value.get("subjects", {}), reading),
        "resources": read_resources(value.get("resources", {}), reading),
        "importable": read_importable(value.get("importable", "implicit"), reading),
    }
    for member, read in (
        ("namespaces", read_namespaces),
        ("allowedAdditions", read_additions),
        ("references", read_references),
    ):
        if value.get(member) is not None:
            stored[member] = read(value[member], reading)
    return stored


def read_subjects(value: JsonValue, reading: Reading) -> JsonValue:
    """Subjects by id, where a placeholder may stand for the caller."""
    return {
        check_subject_id(substituted(subject_id, reading.caller)): read_subject(subject, reading)
        for subject_id, subject in _object(value, "subjects").items()
    }


def read_subject(value: JsonValue, reading: Reading) -> JsonValue:
    """One subject: ``type`` is mandatory, ``expiry`` and ``beforeExpiry`` are rounded up."""
    subject = _object(value, "subject")
    if subject.get("type") is None:
        raise JsonFieldMissing("type")
    stored: JsonObject = {"type": _string(subject["type"], "type of a subject")}
    if subject.get("expiry") is not None:
        ends = expiry(subject["expiry"], now=reading.now, granularity=reading.granularity.expiry)
        stored["expiry"] = printed(ends)
    if subject.get("announcement") is not None:
        _, stored["announcement"] = announcement(subject["announcement"], granularity=reading.granularity.announcement)
    return stored


def read_resources(value: JsonValue, reading: Reading) -> JsonValue:
    """Permissions by resource key."""
    return {
        check_resource_key(key): read_resource(rights, reading) for key, rights in _object(value, "resources").items()
    }


def read_resource(value: JsonValue, reading: Reading) -> JsonValue:
    """The permissions on one resource: both ``grant`` and ``revoke``."""
    del reading
    rights = _object(value, "resource")
    stored: JsonObject = {}
    for member in ("grant", "revoke"):
        if member not in rights:
            raise JsonFieldMissing(member)
        stored[member] = _chosen(rights[member], PERMISSIONS, _wrong_type, f"The member {member}")
    return stored


def read_importable(value: JsonValue, reading: Reading) -> JsonValue:
    """How far an entry may be imported."""
    del reading
    if value not in IMPORTABLE:
        raise PolicyEntryInvalid(f"The member importable must be one of {', '.join(IMPORTABLE)}.")
    return value


def read_namespaces(value: JsonValue, reading: Reading) -> JsonValue:
    """The namespaces that an entry is limited to: ``a.b`` or ``a.b.*``."""
    del reading
    patterns: dict[str, JsonValue] = {}
    for pattern in _array(value, PolicyEntryInvalid, "The member namespaces"):
        if not isinstance(pattern, str) or _NAMESPACE.fullmatch(pattern) is None:
            raise PolicyEntryInvalid(f"The namespace pattern {pattern!r} is not valid; write a.b or a.b.*.")
        patterns[pattern] = pattern
    return list(patterns.values())


def read_additions(value: JsonValue, reading: Reading) -> JsonValue:
    """What those who refer to an entry may add to it."""
    del reading
    return _chosen(value, ADDITIONS, PolicyEntryInvalid, "The member allowedAdditions")


def read_references(value: JsonValue, reading: Reading) -> JsonValue:
    """The entries that an entry takes in; whether they exist is a question to the whole policy."""
    del reading
    references: list[JsonValue] = []
    for item in _array(value, PolicyEntryInvalid, "The member references"):
        if not isinstance(item, dict) or not isinstance(item.get("entry"), str):
            raise PolicyEntryInvalid(
                'A reference must be written as {"entry": "label"}, with "import" if it is imported.'
            )
        reference: JsonObject = {"entry": item["entry"]}
        if "import" in item:
            reference["import"] = str(PolicyId.parse(_string(item["import"], "import of a reference")))
        if reference in references:
            raise PolicyEntryInvalid(f"The reference to {item['entry']!r} is given twice.")
        references.append(reference)
    return references


def read_imports(value: JsonValue, reading: Reading) -> JsonValue:
    """Imports by policy id, ten at most."""
    imports = _object(value, "imports")
    if len(imports) > MAX_IMPORTS:
        raise PolicyImportsTooLarge(len(imports), MAX_IMPORTS)
    return {str(PolicyId.parse(policy_id)): read_import(setting, reading) for policy_id, setting in imports.items()}


def read_import(value: JsonValue, reading: Reading) -> JsonValue:
    """One import: which explicit entries it takes, and what is resolved there first."""
    if not isinstance(value, dict):
        raise PolicyImportInvalid("An import must be a JSON object.")
    stored: JsonObject = {}
    if value.get("entries") is not None:
        stored["entries"] = read_import_entries(value["entries"], reading)
    if value.get("transitiveImports") is not None:
        stored["transitiveImports"] = read_transitive(value["transitiveImports"], reading)
    return stored


def read_import_entries(value: JsonValue, reading: Reading) -> JsonValue:
    """The labels that an import takes, each once."""
    del reading
    labels: dict[str, JsonValue] = {}
    for label in _array(value, PolicyImportInvalid, "The entries of an import"):
        if not isinstance(label, str):
            raise PolicyImportInvalid("The entries of an import must be labels.")
        labels[label] = check_label(label)
    return list(labels.values())


def read_transitive(value: JsonValue, reading: Reading) -> JsonValue:
    """The policies that are resolved in the imported policy first."""
    del reading
    return [
        str(PolicyId.parse(_string(policy_id, "transitive import")))
        for policy_id in _array(value, PolicyImportInvalid, "The member transitiveImports")
    ]


def check_label(label: str) -> str:
    """A label: a JSON key without a reserved prefix. Raises ``PolicyEntryInvalid`` or ``PolicyLabelInvalid``."""
    try:
        check_key(label)
    except JsonKeyInvalid as error:
        raise PolicyEntryInvalid(f"The label {label[:300]!r} is not valid.") from error
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

    The pointer may lack its first slash or have one too many at its end, as in Ditto. Other types mean nothing.
    """
    found = _RESOURCE_KEY.fullmatch(key)
    if found is None:
        raise PolicyEntryInvalid(
            f"The resource key {key[:300]!r} is not valid.",
            "Write thing:, policy: or message: and a path, such as thing:/features/lamp.",
        )
    pointer = "/" + found[2].removeprefix("/")
    (parse_policy_path if found[1] == "policy" else parse)(pointer)
    return f"{found[1]}:{pointer if pointer == '/' else pointer.removesuffix('/')}"


def _wrong_type(text: str) -> Exception:
    return JsonFormatInvalid("a resource", text)


def _chosen(value: JsonValue, known: tuple[str, ...], error: Callable[[str], Exception], what: str) -> list[JsonValue]:
    items = _array(value, error, what)
    if not all(item in known for item in items):
        raise error(f"{what} may hold {', '.join(known)} and nothing else.")
    return [item for item in known if item in items]


def _array(value: JsonValue, error: Callable[[str], Exception], what: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise error(f"{what} must be a JSON array.")
    return value


def _object(value: JsonValue, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise JsonFormatInvalid(f"the {what}", "a JSON object")
    return value


def _string(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise JsonFormatInvalid(f"the {what}", "a JSON string")
    return value
