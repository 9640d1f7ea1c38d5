from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import UnknownTopicPath
from protocol.wire.topics import GRAMMAR, Topic, parse_topic

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=6)
subjects = st.lists(words, min_size=1, max_size=3).map("/".join)


@st.composite
def topics(draw: st.DrawFn) -> Topic:
    group, channel = draw(st.sampled_from(list(GRAMMAR)))
    criterion = draw(st.sampled_from(list(GRAMMAR[group, channel])))
    tail = GRAMMAR[group, channel][criterion]
    action = draw(st.sampled_from(sorted(tail.actions))) if tail.actions else None
    with_subject = tail.subject == "required" or (tail.subject == "optional" and draw(st.booleans()))
    namespace = "_" if group == "connections" else draw(words | st.just(""))
    subject = draw(subjects) if with_subject else None
    return Topic(namespace, draw(words), group, channel, criterion, action, subject)


@given(topics())
def test_printing_and_reading_are_inverse(topic: Topic) -> None:
    assert parse_topic(str(topic)) == topic


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("a.b/c/things/twin/commands/modify", Topic("a.b", "c", "things", "twin", "commands", "modify")),
        ("/c/things/twin/events/created", Topic("", "c", "things", "twin", "events", "created")),
        ("_/_/things/twin/search/subscribe", Topic("_", "_", "things", "twin", "search", "subscribe")),
        ("a/b/things/live/messages/x/y", Topic("a", "b", "things", "live", "messages", subject="x/y")),
        ("a/b/things/twin/acks", Topic("a", "b", "things", "twin", "acks")),
        ("a/b/things/live/acks/my:ack", Topic("a", "b", "things", "live", "acks", subject="my:ack")),
        ("a/b/things/twin/errors", Topic("a", "b", "things", "twin", "errors")),
        (
            "a/b/things/twin/streaming/subscribeForPersistedEvents",
            Topic("a", "b", "things", "twin", "streaming", "subscribeForPersistedEvents"),
        ),
        ("a/b/policies/commands/create", Topic("a", "b", "policies", None, "commands", "create")),
        ("_/_/policies/commands/checkPermissions", Topic("_", "_", "policies", None, "commands", "checkPermissions")),
        (
            "a/b/policies/announcements/subjectDeletion",
            Topic("a", "b", "policies", None, "announcements", subject="subjectDeletion"),
        ),
        ("_/c1/connections/announcements/opened", Topic("_", "c1", "connections", None, "announcements", "opened")),
    ],
)
def test_every_kind_of_topic_is_read(text: str, topic: Topic) -> None:
    assert parse_topic(text) == topic


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/b",
        "a/b/things",
        "a//things/twin/commands/modify",
        "a/b/things/twin",
        "a/b/things/twin/commands",
        "a/b/things/twin/commands/",
        "a/b/things/twin/commands/explode",
        "a/b/things/twin/commands/modify/x",
        "a/b/things/twin/events/modify",
        "a/b/things/commands/modify",
        "a/b/things/dead/commands/modify",
        "a/b/things/live/search/subscribe",
        "a/b/things/twin/messages/x",
        "a/b/things/live/messages",
        "a/b/things/live/messages/",
        "a/b/things/twin/acks/",
        "a/b/things/twin/errors/x",
        "a/b/things/twin/announcements/x",
        "a/b/policies/twin/commands/modify",
        "a/b/policies/commands/merge",
        "a/b/policies/commands/migrate",
        "a/b/policies/announcements",
        "a/b/connections/announcements/opened",
        "_/b/connections/announcements/burst",
        "_/b/connections/commands/create",
        "a/b/gadgets/twin/commands/modify",
        "a/b/Things/twin/commands/modify",
        " a/b/things/twin/commands/modify ",
    ],
)
def test_other_text_is_an_unknown_topic(text: str) -> None:
    with pytest.raises(UnknownTopicPath):
        parse_topic(text)


@given(st.lists(st.sampled_from([*"ab_/", "things/", "twin/", "commands/", "modify"]), max_size=9).map("".join))
def test_whatever_is_read_prints_as_it_was(text: str) -> None:
    try:
        topic = parse_topic(text)
    except UnknownTopicPath:
        return
    assert str(topic) == text


def test_a_topic_names_its_entity() -> None:
    assert parse_topic("a.b/c/things/twin/commands/modify").entity_id == "a.b:c"
