"""Where keys come from, how often the issuer is asked, and what happens when it does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.errors import DittoError, PublicKeyProviderUnavailable
from services.auth.bearer import BearerTokens
from services.auth.issuers import Issuer
from services.auth.key_sources import DiscoveredKeys, KeyFile
from services.auth.keys import LOOKS_MAX
from tests.provider import NOW, Provider, claims, ec_key, ed_key, jwk, rsa_key, serving_provider, token
from tests.unit.services.auth.test_tokens import Clock, ask, refusal

FRESH_SECONDS, RETRY_SECONDS = DiscoveredKeys.fresh_seconds, DiscoveredKeys.retry_seconds


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving_provider() as provider:
        yield provider


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(provider: Provider, clock: Clock) -> BearerTokens:
    issuer = Issuer(issuer=(provider.url,), protocol="http")
    return BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)


def signed(provider: Provider, **given: object) -> str:
    kid = str(given.pop("kid", "one"))
    return token(claims(iss=provider.url, **given), kid=kid, key=rsa_key(0 if kid == "one" else 1))


async def test_keys_are_discovered_once_for_many_tokens_at_once(provider: Provider, tokens: BearerTokens) -> None:
    contexts = await asyncio.gather(*(ask(tokens, signed(provider, sub=f"s{n}")) for n in range(20)))
    assert [context.subjects for context in contexts] == [(f"farm:s{n}",) for n in range(20)]
    assert provider.asked == 1


async def test_a_new_key_is_known_with_the_first_token_that_it_signed(provider: Provider, tokens: BearerTokens) -> None:
    await ask(tokens, signed(provider))
    provider.keys = [jwk("one", rsa_key()), jwk("two", rsa_key(1))]
    await ask(tokens, signed(provider, kid="two"))
    assert provider.asked == 2


async def test_a_key_that_was_replaced_under_its_id_counts_and_the_old_one_no_longer(
    provider: Provider, tokens: BearerTokens
) -> None:
    old, new = signed(provider), token(claims(iss=provider.url, sub="new"), key=rsa_key(1))
    await ask(tokens, old)
    provider.keys = [jwk("one", rsa_key(1))]
    assert (await ask(tokens, new)).subjects == ("farm:new",)
    assert (await refusal(tokens, old)).status == 401


@pytest.mark.parametrize("attack", ["unknown ids", "false signatures"])
async def test_a_storm_of_bad_tokens_costs_a_few_looks_at_once_and_one_per_interval_then(
    provider: Provider, tokens: BearerTokens, clock: Clock, attack: str
) -> None:
    await ask(tokens, signed(provider))

    def storm() -> list[str]:
        if attack == "unknown ids":
            return [signed(provider, kid=f"k{number}") for number in range(20)]
        return [token(claims(iss=provider.url, sub=str(number)), key=rsa_key(1)) for number in range(20)]

    for bad in storm():
        assert (await refusal(tokens, bad)).status == 401
    assert provider.asked == LOOKS_MAX
    for looks in range(LOOKS_MAX + 1, LOOKS_MAX + 4):
        clock.seconds += RETRY_SECONDS
        refusals = await asyncio.gather(*(refusal(tokens, bad) for bad in storm()))
        assert {error.status for error in refusals} == {401}
        assert provider.asked == looks
    await ask(tokens, signed(provider, sub="meanwhile"))


async def test_tokens_that_come_together_share_one_look(provider: Provider, tokens: BearerTokens) -> None:
    await ask(tokens, signed(provider))
    await asyncio.gather(*(refusal(tokens, signed(provider, kid=f"k{number}")) for number in range(20)))
    assert provider.asked == 2


async def test_a_withdrawn_key_counts_no_longer_once_the_keys_are_looked_at_anew(
    provider: Provider, tokens: BearerTokens, clock: Clock
) -> None:
    good = signed(provider)
    await ask(tokens, good)
    provider.keys = [jwk("two", rsa_key(1))]
    clock.seconds += FRESH_SECONDS + 1
    await ask(tokens, good)
    await refusal(tokens, signed(provider, kid="makes-it-wait-for-the-keys"))
    assert (await refusal(tokens, good)).status == 401


async def test_known_keys_go_on_counting_while_the_issuer_is_away(
    provider: Provider, tokens: BearerTokens, clock: Clock
) -> None:
    await ask(tokens, signed(provider))
    provider.status = 503
    clock.seconds += FRESH_SECONDS + 1
    assert (await ask(tokens, signed(provider, sub="b"))).subjects == ("farm:b",)
    assert (await ask(tokens, signed(provider, sub="c"))).subjects == ("farm:c",)


async def test_an_issuer_out_of_reach_is_503_and_asked_again_after_a_while(
    provider: Provider, tokens: BearerTokens, clock: Clock
) -> None:
    provider.status = 500
    refusals = [await refusal(tokens, signed(provider)) for _ in range(LOOKS_MAX + 1)]
    assert all(isinstance(error, PublicKeyProviderUnavailable) for error in refusals)
    assert (refusals[-1].status, refusals[-1].headers) == (503, {"retry-after": RETRY_SECONDS})
    provider.status = 200
    assert (await refusal(tokens, signed(provider))).status == 503
    clock.seconds += RETRY_SECONDS
    await ask(tokens, signed(provider))


async def test_an_issuer_that_starts_later_than_we_do_is_found(provider: Provider, tokens: BearerTokens) -> None:
    provider.status = 503
    assert (await refusal(tokens, signed(provider))).headers == {"retry-after": 1}
    provider.status = 200
    await ask(tokens, signed(provider))


async def test_a_token_that_is_bad_by_itself_makes_nobody_ask(provider: Provider, tokens: BearerTokens) -> None:
    for bad in (signed(provider, exp=1), signed(provider, nbf=NOW + 99), f"{signed(provider)[:-9]}!"):
        assert (await refusal(tokens, bad)).status == 401
    assert provider.asked == 0


@pytest.mark.parametrize(
    "discovery",
    [
        {},
        {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"},
        {"issuer": None, "jwks_uri": "http://127.0.0.1/keys"},
        {"issuer": ["a"], "jwks_uri": "http://127.0.0.1/keys"},
        {"issuer": {}, "jwks_uri": "http://127.0.0.1/keys"},
    ],
)
async def test_a_discovery_document_of_somebody_else_is_not_believed(
    provider: Provider, tokens: BearerTokens, discovery: dict[str, object]
) -> None:
    provider.discovery = discovery
    assert (await refusal(tokens, signed(provider))).status == 503


async def test_a_discovery_document_need_not_say_whose_it_is(provider: Provider, tokens: BearerTokens) -> None:
    provider.discovery = {"jwks_uri": f"{provider.url}/keys"}
    assert (await ask(tokens, signed(provider))).subjects == ("farm:ada",)


@pytest.mark.parametrize("url", ["ftp://x/keys", "file:///etc/passwd", 7, "http://[bad"])
async def test_keys_are_only_fetched_from_where_keys_are(provider: Provider, tokens: BearerTokens, url: object) -> None:
    provider.discovery = {"issuer": provider.url, "jwks_uri": url}
    assert (await refusal(tokens, signed(provider))).status == 503


async def test_an_endless_key_set_is_cut_off(provider: Provider, tokens: BearerTokens) -> None:
    provider.padding = b" " * 300_000
    assert (await refusal(tokens, signed(provider))).status == 503


async def test_keys_come_from_where_the_operator_says_whatever_the_issuer_is_called(
    provider: Provider, clock: Clock
) -> None:
    provider.discovery = {}
    given = {"issuer": "https://not.to.be.reached", "jwks_uri": f"{provider.url}/keys"}
    tokens = BearerTokens({"farm": Issuer.model_validate(given)}, clock=lambda: float(NOW), time=clock)
    assert (await ask(tokens, token(claims(iss="https://not.to.be.reached")))).subjects == ("farm:ada",)
    assert provider.asked == 1


async def test_each_issuer_of_one_key_has_its_own_keys(clock: Clock) -> None:
    async with serving_provider() as one, serving_provider() as other:
        other.keys = [jwk("one", rsa_key(1))]
        issuer = Issuer.model_validate({"issuers": [one.url, other.url]})
        tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
        await ask(tokens, token(claims(iss=one.url)))
        await ask(tokens, token(claims(iss=other.url), key=rsa_key(1)))
        assert (await refusal(tokens, token(claims(iss=other.url)))).status == 401


async def test_nobody_listening_is_503(clock: Clock) -> None:
    issuer = Issuer(issuer=("http://127.0.0.1:1",), protocol="http")
    tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
    error: DittoError = await refusal(tokens, token(claims(iss="http://127.0.0.1:1")))
    assert error.status == 503


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys":1}', '{"keys":' + "[" * 99 + "]" * 99 + "}"])
async def test_a_file_that_is_no_key_set_is_503(tmp_path: Path, clock: Clock, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    issuer = Issuer(issuer=("https://x",), jwks_file=path)
    tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
    assert (await refusal(tokens, token(claims(iss="https://x")))).status == 503


async def test_a_replaced_file_is_read_again(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys":[]}')
    issuer = Issuer(issuer=("https://x",), jwks_file=path)
    tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
    good = token(claims(iss="https://x"))
    assert (await refusal(tokens, good)).status == 401
    path.write_text(json.dumps({"keys": [jwk("one", rsa_key())]}))
    await ask(tokens, good)


async def test_a_key_that_was_taken_out_of_a_file_counts_for_seconds_only(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk("one", rsa_key()), jwk("two", rsa_key(1))]}))
    issuer = Issuer(issuer=("https://x",), jwks_file=path)
    tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
    good = token(claims(iss="https://x"))
    await ask(tokens, good)
    path.write_text(json.dumps({"keys": [jwk("two", rsa_key(1))]}))
    clock.seconds += KeyFile.fresh_seconds + 1
    await ask(tokens, good)
    await refusal(tokens, token(claims(iss="https://x"), kid="makes-it-wait-for-the-keys"))
    assert (await refusal(tokens, good)).status == 401


ODD = [None, True, -1, 1.5, "", "x", "A" * 5_000, [], ["RSA"], {}, {"a": 1}]


@pytest.mark.parametrize("member", [*jwk("one", rsa_key()), *jwk("one", ec_key()), "use", "key_ops", "alg", "d", "x5c"])
async def test_an_odd_key_spoils_nothing_for_the_others(provider: Provider, clock: Clock, member: str) -> None:
    for key in (rsa_key(1), ec_key(), ed_key()):
        odd = [{**jwk("odd", key), member: value} for value in ODD]
        provider.keys = [*odd, jwk("one", rsa_key())]
        issuer = Issuer(issuer=(provider.url,), protocol="http")
        tokens = BearerTokens({"farm": issuer}, clock=lambda: float(NOW), time=clock)
        await ask(tokens, signed(provider))
        assert (await refusal(tokens, token(claims(iss=provider.url), kid="odd"))).status == 401
