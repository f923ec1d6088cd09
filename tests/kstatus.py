"""An oracle: what kstatus, and so ``wait`` of Flux, computes for an object of an unknown kind."""

from typing import Any, Final

CURRENT: Final = "Current"
IN_PROGRESS: Final = "InProgress"
FAILED: Final = "Failed"
TERMINATING: Final = "Terminating"

_DECIDING: Final = {"Reconciling": IN_PROGRESS, "Stalled": FAILED}


def kstatus(one: dict[str, Any]) -> str:
    """The first of these rules that applies.

    An object with a deletion time is Terminating. One whose status speaks of another generation, where it speaks of
    one at all, is InProgress. The first condition in order that is Reconciling or Stalled, and True, decides. Ready
    decides: Current if True, else InProgress. What has none of them is Current.
    """
    metadata, status = one["metadata"], one.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return TERMINATING
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return IN_PROGRESS
    conditions = status.get("conditions") or []
    for condition in conditions:
        if condition["type"] in _DECIDING and condition["status"] == "True":
            return _DECIDING[condition["type"]]
    for condition in conditions:
        if condition["type"] == "Ready":
            return CURRENT if condition["status"] == "True" else IN_PROGRESS
    return CURRENT
