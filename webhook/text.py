"""Text from objects, files and servers, made fit for whoever reads it on a terminal."""

import re
from typing import Final

_ODD: Final = re.compile(r"[^\n -~]")


def visible(text: str) -> str:
    r"""The text with control characters, and others that cannot be seen, as escapes such as ``\x1b``.

    Line feeds stay. A terminal would interpret the characters, which can hide or reorder the text around them.
    """
    return _ODD.sub(lambda match: match[0] if match[0].isprintable() else _escape(match[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
