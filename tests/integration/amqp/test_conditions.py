"""Conditions in the headers of an envelope, from the queue to the answer."""

import orjson

from tests.integration.amqp.harness import envelope, field, take_all
from tests.integration.amqp.service import in_memory


async def test_conditions_in_an_envelope_decide_what_becomes_an_event(amqp_url: str) -> None:
    async with in_memory(amqp_url) as service, field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(path="/", value={"attributes": {"rpm": 900}}, action="create"), reply_to="answers")
        for value, name, text in (
            (1, "condition", "gt(attributes/rpm,900)"),
            (2, "condition", "and(eq(attributes/rpm,900),eq(_revision,1))"),
            (3, "condition", "eq(attributes/rpm,2"),
            (4, "live-channel-condition", "eq(attributes/rpm,2)"),
        ):
            await world.send(envelope(value=value, headers={name: text}), reply_to="answers")
        patch = envelope(
            path="/attributes",
            value={"rpm": 5, "on": True},
            action="merge",
            headers={
                "content-type": "application/merge-patch+json",
                "merge-thing-patch-conditions": {"rpm": "gt(attributes/rpm,900)"},
            },
        )
        await world.send(patch, reply_to="answers")

        received = [orjson.loads(each.body) for each in await take_all(answers, 6)]
        assert [each["status"] for each in received] == [201, 412, 204, 400, 405, 204]
        assert [each["value"]["error"] for each in received if each["status"] >= 400] == [
            "things:condition.failed",
            "rql.expression.invalid",
            "things:live.channelcondition.notallowed",
        ]
        events = [(event.type, orjson.loads(event.value or b"null")) for event in await service.log()]
        assert events[1:] == [("modified", 2), ("merged", {"on": True})]
