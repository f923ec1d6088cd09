"""Ages: seconds as people read them, spelt as kubectl spells them."""

from datetime import datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def age_text(seconds: float) -> str:
    """``45s``, ``3m20s``, ``2h5m``, ``3d4h``: the two largest units; less than a second, and less than 0, is ``0s``."""
    left, parts = max(0, int(seconds)), list[str]()
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return "".join(parts) or "0s"


def ago(time: datetime | None, at: datetime) -> str:
    """The age of a time; empty if it is not known."""
    return "" if time is None else age_text((at - time).total_seconds())
