"""Bearer tokens: good ones name their subjects, and every other is a 401."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from protocol.enforcement.auth import AuthContext
from protocol.errors import DittoError, HeadersTooLarge, JwtConditionFailed, JwtInvalid, JwtIssuerNotSupported
from services.auth.bearer import BearerTokens
from services.auth.issuers import Issuer
from tests.provider import ISSUER, NOW, claims, ec_key, ed_key, encoded, jwk, rsa_key, token


class Clock:
    def __init__(self) -> None:
        self.seconds = float(NOW)

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    keys = [
        jwk("one", rsa_key()),
        jwk("es256", ec_key()),
        jwk("es384", ec_key(ec.SECP384R1)),
        jwk("es512", ec_key(ec.SECP521R1)),
        jwk("ed", ed_key()),
        jwk("for-rs256", rsa_key(), alg="RS256"),
        jwk("for-encryption", rsa_key(), use="enc"),
        jwk("for-signing-only", rsa_key(), key_ops=["sign"]),
        jwk("short", rsa_key(bits=1024)),
        {"kid": "secret", "kty": "oct", "k": encoded(b"x" * 64)},
        {"kid": "broken", "kty": "RSA", "n": "!", "e": 1},
        {"kid": "odd", "kty": "EC", "crv": ["P-256"]},
        "no key",
        {"kty": "RSA"},
    ]
    path.write_text(json.dumps({"keys": keys}))
    return path


def tokens(jwks_file: Path, clock: Clock, **issuer: object) -> BearerTokens:
    given = {"issuer": ISSUER, "audience": "twinlog", **issuer}
    return BearerTokens({"farm": Issuer(jwks_file=jwks_file, **given)}, clock=clock, time=clock)  # type: ignore[arg-type]  # settings of several types, which the class itself checks


async def ask(authenticator: BearerTokens, text: str) -> AuthContext:
    verdict = authenticator.authenticate({"Authorization": f"Bearer {text}"})
    assert verdict is not None
    return verdict if isinstance(verdict, AuthContext) else await verdict


async def refusal(authenticator: BearerTokens, text: str) -> DittoError:
    with pytest.raises(DittoError) as refused:
        await ask(authenticator, text)
    return refused.value


async def test_the_subject_is_the_issuers_key_and_the_claim_sub(jwks_file: Path, clock: Clock) -> None:
    context = await ask(tokens(jwks_file, clock), token(claims()))
    assert context.subjects == context.token_subjects == ("farm:ada",)
    assert context.claims == claims()


async def test_other_credentials_are_none_of_its_business(jwks_file: Path, clock: Clock) -> None:
    assert tokens(jwks_file, clock).authenticate({}) is None
    assert tokens(jwks_file, clock).authenticate({"Authorization": "Basic Zm9vOmJhcg=="}) is None


@pytest.mark.parametrize(
    ("algorithm", "kid", "key"),
    [
        *((algorithm, "one", None) for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ES256", "es256", ec_key()),
        ("ES384", "es384", ec_key(ec.SECP384R1)),
        ("ES512", "es512", ec_key(ec.SECP521R1)),
        ("EdDSA", "ed", ed_key()),
        ("RS256", "for-rs256", None),
    ],
)
async def test_every_pinned_algorithm_is_understood(
    jwks_file: Path, clock: Clock, algorithm: str, kid: str, key: object
) -> None:
    text = token(claims(), algorithm=algorithm, kid=kid, key=key)
    assert (await ask(tokens(jwks_file, clock), text)).subjects == ("farm:ada",)


@pytest.mark.parametrize(
    ("templates", "given", "subjects"),
    [
        (("{{ jwt:sub }}", "{{jwt:email}}"), {"email": "a@b"}, ("farm:ada", "farm:a@b")),
        (("{{ jwt:no-such-claim }}", "{{ jwt:sub }}"), {}, ("farm:ada",)),
        (("{{ jwt:roles }}",), {"roles": ["x", "y", "x"]}, ("farm:x", "farm:y")),
        (("r:{{ jwt:access/roles }}",), {"access": {"roles": ["x", "y"]}}, ("farm:r:x", "farm:r:y")),
        (("{{ jwt:a/b }}",), {"a": [{"b": 1}, {"c": 2}, {"b": True}]}, ("farm:1", "farm:true")),
        (("{{ jwt:https://x/y }}",), {"https://x/y": "z"}, ("farm:z",)),
        (("{{ jwt:sub }}@{{ jwt:aud }}",), {"aud": ["twinlog", "b"]}, ("farm:ada@twinlog", "farm:ada@b")),
        (("{{ jwt:scope | fn:split(' ') }}",), {"scope": "openid email"}, ("farm:openid", "farm:email")),
        (("{{ jwt:sub | fn:upper() }}", "{{ jwt:sub | fn:filter('eq','bea') }}"), {}, ("farm:ADA",)),
        (("{{ jwt:roles | fn:filter('like','farm-*') }}",), {"roles": ["x"] * 200 + ["farm-1"]}, ("farm:farm-1",)),
    ],
)
async def test_templates_make_subjects_of_claims(
    jwks_file: Path, clock: Clock, templates: tuple[str, ...], given: dict[str, object], subjects: tuple[str, ...]
) -> None:
    context = await ask(tokens(jwks_file, clock, subjects=templates), token(claims(**given)))
    assert context.subjects == subjects


async def test_an_issuer_without_scheme_stands_for_both_spellings(jwks_file: Path, clock: Clock) -> None:
    authenticator = tokens(jwks_file, clock, issuer="login.example.org/farm")
    for name in (ISSUER, "login.example.org/farm"):
        assert (await ask(authenticator, token(claims(iss=name)))).subjects == ("farm:ada",)
    assert isinstance(await refusal(authenticator, token(claims(iss="http://x"))), JwtIssuerNotSupported)


async def test_an_audience_counts_only_where_one_is_configured(jwks_file: Path, clock: Clock) -> None:
    for given in (None, "other", ["a", "b"]):
        await ask(tokens(jwks_file, clock, audience=()), token(claims(aud=given)))
    await ask(tokens(jwks_file, clock, audience=("a", "twinlog")), token(claims(aud=["x", "twinlog"])))


PUBLIC_PEM = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
GOOD = token(claims())
HEAD, BODY, SIGNATURE = GOOD.split(".")


def head(algorithm: str, kid: str = "one") -> str:
    return encoded(json.dumps({"alg": algorithm, "kid": kid}).encode())


def signed_by_hand(payload: dict[str, object], secret: bytes) -> str:
    """HS256, for which libraries refuse to use a public key as a secret."""
    text = f"{head('HS256', 'one')}.{encoded(json.dumps(payload).encode())}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"


CORPUS = {
    "empty": "",
    "one part": "abc",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.x",
    "five parts, an encrypted token": f"{GOOD}.x.y",
    "no signature": f"{HEAD}.{BODY}.",
    "a signature of one character": f"{HEAD}.{BODY}.A",
    "padding": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "a space inside": f"{HEAD} .{BODY}.{SIGNATURE}",
    "not base64": f"{HEAD}.!!!.{SIGNATURE}",
    "surrogates": "\udcff.\udcff.\udcff",
    "header no JSON": f"{encoded(b'x')}.{BODY}.{SIGNATURE}",
    "header an array": f"{encoded(b'[]')}.{BODY}.{SIGNATURE}",
    "claims an array": token(b"[]"),
    "claims no UTF-8": token(b'{"iss":"\xff"}'),
    "claims nested deeply": token(b'{"iss":' + b"[" * 3_000 + b"]" * 3_000 + b"}"),
    "algorithm none": f"{head('none', 'one')}.{BODY}.{SIGNATURE}",
    "algorithm none, unsigned": f"{head('none', 'one')}.{BODY}.",
    "algorithm nOnE": token(claims(), header={"alg": "nOnE"}),
    "algorithm null": token(claims(), header={"alg": None}),
    "algorithm a list": token(claims(), header={"alg": ["RS256"]}),
    "algorithm missing": token(claims(), header=b'{"kid":"one"}'),
    "HS256 with the public key as secret": signed_by_hand(claims(), PUBLIC_PEM),
    "HS256 with the key of the set": signed_by_hand(claims(), b"x" * 64),
    "HS256 with a symmetric key of the set": token(claims(), algorithm="HS256", key="x" * 64, kid="secret"),
    "another RSA algorithm than signed": token(claims(), header={"alg": "RS512"}),
    "an RSA algorithm with an EC key": token(claims(), kid="es256"),
    "an EC algorithm with an RSA key": token(claims(), algorithm="ES256", key=ec_key()),
    "an EC algorithm of another curve": token(claims(), algorithm="ES256", key=ec_key(), kid="es384"),
    "another algorithm than the key is for": token(claims(), algorithm="RS512", kid="for-rs256"),
    "ES256K": token(claims(), algorithm="ES256K", key=ec_key(ec.SECP256K1), kid="es256"),
    "a key for encryption": token(claims(), kid="for-encryption"),
    "a key not for verifying": token(claims(), kid="for-signing-only"),
    "a key of 1024 bits": f"{head('RS256', 'short')}.{BODY}.{SIGNATURE}",
    "a broken key": token(claims(), kid="broken"),
    "an odd key": token(claims(), kid="odd"),
    "another key": token(claims(), key=rsa_key(1)),
    "a tampered claim": f"{HEAD}.{encoded(json.dumps(claims(sub='root')).encode())}.{SIGNATURE}",
    "kid unknown": token(claims(), kid="nobody's"),
    "kid missing": token(claims(), kid=None),
    "kid a number": token(claims(), header={"kid": 1}),
    "crit unknown": token(claims(), header={"crit": ["exp"]}),
    "crit empty": token(claims(), header={"crit": []}),
    "b64 false": token(claims(), header={"b64": False}),
    "compressed": token(claims(), header={"zip": "DEF"}),
    "issuer unknown": token(claims(iss="https://evil.example")),
    "issuer missing": token(claims(iss=None)),
    "issuer a list": token(claims(iss=[ISSUER])),
    "issuer with a slash more": token(claims(iss=f"{ISSUER}/")),
    "audience another": token(claims(aud="other")),
    "audiences others": token(claims(aud=["a", "b"])),
    "audience missing": token(claims(aud=None)),
    "audience a number": token(claims(aud=1)),
    "audience with a number": token(claims(aud=["twinlog", 1])),
    "audience an object": token(claims(aud={"twinlog": 1})),
    "expired": token(claims(exp=NOW - 10)),
    "expired long ago": token(claims(exp=0)),
    "expiry missing": token(claims(exp=None)),
    "expiry null": token(json.dumps({**claims(), "exp": None}).encode()),
    "expiry a text": token(claims(exp=str(NOW + 600))),
    "expiry true": token(claims(exp=True)),
    "expiry negative": token(claims(exp=-1)),
    "expiry beyond time": token(claims(exp=10**15)),
    "expiry with five thousand digits": token(b'{"iss":"' + ISSUER.encode() + b'","exp":' + b"9" * 5_000 + b"}"),
    "expiry infinite": token(b'{"iss":"' + ISSUER.encode() + b'","exp":1e999}'),
    "expiry Infinity": token(b'{"iss":"' + ISSUER.encode() + b'","exp":Infinity}'),
    "not yet valid": token(claims(nbf=NOW + 11)),
    "not before, a text": token(claims(nbf="now")),
    "issued in the future": token(claims(iat=NOW + 11)),
    "a claim given twice": token(json.dumps(claims()).encode()[:-1] + b',"sub":"root"}'),
    "a header given twice": token(claims(), header=b'{"alg":"none","alg":"RS256","kid":"one"}'),
    "a nested member given twice": token(json.dumps(claims()).encode()[:-1] + b',"x":{"a":1,"a":2}}'),
    "subject missing": token(claims(sub=None)),
    "subject null": token(json.dumps({**claims(), "sub": None}).encode()),
    "subject an object": token(claims(sub={})),
    "subject empty": token(claims(sub="")),
    "subject too long": token(claims(sub="x" * 300)),
    "subject with a control character": token(claims(sub="a\nb")),
    "oversized": token(claims(padding="x" * 12_300)),
}


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS.keys())
async def test_a_bad_token_is_401(jwks_file: Path, clock: Clock, text: str) -> None:
    authenticator = tokens(jwks_file, clock)
    for _ in range(2):
        assert (await refusal(authenticator, text)).status == 401


@pytest.mark.parametrize(("name", "seconds"), [("exp", -9), ("nbf", 10), ("iat", 10)])
async def test_clocks_may_differ_by_ten_seconds(jwks_file: Path, clock: Clock, name: str, seconds: int) -> None:
    await ask(tokens(jwks_file, clock), token(claims(**{name: NOW + seconds})))


async def test_an_algorithm_that_the_issuer_is_not_pinned_to_is_refused(jwks_file: Path, clock: Clock) -> None:
    assert (await refusal(tokens(jwks_file, clock, algorithms=("ES256",)), GOOD)).status == 401


@pytest.mark.parametrize(("number", "each"), [(2, 60), (1, 101), (1, 300)])
async def test_more_subjects_than_headers_may_have_are_431_and_none_is_left_out(
    jwks_file: Path, clock: Clock, number: int, each: int
) -> None:
    names = "ab"[:number]
    authenticator = tokens(jwks_file, clock, subjects=("{{ jwt:sub }}", *(f"{{{{ jwt:{name} }}}}" for name in names)))
    many = {name: [f"{name}{value}" for value in range(each)] for name in names}
    assert isinstance(await refusal(authenticator, token(claims(**many))), HeadersTooLarge)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"azp": "app", "email_verified": True}, False),
        ({"azp": "other", "email_verified": True}, True),
        ({"azp": "app"}, True),
        ({"azp": "app", "email_verified": False}, True),
    ],
)
async def test_a_token_that_does_not_fulfil_a_condition_of_its_issuer_is_401(
    jwks_file: Path, clock: Clock, given: dict[str, object], refused: bool
) -> None:
    conditions = ["{{ jwt:azp | fn:filter('eq','app') }}", "{{ jwt:email_verified | fn:filter('eq','true') }}"]
    authenticator = tokens(jwks_file, clock, **{"prerequisite-conditions": conditions})
    if refused:
        assert isinstance(await refusal(authenticator, token(claims(**given))), JwtConditionFailed)
    else:
        assert (await ask(authenticator, token(claims(**given)))).subjects == ("farm:ada",)


async def test_claims_become_headers_of_the_callers_commands_where_there_are_such_claims(
    jwks_file: Path, clock: Clock
) -> None:
    templates = {"User-Email": "{{ jwt:email }}", "role": "{{ jwt:roles }}", "who": "{{ jwt:sub }}/{{ jwt:email }}"}
    authenticator = tokens(jwks_file, clock, **{"inject-claims-into-headers": templates})
    context = await ask(authenticator, token(claims(email="ada@farm.one", roles=["chief", "cook"])))
    assert context.headers == {"user-email": "ada@farm.one", "role": "chief", "who": "ada/ada@farm.one"}
    unusable: list[object] = ["x" * 1_025, "a\nb", None, {}]
    for email in unusable:
        assert (await ask(authenticator, token(claims(email=email)))).headers == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"correlation-id": "{{ jwt:sub }}"},
        {"If-Match": "{{ jwt:sub }}"},
        {"ditto-originator": "{{ jwt:sub }}"},
        {"Ditto-Own": "{{ jwt:sub }}"},
        {"authorization": "{{ jwt:sub }}"},
        {"a b": "{{ jwt:sub }}"},
        {"": "{{ jwt:sub }}"},
        {"a": "{{ jwt:sub }}", "A": "{{ jwt:sub }}"},
        {"a": "{{ header:x }}"},
        {f"a{number}": "{{ jwt:sub }}" for number in range(17)},
    ],
)
def test_headers_that_mean_something_to_the_service_are_not_made_of_claims(
    jwks_file: Path, headers: dict[str, str]
) -> None:
    with pytest.raises(ValidationError):
        Issuer(issuer=(ISSUER,), jwks_file=jwks_file, headers=headers)


async def test_several_issuers_of_one_key_are_the_same_people(jwks_file: Path, clock: Clock) -> None:
    authenticator = tokens(jwks_file, clock, issuer=("https://old.example", ISSUER))
    for name in ("https://old.example", ISSUER):
        assert (await ask(authenticator, token(claims(iss=name)))).subjects == ("farm:ada",)


async def test_a_verified_token_is_known_at_once_until_it_expires(jwks_file: Path, clock: Clock) -> None:
    authenticator = tokens(jwks_file, clock)
    context = await ask(authenticator, GOOD)
    assert authenticator.authenticate({"Authorization": f"bearer {GOOD}"}) is context
    clock.seconds = NOW + 609
    assert authenticator.authenticate({"Authorization": f"Bearer {GOOD}"}) is context
    clock.seconds = NOW + 610
    assert (await refusal(authenticator, GOOD)).status == 401


async def test_a_token_of_many_groups_is_as_good_as_another_up_to_the_bound(jwks_file: Path, clock: Clock) -> None:
    text = token(claims(groups=[f"/farm/{number:05}" for number in range(600)]))
    assert 8_192 < len(text) < 16_384
    assert (await ask(tokens(jwks_file, clock), text)).subjects == ("farm:ada",)
    issuer = Issuer(issuer=(ISSUER,), jwks_file=jwks_file)
    for longest, good in ((len(text), True), (len(text) - 1, False)):
        authenticator = BearerTokens({"farm": issuer}, clock=clock, time=clock, longest=longest)
        if good:
            await ask(authenticator, text)
        else:
            assert isinstance(await refusal(authenticator, text), JwtInvalid)


async def test_long_tokens_are_remembered_in_smaller_numbers(jwks_file: Path, clock: Clock) -> None:
    issuer = Issuer(issuer=(ISSUER,), jwks_file=jwks_file)
    texts = [token(claims(jti=str(number))) for number in range(3)]
    room = len(texts[1]) + len(texts[2])
    authenticator = BearerTokens({"farm": issuer}, clock=clock, time=clock, remembered_characters=room)
    for text in (texts[0], texts[0], *texts[1:]):
        await ask(authenticator, text)
    known = [authenticator.authenticate({"Authorization": f"Bearer {text}"}) for text in reversed(texts)]
    assert [isinstance(verdict, AuthContext) for verdict in known] == [True, True, False]
    forgotten = known[-1]
    assert not isinstance(forgotten, AuthContext | None)
    await forgotten


async def test_the_memory_of_tokens_is_bounded(jwks_file: Path, clock: Clock) -> None:
    issuer = Issuer(issuer=(ISSUER,), jwks_file=jwks_file)
    authenticator = BearerTokens({"farm": issuer}, clock=clock, time=clock, remembered_max=3)
    texts = [token(claims(jti=number)) for number in range(4)]
    for text in texts:
        await ask(authenticator, text)
    known = [authenticator.authenticate({"Authorization": f"Bearer {text}"}) for text in texts[1:]]
    assert all(isinstance(verdict, AuthContext) for verdict in known)
    forgotten = authenticator.authenticate({"Authorization": f"Bearer {texts[0]}"})
    assert not isinstance(forgotten, AuthContext | None)
    await forgotten
