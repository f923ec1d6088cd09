"""Quotations: what the message of an exception repeats of the objects under review, which no log may contain."""

import builtins
import json
import keyword
import re
import traceback
from collections.abc import Callable, Iterable
from functools import cache
from types import CodeType
from typing import Any, Final

_WORD: Final = re.compile("[A-Za-z0-9]{3,}")
_BEGIN: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))"
"""The letter of an escaped control character ends a word in JSON."""
_LANGUAGE: Final = frozenset((*dir(builtins), *keyword.kwlist))
_MOST: Final = 64 * 1024
"""Characters of JSON that are compared; each word of a message takes a search through all of them."""


def quoting(
    problem: BaseException, objects: Callable[[], Iterable[Any]], logged: Iterable[str] = ()
) -> Callable[[str], bool]:
    """A function that is True for a message with a word of these JSON values, for which it asks when it is called.

    Words of Python, of the code that raised, and of the texts in ``logged``, which the log names anyway, do not count.
    The beginning of a word counts as the word, since messages are cut. A message that is not ASCII counts as a
    quotation without a comparison, and so does every message about values of more than _MOST characters.
    """

    @cache
    def text() -> str:
        return json.dumps(list(objects()))

    @cache
    def known() -> frozenset[str]:
        code = (frame.f_code for each in _chain(problem) for frame, _ in traceback.walk_tb(each.__traceback__))
        ours = (word for each in code for word in _words_of(each))
        return _LANGUAGE.union(ours, *map(_WORD.findall, logged))

    def quotes(message: str) -> bool:
        if not message.isascii() or len(text()) > _MOST:
            return True
        words = set(_WORD.findall(message)) - known()
        return any(word in text() and re.search(_BEGIN + word, text()) for word in words)

    return quotes


def _chain(problem: BaseException) -> list[BaseException]:
    """The exception, and what led to it."""
    chain: list[BaseException] = []
    each: BaseException | None = problem
    while each is not None and each not in chain:
        chain.append(each)
        each = each.__cause__ or each.__context__
    return chain


def _words_of(code: CodeType) -> Iterable[str]:
    texts = (each for each in code.co_consts if isinstance(each, str))
    for text in (*texts, *code.co_names, *code.co_varnames):
        yield from _WORD.findall(text)
