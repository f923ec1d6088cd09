"""Words that people spell in their own way: a strategy, a direction, the id of a rule."""

from typing import Final

BLANKS: Final = " \t\n\f\r"
r"""The blanks that are cut. They are those of ``\s`` in RE2, so that CRDs, policies and Python read a word alike."""


def word_of(text: str) -> str:
    """The text without the blanks around it and in lower case.

    Only ASCII is changed: a word with a long s, or beside a no-break space, is no spelling of a known one.
    """
    word = text.strip(BLANKS)
    return word.lower() if word.isascii() else word
