"""Words that are read in any case and with blanks around them: strategies, directions, ids of rules."""

from typing import Final

BLANKS: Final = " \t\n\f\r"
r"""The blanks that are trimmed: those of ``\s`` in RE2, so that CRDs, policies and Python read a word alike."""

LONGEST: Final = 1024


def word_of(text: str) -> str:
    """The text, trimmed and in lower case.

    Only ASCII is changed: with a long s or a no-break space a word is not a spelling of a known one. A text of more
    than LONGEST characters is none either, and is not read.
    """
    if len(text) > LONGEST:
        return text[:LONGEST]
    word = text.strip(BLANKS)
    return word.lower() if word.isascii() else word
