"""Effective bounds: what the pod autoscaler makes of a revision's bounds and its SPA's."""


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
