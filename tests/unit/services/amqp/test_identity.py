"""Who sent a message, and for whom they may speak."""

import pytest

from protocol.errors import AuthenticationFailed, ConnectionIdEnforcementFailed, PlaceholderUnresolved
from protocol.identifiers import EntityId, PolicyId, ThingId
from protocol.signals import Command, RetrieveThings
from services.amqp.identity import EntityBinding, Identity


def command(entity_id: EntityId) -> Command:
    return Command(entity_id=entity_id, verb="modify", path=("attributes", "a"), value=1)


def test_a_user_becomes_every_subject_of_the_mapping() -> None:
    identity = Identity(("amqp:{user_id}", "device:{user_id}"))
    assert identity.authenticate("pump-7").subjects == ("amqp:pump-7", "device:pump-7")


def test_a_user_who_is_somebody_else_as_well_is_that_one_first() -> None:
    identity = Identity(known={"twinlog": ("nginx:twinlog",)})
    assert identity.authenticate("twinlog").subjects == ("nginx:twinlog", "amqp:twinlog")
    assert identity.authenticate("other").subjects == ("amqp:other",)


def test_without_a_user_the_default_subjects_count() -> None:
    identity = Identity(default_subjects=("integration:farm",))
    assert identity.authenticate(None).subjects == ("integration:farm",)
    assert identity.authenticate("pump-7").subjects == ("amqp:pump-7",)


def test_without_a_user_and_without_defaults_a_message_is_refused() -> None:
    with pytest.raises(AuthenticationFailed):
        Identity().authenticate(None)


def test_a_bound_user_speaks_for_its_own_thing_only() -> None:
    binding = EntityBinding(filters=("{{ entity:name }}",))
    binding.check("pump-7", command(ThingId("farm:pump-7")))
    with pytest.raises(ConnectionIdEnforcementFailed):
        binding.check("pump-7", command(ThingId("farm:pump-8")))
    with pytest.raises(ConnectionIdEnforcementFailed):
        binding.check(None, command(ThingId("farm:pump-7")))


def test_one_of_several_filters_is_enough() -> None:
    binding = EntityBinding(filters=("{{ entity:id }}", "gateway-{{ thing:namespace }}"))
    binding.check("gateway-farm", command(ThingId("farm:pump-7")))
    binding.check("farm:rules", command(PolicyId("farm:rules")))


def test_a_filter_for_things_only_does_not_fit_a_policy() -> None:
    with pytest.raises(PlaceholderUnresolved):
        EntityBinding(filters=("{{ thing:id }}",)).check("farm:rules", command(PolicyId("farm:rules")))


def test_a_question_for_many_things_needs_the_right_to_each() -> None:
    binding = EntityBinding(filters=("{{ thing:name }}",))
    with pytest.raises(ConnectionIdEnforcementFailed):
        binding.check("a", RetrieveThings(thing_ids=(ThingId("farm:a"), ThingId("farm:b"))))


@pytest.mark.parametrize(
    "text", ["entity", "{{ entity:colour }}", "{{ feature:id }}", "{{ entity:id }} {{ nonsense }}"]
)
def test_a_filter_that_cannot_be_resolved_is_refused_when_configured(text: str) -> None:
    with pytest.raises(ValueError, match="filter"):
        EntityBinding(filters=(text,))
