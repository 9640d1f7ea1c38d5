"""Where a reply address leads."""

import pytest

from services.amqp.replies import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("answers", ("", "answers")),
        ("/answers", ("", "answers")),
        ("backend/things.answers", ("backend", "things.answers")),
        ("amq.rabbitmq.reply-to.g1h2AA/x==", ("", "amq.rabbitmq.reply-to.g1h2AA/x==")),
    ],
)
def test_a_reply_address_is_a_queue_or_an_exchange_with_a_routing_key(text: str, address: tuple[str, str]) -> None:
    assert parse_address(text) == address
