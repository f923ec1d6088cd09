"""Quantities as Kubernetes writes them, as in ``250m`` and ``8Gi``: read, and written."""

import re
from decimal import Decimal
from typing import Any, Final

_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40}))([eE][+-]?[0-9]{1,2}|[a-zA-Z]{0,2})")
_KIBI: Final = 1024


def parse_quantity(value: Any) -> Decimal | None:
    """The number of a quantity on the wire, a text or a whole number; None if it is not one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2]
    if suffix in _BINARY:
        return number * Decimal(_KIBI ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(suffix[1:])) if len(suffix) > 1 and suffix[0] in "eE" else None


def format_quantity(number: Decimal) -> str:
    """The shortest exact spelling, in powers of 1024 where the number is a multiple of 1Mi; ``m`` for fractions."""
    if number != number.to_integral_value():
        return f"{(number * 1000).normalize():f}m"
    whole = int(number)
    for suffix, power in reversed(_BINARY.items()):
        if power > 1 and whole and whole % _KIBI**power == 0:
            return f"{whole // _KIBI**power}{suffix}"
    return str(whole)
