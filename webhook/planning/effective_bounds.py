"""The effective bounds of a revision, from its own bounds and those of its SPA."""

from typing import Final

from webhook.api import TargetRevision

Bounds = tuple[int | None, int | None]
"""Stage minimum and stage maximum in replicas; None where a bound is absent."""

_HELD: Final[Bounds] = (0, 0)
"""The bounds by which resourceutil holds a revision at no replicas; a maximum of 0 otherwise means no limit."""


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

    It does if the effective bounds differ. A lower minimum or maximum takes replicas away from the traffic that the
    stage gives the revision; a higher or absent one lets a revision that goes up have more than the stage has room for,
    or keeps one that goes down from shrinking. ``entry`` is the revision's entry in the RO, with its own bounds;
    without one, and for a revision held at 0/0, every difference breaks the stage.
    """
    if entry is None or _HELD in (wanted, found):
        return wanted != found
    own = entry.min_scale, entry.max_scale
    return scale_bounds(*own, *wanted) != scale_bounds(*own, *found)
