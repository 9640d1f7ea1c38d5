"""Commands from the queue: answered, acknowledged in bulk and only when durable, put aside with the reason."""

import asyncio

import orjson
import pytest

from protocol.errors import DittoError, GatewayServiceUnavailable, PreconditionFailed, ThingNotFound
from protocol.signals import Command, Response
from services.amqp.fakes import ScriptedCommanding, Submission, done
from services.amqp.identity import EntityBinding, Identity
from tests.integration.amqp.harness import comes_back, envelope, field, left_in_queue, new_consumer, running, take
from tests.waiting import eventually


def value_of(submission: Submission) -> object:
    assert isinstance(submission.signal, Command)
    return submission.signal.value


def error_with(status: int) -> DittoError:
    error = DittoError("It did not work.")
    error.status = status
    return error


async def test_a_command_is_answered_at_its_reply_queue_with_its_correlation_id(amqp_url: str) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(value=900), reply_to="answers", correlation_id="c-1", message_id="m-1")

        answer = await take(answers)

    assert answer.correlation_id == "c-1"
    assert answer.content_type == "application/vnd.eclipse.ditto+json"
    message = orjson.loads(answer.body)
    assert message["topic"] == "farm.one/pump-7/things/twin/commands/modify"
    assert (message["status"], message["path"]) == (204, "/attributes/rpm")
    assert message["headers"]["correlation-id"] == "c-1"
    (submission,) = commanding.submissions
    assert value_of(submission) == 900
    assert submission.command_id == "m-1"
    assert submission.auth.subjects == ("integration:farm",)


async def test_headers_of_the_envelope_win_over_properties(amqp_url: str) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("right")
        headers: dict[str, object] = {"reply-to": "right", "correlation-id": "inner", "ditto-message-id": "m-inner"}
        await world.send(envelope(headers=headers), reply_to="wrong", correlation_id="outer", message_id="m-outer")
        answer = orjson.loads((await take(answers)).body)
    assert answer["headers"]["correlation-id"] == "inner"
    assert commanding.submissions[0].command_id == "m-inner"


async def test_no_answer_is_sent_when_none_is_required(amqp_url: str) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(headers={"response-required": False}), reply_to="answers")
        await world.send(envelope(), reply_to="answers", correlation_id="second")
        assert (await take(answers)).correlation_id == "second"


async def test_an_answer_goes_to_an_exchange_that_is_named(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), field(amqp_url) as world:
        exchange = await world.channel.declare_exchange("backend", "topic")
        answers = await world.queue("answers")
        await answers.bind(exchange, "to.me")
        for number in range(3):
            await world.send(envelope(), reply_to="backend/to.me", correlation_id=f"c-{number}")
            assert (await take(answers)).correlation_id == f"c-{number}"
    assert await left_in_queue(amqp_url, "twinlog.dead-letters") == 0


async def test_a_reply_address_that_leads_nowhere_harms_nobody(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())) as consumer, field(amqp_url) as world:
        answers = await world.queue("answers")
        for address in (
            "gone",
            "/gone",
            "no-such-exchange/x",
            "twinlog.events/forged",
            "twinlog.dead-letters",
            "x" * 255,
        ):
            await world.send(envelope(), reply_to=address)
        await world.send(envelope(), reply_to="answers", correlation_id="last")
        assert (await take(answers)).correlation_id == "last"
        assert consumer.link.sessions == 1
    assert await left_in_queue(amqp_url) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json at all", "json.invalid"),
        (b"", "json.invalid"),
        (b'"a string"', "json.invalid"),
        (b"\xff\xfe\x00", "json.invalid"),
        (b'{"path":"/"}', "json.field.missing"),
        (envelope("nonsense"), "protocoladapter:unknown.topicpath"),
        (b'{"topic":"a/b/things/twin/events/modified","path":"/","value":{}}', None),
        (b'{"topic":"a/b/things/twin/commands/modify","path":"/","value":{},"headers":{"response-required":7}}', None),
        (b"[" * 100_000, None),
    ],
)
async def test_a_poison_message_lies_in_dead_letters_with_its_reason_while_the_queue_flows_on(
    amqp_url: str, body: bytes, code: str | None
) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(body, reply_to="answers", correlation_id="poison", message_id="m-1", routing_key="from.pump")
        await world.send(envelope(), reply_to="answers", correlation_id="next")

        letter = await world.dead_letter()
        replies = {each.correlation_id: orjson.loads(each.body) for each in (await take(answers), await take(answers))}

    assert letter.body == body
    assert letter.headers["x-twinlog-status"] in {400, 415, 422}
    assert code is None or letter.headers["x-twinlog-reason"] == code
    assert letter.headers["x-twinlog-message"]
    assert letter.headers["x-twinlog-exchange"] == "twinlog.commands"
    assert letter.headers["x-twinlog-routing-key"] == "from.pump"
    assert letter.headers["x-twinlog-message-id"] == "m-1"
    assert letter.headers["x-twinlog-time"]
    assert replies["poison"]["value"]["error"] == letter.headers["x-twinlog-reason"]
    assert replies["next"]["status"] == 204
    assert await left_in_queue(amqp_url) == 0


async def test_a_message_that_is_no_envelope_is_answered_as_far_as_its_headers_can_be_read(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), field(amqp_url) as world:
        answers = await world.queue("answers")
        unknown = {"topic": "farm.one/p/policies/commands/merge", "path": "/", "headers": {"Correlation-Id": "mine"}}
        await world.send(orjson.dumps(unknown), reply_to="answers", correlation_id="outside")
        answer = await take(answers)
        assert answer.correlation_id == "outside"
        message = orjson.loads(answer.body)
        assert (message["headers"]["correlation-id"], message["status"]) == ("mine", 400)
        silent = {**unknown, "headers": {"response-required": False}}
        await world.send(orjson.dumps(silent), reply_to="answers")
        await world.send(envelope(), reply_to="answers", correlation_id="last")
        assert (await take(answers)).correlation_id == "last"


async def test_a_dead_letter_keeps_what_the_message_had_but_goes_nowhere_else(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), field(amqp_url) as world:
        other = await world.queue("other")
        headers: dict[str, object] = {"CC": ["other"], "device": "pump-7", "n": 5}
        await world.send(b"poison", headers=headers, content_type="text/plain")
        letter = await world.dead_letter()
        assert letter.headers["device"] == "pump-7"
        assert letter.headers["n"] == 5
        assert letter.content_type == "text/plain"
        assert await other.get(fail=False) is None


async def test_what_is_refused_for_good_is_answered_and_put_aside(amqp_url: str) -> None:
    commanding = ScriptedCommanding(lambda _: ThingNotFound("farm.one:pump-7"))
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(), reply_to="answers", correlation_id="c")
        answer, letter = orjson.loads((await take(answers)).body), await world.dead_letter()
    assert answer["topic"] == "farm.one/pump-7/things/twin/errors"
    assert (answer["status"], answer["headers"]["correlation-id"]) == (404, "c")
    assert letter.headers["x-twinlog-reason"] == "things:thing.notfound"


async def test_a_condition_that_failed_and_a_question_without_answer_are_no_dead_letters(amqp_url: str) -> None:
    def answer(submission: Submission) -> DittoError:
        if isinstance(submission.signal, Command) and submission.signal.verb == "retrieve":
            return ThingNotFound("farm.one:pump-7")
        return PreconditionFailed("if-match", '"rev:1"', '"rev:2"')

    async with running(new_consumer(amqp_url, ScriptedCommanding(answer))), field(amqp_url) as world:
        answers = await world.queue("answers")
        await world.send(envelope(), reply_to="answers")
        assert orjson.loads((await take(answers)).body)["status"] == 412
        await world.send(envelope(path="/", action="retrieve"), reply_to="answers")
        assert orjson.loads((await take(answers)).body)["status"] == 404
    assert await left_in_queue(amqp_url) == 0
    assert await left_in_queue(amqp_url, "twinlog.dead-letters") == 0


async def test_nothing_is_acknowledged_before_its_future_is_done_and_then_in_bulk(amqp_url: str) -> None:
    commanding = ScriptedCommanding(lambda _: None)
    consumer = new_consumer(amqp_url, commanding)
    async with field(amqp_url) as world:
        async with running(consumer):
            for number in range(10):
                await world.send(envelope(value=number))
            await eventually(lambda: len(commanding.submissions) == 10, "all are submitted")
            for submission in commanding.submissions[1:4]:
                submission.succeed()
            await consumer.stop(0.2)
        # Answered out of order, and the first one never: nothing may have been acknowledged.
        await comes_back(amqp_url, 10)

        commanding.answer = done
        commanding.submissions.clear()
        async with running(new_consumer(amqp_url, commanding)):
            await eventually(lambda: len(commanding.submissions) == 10, "all come again")
        assert await left_in_queue(amqp_url) == 0
        assert [value_of(each) for each in commanding.submissions] == list(range(10))


async def test_no_more_than_the_prefetch_is_ever_taken(amqp_url: str) -> None:
    commanding = ScriptedCommanding(lambda _: None)
    async with running(new_consumer(amqp_url, commanding, prefetch=5)), field(amqp_url) as world:
        for number in range(40):
            await world.send(envelope(value=number))
        answered = 0
        while answered < 40:
            expected = min(answered + 5, 40)
            await eventually(lambda: len(commanding.submissions) >= expected, "the window is filled")  # noqa: B023 - awaited in this turn of the loop
            await asyncio.sleep(0.01)
            assert len(commanding.submissions) == expected
            commanding.submissions[answered].succeed()
            answered += 1


async def test_while_the_store_is_away_everything_waits_and_nothing_is_lost_or_reordered(amqp_url: str) -> None:
    away = True

    def answer(submission: Submission) -> Response | DittoError:
        return GatewayServiceUnavailable("The store is away.") if away else done(submission)

    commanding = ScriptedCommanding(answer)
    async with running(new_consumer(amqp_url, commanding)), field(amqp_url) as world:
        answers = await world.queue("answers")
        for number in range(20):
            await world.send(envelope(value=number), reply_to="answers", correlation_id=f"{number}")
        await eventually(lambda: len(commanding.submissions) > 5, "it is tried again")
        tries = len(commanding.submissions)
        assert tries < 200, "no hot loop"
        away = False
        assert [(await take(answers)).correlation_id for _ in range(20)] == [f"{number}" for number in range(20)]
        ids = {value_of(each): each.command_id for each in commanding.submissions}
        assert all(each.command_id == ids[value_of(each)] for each in commanding.submissions), "tries share their id"
    assert await left_in_queue(amqp_url) == 0
    assert await left_in_queue(amqp_url, "twinlog.dead-letters") == 0


async def test_a_command_that_keeps_failing_by_itself_is_put_aside_after_some_tries(amqp_url: str) -> None:
    def answer(submission: Submission) -> Response | DittoError:
        return error_with(500) if value_of(submission) == "bad" else done(submission)

    commanding = ScriptedCommanding(answer)
    async with running(new_consumer(amqp_url, commanding, attempts=2)), field(amqp_url) as world:
        await world.send(envelope(value="bad"))
        await world.send(envelope(value="good"))
        letter = await world.dead_letter()
    assert letter.headers["x-twinlog-status"] == 500
    assert [value_of(each) for each in commanding.submissions].count("bad") == 3
    assert await left_in_queue(amqp_url) == 0


async def test_the_broker_validated_user_is_who_speaks(amqp_url: str) -> None:
    user = amqp_url.split("//")[1].split(":", maxsplit=1)[0]
    commanding = ScriptedCommanding()
    identity = Identity(("amqp:{user_id}", "device:{user_id}"))
    async with running(new_consumer(amqp_url, commanding, identity=identity)), field(amqp_url) as world:
        await world.send(envelope(value="known"), user_id=user)
        await world.send(envelope(value="nobody"))
        letter = await world.dead_letter()
        await eventually(lambda: bool(commanding.submissions), "the known one is taken")
    assert [each.auth.subjects for each in commanding.submissions] == [(f"amqp:{user}", f"device:{user}")]
    assert letter.headers["x-twinlog-status"] == 401
    assert orjson.loads(letter.body)["value"] == "nobody"


async def test_a_bound_user_cannot_speak_for_another_thing(amqp_url: str) -> None:
    user = amqp_url.split("//")[1].split(":", maxsplit=1)[0]
    commanding = ScriptedCommanding()
    identity = Identity(binding=EntityBinding(filters=("{{ entity:name }}",)))
    async with running(new_consumer(amqp_url, commanding, identity=identity)), field(amqp_url) as world:
        await world.send(envelope(f"farm.one/{user}"), user_id=user)
        await world.send(envelope("farm.one/another"), user_id=user)
        letter = await world.dead_letter()
        await eventually(lambda: bool(commanding.submissions), "its own thing is taken")
    assert letter.headers["x-twinlog-reason"] == "connectivity:connection.id.enforcement.failed"
    assert letter.headers["x-twinlog-user-id"] == user
    assert len(commanding.submissions) == 1


async def test_a_deleted_queue_is_declared_again_and_consumed(amqp_url: str) -> None:
    commanding = ScriptedCommanding()
    async with running(new_consumer(amqp_url, commanding)) as consumer, field(amqp_url) as world:
        await world.channel.queue_delete("twinlog.commands")
        await eventually(lambda: consumer.link.sessions == 2 and consumer.ready, "a new session")
        await world.send(envelope())
        await eventually(lambda: len(commanding.submissions) == 1, "consumed from the new queue")


async def test_dead_letters_wait_while_nobody_can_take_them(amqp_url: str) -> None:
    async with running(new_consumer(amqp_url, ScriptedCommanding())), field(amqp_url) as world:
        await world.channel.queue_delete("twinlog.dead-letters")
        await world.send(b"poison")
        letters = await world.channel.declare_queue("twinlog.dead-letters", durable=True)
        await letters.bind("twinlog.dead-letters")
        assert (await take(letters)).body == b"poison"
