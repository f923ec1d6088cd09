"""Errors of an API server: which of them are refusals."""

import pytest

from webhook.cluster.errors import Call, Forbidden, Invalid, OutcomeUnknown, Unreachable, error_from

CALL = Call("patch", "rolloutorchestrators", "default", "hello")


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (400, True),
        (401, False),
        (403, True),
        (404, False),
        (408, False),
        (409, False),
        (410, False),
        (413, True),
        (415, True),
        (418, True),
        (422, True),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_a_refusal_is_what_another_try_does_not_mend(status: int, refused: bool) -> None:
    assert error_from(CALL, status, {}, b"no").is_refusal is refused


def test_no_answer_is_no_refusal() -> None:
    assert not Unreachable(CALL, "no route").is_refusal
    assert not OutcomeUnknown(CALL, "cut off").is_refusal
    assert Forbidden(CALL, "no").is_refusal
    assert Invalid(CALL, "no").is_refusal
