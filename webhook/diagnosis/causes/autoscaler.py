"""Causes between the bounds of a revision and its replicas: the SPA, and Knative's autoscaler."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from webhook.api import TargetRevision, wire
from webhook.api.conditions import STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY
from webhook.api.kinds import LOOP_MANAGER
from webhook.cluster.resource import POD_AUTOSCALERS
from webhook.diagnosis.cause import DELAYS, STOPS, Cause, Effect
from webhook.diagnosis.causes.lack import PATIENCE
from webhook.diagnosis.snapshot import Snapshot
from webhook.knative.stage_traffic import condition_of, quoted
from webhook.strategies import ScaleDownStep, ScaleUpStep
from webhook.strategies.readiness import replicas_needed
from webhook.strategies.scale_down import is_held
from webhook.strategies.stage import replicas
from webhook.strategies.waiting import pending_step, waiting_since

_NO_DATA: Final = -1
"""What Knative's autoscaler wants for a revision of which it has never had a metric."""


def bound_below_target(snapshot: Snapshot) -> Iterator[Cause]:
    """The SPA of a revision that goes up allows fewer replicas than the stage needs."""
    for name, entry in snapshot.stage.up.items():
        spa, needed = snapshot.of(name).spa, replicas_needed(entry)
        if spa is None or (spa.actual_scale or 0) >= needed or _is_held_back(snapshot, name, entry):
            continue
        maximum, minimum = spa.stage_max_scale, spa.stage_min_scale
        desired = snapshot.of(name).desired
        if maximum and maximum < needed:
            says = f"StagePodAutoscaler {name} allows at most {replicas(maximum)} (spec.stageMaxScale)"
            field = "stageMaxScale"
        elif minimum is not None and minimum < needed and desired is not None and desired < needed:
            says = f"StagePodAutoscaler {name} asks for {replicas(minimum)} at least (spec.stageMinScale)"
            field = "stageMinScale"
        else:
            continue
        owner = _manager_of(spa.metadata.wire, field)
        yield Cause(
            "bound-below-target",
            # The loop sets its own bound right after it has written the stage.
            _patient(snapshot) if owner == LOOP_MANAGER else STOPS,
            says=f"{says}; the stage needs {needed}{f'; {owner} set it' if owner else ''}",
            about=f"StagePodAutoscaler {name}",
            since=snapshot.ro.status.conditions.changed_at(STAGE_SCALE_UP_READY),
            way_out=f"remove spec.{field} from what is applied (Git, kubectl): the loop owns the bounds of a stage",
            next="the loop sets the bound back, at once if it leads and may write",
        )


def autoscaler_silent(snapshot: Snapshot) -> Iterator[Cause]:
    """Knative's autoscaler says nothing of a revision that the stage moves, or has no metrics of it."""
    if not snapshot.sees(POD_AUTOSCALERS):
        return
    for name in snapshot.stage.moved:
        seen = snapshot.of(name)
        if seen.absence is not None:
            continue
        if seen.pod_autoscaler is None:
            says = f"there is no PodAutoscaler {name}, which Knative makes for each Revision"
        elif seen.desired == _NO_DATA:
            says = f"Knative's autoscaler has no metrics of {name} (status.desiredScale -1)"
        elif seen.desired is None or seen.running is None:
            lacking = "desiredScale" if seen.desired is None else "actualScale"
            why = quoted(condition_of(seen.pod_autoscaler, "Ready"))
            says = f"PodAutoscaler {name} has no status.{lacking} yet{why}"
        else:
            continue
        yield Cause(
            "autoscaler-silent",
            _patient(snapshot),
            says=says,
            about=f"PodAutoscaler {name}",
            since=_stage_since(snapshot),
            way_out="kubectl -n knative-serving get pods: see whether autoscaler and controller run, and their logs",
            next="the stage goes on as soon as the scales are there",
        )


def autoscaler_lags(snapshot: Snapshot) -> Iterator[Cause]:
    """The autoscaler wants other replicas than the stage needs, or the Deployment other ones than the autoscaler."""
    step = pending_step(snapshot.ro, snapshot.strategy)
    entries = snapshot.stage.up if step is ScaleUpStep else snapshot.stage.down if step is ScaleDownStep else {}
    for name, entry in entries.items():
        seen = snapshot.of(name)
        if seen.desired is None or seen.desired == _NO_DATA or seen.running is None:
            continue
        says = _lag_up(snapshot, name, entry) if step is ScaleUpStep else _lag_down(snapshot, name, entry)
        if says:
            yield Cause(
                "autoscaler-lags",
                _patient(snapshot),
                says=says,
                about=f"PodAutoscaler {name}",
                since=_stage_since(snapshot),
                way_out=(
                    "kubectl -n knative-serving get pods: see whether autoscaler and controller run, and their logs"
                ),
                next=(
                    "Knative's autoscaler decides every 2 s; less demand counts after its stable window, 60 s"
                    " by default"
                ),
            )


def _lag_up(snapshot: Snapshot, name: str, entry: TargetRevision) -> str:
    seen, needed = snapshot.of(name), replicas_needed(entry)
    desired = seen.desired or 0
    if _is_held_back(snapshot, name, entry):
        return ""
    if desired < needed:
        return f"PodAutoscaler {name} wants {replicas(desired)}, the stage needs {needed}"
    wanted = _deployment_replicas(snapshot, name)
    if wanted is not None and wanted < desired:
        return f"the Deployment of {name} wants {replicas(wanted)}, its PodAutoscaler {desired}"
    return ""


def _lag_down(snapshot: Snapshot, name: str, entry: TargetRevision) -> str:
    limit = entry.target_replicas if entry.target_replicas is not None else entry.max_scale or None
    desired = snapshot.of(name).desired or 0
    if limit is not None and desired > limit:
        return f"PodAutoscaler {name} wants {replicas(desired)}, the stage {limit} at most"
    wanted = _deployment_replicas(snapshot, name)
    if wanted is not None and wanted > desired:
        return f"the Deployment of {name} wants {replicas(wanted)}, its PodAutoscaler {desired}"
    return ""


def _deployment_replicas(snapshot: Snapshot, name: str) -> int | None:
    spec = (snapshot.of(name).deployment or {}).get("spec")
    return wire.integer(spec, "replicas", "spec", 32) if isinstance(spec, dict) else None


def _is_held_back(snapshot: Snapshot, name: str, entry: TargetRevision) -> bool:
    """True if a strategy that goes down first still holds the revision at no replicas, as it should."""
    spa = snapshot.of(name).spa
    down_done = snapshot.ro.status.conditions.is_true(STAGE_SCALE_DOWN_READY)
    return snapshot.strategy.holds_at_zero and not down_done and spa is not None and is_held(spa, entry)


def _patient(snapshot: Snapshot) -> Effect:
    since = _stage_since(snapshot)
    return DELAYS if since is None or snapshot.at - since <= PATIENCE else STOPS


def _stage_since(snapshot: Snapshot) -> datetime | None:
    return waiting_since(snapshot.ro, snapshot.strategy)


def _manager_of(metadata: Mapping[str, Any], field: str) -> str:
    """The field manager that owns a field of the spec, as far as the object shows it; empty otherwise."""
    entries = metadata.get("managedFields")
    for entry in entries if isinstance(entries, list) else []:
        spec = (entry.get("fieldsV1") or {}).get("f:spec")
        if isinstance(spec, Mapping) and f"f:{field}" in spec:
            return str(entry.get("manager") or "")
    return ""
