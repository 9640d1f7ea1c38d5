"""What can be said: commands, the responses they get and the events they cause.

One type per kind of signal. Which resource a command touches is its ``path``; what may be done there is a row in the
tables of ``protocol.things.resources`` and ``protocol.policies.resources``, never a class of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocol.enforcement.rules import Permission, ResourceType
from protocol.identifiers import EntityId, ThingId
from protocol.immutable import immutable
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer

Verb: TypeAlias = Literal["create", "retrieve", "modify", "merge", "delete", "execute"]
"""``execute`` is for what is no resource: the actions of a policy, whose path names the action."""

Action: TypeAlias = Literal["created", "modified", "merged", "deleted"]
Cause: TypeAlias = Literal["expiry"]

Headers: TypeAlias = Mapping[str, JsonValue]
"""Lower-case names, typed values, as ``protocol.wire.headers.read_headers`` returns them. Never changed in place."""


@immutable
class Command:
    """A request about one entity on the twin channel."""

    entity_id: EntityId
    verb: Verb
    path: Pointer
    value: JsonValue | Missing = MISSING
    fields: str | None = None
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveThings:
    """A request for several things at once; unknown and unreadable ones are left out of the answer."""

    thing_ids: tuple[ThingId, ...]
    namespace: str | None = None
    fields: str | None = None
    headers: Headers = field(default_factory=dict)


@immutable
class Event:
    """A change of one entity that has been decided; ``path`` is relative to the entity.

    ``value`` is the new value (created, modified), the patch as applied (merged) or absent (deleted). ``metadata`` is
    what the event does to the entity's metadata, as a merge patch of that tree; it is kept but not published. ``cause``
    is why the service itself did it; nobody's command has one. ``printed`` is the value
    as JSON text where somebody has it anyway, which spares printing it again for its length or its bytes; who makes an
    event with another value leaves it out.
    """

    entity_id: EntityId
    action: Action
    path: Pointer
    value: JsonValue | Missing = MISSING
    metadata: JsonObject | None = None
    cause: Cause | None = None
    printed: bytes | None = field(default=None, compare=False, repr=False)


@immutable
class Response:
    """The successful answer to a command.

    ``verb`` and ``path`` differ from the command's when a modify or merge of a missing thing became a create.
    ``headers`` are those of the response alone (etag, entity-revision ...); the edge adds what it echoes.
    ``position`` is the log position after which the change can be read, for writes.
    """

    entity_id: EntityId
    verb: Verb
    path: Pointer
    status: int
    value: JsonValue | Missing = MISSING
    headers: Headers = field(default_factory=dict)
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Answers to a signal that asked for acknowledgements: the statuses by label.

    ``entity_id`` is that of the topic; for a policy announcement it may stand there as if it were a thing's.
    ``correlation_id`` is that of the signal.
    """

    entity_id: EntityId
    correlation_id: str
    statuses: Mapping[str, int]
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionCheck:
    """One question of ``CheckPermissions``: all the permissions, on the resource of the entity."""

    entity_id: EntityId
    resource_type: ResourceType
    path: Pointer
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPermissions:
    """What the caller may do, by names that the caller chose; with the reasons if ``explain``."""

    checks: Mapping[str, PermissionCheck]
    explain: bool = False
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeToSearch:
    """A search whose pages the client will pull; its texts are judged when the first page is asked for.

    ``option`` is as in ``/search/things``; ``namespaces`` ``None`` are all.
    """

    filter: str | None = None
    option: str = ""
    namespaces: tuple[str, ...] | None = None
    fields: str | None = None
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPages:
    """The client can take so many more pages."""

    subscription_id: str
    demand: int
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSearch:
    """The client wants no more pages."""

    subscription_id: str
    headers: Headers = field(default_factory=dict)


SearchSignal: TypeAlias = SubscribeToSearch | RequestPages | CancelSearch
"""What a client says about a search by pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCreated:
    """There is a subscription."""

    subscription_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of hits."""

    subscription_id: str
    items: list[JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCompleted:
    """There are no more pages."""

    subscription_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFailed:
    """There are no more pages because of ``error``, as the catalogue prints it."""

    subscription_id: str
    error: JsonObject


SearchEvent: TypeAlias = SearchCreated | SearchPage | SearchCompleted | SearchFailed
"""What the service says about a search by pages."""


Signal: TypeAlias = Command | RetrieveThings | CheckPermissions
"""What commanding takes."""

Incoming: TypeAlias = Signal | Acknowledgement | SearchSignal
"""What a message may be."""
