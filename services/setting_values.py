"""The kinds of values that a setting may have, and how each is read from the text of a variable."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from protocol.context import EVERYWHERE
from protocol.durations import parse_duration
from protocol.errors import JsonInvalid, PlaceholderError, PlaceholderUnresolved, PolicySubjectIdInvalid, TimeoutInvalid
from protocol.identifiers import PolicyId
from protocol.json import parse
from protocol.placeholders import expand, names_of
from protocol.policies.values import check_subject_id
from services.auth.issuers import Issuer
from services.http.proxies import Network
from services.searching.solutions import Solution

DEVOPS_USER: Final = "devops"
AMQP_OFF: Final = "off"
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-ditto-pre-authenticated"})
NAMESPACE: Final = r"^[a-zA-Z]\w*([.-][a-zA-Z]\w*)*$"


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _users(value: object) -> object:
    """Read ``user:password,user:password``; a password may hold colons but no comma."""
    if not isinstance(value, str):
        return value
    users: dict[str, SecretStr] = {}
    for number, part in enumerate(filter(None, (part.strip() for part in value.split(","))), start=1):
        user, colon, password = part.partition(":")
        if not (user and colon and password):
            raise ValueError(f"user number {number} is not written as user:password")
        if user in users or user == DEVOPS_USER:
            raise ValueError(f"user number {number} has a name that is taken")
        users[user] = SecretStr(password)
    return users


def _url_of(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        scheme, separator, _ = url.get_secret_value().partition("://")
        if not separator or scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return url

    return AfterValidator(check)


def _amqp_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text != AMQP_OFF and not text.startswith(("amqp://", "amqps://")):
        raise ValueError("must begin with amqp:// or amqps://, or be the word off")
    return url


def _duration(value: object) -> object:
    """Read ``90``, ``500ms``, ``15m``, ``4h``; anything else is left to be read as ISO 8601."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except TimeoutInvalid:
            return value
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta())]
Granule = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(milliseconds=1))]


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except JsonInvalid:
        raise ValueError("is not written as a JSON object") from None


def _different_issuers(issuers: dict[str, Issuer]) -> dict[str, Issuer]:
    if "twinlog" in issuers:
        raise ValueError("the key twinlog is taken: it is how the service names itself")
    names = [name for issuer in issuers.values() for name in issuer.names]
    if len(set(names)) != len(names):
        raise ValueError("an issuer is listed under two keys")
    return issuers


def _integration_subject(template: str) -> str:
    def anything(name: str) -> tuple[str, ...]:
        return (name,)

    try:
        if not _SECRET_HEADERS.isdisjoint(map(str.lower, names_of(template, "header"))):
            raise ValueError("must not hold what a caller proves with who it is")
        for example in expand(template, {"policy-entry": anything, "jwt": anything, "header": anything}):
            check_subject_id(example)
    except PlaceholderUnresolved:
        return template  # a function that takes out what is no claim says nothing about claims
    except (PlaceholderError, PolicySubjectIdInvalid) as error:
        raise ValueError(
            "must be issuer:subject and may hold policy-entry:label, jwt:<claim>, header:<name>"
        ) from error
    return template


def _root_policies(found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for pattern, policy_ids in found.items():
        if pattern != EVERYWHERE and re.fullmatch(NAMESPACE, pattern.removesuffix(".*")) is None:
            raise ValueError(f"{pattern!r} is no namespace, no namespace with .* behind it, and not *")
        for policy_id in policy_ids:
            if not PolicyId.is_valid(policy_id):
                raise ValueError(f"{policy_id!r} is no policy id")
    return found


def _all_of_them(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("must not trust every address: then any client could name itself")
    return networks


Users = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_users)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_comma_list), AfterValidator(_all_of_them)]
Issuers = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$")], Issuer],
    NoDecode,
    BeforeValidator(_json_object),
    AfterValidator(_different_issuers),
]
Solutions = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], Solution], NoDecode, BeforeValidator(_json_object)
]
NamespacePolicies = Annotated[
    dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_json_object), AfterValidator(_root_policies)
]
DatabaseUrl = Annotated[SecretStr, _url_of("postgresql", "postgres")]
AmqpUrl = Annotated[SecretStr, AfterValidator(_amqp_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Namespace = Annotated[str, Field(pattern=NAMESPACE)]
SubjectTemplate = Annotated[str, AfterValidator(_integration_subject)]
