"""What a pause keeps: the time that the stage has left, and the traffic of a held Route."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from webhook.api import RolloutOrchestrator, wire
from webhook.api.conditions import STAGE_READY
from webhook.planning.shift import finish_time

SECONDS_LEFT: Final = "stagegate.dev/seconds-left"
"""Key in the RO's ``status.annotations``: the time that the stage had left when the pause began."""
PAUSED_TRAFFIC: Final = "stagegate.dev/paused-traffic"
"""Key in the RO's ``status.annotations``: the percents by revision of a held Route when the pause began, as JSON."""

_KEPT: Final = (SECONDS_LEFT, PAUSED_TRAFFIC)


def keep(ro: RolloutOrchestrator, live: Mapping[str, int], now: datetime) -> None:
    """Record in the status what the pause that begins keeps; ``live`` is the traffic of a held Route, else empty."""
    kept = ro.status.annotations
    if any(key in kept for key in _KEPT):
        return
    finish = wire.parse_time(ro.spec.target_finish_time or "") if _is_in_stage(ro) else None
    if finish is not None:
        kept[SECONDS_LEFT] = str(max(0, int((finish - now).total_seconds())))
    if live:
        kept[PAUSED_TRAFFIC] = json.dumps(dict(live), sort_keys=True, separators=(",", ":"))


def forget(ro: RolloutOrchestrator) -> None:
    """Take out of the status what a pause kept."""
    for key in _KEPT:
        ro.status.annotations.pop(key, None)


def with_time_left(ro: RolloutOrchestrator, now: datetime) -> RolloutOrchestrator:
    """The RO whose pause is over, with a targetFinishTime that leaves the stage the time it had left."""
    text = ro.status.annotations.get(SECONDS_LEFT, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < 9
    if not is_number or not _is_in_stage(ro) or ro.spec.target_finish_time is None:
        return ro
    return replace(ro, spec=replace(ro.spec.copy(), target_finish_time=finish_time(now, int(text))))


def paused_traffic(ro: RolloutOrchestrator) -> dict[str, int] | None:
    """The percents by revision that a held Route keeps during a pause; None if none were recorded."""
    try:
        value = json.loads(ro.status.annotations.get(PAUSED_TRAFFIC, ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(type(percent) is int for percent in value.values()):
        return None
    return value if sum(value.values()) == 100 else None


def _is_in_stage(ro: RolloutOrchestrator) -> bool:
    return bool(ro.spec.stage_target_revisions) and ro.status.conditions.is_unknown(STAGE_READY)
