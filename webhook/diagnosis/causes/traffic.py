"""Causes between the shares of a stage and the requests: the hold, the newcomer, and the Route."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from webhook.api.conditions import FALSE, READY, STAGE_TRAFFIC_READY, TRUE
from webhook.api.target_revision import one_per_revision
from webhook.cluster.resource import ROUTES
from webhook.diagnosis.cause import DELAYS, INFORMS, STOPS, Cause
from webhook.diagnosis.causes.lack import PATIENCE
from webhook.diagnosis.snapshot import Snapshot
from webhook.knative.stage_traffic import condition_of, described, held_for, quoted
from webhook.knative.traffic import is_moved
from webhook.strategies import TrafficStep
from webhook.strategies.stage import replicas
from webhook.strategies.waiting import pending_step, waiting_since

INGRESS_READY: Final = "IngressReady"
"""Condition of a Route: Knative's ingress serves what its status shows."""
_MISSING_AFTER: Final = timedelta(seconds=30)
"""The loop gives a Service back whose new Revision has not appeared for that long."""


def hold_without_rollout(snapshot: Snapshot) -> Iterator[Cause]:
    """The webhook has held the Route for a new Revision, and no loop has made the RO yet."""
    hold = snapshot.hold
    if snapshot.exists or hold is None:
        return
    since = _pinned(snapshot)
    is_new = since is not None and snapshot.at - since <= _MISSING_AFTER
    yield Cause(
        "hold-without-rollout",
        DELAYS if is_new else STOPS,
        says=(
            f"Route {snapshot.name} is held for {hold.new} at {described(hold.initial)}, and there is no"
            " RolloutOrchestrator that carries it on"
        ),
        about=f"Route {snapshot.name}",
        since=since,
        way_out=(
            f"see whether a loop leads; or give the Service back: stagegate release {snapshot.name} -n"
            f" {snapshot.namespace}"
        ),
        next=(
            f"the loop makes the rollout once Revision {hold.new} is there, and gives the Service back if it does not"
            f" appear within {_MISSING_AFTER.total_seconds():.0f} s"
        ),
    )


def newcomer_not_ready(snapshot: Snapshot) -> Iterator[Cause]:
    """Knative says that a revision that goes up has failed; it gets no more traffic.

    Of its PodAutoscaler that counts only while it wants replicas and runs none: one at rest is not Ready either.
    """
    for name in snapshot.stage.up:
        seen = snapshot.of(name)
        kind, ready = "Revision", condition_of(seen.revision, READY)
        if (ready is None or ready.status != FALSE) and (seen.desired or 0) > 0 and seen.running == 0:
            kind, ready = "PodAutoscaler", condition_of(seen.pod_autoscaler, READY)
        if ready is not None and ready.status == FALSE:
            yield Cause(
                "newcomer-not-ready",
                STOPS,
                says=f"Knative says that {kind} {name} is not Ready{quoted(ready)}",
                about=f"{kind} {name}",
                since=ready.last_transition_time,
                way_out=(
                    "correct the Service: the next edit replaces this revision; or stagegate abort"
                    f" {snapshot.name} -n {snapshot.namespace} --reason TEXT"
                ),
                next="the traffic stays where it is; the stage goes on should the Revision become Ready",
            )


def route_not_moving(snapshot: Snapshot) -> Iterator[Cause]:
    """The Route is held for the rollout and does not show the shares of the stage, or shows them and is not Ready.

    Knative writes the shares into the status before the ingress serves them.
    """
    step = pending_step(snapshot.ro, snapshot.strategy)
    if step is not TrafficStep or snapshot.route is None or held_for(snapshot.ro, snapshot.route) is None:
        return
    ready = condition_of(snapshot.route, READY)
    has_failed = ready is not None and ready.status == FALSE
    since = snapshot.ro.status.conditions.changed_at(STAGE_TRAFFIC_READY)
    is_late = since is not None and snapshot.at - since > PATIENCE
    metadata, status = snapshot.route.get("metadata") or {}, snapshot.route.get("status") or {}
    behind = ""
    if metadata.get("generation") != status.get("observedGeneration"):
        behind = f"; Knative has observed generation {status.get('observedGeneration')} of {metadata.get('generation')}"
    detail, wished = snapshot.ro.stage_in_progress_detail(STAGE_TRAFFIC_READY), described(_wished(snapshot))
    # That it waits for the Route to show these shares is said already.
    waiting = f"; waiting for {detail}" if detail and wished not in detail else ""
    why = quoted(ready)
    if snapshot.traffic != _wished(snapshot):
        shows = f"shows {described(snapshot.traffic or {}) or 'no traffic'}, the stage wants {wished}"
    elif is_moved(snapshot.route, _wished(snapshot)):
        shows = f"serves {wished}, which the loop has not observed yet"
    else:
        shows = f"shows {wished}, which its ingress does not serve yet"
        why = quoted(condition_of(snapshot.route, INGRESS_READY)) or why
    yield Cause(
        "route-not-moving",
        STOPS if has_failed or is_late else DELAYS,
        says=f"Route {snapshot.name} {shows}{behind}{why}{waiting}",
        about=f"Route {snapshot.name}",
        since=since,
        way_out=(
            f"kubectl -n {snapshot.namespace} describe route {snapshot.name}: Knative's controller or the ingress says"
            " what keeps it"
        ),
        next="nothing is scaled down before requests follow the shares",
    )


def traffic_not_carried(snapshot: Snapshot) -> Iterator[Cause]:
    """A Route of that name exists, nobody holds it for the rollout, and it does not follow the stage."""
    real, wished = snapshot.traffic, _wished(snapshot)
    if not snapshot.exists or not snapshot.sees(ROUTES) or real is None or not snapshot.stage.entries:
        return
    if held_for(snapshot.ro, snapshot.route) is not None or real == wished:
        return
    since = waiting_since(snapshot.ro, snapshot.strategy)
    yield Cause(
        "traffic-not-carried",
        INFORMS,
        says=(
            f"Route {snapshot.name} is not held for this rollout and shows {described(real) or 'no traffic'}, the stage"
            f" wants {described(wished)}"
        ),
        about=f"Route {snapshot.name}",
        since=since,
        way_out=(
            "opt the Service in (stagegate.dev/progressive) and let its edits start rollouts; an RO that was written by"
            " hand needs a controller that carries its shares into the Route"
        ),
        next="replicas go on by stages; requests stay where the Route sends them",
    )


def traffic_without_pods(snapshot: Snapshot) -> Iterator[Cause]:
    """Requests go to a revision that should run replicas and runs none."""
    for name, percent in (snapshot.traffic or {}).items():
        seen = snapshot.of(name)
        if percent and seen.running == 0 and (seen.desired or 0) > 0:
            yield Cause(
                "traffic-without-pods",
                STOPS,
                says=(
                    f"{percent}% of the traffic goes to {name}, which runs none of the"
                    f" {replicas(seen.desired or 0)} that its autoscaler wants: requests wait in the activator, or fail"
                ),
                about=f"Revision {name}",
                since=None,
                way_out=(
                    f"see why its pods do not run: kubectl -n {snapshot.namespace} get pods -l"
                    f" serving.knative.dev/revision={name}"
                ),
                next="Knative sends the requests on as soon as a pod is ready",
            )


def _wished(snapshot: Snapshot) -> dict[str, int]:
    """The percents above 0 that the stage gives, by revision."""
    stage = one_per_revision(snapshot.ro.spec.stage_target_revisions)
    return dict(sorted((entry.revision_name, entry.percent) for entry in stage if entry.percent))


def _pinned(snapshot: Snapshot) -> datetime | None:
    """Since when the Route waits, as its conditions show."""
    ready = condition_of(snapshot.service, READY) or condition_of(snapshot.route, READY)
    return ready.last_transition_time if ready is not None and ready.status != TRUE else None
