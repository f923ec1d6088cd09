"""The state machine of one Knative Service: idle, held, releasing; a function of what was observed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import ABORTED, FALSE, PAUSED, READY, STAGE_READY, TRUE
from webhook.api.reasons import TIMED_OUT
from webhook.api.steering import ABORT_GROUP
from webhook.api.wire import Wire
from webhook.knative.annotations import MIN_SCALE, annotations_of
from webhook.knative.bounds import has_record, minimum_in_force, own_bounds
from webhook.knative.failed_share import abort_of_failed
from webhook.knative.hold import HELD, RELEASING, Hold, UnreadableHold, hold_of
from webhook.knative.opt_in import obstacle
from webhook.knative.release import Release, floating_to, given_back, restored, stock_shares, with_record
from webhook.knative.release_reason import release_of
from webhook.knative.revision import newest_of
from webhook.knative.service_bounds import stage_bounds
from webhook.knative.service_rollout import (
    RELEASE,
    entries,
    is_owned,
    new_rollout,
    own_minimum,
    rollout_patch,
    settled_patch,
    shares_of,
)
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.service_writes import ORDER, CreateRollout, PatchRevision, PatchRollout, PatchRoute, ServiceWrite
from webhook.knative.stage_traffic import Scale, condition_of, described, quoted
from webhook.knative.traffic import is_moved, live_shares, stock_traffic
from webhook.planning.config import parse_integer

Phase = Literal["idle", "held", "releasing", "orphan"]

STARTED: Final = "RolloutStarted"
COMPLETE: Final = "RolloutComplete"
FAILED: Final = "RolloutFailed"
STOPPED: Final = ((PAUSED, "Normal", "RolloutPaused"), (ABORTED, "Warning", "RolloutAborted"))
"""Conditions of an RO, and type and reason of the Events on its Service, whose own conditions say nothing of it."""
RELEASED: Final = "RolloutReleased"
WAITS_FOR: Final = "; this waits for "
"""What stands between the reason of a release and what it waits for, in the message of RELEASE_WAITING."""
RELEASE_WAITING: Final = "ReleaseWaiting"

STALE: Final = "HoldStale"
UNREADABLE: Final = "HoldUnreadable"
REMOVED: Final = "HoldRemoved"

_WHOLE: Final = 100
_STABLE_WINDOW: Final = 60.0
"""Seconds over which Knative's autoscaler averages the demand, by default."""


class ServiceEvent(NamedTuple):
    """An Event on the Service."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ServiceDecision:
    """``writes`` in order, up to the first that fails; then the Events.

    ``carries_on`` is False if the stages of the RO must not go on. ``waiting`` is what a release waits for.
    """

    phase: Phase
    writes: tuple[ServiceWrite, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    carries_on: bool = True
    requeue_after: float | None = None
    waiting: str = ""


def decide_service(seen: ServiceSeen, options: ServiceOptions) -> ServiceDecision:
    """Decide what to do about a Service. Carried out while nothing changes, a decision is followed by an empty one."""
    service, route = seen.service, seen.route
    if service is None or service["metadata"].get("deletionTimestamp") or route is None:
        return ServiceDecision("idle", carries_on=service is None or not is_owned(seen.ro, service))
    try:
        hold = hold_of(route)
    except UnreadableHold as problem:
        hold = Hold(HELD, since=service["metadata"]["uid"])
        return _release(seen, service, route, hold, Release(UNREADABLE, str(problem), at_once=True))
    if hold is None:
        return _without_hold(seen, service, options)
    if hold.since != service["metadata"]["uid"]:
        message = f"the hold of Route {route['metadata']['name']} began under another Service of this name"
        stale = Release(STALE, message, at_once=True)
        return _release(seen, service, route, replace(hold, since=service["metadata"]["uid"]), stale)
    if hold.phase == RELEASING:
        return _releasing(seen, service, route)
    release = release_of(seen, service, hold, options)
    if release is not None:
        return _release(seen, service, route, hold, release)
    return _held(seen, service, route, hold, options)


def _without_hold(seen: ServiceSeen, service: Wire, options: ServiceOptions) -> ServiceDecision:
    """Idle; or an orphan: what a hold left, that somebody removed together with its Route or by itself."""
    live = stock_shares(service, seen.revisions)
    settled = _settled_rollout(seen, service, live)
    left = with_record(seen.revisions)
    if not left:
        return ServiceDecision("idle", tuple(settled), _not_held(seen, service, options))
    writes = [*restored(seen.revisions, given_back(service, seen.revisions)), *settled]
    message = "its Route has no hold any more: bounds are restored, and Knative goes on by itself"
    events = (ServiceEvent("Warning", REMOVED, message),) if writes else ()
    return ServiceDecision("orphan", _in_order(writes), events, carries_on=False, waiting=_not_left(left, writes))


def _not_held(seen: ServiceSeen, service: Wire, options: ServiceOptions) -> tuple[ServiceEvent, ...]:
    """Why the Revision that was just created is not rolled out in stages, if somebody asked for that."""
    if not seen.born or len(seen.revisions) < 2:
        return ()
    found = obstacle(service, seen.namespace_labels or {}, options.default_opt_in)
    return () if found is None else (ServiceEvent("Warning", found.reason, f"{seen.born}: {found.message}"),)


def _release(seen: ServiceSeen, service: Wire, route: Wire, hold: Hold, release: Release) -> ServiceDecision:
    """Restore the bounds of what gets the traffic, now or when it is Ready; once it runs them, give the Route back."""
    live = stock_shares(service, seen.revisions)
    given = {*live, *floating_to(service, seen.revisions)}
    writes: list[ServiceWrite] = list(
        restored({name: one for name, one in seen.revisions.items() if name in given}, given)
    )
    waiting = "" if release.at_once else _lacking(seen, live) or _not_given(seen, given - live.keys())
    if waiting:
        events = (ServiceEvent("Normal", RELEASE_WAITING, f"{release.message}{WAITS_FOR}{waiting}"),)
        return ServiceDecision("held", tuple(writes), events, carries_on=False, waiting=waiting)
    writes.append(PatchRoute(route, replace(hold, phase=RELEASING), stock_traffic(service)))
    message = f"{release.message}; Knative goes on by itself: {described(live)}"
    events = (ServiceEvent("Warning", RELEASED, f"{release.reason}: {message}"),)
    return ServiceDecision("releasing", _in_order(writes), events, carries_on=False)


def _lacking(seen: ServiceSeen, live: Mapping[str, int]) -> str:
    """Which revisions run less than their own minimum; empty if none does, as far as that can be seen."""
    texts = []
    for name in live:
        minimum, actual = (
            own_minimum(seen.revisions.get(name), seen.defaults) or 0,
            seen.scales.get(name, Scale()).actual,
        )
        if actual is not None and actual < minimum:
            texts.append(_replicas_wanted(name, minimum, actual))
    return ", ".join(texts)


def _not_given(seen: ServiceSeen, names: Collection[str]) -> str:
    """Which of these revisions, that are not Ready yet, would get traffic on fewer replicas than their own minimum.

    Knative calls a revision Ready once it runs the minimum that its PodAutoscaler has then, which was that of a stage.
    One that runs nothing may never do so: it is waited for no longer than its PodAutoscaler needs to have its own.
    """
    texts = []
    for name in sorted(names):
        annotations, scale = annotations_of(seen.revisions[name]), seen.scales.get(name)
        minimum = own_minimum(seen.revisions[name], seen.defaults) or 0
        if has_record(annotations) or (
            scale is not None and (scale.minimum or 0) < (minimum_in_force(annotations) or 0)
        ):
            texts.append(f"{name} to have its own bounds")
        elif scale is not None and scale.is_initialized and 0 < (scale.actual or 0) < minimum:
            texts.append(_replicas_wanted(name, minimum, scale.actual))
    return ", ".join(texts)


def _replicas_wanted(name: str, minimum: int, actual: int | None) -> str:
    return f"{name} to run {minimum} replicas (it runs {actual})"


def _releasing(seen: ServiceSeen, service: Wire, route: Wire) -> ServiceDecision:
    """Restore what can be restored; remove the hold once nothing is left."""
    settled = _settled_rollout(seen, service, stock_shares(service, seen.revisions))
    left = with_record(seen.revisions)
    if not left:
        # First the hold: the RO may be one that nobody can write. Without a hold it is tried again, and its status too.
        return ServiceDecision("idle", (PatchRoute(route, None), *settled), carries_on=False, requeue_after=0.0)
    writes = [*restored(seen.revisions, given_back(service, seen.revisions)), *settled]
    return ServiceDecision("releasing", _in_order(writes), carries_on=False, waiting=_not_left(left, writes))


def _not_left(records: Sequence[str], writes: Sequence[ServiceWrite]) -> str:
    """The Revisions whose bounds cannot be restored yet; empty if there is none."""
    written = {write.revision["metadata"]["name"] for write in writes if isinstance(write, PatchRevision)}
    left = [name for name in records if name not in written]
    return f"{', '.join(left)} to be left by the Route" if left else ""


def _settled_rollout(seen: ServiceSeen, service: Wire, live: Mapping[str, int]) -> list[ServiceWrite]:
    """Let an RO that was not carried to its end name what Knative does instead, and forget its release and abort."""
    ro = seen.ro
    if ro is None or not is_owned(ro, service):
        return []
    patch: Wire = {}
    if live and not ro.is_complete:
        patch = settled_patch(ro, entries(live, seen.revisions, seen.defaults, newest_of(seen.revisions)))
    over = [key for key in (RELEASE, *ABORT_GROUP.keys) if key in ro.metadata.annotations]
    if over:
        patch["metadata"] = {"annotations": dict.fromkeys(over)}
    return [PatchRollout(patch)] if patch else []


def _held(seen: ServiceSeen, service: Wire, route: Wire, hold: Hold, options: ServiceOptions) -> ServiceDecision:
    left = options.missing_after - seen.missing_for if hold.new not in seen.revisions else 0.0
    if left > 0:
        # The Revision is stored after the Route was pinned for it. What went on before goes on; what was over stays so.
        goes_on = seen.is_underway
        bounds = stage_bounds(seen, options) if goes_on else ()
        return ServiceDecision("held", bounds, carries_on=goes_on, requeue_after=left)
    newest = newest_of(seen.revisions)
    initial = entries(live_shares(route) or hold.initial, seen.revisions, seen.defaults, newest)
    targets = entries({newest: _WHOLE}, seen.revisions, seen.defaults, newest)
    message = f"{newest} is rolled out in stages, from {described(shares_of(initial))}"
    started = ServiceEvent("Normal", STARTED, message)
    if seen.ro is None:
        return ServiceDecision(
            "held", (CreateRollout(new_rollout(service, initial, targets, seen.strategy)),), (started,)
        )
    patch = rollout_patch(seen.ro, service, initial, targets, seen.strategy)
    if patch:
        is_new = "initialRevisions" in patch.get("spec", {})
        return ServiceDecision("held", (PatchRollout(patch),), (started,) if is_new else ())
    if seen.ro.is_complete and is_moved(route, {newest: _WHOLE}):
        left = _demand_unknown_for(seen, newest)
        if left > 0:
            return ServiceDecision("held", requeue_after=left)
        return _end(seen, service, route, hold, newest)
    if seen.is_back:
        # The Route stays held until the next edit: what floats in it would go to the revision that was aborted.
        left = max(0.0, _STABLE_WINDOW - seen.complete_for)
        bounds = stage_bounds(seen, replace(options, keeps_floor=options.keeps_floor and left > 0))
        return ServiceDecision("held", bounds, _stopped(seen.ro), requeue_after=left or None)
    abort = abort_of_failed(seen, newest) if options.gives_failed_shares_back else None
    given_up = () if abort is None else (abort,)
    events = (*_failure(seen, newest), *_stopped(seen.ro))
    return ServiceDecision("held", (*stage_bounds(seen, options), *given_up), events)


def _demand_unknown_for(seen: ServiceSeen, newest: str) -> float:
    """Seconds for which the floor still has to stand in for demand, once the newest revision has all of the traffic.

    The autoscaler averages over its stable window: without the floor it would take pods away that are needed. It has
    seen all of the demand once the revisions before run nothing any more.
    """
    own = own_bounds(annotations_of(seen.revisions[newest]))
    stands_in = parse_integer(own.set.get(MIN_SCALE, ""), bits=32) or 0
    is_raised = stands_in > (own_minimum(seen.revisions[newest], seen.defaults) or 0)
    runs_on = any(scale.actual for name, scale in seen.scales.items() if name != newest)
    return max(0.0, _STABLE_WINDOW - seen.complete_for) if is_raised and runs_on else 0.0


def _failure(seen: ServiceSeen, newest: str) -> tuple[ServiceEvent, ...]:
    """The Event for a rollout that cannot go on unless somebody edits the Service."""
    ready = condition_of(seen.revisions[newest], READY)
    if ready is not None and ready.status == FALSE:
        message = f"{newest} is not Ready{quoted(ready)} and gets no more traffic; the next edit replaces it"
        return (ServiceEvent("Warning", FAILED, message),)
    stage = seen.ro.status.conditions.get(STAGE_READY) if seen.ro is not None else None
    if stage is not None and ((seen.ro and seen.ro.has_failed) or stage.reason == TIMED_OUT):
        return (ServiceEvent("Warning", FAILED, stage.message),)
    return ()


def _stopped(ro: RolloutOrchestrator) -> tuple[ServiceEvent, ...]:
    """The Events for a rollout that is paused or aborted, in the words of its RO."""
    found = ((type_, reason, ro.status.conditions.get(condition)) for condition, type_, reason in STOPPED)
    return tuple(
        ServiceEvent(type_, reason, condition.message)
        for type_, reason, condition in found
        if condition is not None and condition.status == TRUE
    )


def _end(seen: ServiceSeen, service: Wire, route: Wire, hold: Hold, newest: str) -> ServiceDecision:
    writes: list[ServiceWrite] = [
        *restored({newest: seen.revisions[newest]}, {newest: _WHOLE}),
        PatchRoute(route, replace(hold, phase=RELEASING), stock_traffic(service)),
    ]
    message = f"{newest} has all of the traffic, and its own bounds"
    return ServiceDecision("releasing", _in_order(writes), (ServiceEvent("Normal", COMPLETE, message),))


def _in_order(writes: Sequence[ServiceWrite]) -> tuple[ServiceWrite, ...]:
    return tuple(sorted(writes, key=lambda write: ORDER.index(type(write))))
