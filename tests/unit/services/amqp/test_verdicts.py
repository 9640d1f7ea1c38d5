"""What becomes of a refused command."""

import pytest

from protocol.errors import DittoError
from services.amqp.verdicts import Verdict, verdict


def refused_with(status: int) -> DittoError:
    error = DittoError("no")
    error.status = status
    return error


@pytest.mark.parametrize("status", [304, 412])
def test_a_condition_that_decided_is_an_outcome(status: int) -> None:
    assert verdict(refused_with(status), query=False, answerable=False) is Verdict.ANSWERED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 431])
def test_what_is_refused_for_good_is_put_aside(status: int) -> None:
    assert verdict(refused_with(status), query=False, answerable=True) is Verdict.DEAD_LETTER
    assert verdict(refused_with(status), query=False, answerable=False) is Verdict.DEAD_LETTER


def test_a_refused_question_is_no_loss_once_answered() -> None:
    assert verdict(refused_with(404), query=True, answerable=True) is Verdict.ANSWERED
    assert verdict(refused_with(404), query=True, answerable=False) is Verdict.DEAD_LETTER


@pytest.mark.parametrize("status", [408, 429, 503, 504])
def test_a_service_that_cannot_take_commands_now_takes_none(status: int) -> None:
    assert verdict(refused_with(status), query=False, answerable=True) is Verdict.PAUSE


@pytest.mark.parametrize("status", [424, 500, 502])
def test_a_failure_of_one_command_is_tried_again(status: int) -> None:
    assert verdict(refused_with(status), query=False, answerable=True) is Verdict.RETRY
