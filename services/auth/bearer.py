"""OAuth 2 bearer tokens (RFC 6750) that are JSON Web Tokens of a configured issuer.

A signature costs some fifty microseconds and more, so a token that was found good is remembered until it expires, or
until the issuer's keys are fetched anew. What is kept is a digest under a key of this process, not the token.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from protocol.enforcement.auth import AuthContext
from protocol.errors import (
    AuthenticationFailed,
    HeadersTooLarge,
    JwtConditionFailed,
    JwtIssuerNotSupported,
    PlaceholderTooManyTexts,
    PlaceholderUnresolved,
    PolicySubjectIdInvalid,
)
from protocol.json import JsonObject
from protocol.placeholders import TEXTS_MAX, claim_values, expand
from protocol.policies.values import check_subject_id
from services.auth.authentication import Verdict
from services.auth.issuers import Issuer
from services.auth.key_set import KeySet
from services.auth.key_sources import source_of
from services.auth.keys import IssuerKeys
from services.auth.pre_authenticated import SUBJECTS_MAX
from services.auth.tokens import LEEWAY_SECONDS, TOKEN_MAX, UnverifiedToken, check_claims, check_signature, read_token

LONGEST: Final = 1_024
"""Characters of a header that is made of claims; a longer text is left out."""
REMEMBERED_MAX: Final = 4_096
REMEMBERED_CHARACTERS: Final = 16 * 1024 * 1024
"""Of all tokens whose claims are kept, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider:
    key: str
    issuer: Issuer
    keys: IssuerKeys


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was good, and what it was found good by."""

    context: AuthContext
    ends: float
    provider: _Provider
    keys: KeySet
    characters: int


class BearerTokens:
    """Authenticates ``Authorization: Bearer``; the subjects are ``<issuer key>:<what its templates give>``."""

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        *,
        clock: Callable[[], float],
        time: Callable[[], float],
        longest: int = TOKEN_MAX,
        remembered_max: int = REMEMBERED_MAX,
        remembered_characters: int = REMEMBERED_CHARACTERS,
    ) -> None:
        """``clock`` gives seconds since 1970, ``time`` seconds that never go back; ``longest`` is in characters."""
        self._longest = longest
        self._remembered_max = remembered_max
        self._remembered_characters = remembered_characters
        self._clock = clock
        self._providers: dict[str, _Provider] = {}
        for key, issuer in issuers.items():
            for authority in issuer.authorities:
                keys = IssuerKeys(source_of(issuer, authority), name=key, time=time)
                provider = _Provider(key=key, issuer=issuer, keys=keys)
                self._providers.update(dict.fromkeys(authority.names, provider))
        self._secret = os.urandom(32)
        self._remembered: dict[bytes, _Known] = {}
        self._characters = 0

    def authenticate(self, headers: Mapping[str, str]) -> Verdict | None:
        """The caller that the token names; None without one."""
        credentials = headers.get("Authorization")
        if credentials is None or credentials[:7].lower() != "bearer ":
            return None
        text = credentials[7:].strip()
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=self._secret).digest()
        known = self._remembered.get(digest)
        if known is not None:
            if known.provider.keys.current is known.keys and self._clock() < known.ends:
                return known.context
            self._forget(digest)
        return self._verify(text, digest)

    async def _verify(self, text: str, digest: bytes) -> AuthContext:
        token = read_token(text, longest=self._longest)
        provider = self._providers.get(token.issuer)
        if provider is None:
            raise JwtIssuerNotSupported(token.issuer)
        if token.algorithm not in provider.issuer.algorithms:
            raise AuthenticationFailed(description="Tokens that are signed by this algorithm are not accepted.")
        # Nothing is fetched for a token that would be refused whoever has signed it.
        ends = check_claims(token.claims, provider.issuer, self._clock()) + LEEWAY_SECONDS
        keys = await _keys_that_signed(token, provider)
        subjects, headers = _subjects(provider, token.claims), _headers(provider.issuer, token.claims)
        context = AuthContext(subjects=subjects, claims=token.claims, headers=headers)
        self._remember(digest, _Known(context, ends, provider, keys, len(text)))
        return context

    def _remember(self, digest: bytes, known: _Known) -> None:
        self._forget(digest)  # the same token may have been verified twice at the same time
        self._remembered[digest] = known
        self._characters += known.characters
        while len(self._remembered) > self._remembered_max or self._characters > self._remembered_characters:
            self._forget(next(iter(self._remembered)))

    def _forget(self, digest: bytes) -> None:
        known = self._remembered.pop(digest, None)
        if known is not None:
            self._characters -= known.characters


async def _keys_that_signed(token: UnverifiedToken, provider: _Provider) -> KeySet:
    """The issuer's keys, after the token has been found to be signed with one of them."""
    keys = await provider.keys.keys_with(token.kid)
    try:
        check_signature(token, provider.issuer, keys)
    except AuthenticationFailed:
        others = await provider.keys.other_keys_than(keys)
        if others is None:
            raise
        check_signature(token, provider.issuer, others)
        return others
    return keys


def _subjects(provider: _Provider, claims: JsonObject) -> tuple[str, ...]:
    """What the templates give; one that asks for a claim that the token does not have gives nothing."""
    if not all(_texts(condition, claims) for condition in provider.issuer.conditions):
        raise JwtConditionFailed("The token does not fulfil what is demanded of the tokens of its issuer.")
    found = [subject for template in provider.issuer.subjects for subject in _texts(template, claims)]
    subjects = tuple(dict.fromkeys(f"{provider.key}:{subject}" for subject in found))
    if len(subjects) > SUBJECTS_MAX:
        raise HeadersTooLarge(len(subjects), SUBJECTS_MAX, "authentication subjects")
    try:
        if not all(check_subject_id(subject).isprintable() for subject in subjects) or not subjects:
            raise AuthenticationFailed(description="The claims of the token make no subject, or an unusable one.")
    except PolicySubjectIdInvalid as error:
        raise AuthenticationFailed(description=error.message) from None
    return subjects


def _headers(issuer: Issuer, claims: JsonObject) -> JsonObject:
    """What the issuer's setting makes headers of; of several texts the first, and nothing that no header could hold."""
    found = ((name, _texts(template, claims)) for name, template in issuer.headers.items())
    first = {name: texts[0] for name, texts in found if texts}
    return {name: text for name, text in first.items() if text.isprintable() and 0 < len(text) <= LONGEST}


def _texts(template: str, claims: JsonObject) -> tuple[str, ...]:
    try:
        return expand(template, {"jwt": lambda path: claim_values(claims, path)})
    except PlaceholderTooManyTexts:
        # Whoever lost some of its subjects would also lose what is revoked from them.
        raise HeadersTooLarge(TEXTS_MAX + 1, SUBJECTS_MAX, "authentication subjects") from None
    except PlaceholderUnresolved:
        return ()
