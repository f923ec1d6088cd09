"""Result: what one check of the doctor found."""

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["ok", "warning", "failed", "unknown"]
OK: Final[State] = "ok"
WARNING: Final[State] = "warning"
"""It works, and is not as it should be, or not as most want it."""
FAILED: Final[State] = "failed"
"""It does not work, or does not protect."""
UNKNOWN: Final[State] = "unknown"
"""It could not be read; a right is missing, or the place from which to see it."""


INSTALL_AGAIN: Final = "install this release again: kubectl apply -k manifests/, or helm upgrade"
WITHOUT_WARN: Final = "install without the overlay enforce-warn (Helm: enforce=deny)"
WITHOUT_FAIL_OPEN: Final = (
    "install without the overlays fail-open and enforce-warn (Helm: failOpen=false, enforce=deny)"
)
"""Ways out that several checks have."""


@dataclass(frozen=True, slots=True)
class Result:
    """``id`` is stable; ``says`` is one line; ``way_out`` is what to do, empty if nothing is to be done."""

    id: str
    state: State
    says: str
    way_out: str = ""


def listed(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
