"""The authentications of a running service, made from its settings."""

from __future__ import annotations

from services.auth.authentication import Authentication, Authenticator
from services.auth.basic import BasicUsers
from services.auth.pre_authenticated import PreAuthenticated
from services.settings import DEVOPS_USER, Settings


def api_authentication(settings: Settings) -> Authentication:
    """For ``/api``: the pre-authenticated header if switched on, then basic users."""
    ways: list[Authenticator] = []
    if settings.pre_authentication:
        ways.append(PreAuthenticated())
    if settings.basic_users:
        ways.append(BasicUsers(settings.basic_users, prefix=settings.basic_subject_prefix))
    return Authentication(ways, challenge='Basic realm="twinlog", charset="UTF-8"')


def operator_authentication(settings: Settings) -> Authentication:
    """For status and metrics: the user ``devops``, if a password is set for it, and nobody else."""
    ways: list[Authenticator] = []
    if settings.devops_password is not None:
        ways.append(BasicUsers({DEVOPS_USER: settings.devops_password}, prefix=DEVOPS_USER))
    return Authentication(ways, challenge='Basic realm="DITTO-DEVOPS", charset="UTF-8"')
