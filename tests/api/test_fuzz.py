"""Whatever a client sends, it is the client's mistake: no answer is a 5xx."""

from __future__ import annotations

import json
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import ADA, Client

PARTS: Final = st.one_of(
    st.sampled_from(
        [
            *("api", "2", "things", "whoami", "attributes", "features", "definition", "properties", "policyId"),
            *(
                "desiredProperties",
                "a:b",
                "a:b",
                "a:b",
                ":b",
                "",
                ".",
                "..",
                "%2F",
                "%00",
                "%25",
                "%zz",
                "+",
                "~1",
                "~0",
            ),
            *("a%2Fb", "%C3%A4", "%FF", "{{~.*~}}", "%7B%7B%20~.*~%20%7D%7D", "*", "null", "health", "ready", "1"),
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#? "), max_size=8),
)
THING_PATHS: Final = st.lists(PARTS, max_size=5).map(lambda parts: "/".join(["/api/2/things/a:b", *parts]))
KNOWN_PATHS: Final = st.builds(
    lambda resource, below: f"/api/2/things/a:b{resource}{below}",
    st.sampled_from(
        [
            *("", "/policyId", "/definition", "/attributes", "/attributes/x", "/features", "/features/f"),
            *("/features/f/definition", "/features/f/properties", "/features/f/properties/p"),
            *("/features/f/desiredProperties", "/features/f/desiredProperties/p"),
        ]
    ),
    st.sampled_from(["", "", "", "/"]) | PARTS.map(lambda part: f"/{part}"),
)
POLICY_PATHS: Final = st.builds(
    lambda resource, below: f"/api/2/policies/a:p{resource}{below}",
    st.sampled_from(
        [
            *("", "/entries", "/entries/o", "/entries/o/subjects", "/entries/o/resources", "/entries/o/importable"),
            *("/entries/o/subjects/nginx:ada", "/entries/o/resources/thing:/", "/entries/o/references"),
            *("/entries/o/namespaces", "/entries/o/allowedAdditions", "/imports", "/imports/a:q"),
            *("/imports/a:q/entries", "/imports/a:q/transitiveImports", "/entries/o/actions/activateTokenIntegration"),
            *("/actions/deactivateTokenIntegration", "/entries/%FF", "/entries/o/subjects/x:%zz"),
        ]
    ),
    st.sampled_from(["", "", "", "/"]) | PARTS.map(lambda part: f"/{part}"),
)
PATHS: Final = (
    POLICY_PATHS | KNOWN_PATHS | THING_PATHS | st.lists(PARTS, max_size=7).map(lambda parts: "/" + "/".join(parts))
)
NAMES: Final = st.sampled_from(
    [
        *("timeout", "response-required", "requested-acks", "channel", "condition", "if-match", "if-none-match"),
        *("if-equal", "put-metadata", "get-metadata", "delete-metadata", "at-historical-revision", "policy-view"),
        *("at-historical-timestamp", "correlation-id", "idempotency-key", "dry-run", "allow-policy-lockout", "fields"),
        *("ids", "option", "namespaces", "namespace", "live-channel-condition", "merge-thing-patch-conditions"),
    ]
)
VALUES: Final = st.sampled_from(
    [
        *("", "0", "1", "true", "false", "-1", "1s", "99999999999999999999", "*", '"rev:1"', 'W/"x"', "twin", "live"),
        *("[]", "{}", "null", "twin-persisted", "skip", "skip-minimizing-merge", "2026-01-01T00:00:00Z", "a:b", "(("),
        *("size(2)", "cursor(W10)", "cursor(WyJhIiwiYiJd)", "attributes/x", "*/x", '[{"key":"/a","value":1}]', "a,,b"),
        *("eq(attributes/x,1)", 'not(like(thingId,"a*"),exists(features/*/x))', '{"/":"gt(_modified,time:now-1y)"}'),
        *("eq(attributes/x,time:now+99999999999y)", '{"attributes/x":"eq(attributes/x,2)"}', "in(_revision,1,2"),
        *("thingId,attributes(a,b)", "features/*/x", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "NaN", "original"),
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
LEAVES: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
KEYS: Final = (
    st.text(max_size=4)
    | st.sampled_from(
        [
            "thingId",
            "policyId",
            "_policy",
            "_copyPolicyFrom",
            "definition",
            "attributes",
            "features",
            "properties",
            "op",
            *(
                "subjects",
                "resources",
                "grant",
                "revoke",
                "type",
                "expiry",
                "announcement",
                "beforeExpiry",
                "importable",
            ),
            *("references", "entry", "import", "imports", "namespaces", "allowedAdditions", "transitiveImports"),
            *("nginx:ada", "thing:/", "requestedAcks", "labels", "randomizationInterval"),
        ]
    )
    | st.sampled_from(["path", "value", "from", "{{ ~.*~ }}", "{{ /(a+)+$/ }}", "_metadata", "entries", "a/b", "a:b"])
)
BODIES: Final = st.recursive(
    LEAVES | st.sampled_from(["a:b", "a:b:1", "add", "test", "/attributes/x", "{{ ref:things/a:b/policyId }}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
KINDS: Final = st.sampled_from(
    ["application/json", "application/merge-patch+json", "application/json-patch+json", "text/plain", ""]
)
METHODS: Final = st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS", "TRACE"])
FUZZ: Final = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


RIGHTS: Final = {key: {"grant": ["READ", "WRITE", "EXECUTE"], "revoke": []} for key in ("thing:/", "policy:/")}
POLICY: Final = {"entries": {"o": {"subjects": {"nginx:ada": {"type": "t"}}, "resources": RIGHTS}}}
THING: Final = {
    "policyId": "a:b",
    "attributes": {"x": 1},
    "features": {"f": {"definition": ["a:b:1"], "properties": {"p": 1}, "desiredProperties": {"p": {"q": 1}}}},
}


def quoted(text: str) -> str:
    return "".join(character if character.isalnum() else f"%{ord(character):02X}" for character in text)


async def test_no_request_is_answered_with_a_5xx(client: Client) -> None:
    requests: list[tuple[str, str, dict[str, str], object]] = []

    @FUZZ
    @given(METHODS, PATHS, st.lists(st.tuples(NAMES, VALUES), max_size=3), st.dictionaries(NAMES, VALUES, max_size=2))
    def gather(method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str]) -> None:
        target = path + ("?" + "&".join(f"{name}={quoted(value)}" for name, value in query) if query else "")
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        requests.append((method, target, {"Content-Type": kind, **headers}, {"attributes": {"y": 2}}))

    @FUZZ
    @given(st.sampled_from(["PUT", "PATCH", "POST"]), KNOWN_PATHS | POLICY_PATHS, KINDS, BODIES)
    def gather_bodies(method: str, path: str, kind: str, body: object) -> None:
        requests.append((method, path, {"Content-Type": kind}, body))

    gather()
    gather_bodies()
    await client("PUT", "/api/2/things/a:b", {})
    for number, (method, target, headers, body) in enumerate(requests):
        if number % 5 == 0:
            await client("PUT", "/api/2/things/a:b", THING)
            await client("PUT", "/api/2/policies/a:p", POLICY)
        # Nobody gives the acknowledgements that some of these requests ask for: waiting for them would take minutes.
        short = {"timeout": "50ms"} if "timeout" not in target and "timeout" not in headers else {}
        reply = await client(method, target, None, {**headers, **short}, data=json.dumps(body).encode())
        assert reply.status < 500, (method, target, headers, body, reply.body)


async def test_no_bytes_are_answered_with_a_5xx_or_silence(client: Client) -> None:
    requests: list[bytes] = []

    @FUZZ
    @given(
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.builds(
                lambda line, header, body: (
                    b"PUT /api/2/things/a:b"
                    + line
                    + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: "
                    + ADA["Authorization"].encode()
                    + b"\r\n"
                    + header
                    + b"\r\nContent-Length: "
                    + str(len(body)).encode()
                    + b"\r\n\r\n"
                    + body
                ),
                st.binary(max_size=10),
                st.binary(max_size=20),
                st.binary(max_size=40),
            ),
        )
    )
    def gather(data: bytes) -> None:
        requests.append(data)

    gather()
    for data in requests:
        # The stray line behind it makes the server close the connection in any case.
        answer = await client.raw(data + b"\r\n\r\n\x00\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), (data, answer)
        assert b"HTTP/1.1 5" not in answer, (data, answer)
