"""The compiled policy answers as the slow model does, whatever policies, imports and callers there are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.enforcement.enforcer import Enforcer
from protocol.identifiers import PolicyId
from protocol.json import JsonValue, Missing
from protocol.policies.resolve import compile_policy, policies_imported
from tests.unit.protocol.enforcement.slow_model import Document, Slow, statements

SUBJECTS = ["a:1", "a:2", "a:3"]
LABELS = ["x", "y", "z"]
IDS = ["n:own", "n:one", "n:two"]
KEYS = ["p", "q"]
PATHS = [(), *[(one,) for one in KEYS], *[(one, two) for one in KEYS for two in KEYS]]
NAMESPACES = ["n", "n.m"]

permissions = st.lists(st.sampled_from(["READ", "WRITE"]), unique=True, max_size=2)
paths = st.sampled_from([*PATHS, ("p", "p", "p"), ("q", "p", "q")])
resource_keys = st.builds(lambda kind, path: f"{kind}:/" + "/".join(path), st.sampled_from(["thing", "policy"]), paths)
rights = st.fixed_dictionaries({"grant": permissions, "revoke": permissions})
references = st.fixed_dictionaries({"entry": st.sampled_from(LABELS)}, optional={"import": st.sampled_from(IDS[1:])})
entries = st.fixed_dictionaries(
    {
        "subjects": st.dictionaries(st.sampled_from(SUBJECTS), st.just({"type": "t"}), max_size=2),
        "resources": st.dictionaries(resource_keys, rights, max_size=4),
        "importable": st.sampled_from(["implicit", "explicit", "never"]),
    },
    optional={
        "namespaces": st.lists(st.sampled_from(["n", "n.m", "n.*"]), max_size=2, unique=True),
        "allowedAdditions": st.lists(st.sampled_from(["subjects", "resources", "namespaces"]), unique=True),
        "references": st.lists(references, max_size=2, unique_by=str),
    },
)
imports = st.fixed_dictionaries(
    {},
    optional={
        "entries": st.lists(st.sampled_from(LABELS), unique=True),
        "transitiveImports": st.lists(st.just("n:two"), max_size=1),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Document]:
    """A policy that imports others, which import the last one; sometimes one of them is missing."""
    found: dict[str, Document] = {}
    for place, policy_id in enumerate(IDS):
        found[policy_id] = {
            "policyId": policy_id,
            "entries": draw(st.dictionaries(st.sampled_from(LABELS), entries, min_size=1, max_size=3)),
            "imports": draw(st.dictionaries(st.sampled_from(IDS[place + 1 :]), imports)) if place < 2 else {},
        }
    for policy_id in draw(st.lists(st.sampled_from(IDS[1:]), max_size=1)):
        del found[policy_id]
    return found


values: st.SearchStrategy[JsonValue] = st.recursive(
    st.sampled_from([1, None, "s", [], [{"p": 1}], {}]), lambda inner: st.dictionaries(st.sampled_from(KEYS), inner)
)
callers = st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True).map(tuple)


def made(found: dict[str, Document]) -> Enforcer:
    own = found["n:own"]
    known = {PolicyId(name): found.get(name) for name in IDS[1:]}
    assert policies_imported(own, {}) <= {PolicyId(name) for name in own["imports"]}
    return compile_policy(own, known)


@given(found=documents(), caller=callers, namespace=st.sampled_from(NAMESPACES), path=paths, value=values)
@settings(max_examples=120, deadline=None)
def test_the_tree_answers_as_the_slow_model(
    found: dict[str, Document], caller: tuple[str, ...], namespace: str, path: tuple[str, ...], value: JsonValue
) -> None:
    enforcer = made(found)
    others = {name: document for name, document in found.items() if name != "n:own"}
    slow = Slow(statements(found["n:own"], others, namespace), set(caller), "thing", "READ")
    tree = enforcer.tree(caller, "READ", "thing", namespace)
    assert tree.allowed(path) == slow.allowed(path)
    assert tree.unrestricted(path) == slow.unrestricted(path)
    assert tree.partial(path) == slow.partial(path)
    seen = tree.visible(path, value)
    assert ([] if isinstance(seen, Missing) else [seen]) == (slow.visible(path, value))
    assert tree.everything == slow.unrestricted(())
    assert tree.nothing == (not slow.partial(()))


@given(found=documents(), caller=callers, namespace=st.sampled_from(NAMESPACES), path=paths)
@settings(max_examples=60, deadline=None)
def test_the_explanation_agrees_with_the_tree(
    found: dict[str, Document], caller: tuple[str, ...], namespace: str, path: tuple[str, ...]
) -> None:
    enforcer = made(found)
    explanation = enforcer.explain(caller, "WRITE", "thing", path, namespace)
    assert explanation.allowed == enforcer.tree(caller, "WRITE", "thing", namespace).unrestricted(path)
    assert explanation.allowed == (explanation.decided_by is not None and explanation.decided_by.effect == "grant")
    assert explanation.partial == enforcer.tree(caller, "WRITE", "thing", namespace).partial(path)
    assert explanation.to_json()["allowed"] == explanation.allowed
