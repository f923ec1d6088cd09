"""Words as people spell them."""

import pytest

from webhook.api.word import word_of


@pytest.mark.parametrize("spelling", ["up", "UP", " Up", "up\n", "\t\n\f\r up \r\f\n\t"])
def test_blanks_and_case_of_ascii_do_not_matter(spelling: str) -> None:
    assert word_of(spelling) == "up"


@pytest.mark.parametrize("blank", ["\v", "\x1c", "\x1f", "\x85", "\u00a0", "\u2003", "\u3000", "\ufeff"])
def test_any_other_blank_is_part_of_the_word(blank: str) -> None:
    """RE2's ``\\s``, by which CRDs and policies read, has five blanks."""
    assert word_of(f" {blank}up ") == f"{blank}up"


def test_a_letter_that_only_folds_to_ascii_stays() -> None:
    assert word_of("\u212aeep") == "\u212aeep"
    assert word_of("\u017ftay") == "\u017ftay"


def test_nothing_but_blanks_is_no_word() -> None:
    assert word_of(" \t\n") == ""


def test_a_text_that_is_too_long_is_no_word() -> None:
    assert word_of(" " * 1022 + "up") == "up"
    assert word_of(" " * 1023 + "up") not in ("", "up")
