"""News: what people hear of a rollout, from how it was before a reconcile and how it is after."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import (
    LAST_STAGE_READY,
    STAGE_READY,
    STAGE_SCALE_DOWN_READY,
    STAGE_SCALE_UP_READY,
)
from webhook.api.target_revision import one_per_revision
from webhook.loop.timeout import TIMED_OUT, Overdue

STAGE_STARTED: Final = "StageStarted"
TRAFFIC_SHIFTED: Final = "TrafficShifted"
SCALED_UP: Final = "ScaledUp"
SCALED_DOWN: Final = "ScaledDown"
STAGE_COMPLETE: Final = "StageComplete"
ROLLOUT_COMPLETE: Final = "RolloutComplete"
WAITING: Final = "Waiting"


class News(NamedTuple):
    type: str
    reason: str
    message: str


def news_of_spec(before: RolloutOrchestrator, after: RolloutOrchestrator) -> list[News]:
    """A stage that has begun, or a late one whose traffic was shifted."""
    was, now = before.spec.stage_target_revisions, after.spec.stage_target_revisions
    if was == now or not now:
        return []
    on_its_way = not before.status.conditions.is_true(STAGE_READY)
    if was and on_its_way and [_without_percent(entry) for entry in was] == [_without_percent(entry) for entry in now]:
        since = before.spec.target_finish_time
        return [News("Normal", TRAFFIC_SHIFTED, f"the stage was not done by {since}: now {described(now)}")]
    return [News("Normal", STAGE_STARTED, described(now))]


def news_of_status(before: RolloutOrchestrator, after: RolloutOrchestrator) -> list[News]:
    """Steps and stages that are done, and what a stage waits for when it has just begun to."""
    was, now = before.status.conditions, after.status.conditions
    stage = one_per_revision(after.spec.stage_target_revisions)
    news: list[News] = []

    def became_true(type_: str) -> bool:
        return was.get(type_) is not None and not was.is_true(type_) and now.is_true(type_)

    if became_true(STAGE_SCALE_UP_READY):
        news.append(News("Normal", SCALED_UP, f"up: {_goals(entry for entry in stage if entry.goes_up)}"))
    if became_true(STAGE_SCALE_DOWN_READY):
        news.append(News("Normal", SCALED_DOWN, f"down: {_goals(entry for entry in stage if entry.goes_down)}"))
    if became_true(STAGE_READY):
        news.append(News("Normal", STAGE_COMPLETE, described(after.status.stage_revision_status)))
    if became_true(LAST_STAGE_READY):
        news.append(News("Normal", ROLLOUT_COMPLETE, described(after.status.stage_revision_status)))
    waiting = waiting_for(after)
    if waiting is not None and waiting != waiting_for(before):
        news.append(News("Normal", WAITING, waiting))
    return news


def waiting_for(ro: RolloutOrchestrator) -> str | None:
    """What the stage waits for, in words that stay the same while it does; None when it waits for nothing."""
    conditions, stage = ro.status.conditions, one_per_revision(ro.spec.stage_target_revisions)
    if not stage or not conditions.is_unknown(STAGE_READY):
        return None
    pending = {STAGE_SCALE_UP_READY: "up", STAGE_SCALE_DOWN_READY: "down"}
    steps = [word for type_, word in pending.items() if conditions.get(type_) and conditions.is_unknown(type_)]
    if not steps:
        return None
    wanted = [entry for entry in stage if (entry.goes_up if steps[0] == "up" else entry.goes_down)]
    goals = (f"{entry.revision_name} to run {_goal(entry)}" for entry in wanted)
    return f"scaling {steps[0]}: waiting for {', '.join(goals)}" if wanted else None


def late_news(late: Overdue) -> News:
    """A stage that is late and cannot go on."""
    return News("Warning", TIMED_OUT, late_message(late))


def late_message(late: Overdue) -> str:
    return f"The stage was not done by {late.since}, and its traffic is not shifted: {late.obstacle}."


def described(revisions: Iterable[TargetRevision]) -> str:
    """``hello-00001 90% of traffic, 2 replicas; hello-00002 ...``."""
    parts = []
    for entry in one_per_revision(revisions):
        traffic = "no traffic" if entry.percent is None else f"{entry.percent}% of traffic"
        target = "" if entry.target_replicas is None else f", {_goal(entry)}"
        parts.append(f"{entry.revision_name} {traffic}{target}")
    return "; ".join(parts)


def _goal(entry: TargetRevision) -> str:
    if entry.target_replicas is None:
        return "within its bounds"
    return "1 replica" if entry.target_replicas == 1 else f"{entry.target_replicas} replicas"


def _goals(entries: Iterable[TargetRevision]) -> str:
    return ", ".join(f"{entry.revision_name} to {_goal(entry)}" for entry in entries) or "nothing to do"


def _without_percent(entry: TargetRevision) -> tuple[str, str, int | None]:
    return entry.revision_name, entry.direction, entry.target_replicas
