"""Room: what there is of a resource, from a ResourceQuota or as given, and whether a rollout fits into it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from webhook.api.quantity import format_quantity, parse_quantity
from webhook.forecast.usage import Usage, resource_name

_COUNTED_SCOPES: Final = frozenset({"NotTerminating", "NotBestEffort"})
"""Scopes of a quota that the pods of a Revision are in: they have no deadline, and Knative's proxy has a request."""


@dataclass(frozen=True, slots=True)
class Room:
    """``hard`` of ``resource``, of which ``used`` is taken now; ``source`` says by whom it is set.

    ``used`` is None where what is used is this rollout alone.
    """

    source: str
    resource: str
    hard: Decimal
    used: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """What a rollout would use of a room at its peak."""

    room: Room
    needed: Decimal

    @property
    def fits(self) -> bool:
        return self.needed <= self.room.hard

    @property
    def text(self) -> str:
        """``fits: nvidia.com/gpu 6 of 8 (ResourceQuota gpus)``, or by how much it does not."""
        used = f"{self.room.resource} {format_quantity(self.needed)} of {format_quantity(self.room.hard)}"
        lacks = "" if self.fits else f", {format_quantity(self.needed - self.room.hard)} too many"
        return f"{'fits' if self.fits else 'does not fit'}: {used}{lacks} ({self.room.source})"


def rooms_of(quotas: Iterable[Mapping[str, Any]]) -> list[Room]:
    """The rooms of ResourceQuotas on the wire. One that counts other pods than those of Revisions has none."""
    found = []
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopeSelector") or not _COUNTED_SCOPES.issuperset(spec.get("scopes") or ()):
            continue
        used = status.get("used")
        for key, value in sorted((spec.get("hard") or {}).items()):
            resource, hard = resource_name(key), parse_quantity(value)
            if resource is not None and hard is not None:
                taken = parse_quantity(used.get(key, 0)) if isinstance(used, Mapping) else None
                found.append(Room(f"ResourceQuota {quota['metadata']['name']}", resource, hard, taken))
    return found


def fit(room: Room, now: Usage, peak: Usage) -> Fit:
    """Whether a rollout fits that takes ``now`` already and ``peak`` at most."""
    top, here = peak.get(room.resource, Decimal()), now.get(room.resource, Decimal())
    return Fit(room, top if room.used is None else room.used + max(top - here, Decimal()))
