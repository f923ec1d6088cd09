"""Stalled and Reconciling: the conditions by which kstatus and Flux tell a failed rollout from one in progress."""

from datetime import datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import READY, RECONCILING, STALLED, ConditionSet
from webhook.planning.next_stage import has_failed


def mark_progress(ro: RolloutOrchestrator, now: datetime) -> None:
    """Set the two conditions from the others.

    A failed rollout is Stalled; one that is neither failed nor complete, also one that is late or moves nothing because
    a revision is not its own, is Reconciling. Either is True with Ready's reason and message, else absent, as kstatus
    wants it. Both are a function of the other conditions, so that they cost no status write of their own, and only
    inform: neither we nor upstream's controllers count them for Ready.
    """
    conditions = ro.status.conditions
    ready = conditions.get(READY)
    wanted = STALLED if has_failed(ro) else RECONCILING
    if ready is None or conditions.is_true(READY):
        wanted = ""
    for type_ in {STALLED, RECONCILING} - {wanted}:
        conditions.remove(type_)
    if ready is not None and wanted:
        conditions.inform(wanted, ready.reason, ready.message, now)


def unmark_progress(conditions: ConditionSet) -> bool:
    """Remove both, for a rollout that is left to a controller that does not know them; False if there is none."""
    present = [type_ for type_ in (STALLED, RECONCILING) if conditions.get(type_) is not None]
    for type_ in present:
        conditions.remove(type_)
    return bool(present)
