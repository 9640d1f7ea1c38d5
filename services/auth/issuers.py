"""The issuers whose tokens are accepted, as ``TWINLOG_OPENID_ISSUERS`` lists them.

    {"keycloak": {"issuer": "login.example.org/realms/farm", "audience": "twinlog",
                  "subjects": ["{{ jwt:sub }}", "{{ jwt:realm_access/roles }}"]}}

The key is the prefix of the subjects: the token above speaks for ``keycloak:<sub>``. Which signatures count is pinned
here and never read from a token (RFC 8725 section 3.1); the symmetric algorithms are not to be had at all, because a
public key would pass for their secret.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, FilePath, field_validator

from protocol.errors import PlaceholderNotResolvable
from protocol.placeholders import expand

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)

Algorithm: TypeAlias = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]


class Issuer(BaseModel):
    """One OpenID Connect provider.

    ``issuer`` is what tokens name in ``iss``; without a scheme it is taken with ``protocol`` or bare, as in Ditto's
    configuration. Keys come from ``jwks_file`` if given, else from the provider's discovery document (OpenID Connect
    Discovery 1.0 section 4). Without ``audience`` tokens for anybody are accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field(min_length=1, max_length=1_000)
    protocol: Literal["https", "http"] = "https"
    jwks_file: FilePath | None = None
    audience: Texts = ()
    subjects: Texts = Field(
        default=("{{ jwt:sub }}",), min_length=1, validation_alias=AliasChoices("subjects", "auth-subjects")
    )
    algorithms: tuple[Algorithm, ...] = Field(default=ALGORITHMS, min_length=1)

    @field_validator("issuer")
    @classmethod
    def _without_trailing_text(cls, issuer: str) -> str:
        if not issuer.isprintable() or any(mark in issuer for mark in " ?#"):
            raise ValueError("an issuer is a URL without query and fragment, with or without its scheme")
        return issuer

    @field_validator("subjects")
    @classmethod
    def _only_claims(cls, subjects: tuple[str, ...]) -> tuple[str, ...]:
        for template in subjects:
            try:
                expand(template, {"jwt": lambda name: (name,)})
            except PlaceholderNotResolvable as error:
                raise ValueError(f"the subject template '{template}' may hold {{{{ jwt:<claim> }}}} only") from error
        return subjects

    @property
    def url(self) -> str:
        """The issuer with its scheme, without a slash at the end."""
        return (self.issuer if "://" in self.issuer else f"{self.protocol}://{self.issuer}").rstrip("/")

    @property
    def names(self) -> frozenset[str]:
        """The values of ``iss`` that mean this issuer."""
        return frozenset({self.issuer} if "://" in self.issuer else {self.issuer, f"{self.protocol}://{self.issuer}"})
