"""Defaulting: the fields of an SPA that its rollout fills in. The webhook and the loop both use it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL, is_label_value
from webhook.api.owner_reference import controller_of, rollout_owner_reference
from webhook.api.target_revision import entries_by_revision
from webhook.api.wire import Wire, is_count


class Bounds(Protocol):
    """The bounds that an RO gives a revision, in replicas; None is absent, which is not 0."""

    @property
    def min_scale(self) -> int | None: ...
    @property
    def max_scale(self) -> int | None: ...


class Defaults(NamedTuple):
    """The fields to add to an SPA; those that are empty or None here are not added."""

    labels: dict[str, str]
    owner_reference: Wire | None
    min_scale: int | None
    max_scale: int | None


def spa_defaults(
    *,
    name: str,
    labels: Mapping[str, Any] | None,
    owner_references: Sequence[Mapping[str, Any]] | None,
    bounds: tuple[Any, Any],
    service: str = "",
    uid: str = "",
    entry: Bounds | None = None,
) -> Defaults:
    """The fields that ``create_base_stage_pod_autoscaler`` would set and the SPA lacks; set fields are never changed.

    ``bounds`` are its minimum and maximum as they stand in JSON. ``service`` and ``uid`` are those of its RO, empty
    without one; ``entry`` is what the RO gives the revision, None where it does not list it.

    A bound that the entry lacks stays absent: absent means inherit, and 0 would let the revision scale to zero.
    """
    wanted = {REVISION_LABEL: name, SERVICE_LABEL: service}
    low, high = (None, None) if entry is None else fitting_bounds(*bounds, entry)
    return Defaults(absent_labels(labels, wanted), _owner_reference(owner_references or (), service, uid), low, high)


def entry_of(ro: RolloutOrchestrator, revision: str) -> TargetRevision | None:
    """The entry of a revision: from the stage, else the targets, else the start."""
    spec = ro.spec
    lists = spec.stage_target_revisions, spec.target_revisions, spec.initial_revisions
    return entries_by_revision(*lists).get(revision)


def absent_labels(present: Mapping[str, Any] | None, wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted labels that are absent, without empty ones and those that no API server accepts."""
    present = present or {}
    return {key: value for key, value in wanted.items() if value and present.get(key) is None and is_label_value(value)}


def fitting_bounds(minimum: Any, maximum: Any, entry: Bounds) -> tuple[int | None, int | None]:
    """The bounds of the entry that can stand in for absent ones without causing a finding; None for all others."""
    low = entry.min_scale if minimum is None and is_count(entry.min_scale) else None
    high = entry.max_scale if maximum is None and is_count(entry.max_scale) else None
    if exceeds(minimum if low is None else low, maximum if high is None else high):
        return None, None
    return low, high


def exceeds(minimum: Any, maximum: Any) -> bool:
    """True if a minimum is above the maximum beside it; a maximum of 0 is no limit."""
    return is_count(minimum) and is_count(maximum) and minimum > maximum > 0


def _owner_reference(references: Sequence[Mapping[str, Any]], service: str, uid: str) -> Wire | None:
    """The controller reference to the RO, None where another controls the SPA or it has a reference to the RO already.

    An API server does not accept two references to one owner.
    """
    if not service or not uid or controller_of(references) is not None:
        return None
    if any(reference.get("uid") == uid for reference in references):
        return None
    return rollout_owner_reference(service, uid)
