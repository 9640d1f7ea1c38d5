"""The authentications of a running service, made from its settings."""

from __future__ import annotations

import time

from services.auth.authentication import Authentication, Authenticator
from services.auth.basic import BasicUsers
from services.auth.bearer import BearerTokens
from services.auth.pre_authenticated import PreAuthenticated
from services.setting_values import DEVOPS_USER
from services.settings import Settings


def api_authentication(settings: Settings) -> Authentication:
    """For ``/api``: the pre-authenticated header if switched on, then tokens, then basic users."""
    ways: list[Authenticator] = []
    if settings.pre_authentication:
        ways.append(PreAuthenticated())
    challenge = 'Basic realm="twinlog", charset="UTF-8"'
    if settings.openid_issuers:
        longest = settings.openid_max_token_bytes
        ways.append(BearerTokens(settings.openid_issuers, clock=time.time, time=time.monotonic, longest=longest))
        challenge += ', Bearer realm="twinlog"'
    if settings.basic_users:
        ways.append(BasicUsers(settings.basic_users, prefix=settings.basic_subject_prefix))
    return Authentication(ways, challenge=challenge)


def operator_authentication(settings: Settings) -> Authentication:
    """For status and metrics: the user ``devops``, if a password is set for it, and nobody else."""
    ways: list[Authenticator] = []
    if settings.devops_password is not None:
        ways.append(BasicUsers({DEVOPS_USER: settings.devops_password}, prefix=DEVOPS_USER))
    return Authentication(ways, challenge='Basic realm="DITTO-DEVOPS", charset="UTF-8"')
