"""Policies over the broker: commands and questions as envelopes, and events for an audience that may not see all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aio_pika.abc import AbstractQueue
from pydantic import SecretStr
from yarl import URL

from services.application import running
from services.settings import Settings
from tests.integration.amqp.harness import Field, field, take
from tests.waiting import eventually

OWNER, AUDIENCE = "s:owner", "s:audience"
BOTH = {"grant": ["READ", "WRITE"], "revoke": []}
READ = {"grant": ["READ"], "revoke": []}
HIDDEN = {"grant": [], "revoke": ["READ"]}
ENTRIES: dict[str, Any] = {
    "owner": {
        "subjects": {OWNER: {"type": "t"}},
        "resources": {"thing:/": BOTH, "policy:/": BOTH},
        "importable": "implicit",
    }
}
POLICY, THING = "farm.one/shared/policies/commands/", "farm.one/pump/things/twin/commands/"


class Backend:
    """Sends envelopes as the connection's own subject, or as the broker's user, and hears what is published."""

    def __init__(self, outside: Field, answers: AbstractQueue, events: AbstractQueue, user: str) -> None:
        self.user = f"amqp:{user}"
        self._user_id = user
        self._outside, self._answers, self._events = outside, answers, events

    async def __call__(
        self,
        topic: str,
        path: str = "/",
        value: object = ...,
        *,
        as_user: bool = False,
        **headers: Any,  # noqa: ANN401 - JSON
    ) -> tuple[int, Any]:
        """Status and value of the answer; the error code in place of an error."""
        message: dict[str, object] = {"topic": topic, "path": path, "headers": {"correlation-id": "c", **headers}}
        if value is not ...:
            message["value"] = value
        user_id = self._user_id if as_user else None
        await self._outside.send(orjson.dumps(message), reply_to="answers", user_id=user_id)
        answer = orjson.loads((await take(self._answers)).body)
        assert answer["headers"]["correlation-id"] == "c"
        told = answer.get("value")
        if answer["topic"].endswith("/errors"):
            asked = topic.partition("/commands/")[0].replace("_/_", "unknown/unknown")
            assert answer["topic"] == asked + "/errors"
            return answer["status"], told["error"]
        return answer["status"], told

    async def event(self) -> tuple[str, dict[str, Any]]:
        """Routing key and envelope of the next event."""
        message = await take(self._events)
        return message.routing_key or "", orjson.loads(message.body)

    async def told(self) -> tuple[str, str, object]:
        """Routing key, path and value of the next event."""
        key, event = await self.event()
        return key, event["path"], event.get("value")


@asynccontextmanager
async def backend(database_url: str, amqp_url: str, home: Path, *audience: str) -> AsyncIterator[Backend]:
    settings = Settings(
        home=home,
        database_url=SecretStr(database_url),
        amqp_url=SecretStr(amqp_url),
        amqp_default_subjects=(OWNER,),
        amqp_event_subjects=audience,
    )
    roles = frozenset({"amqp", "publisher"})
    async with running(settings, roles) as application, field(amqp_url) as outside:
        assert application.broker is not None
        consumer = application.broker.consumer
        await eventually(lambda: consumer.ready, "messages are taken")
        await outside.channel.declare_exchange(outside.topology.events, "topic", durable=True)
        answers, events = await outside.queue("answers"), await outside.events()
        yield Backend(outside, answers, events, URL(amqp_url).user or "")


@pytest.fixture
async def ask(database_url: str, amqp_url: str, tmp_path: Path) -> AsyncIterator[Backend]:
    async with backend(database_url, amqp_url, tmp_path) as backend_:
        yield backend_


async def test_a_policy_lives_its_life_in_envelopes(ask: Backend) -> None:
    whole = {"policyId": "farm.one:shared", "entries": ENTRIES}
    assert await ask(POLICY + "create", value={"entries": ENTRIES}) == (201, whole)
    assert await ask.told() == ("policies.farm.one.shared.created", "/", whole)
    assert await ask(POLICY + "create", value={"entries": ENTRIES}) == (409, "policies:policy.conflict")

    guests = {"subjects": {"s:guest": {"type": "t"}}, "resources": {"thing:/": READ}, "importable": "never"}
    steps: list[tuple[str, str, object, int, str]] = [
        ("modify", "/entries/guests", guests, 201, "created"),
        ("modify", "/entries/guests", guests, 204, "modified"),
        ("modify", "/entries/guests/subjects/http://issuer:x", {"type": "t"}, 201, "created"),
        ("modify", "/entries/guests/resources/thing:/attributes/a", READ, 201, "created"),
        ("modify", "/entries/guests/resources/policy:/entries/guests", READ, 201, "created"),
        ("modify", "/entries/guests/resources/thing:/attributes/a~0b", READ, 201, "created"),
        ("delete", "/entries/guests/resources/thing:/attributes/a~0b", ..., 204, "deleted"),
        ("modify", "/entries/guests/namespaces", ["farm.one"], 204, "modified"),
        ("delete", "/entries/guests/subjects/http://issuer:x", ..., 204, "deleted"),
        ("delete", "/entries/guests/resources/thing:/attributes/a", ..., 204, "deleted"),
    ]
    for revision, (verb, path, value, status, action) in enumerate(steps, 2):
        assert await ask(POLICY + verb, path, value) == (status, value if status == 201 else None)
        key, event = await ask.event()
        assert (key, event["path"], event["revision"]) == (f"policies.farm.one.shared.{action}", path, revision)
        assert event["topic"] == f"farm.one/shared/policies/events/{action}"
        assert event.get("value", ...) == value

    stored = {**guests, "resources": {"thing:/": READ, "policy:/entries/guests": READ}, "namespaces": ["farm.one"]}
    assert await ask(POLICY + "retrieve", "/entries/guests") == (200, stored)
    assert await ask(POLICY + "retrieve", "/entries/guests/resources/policy:/entries/guests") == (200, READ)
    assert await ask(POLICY + "retrieve", "/entries/guests/resources/thing:") == (200, READ)  # as Ditto's Java says it
    assert await ask(POLICY + "delete", "/entries/owner") == (403, "policies:entry.modificationinvalid")
    assert await ask(POLICY + "delete", "/entries/none") == (404, "policies:entry.notfound")
    assert await ask(POLICY + "delete") == (204, None)
    assert await ask.told() == ("policies.farm.one.shared.deleted", "/", None)
    assert await ask(POLICY + "retrieve") == (404, "policies:policy.notfound")


async def test_somebody_elses_policy_is_as_hidden_as_they_made_it(ask: Backend) -> None:
    await ask(POLICY + "create", value={"entries": ENTRIES})
    assert await ask(POLICY + "retrieve", as_user=True) == (404, "policies:policy.notfound")
    assert await ask(POLICY + "delete", as_user=True) == (404, "policies:policy.notfound")
    rights = {"policy:/entries/clerks/subjects": BOTH}
    clerks = {"subjects": {ask.user: {"type": "t"}}, "resources": rights}
    await ask(POLICY + "modify", "/entries/clerks", clerks)
    assert await ask(POLICY + "retrieve", as_user=True) == (
        200,
        {"policyId": "farm.one:shared", "entries": {"clerks": {"subjects": clerks["subjects"]}}},
    )
    path = "/entries/clerks/subjects/s:new"
    assert await ask(POLICY + "modify", path, {"type": "t"}, as_user=True) == (201, {"type": "t"})
    assert await ask(POLICY + "modify", "/entries/clerks/resources", {}, as_user=True) == (
        403,
        "policies:resources.notmodifiable",
    )
    assert await ask(POLICY + "delete", as_user=True) == (403, "policies:policy.notmodifiable")


async def test_permissions_are_checked_by_an_envelope(ask: Backend) -> None:
    await ask(POLICY + "create", value={"entries": ENTRIES})
    await ask(THING + "create", value={"policyId": "farm.one:shared"})
    guests = {"subjects": {ask.user: {"type": "t"}}, "resources": {"thing:/attributes": READ}}
    await ask(POLICY + "modify", "/entries/guests", guests)
    topic = "_/_/policies/commands/checkPermissions"
    thing = {"entityId": "farm.one:pump", "hasPermissions": ["READ"]}
    questions = {
        "attributes": {**thing, "resource": "thing:/attributes"},
        "all": {**thing, "resource": "thing:/"},
        "policy": {"entityId": "farm.one:shared", "hasPermissions": ["WRITE"], "resource": "policy:/entries"},
        "nothing": {**thing, "entityId": "farm.one:none", "resource": "thing:/"},
    }
    owner = {"attributes": True, "all": True, "policy": True, "nothing": False}
    assert await ask(topic, value=questions) == (200, owner)
    guest = {"attributes": True, "all": False, "policy": False, "nothing": False}
    assert await ask(topic, value=questions, as_user=True) == (200, guest)
    await ask(POLICY + "delete", "/entries/guests")
    assert await ask(topic, value=questions, as_user=True) == (200, dict.fromkeys(questions, False))
    _, explained = await ask(topic, value={"all": questions["all"]}, explain="true")
    assert explained["all"]["permissions"]["READ"]["decidedBy"]["entry"] == "owner"
    wrong = {"q": {**thing, "resource": "door:/"}}
    assert await ask(topic, value=wrong) == (400, "json.format.invalid")


async def test_what_is_imported_is_told_to_whoever_may_read_it_there_also_as_it_was(
    ask: Backend,
) -> None:
    base, top = "farm.one/base/policies/commands/", POLICY
    guests = {"subjects": {ask.user: {"type": "t"}}, "resources": {"thing:/": READ}}
    await ask(base + "create", value={"entries": {**ENTRIES, "guests": guests}})
    auditors = {"subjects": {ask.user: {"type": "t"}}, "resources": {"policy:/": READ}, "importable": "never"}
    await ask(top + "create", value={"entries": {**ENTRIES, "auditors": auditors}, "imports": {"farm.one:base": {}}})
    await ask(THING + "create", value={"policyId": "farm.one:shared"})
    question = {"q": {"entityId": "farm.one:pump", "hasPermissions": ["READ"], "resource": "thing:/"}}
    view: dict[str, Any] = {"policy-view": "resolved", "at-historical-revision": 1}

    async def told() -> tuple[object, set[str]]:
        _, explained = await ask("_/_/policies/commands/checkPermissions", value=question, as_user=True, explain=True)
        _, entries = await ask(top + "retrieve", "/entries", as_user=True, **view)
        return explained["q"]["permissions"]["READ"]["decidedBy"], set(entries)

    hidden = {"policyId": "farm.one:base", "effect": "grant", "hidden": True}
    assert await told() == (hidden, {"owner", "auditors"})
    await ask(base + "modify", "/entries/auditors", auditors)
    await ask(top + "modify", "/imports", {})
    _, entries = await ask(top + "retrieve", "/entries", as_user=True, **view)
    imported = {"imported-farm.one:base-owner", "imported-farm.one:base-guests"}
    assert set(entries) == {"owner", "auditors", *imported}


LISTENERS: dict[str, Any] = {
    "subjects": {AUDIENCE: {"type": "t"}},
    "resources": {
        "thing:/attributes": READ,
        "thing:/attributes/secret": HIDDEN,
        "thing:/features/lamp/properties/on": READ,
        "policy:/entries/listeners/subjects": READ,
    },
}
LAMP_AND_SECRET: dict[str, Any] = {
    "policyId": "farm.one:shared",
    "definition": "a:b:1",
    "attributes": {"open": 1, "secret": {"pin": 1234}},
    "features": {"lamp": {"properties": {"on": True, "watts": 60}, "desiredProperties": {"on": True}}},
}


async def test_an_audience_is_told_what_it_may_read_and_nothing_of_the_rest(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    async with backend(database_url, amqp_url, tmp_path, AUDIENCE) as ask:
        await ask(POLICY + "create", value={"entries": {**ENTRIES, "listeners": LISTENERS}})
        key, path, value = await ask.told()
        assert (key, path) == ("policies.farm.one.shared.created", "/")
        assert value == {
            "policyId": "farm.one:shared",
            "entries": {"listeners": {"subjects": {AUDIENCE: {"type": "t"}}}},
        }
        await ask(THING + "create", value=LAMP_AND_SECRET)
        seen = {"attributes": {"open": 1}, "features": {"lamp": {"properties": {"on": True}}}}
        assert await ask.told() == ("things.farm.one.pump.created", "/", {"thingId": "farm.one:pump", **seen})

        # Nothing of these is to be seen, so nothing comes.
        await ask(THING + "modify", "/attributes/secret/pin", 4321)
        await ask(THING + "modify", "/attributes/secret", {"pin": 1})
        await ask(THING + "delete", "/attributes/secret/pin")
        await ask(THING + "modify", "/features/lamp/properties/watts", 40)
        await ask(THING + "modify", "/features/lamp/desiredProperties", {"on": False})
        await ask(THING + "delete", "/definition")
        await _merge(ask, "/", {"attributes": {"secret": {"pin": 2}}, "definition": "a:b:2"})
        await ask(POLICY + "modify", "/entries/owner/subjects/s:other", {"type": "t"})

        await ask(THING + "modify", "/attributes", {"open": 2, "secret": {"pin": 1234}})
        key, event = await ask.event()
        assert (key, event["path"], event["value"]) == ("things.farm.one.pump.modified", "/attributes", {"open": 2})
        assert event["revision"] == 9
        headers = {
            "correlation-id": "c",
            "ditto-originator": OWNER,
            "content-type": "application/json",
        }
        assert event["headers"] == {**headers, "response-required": False, "entity-revision": 9}
        assert "1234" not in str(event)


async def test_an_audience_is_told_of_merges_and_deletions_as_far_as_they_concern_it(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    async with backend(database_url, amqp_url, tmp_path, AUDIENCE) as ask:
        await ask(POLICY + "create", value={"entries": {**ENTRIES, "listeners": LISTENERS}})
        await ask(THING + "create", value=LAMP_AND_SECRET)
        assert [(await ask.told())[0].split(".")[-1] for _ in range(2)] == ["created", "created"]
        await _merge(ask, "/", {"attributes": {"open": 3, "secret": None}, "features": {"lamp": {"properties": None}}})
        patch = {"attributes": {"open": 3}, "features": {"lamp": {"properties": {"on": None}}}}
        assert await ask.told() == ("things.farm.one.pump.merged", "/", patch)
        await ask(THING + "modify", "/features/lamp/properties", {"on": False, "watts": 1})
        assert await ask.told() == ("things.farm.one.pump.created", "/features/lamp/properties", {"on": False})
        await ask(THING + "delete", "/attributes/open")
        assert await ask.told() == ("things.farm.one.pump.deleted", "/attributes/open", None)


async def _merge(ask: Backend, path: str, patch: object) -> None:
    kind: dict[str, Any] = {"content-type": "application/merge-patch+json"}
    status, _ = await ask(THING + "merge", path, patch, **kind)
    assert status == 204


async def test_an_audience_hears_again_of_what_it_may_see_again(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    listeners = {"subjects": {AUDIENCE: {"type": "t"}}, "resources": {"thing:/": READ}}
    async with backend(database_url, amqp_url, tmp_path, AUDIENCE) as ask:
        await ask(POLICY + "create", value={"entries": ENTRIES})
        await ask(THING + "create", value={"policyId": "farm.one:shared"})
        await ask(THING + "modify", "/attributes", {"n": 1})
        await ask(POLICY + "modify", "/entries/listeners", listeners)
        await ask(THING + "modify", "/attributes/n", 2)
        assert await ask.told() == ("things.farm.one.pump.modified", "/attributes/n", 2)
        await ask(POLICY + "delete", "/entries/listeners")
        await ask(THING + "modify", "/attributes/n", 3)
        await ask(POLICY + "modify", "/entries/listeners", listeners)
        await ask(THING + "delete")
        assert await ask.told() == ("things.farm.one.pump.deleted", "/", None)
