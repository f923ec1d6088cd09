"""The stage after the present one, as far as it can be foretold."""

from collections.abc import Mapping

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.diagnosis.snapshot import Snapshot
from webhook.knative.stage_traffic import Scale, floor_of, held_for
from webhook.planning.abort import as_carried, is_back
from webhook.planning.prediction import Surroundings, Unpredictable, no_floor, predict


def next_stage(snapshot: Snapshot) -> tuple[TargetRevision, ...]:
    """The entries of the next stage if demand stays as it is; empty for the last one, and where it is not known.

    Those of an aborted rollout are of its way back.
    """
    ro = as_carried(snapshot.ro)
    if ro.is_complete or is_back(ro) or ro.has_failed or not ro.spec.target_revisions:
        return ()
    running = {name: one.running for name, one in snapshot.revisions.items() if one.running is not None}
    is_held = held_for(ro, snapshot.route) is not None
    around = Surroundings(
        demand=sum(running.values()),
        is_held=is_held,
        floor=_floor if is_held else no_floor,
        scales=running,
        traffic=snapshot.traffic or {},
        bounds={name: one.spa.bounds for name, one in snapshot.revisions.items() if one.spa is not None},
    )
    try:
        stages = predict(ro, snapshot.config, around, snapshot.at).stages
    except Unpredictable:
        return ()
    has_begun = bool(ro.spec.stage_target_revisions) and not ro.status.conditions.is_true(STAGE_READY)
    later = stages[1:] if has_begun else stages
    return later[0].entries if later else ()


def _floor(ro: RolloutOrchestrator, revision: str, scales: Mapping[str, int]) -> int:
    return floor_of(ro, revision, {name: Scale(count, count) for name, count in scales.items()})
