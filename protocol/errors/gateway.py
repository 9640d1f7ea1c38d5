"""Errors of the gateway: who is calling, by which version and method, and whether the service can answer at all."""

from __future__ import annotations

from protocol.errors.base import DittoError, Unavailable


class Unauthorized(DittoError):
    """The caller is not known."""

    status = 401
    hint = "Send valid credentials."


class AuthenticationFailed(Unauthorized):
    """No or invalid credentials. Of passwords the wording never says which; of a token, what is wrong with it."""

    code = "gateway:authentication.failed"

    def __init__(
        self, message: str = "The request could not be authenticated.", description: str | None = None
    ) -> None:
        super().__init__(message, description)


class JwtConditionFailed(Unauthorized):
    """A configured condition on the token's claims is false."""

    code = "gateway:jwt.condition.failed"


class JwtIssuerNotSupported(Unauthorized):
    """The token's issuer is not configured."""

    code = "gateway:jwt.issuer.notsupported"

    def __init__(self, issuer: str) -> None:
        super().__init__(f"Tokens of the issuer '{issuer[:200]}' are not accepted.")


class WebsocketSessionExpired(Unauthorized):
    """The token of a session has expired."""

    code = "gateway:websocket.session.expired"
    hint = "Connect again with a new token, or renew it in time with JWT-TOKEN."


class WebsocketSessionClosed(DittoError):
    """A token was renewed with another authorization context."""

    code = "gateway:websocket.session.closed"
    status = 403
    hint = "Connect again."


class AuthenticationProviderUnavailable(Unavailable):
    """Whoever checks credentials cannot be reached."""

    code = "gateway:authentication.provider.unavailable"


class PublicKeyProviderUnavailable(Unavailable):
    """The issuer's keys cannot be fetched."""

    code = "gateway:publickey.provider.unavailable"


class GatewayServiceUnavailable(Unavailable):
    """The service is shutting down or overloaded."""

    code = "gateway:service.unavailable"


class GatewayInternalError(DittoError):
    """An unexpected fault at the edge."""

    code = "gateway:internalerror"
    status = 500


class StreamingSessionAborted(DittoError):
    """A WebSocket or event stream ended abnormally."""

    code = "gateway:streaming.session.aborted"
    status = 500


class DuplicateHeaderField(DittoError):
    """A header given twice, or differently as header and as query parameter."""

    code = "gateway:duplicate.header.field"
    status = 400
    hint = "Give each header once."

    def __init__(self, header: str) -> None:
        super().__init__(f"The header '{header}' was given several times.")


class MethodNotAllowed(DittoError):
    """The route does not have this method."""

    code = "gateway:method.notallowed"
    status = 405
    hint = "The header Allow lists the methods of this route."

    def __init__(self, method: str) -> None:
        super().__init__(f"The method {method[:40]} cannot be used here.")


class NamespaceNotAccessible(DittoError):
    """The configuration denies access to this namespace."""

    code = "gateway:namespace.notaccessible"
    status = 403
    hint = "Use a namespace that is open to you."

    def __init__(self, namespace: str) -> None:
        super().__init__(f"The namespace '{namespace}' is not accessible.")


class GatewayTimeoutInvalid(DittoError):
    """A command timeout that is negative or above its maximum."""

    code = "gateway:timeout.invalid"
    status = 400

    def __init__(self, text: str, maximum_seconds: int = 60) -> None:
        super().__init__(f"The timeout '{text[:80]}' is not valid.", f"Use 0 to {maximum_seconds} seconds.")


class JwkInvalid(DittoError):
    """A malformed entry in an issuer's key set."""

    code = "jwk:invalid"
    status = 400
    hint = "The issuer has to publish a valid JSON Web Key Set (RFC 7517)."


class JwtAudienceInvalid(Unauthorized):
    """A malformed ``aud`` claim. Ditto says 400; whoever is not let in is told so here."""

    code = "jwt:audience.invalid"
    hint = "The claim 'aud' has to be a string or an array of strings."


class JwtInvalid(Unauthorized):
    """A token that is malformed or lacks ``kid``, ``iss`` or ``exp``. Ditto says 400, see ``JwtAudienceInvalid``."""

    code = "jwt:invalid"
    hint = "Get a new token from the issuer."
