"""Conditions in the headers of an envelope, from the queue to the answer."""

import orjson

from tests.integration.amqp.harness import envelope, field, take_all
from tests.integration.amqp.service import in_memory


async def test_conditions_in_an_envelope_decide_what_becomes_an_event(amqp_url: str) -> None:
    async with in_memory(amqp_url) as service, field(amqp_url) as world:
        answers = await world.queue("answers")
        create = envelope(path="/", value={"attributes": {"rpm": 900}}, action="create")
        await world.send(create, reply_to="answers", correlation_id="0")
        for value, name, text in (
            (1, "condition", "gt(attributes/rpm,900)"),
            (2, "condition", "and(eq(attributes/rpm,900),eq(_revision,1))"),
            (3, "condition", "eq(attributes/rpm,2"),
            (4, "live-channel-condition", "eq(attributes/rpm,2)"),
        ):
            changed = envelope(value=value, headers={name: text})
            await world.send(changed, reply_to="answers", correlation_id=str(value))
        patch = envelope(
            path="/attributes",
            value={"rpm": 5, "on": True},
            action="merge",
            headers={
                "content-type": "application/merge-patch+json",
                "merge-thing-patch-conditions": {"rpm": "gt(attributes/rpm,900)"},
            },
        )
        await world.send(patch, reply_to="answers", correlation_id="5")

        # Effects are in the order of the commands; an answer that waits for no append may overtake others.
        messages = sorted(await take_all(answers, 6), key=lambda message: str(message.correlation_id))
        received = [orjson.loads(each.body) for each in messages]
        assert [each["status"] for each in received] == [201, 412, 204, 400, 405, 204]
        assert [each["value"]["error"] for each in received if each["status"] >= 400] == [
            "things:condition.failed",
            "rql.expression.invalid",
            "things:live.channelcondition.notallowed",
        ]
        events = [(event.type, orjson.loads(event.value or b"null")) for event in await service.log()]
        assert events[1:] == [("modified", 2), ("merged", {"on": True})]
