"""The guard: what a write of a held Route may not change, put back as it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.api.wire import Wire, are_equal, copy_of, is_small
from webhook.knative.annotations import HOLD, annotations_of, is_being_deleted
from webhook.knative.hold import HELD, hold_in_force


@dataclass(frozen=True, slots=True)
class PutBack:
    """The text of the annotation and ``spec.traffic`` of the old Route; None where nothing has changed."""

    hold: str | None = None
    traffic: list[Wire] | None = None

    def __bool__(self) -> bool:
        return self.hold is not None or self.traffic is not None


def guard(old: Mapping[str, Any], new: Mapping[str, Any]) -> PutBack:
    """What is put back into an update of a Route; objects on the wire.

    A hold is kept until Stagegate drops it, and in its phase held the traffic too. Everything else passes. So does
    every write of a Route that is being deleted, or whose hold cannot be read or is of another Service, as after
    a restore from a backup.
    """
    hold = hold_in_force(old)
    if hold is None or is_being_deleted(old) or is_being_deleted(new):
        return PutBack()
    text = annotations_of(old)[HOLD]
    traffic = _traffic(old)
    # Stagegate writes a few entries for each revision of a rollout, so a huge list is not what it holds.
    is_kept = hold.phase == HELD and traffic is not None and is_small(traffic)
    has_moved = is_kept and not are_equal(_traffic(new), traffic)
    return PutBack(
        hold=None if annotations_of(new).get(HOLD) == text else text,
        traffic=copy_of(traffic) if has_moved else None,
    )


def _traffic(route: Mapping[str, Any]) -> list[Wire] | None:
    spec = route.get("spec")
    traffic = spec.get("traffic") if isinstance(spec, Mapping) else None
    return traffic if isinstance(traffic, list) else None
