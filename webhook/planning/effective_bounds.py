"""Effective bounds: what the pod autoscaler makes of a revision's bounds and its SPA's."""

from typing import Final

from webhook.api import TargetRevision

Bounds = tuple[int | None, int | None]
"""Stage minimum and stage maximum in replicas; None where a bound is absent."""

_HELD: Final[Bounds] = (0, 0)
"""The bounds by which resourceutil holds a revision at no replicas, although a maximum of 0 means no limit else."""


def scale_bounds(
    revision_min: int | None, revision_max: int | None, stage_min: int | None, stage_max: int | None
) -> tuple[int, int]:
    """Minimum and maximum in replicas; a maximum of 0 means no limit. None stands for an absent bound.

    A stage bound can only lower a bound of the revision. So a stage maximum has no effect on a revision without a
    limit, and a stage maximum of 0 takes the limit away. Mirrors ``GetScaleBounds``.
    """
    minimum, maximum = revision_min or 0, revision_max or 0
    if stage_min is not None:
        minimum = min(minimum, stage_min)
    if stage_max is not None:
        maximum = min(maximum, stage_max)
    return minimum, maximum


def breaks_stage(entry: TargetRevision | None, wanted: Bounds, found: Bounds) -> bool:
    """True if an SPA with the bounds found lets its revision have other numbers of replicas than the stage wants.

    It does where the effective bounds are others. Each way breaks a promise: a lower minimum or maximum takes replicas
    from traffic that the stage gives the revision; a higher or lifted one lets a revision going up have more than the
    stage has room for, and keeps one going down from going. ``entry`` is the revision's in the RO and states its own
    bounds; without one, and for a held revision (0/0), every other pair breaks the stage.
    """
    if entry is None or _HELD in (wanted, found):
        return wanted != found
    own = entry.min_scale, entry.max_scale
    return scale_bounds(*own, *wanted) != scale_bounds(*own, *found)
