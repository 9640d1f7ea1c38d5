"""The issuers whose tokens are accepted, as ``TWINLOG_OPENID_ISSUERS`` lists them.

    {"keycloak": {"issuer": "login.example.org/realms/farm", "audience": "twinlog",
                  "subjects": ["{{ jwt:sub }}", "role:{{ jwt:realm_access/roles }}"]}}

The key is the prefix of the subjects: the token above speaks for ``keycloak:<sub>``. Which signatures count is pinned
here and never read from a token (RFC 8725 section 3.1); the symmetric algorithms are not to be had at all, because a
public key would pass for their secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    HttpUrl,
    field_validator,
    model_validator,
)

from protocol.errors import PlaceholderError
from protocol.placeholders import check_template
from protocol.wire.headers import is_internal

NAME_MAX: Final = 1_000
_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
"""A field name in lower case (RFC 9110 section 5.1)."""
_CAPITAL: Final = re.compile(r"(?<=[a-z])[A-Z]")
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)

Algorithm: TypeAlias = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One issuer as tokens and discovery documents name it, and the URL at which it is found, no slash at its end."""

    names: frozenset[str]
    url: str


class Issuer(BaseModel):
    """One OpenID Connect provider, or several whose tokens mean the same people.

    ``issuer`` is what tokens name in ``iss``, to the letter: a slash at its end counts. Without a scheme it is taken
    with ``protocol`` or bare, as in Ditto's configuration. Keys come from ``jwks_file`` or ``jwks_uri`` if given, else
    from the provider's discovery document (OpenID Connect Discovery 1.0 section 4). Without ``audience`` tokens for
    anybody are accepted. Each of the ``conditions`` must leave a value, or the token is refused. ``headers`` go with
    every command of the caller, made by templates as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Texts = Field(min_length=1, validation_alias=AliasChoices("issuer", "issuers"))
    protocol: Literal["https", "http"] = "https"
    jwks_file: FilePath | None = None
    jwks_uri: HttpUrl | None = None
    audience: Texts = Field(default=(), validation_alias=AliasChoices("audience", "audiences"))
    subjects: Texts = Field(
        default=("{{ jwt:sub }}",), min_length=1, validation_alias=AliasChoices("subjects", "auth_subjects")
    )
    conditions: Texts = Field(default=(), validation_alias=AliasChoices("conditions", "prerequisite_conditions"))
    headers: dict[str, str] = Field(
        default_factory=dict, max_length=16, validation_alias=AliasChoices("headers", "inject_claims_into_headers")
    )
    algorithms: tuple[Algorithm, ...] = Field(default=ALGORITHMS, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, given: object) -> object:
        """``jwks-file`` and ``jwksFile`` are ``jwks_file``, and a text alone is the issuer."""
        if isinstance(given, str):
            return {"issuer": given}
        if not isinstance(given, dict):
            return given
        spelled = {_CAPITAL.sub(r"_\g<0>", str(name)).lower().replace("-", "_"): given[name] for name in given}
        if len(spelled) != len(given):
            raise ValueError("a member is given twice, in two spellings")
        return spelled

    @field_validator("issuer")
    @classmethod
    def _urls(cls, issuers: tuple[str, ...]) -> tuple[str, ...]:
        for issuer in issuers:
            if not issuer.isprintable() or any(mark in issuer for mark in " ?#") or len(issuer) > NAME_MAX:
                raise ValueError("an issuer is a URL without query and fragment, with or without its scheme")
        return issuers

    @field_validator("subjects", "conditions")
    @classmethod
    def _only_claims(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            try:
                check_template(template, {"jwt"})
            except PlaceholderError as error:
                raise ValueError(f"{error.message} A template may hold {{{{ jwt:<claim> }}}} only.") from error
        return templates

    @field_validator("headers")
    @classmethod
    def _own_headers(cls, templates: dict[str, str]) -> dict[str, str]:
        named = {name.lower(): template for name, template in templates.items()}
        if len(named) != len(templates) or any(_HEADER.fullmatch(name) is None or is_internal(name) for name in named):
            raise ValueError("a header is named once, and by no name that means something to the service")
        cls._only_claims(tuple(named.values()))
        return named

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.jwks_file is not None and self.jwks_uri is not None:
            raise ValueError("keys come from jwks_file or from jwks_uri, not from both")
        return self

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """The issuers one by one."""
        return tuple(map(self._authority, self.issuer))

    @property
    def names(self) -> frozenset[str]:
        """The values of ``iss`` that mean this provider."""
        return frozenset().union(*(authority.names for authority in self.authorities))

    def _authority(self, name: str) -> Authority:
        if "://" in name:
            return Authority(names=frozenset({name}), url=name.rstrip("/"))
        url = f"{self.protocol}://{name}"
        return Authority(names=frozenset({name, url}), url=url.rstrip("/"))
