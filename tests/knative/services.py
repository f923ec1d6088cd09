"""Knative Services, Routes, Revisions and ROs on the wire, and what a decision's writes make of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webhook.api import RolloutOrchestrator
from webhook.api.wire import Wire, copy_of
from webhook.knative.service_decision import ServiceDecision
from webhook.knative.service_seen import ServiceSeen
from webhook.knative.service_writes import CreateRollout, PatchRevision, PatchRollout, PatchRoute

PREFIX = "autoscaling.knative.dev/"
UID = "uid-of-hello"
FLOATING: Wire = {"configurationName": "hello", "latestRevision": True, "percent": 0}
STOCK: list[Wire] = [{"configurationName": "hello", "latestRevision": True, "percent": 100}]


def named(revision: str, percent: int) -> Wire:
    return {"revisionName": revision, "latestRevision": False, "percent": percent}


def service(
    annotations: Mapping[str, str] | None = None,
    traffic: list[Wire] | None = None,
    template: Mapping[str, str] | None = None,
    **metadata: Any,
) -> Wire:
    """A Service that is opted in, unless its annotations say otherwise."""
    own = {"stagegate.dev/progressive": "true"} if annotations is None else dict(annotations)
    spec: Wire = {"template": {"metadata": {"annotations": dict(template or {})}}}
    if traffic is not None:
        spec["traffic"] = traffic
    names = {"name": "hello", "namespace": "default", "uid": UID}
    return {"metadata": {**names, "annotations": own, **metadata}, "spec": spec}


def hold(
    phase: str = "held", new: str = "hello-00002", initial: Mapping[str, int] | None = None, since: str = UID
) -> str:
    members = {"initial": dict(initial or {"hello-00001": 100}), "new": new, "phase": phase, "since": since}
    return json.dumps(members, sort_keys=True, separators=(",", ":"))


def route(
    held: str | None = None,
    traffic: list[Wire] | None = None,
    shown: Mapping[str, int] | None = None,
    ready: str = "True",
    **condition: str,
) -> Wire:
    """A Route; ``shown`` are the shares in its status, by default those of its entries by name."""
    entries: list[Wire] = STOCK if traffic is None else traffic
    shares: Mapping[str, int] = {
        one["revisionName"]: one["percent"] for one in entries if one.get("percent") and one.get("revisionName")
    }
    status = [named(name, percent) for name, percent in (shares if shown is None else shown).items()]
    return {
        "metadata": {
            "name": "hello",
            "namespace": "default",
            "generation": 1,
            "annotations": {} if held is None else {"stagegate.dev/hold": held},
        },
        "spec": {"traffic": entries},
        "status": {
            "traffic": status,
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": ready, **condition}],
        },
    }


def pinned(**shares: int) -> list[Wire]:
    """The traffic of a held Route: ``pinned(hello_00001=100)``."""
    names = {name.replace("_", "-"): percent for name, percent in shares.items()}
    entries = [named(name, percent) for name, percent in names.items()]
    return [*entries, FLOATING, named(next(iter(names)), 0)]


def revision(name: str, *, ready: str = "True", state: str = "active", own: Wire | None = None, **scales: str) -> Wire:
    """A Revision; ``min_scale="4"`` is an annotation, ``own`` the record of the bounds that stand back."""
    annotations = {PREFIX + key.replace("_", "-"): value for key, value in scales.items()}
    if own is not None:
        annotations[PREFIX + "stagegate-own"] = json.dumps(own, sort_keys=True, separators=(",", ":"))
    generation = str(int(name.rpartition("-")[2]))
    labels = {
        "serving.knative.dev/service": "hello",
        "serving.knative.dev/configuration": "hello",
        "serving.knative.dev/configurationGeneration": generation,
        "serving.knative.dev/routingState": state,
    }
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels, "annotations": annotations},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def lowered(name: str, minimum: str = "4", to: str = "1", **more: Any) -> Wire:
    """A Revision whose own minimum stands back."""
    return revision(name, own={"min-scale": minimum, "set": {"min-scale": to}}, min_scale=to, **more)


def by_name(*revisions: Wire) -> dict[str, Wire]:
    return {one["metadata"]["name"]: one for one in revisions}


def entry(name: str, percent: int | None = None, **members: Any) -> Wire:
    return {"revisionName": name, **({} if percent is None else {"percent": percent}), **members}


def ro(
    initial: list[Wire],
    targets: list[Wire],
    stage: list[Wire] | None = None,
    ready: str = "Unknown",
    recorded: list[Wire] | None = None,
    **metadata: Any,
) -> RolloutOrchestrator:
    """The RO of the Service, at its generation."""
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello", "uid": UID, "controller": True}
    spec = {"initialRevisions": initial, "targetRevisions": targets, "stageTargetRevisions": stage or []}
    conditions = [{"type": type_, "status": ready} for type_ in ("LastStageReady", "Ready", "StageReady")]
    return RolloutOrchestrator.from_dict(
        {
            "metadata": {
                "name": "hello",
                "namespace": "default",
                "uid": "uid-of-ro",
                "generation": 1,
                "labels": {"serving.knative.dev/service": "hello"},
                "ownerReferences": [owner],
                **metadata,
            },
            "spec": spec,
            "status": {"conditions": conditions, "observedGeneration": 1, "stageRevisionStatus": recorded or []},
        }
    )


def merged(one: Any, patch: Any) -> Any:
    """A JSON merge patch, carried out."""
    if not isinstance(patch, Mapping):
        return copy_of(patch)
    result = dict(one) if isinstance(one, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def after(seen: ServiceSeen, decision: ServiceDecision) -> ServiceSeen:
    """The world once the writes are stored, before anybody reacts to them."""
    for write in decision.writes:
        match write:
            case CreateRollout(body):
                stored = merged(body, {"metadata": {"uid": "uid-of-ro", "generation": 1}})
                seen = replace(seen, ro=RolloutOrchestrator.from_dict(stored))
            case PatchRollout(patch):
                assert seen.ro is not None
                bumped = {"metadata": {"generation": seen.ro.metadata.generation + ("spec" in patch)}}
                stored = merged(merged(seen.ro.to_dict(), patch), bumped)
                seen = replace(seen, ro=RolloutOrchestrator.from_dict(stored))
            case PatchRevision(one, annotations):
                name = one["metadata"]["name"]
                stored = merged(seen.revisions[name], {"metadata": {"annotations": annotations}})
                seen = replace(seen, revisions={**seen.revisions, name: stored})
            case PatchRoute():
                assert seen.route is not None
                bumped = {
                    "metadata": {"generation": seen.route["metadata"]["generation"] + (write.traffic is not None)}
                }
                seen = replace(seen, route=merged(merged(seen.route, write.patch()), bumped))
    return seen


def shown(decision: ServiceDecision) -> list[str]:
    """The writes in words that a row can state."""
    return [_shown(write) for write in decision.writes]


def _shown(write: Any) -> str:
    match write:
        case CreateRollout(body):
            return f"create RO: {_lists(body['spec'])}"
        case PatchRollout(patch):
            parts = [_lists(patch["spec"])] if "spec" in patch else []
            parts += [f"metadata {json.dumps(patch['metadata'], sort_keys=True)}"] if "metadata" in patch else []
            return f"patch RO: {', '.join(parts)}"
        case PatchRevision(one, annotations):
            short = {key.removeprefix(PREFIX): value for key, value in annotations.items() if "stagegate" not in key}
            record = "" if annotations.get(PREFIX + "stagegate-own", 0) is not None else ", record removed"
            texts = " ".join(f"{key}={value}" for key, value in sorted(short.items()))
            return f"Revision {one['metadata']['name']}: {texts}{record}"
    phase = "no hold" if write.hold is None else write.hold.phase
    return f"Route: {phase}{'' if write.traffic is None else f', traffic {_traffic(write.traffic)}'}"


def _lists(spec: Wire) -> str:
    parts = [
        f"{key.removesuffix('Revisions')} {' '.join(_entry(one) for one in spec[key])}"
        for key in ("initialRevisions", "targetRevisions")
        if key in spec
    ]
    return ", ".join([*parts, *(["stage removed"] if spec.get("stageTargetRevisions", 0) is None else [])])


def _entry(one: Wire) -> str:
    bounds = f"[{one.get('minScale', '-')}..{one.get('maxScale', '-')}]"
    return f"{one['revisionName']}={one['percent']}{bounds}"


def _traffic(entries: list[Wire]) -> str:
    return " ".join(f"{one.get('revisionName') or 'latest'}={one.get('percent', 0)}" for one in entries)
