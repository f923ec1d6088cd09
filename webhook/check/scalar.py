"""Plain scalars of YAML as Kubernetes reads them: YAML 1.1, with the values that JSON has."""

import re
from typing import Any, Final

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER: Final = re.compile(r"([-+]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BASES: Final = (2, 16, 8, 10)
_MOST_DIGITS: Final = 80

_RESOLVED_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


def is_resolved(tag: str | None, is_plain: bool) -> bool:
    """True if the text of a scalar is not its value: it is plain, or its tag says so."""
    return tag in _RESOLVED_TAGS if tag else is_plain


def resolved(text: str) -> Any:
    """The value of a plain scalar. Times, and numbers to the base 60, are text; numbers beyond 63 bits are floats."""
    if text in _WORDS:
        return _WORDS[text]
    if not text[:1] or text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    if (found := _INTEGER.fullmatch(plain)) and len(plain) <= _MOST_DIGITS:
        sign, *digits = found.groups()
        number = next(int(each, base) for each, base in zip(digits, _BASES, strict=True) if each is not None)
        number = -number if sign == "-" else number
        if -(2**63) <= number < 2**63:
            return number
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return text if value in (float("inf"), float("-inf")) else value
    return text


def key_of(value: Any) -> str | None:
    """The key in JSON that a scalar becomes, as Kubernetes converts it; None for null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
