"""The summary of a campaign, in words."""

import pytest

from tests.chaos.report import Report, counted


@pytest.mark.parametrize(("number", "words"), [(0, "0 laws"), (1, "1 law"), (2, "2 laws")])
def test_one_is_one_and_no_other_number(number: int, words: str) -> None:
    assert counted(number, "law") == words
    assert f" {words} broken; " in str(Report(broken=["x"] * number))
