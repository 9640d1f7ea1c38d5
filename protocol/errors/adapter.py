"""Errors of the Ditto protocol adapter: messages whose topic, path or content cannot be understood."""

from __future__ import annotations

from typing import ClassVar

from protocol.errors.base import DittoError


class IllegalAdaptable(DittoError):
    """A message that cannot be mapped: path, value or status do not fit its topic."""

    code = "protocoladapter:illegal.adaptable"
    status = 422
    hint = "Compare the message with the protocol specification of its topic."

    def __init__(self, reason: str, *, topic: str, signal_type: str | None = None) -> None:
        super().__init__(f"The message cannot be mapped to a signal: {reason}.")
        self.extras = {"topicPath": topic} if signal_type is None else {"topicPath": topic, "signalType": signal_type}


class AdapterError(DittoError):
    """A part of the message names something that does not exist."""

    status = 400
    what: ClassVar[str] = "name"

    def __init__(self, text: str, description: str | None = None) -> None:
        super().__init__(f"The {self.what} '{text[:300]}' is not known.", description)


class InvalidPath(AdapterError):
    """A malformed path."""

    code = "protocoladapter:invalid.path"
    hint = "Paths begin with '/' and match the subject and the direction that the topic names."
    what = "form of the path"


class UnknownChannel(AdapterError):
    """A channel that this signal cannot use."""

    code = "protocoladapter:unknown.channel"
    hint = "Use the channel 'twin'."
    what = "use of the channel"


class UnknownCommand(AdapterError):
    """A topic action that is no command of its group."""

    code = "protocoladapter:unknown.command"
    hint = "Use create, retrieve, modify, merge or delete where the documentation lists them."
    what = "command"


class UnknownEvent(AdapterError):
    """An event type that does not exist."""

    code = "protocoladapter:unknown.event"
    hint = "Use created, modified, merged or deleted."
    what = "event"


class UnknownPath(AdapterError):
    """A path at which there is no resource for this command or event."""

    code = "protocoladapter:unknown.path"
    hint = "Use one of the documented resource paths, for example /attributes/maker or /features/motor/properties/rpm."
    what = "path"


class UnknownResponse(AdapterError):
    """A response type that does not exist."""

    code = "protocoladapter:unknown.response"
    hint = "Send a response with the topic of the command that it answers."
    what = "response"


class UnknownSignal(AdapterError):
    """A signal type that does not exist."""

    code = "protocoladapter:unknown.signal"
    hint = "Use one of the documented signals."
    what = "signal"


class UnknownTopicPath(AdapterError):
    """A topic that does not parse."""

    code = "protocoladapter:unknown.topicpath"
    hint = "Write for example: org.acme/pump-7/things/twin/commands/modify"
    what = "topic"
