"""The stage after the present one, as far as it can be foretold."""

from webhook.api import TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.diagnosis.snapshot import Snapshot
from webhook.knative.stage_traffic import floor_when_settled, held_for
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
        floor=floor_when_settled if is_held and snapshot.keeps_floor else no_floor,
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
