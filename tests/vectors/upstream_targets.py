"""A small model of how upstream restarts a rollout for new targets; imports nothing of planning."""

from typing import Any

from tests.vectors.upstream_planning import INVALID, UPSTREAM, Panic, Revision, Rules, merged, put, status_of

Json = Any


def update(given: Json, final: list[Revision], rules: Rules = UPSTREAM) -> Json:
    """``UpdateInitialFinalTargetRev``: from the input of an initial_final_targets row and the end list."""
    spec = given["ro"].get("spec", {})
    try:
        targets = spec.get("targetRevisions", [])
        if same_targets(merged(targets, rules), merged(final, rules)):
            after = spec if shares(targets) == shares(final) else put(spec, targetRevisions=final)
        else:
            start = start_for(given, rules)
            after = put(
                spec, targetRevisions=final, initialRevisions=start, stageTargetRevisions=None, targetFinishTime=None
            )
    except Panic as panic:
        return {"raised": panic.becomes} if "no-panic" in rules else {"panic": True}
    return {"spec": put(after, targetFinishTime=None), "targetFinishTimeSet": "targetFinishTime" in after}


def same_targets(current: list[Revision], final: list[Revision]) -> bool:
    if len(current) != len(final):
        return False
    for ours, theirs in zip(current, final, strict=True):
        if ours.get("revisionName") != theirs.get("revisionName"):
            return False
        if "percent" not in ours:
            raise Panic(INVALID)
        if ours["percent"] != theirs["percent"]:
            return False
    return True


def shares(revisions: list[Revision]) -> list[Json]:
    return [(revision.get("revisionName"), revision.get("percent")) for revision in revisions]


def start_for(given: Json, rules: Rules) -> list[Revision]:
    ro = given["ro"]
    recorded, stage = ro.get("status", {}).get("stageRevisionStatus", []), ro["spec"].get("stageTargetRevisions", [])
    traffic = ((given["route"] or {}).get("status") or {}).get("traffic")
    if not recorded:
        return ro["spec"].get("initialRevisions", []) if traffic else []
    if "True" in (status_of(ro, "StageReady"), status_of(ro, "Ready")):
        return list(recorded)
    if not traffic or not stage:
        return []
    rising = next((r for r in merged(stage, rules) if r.get("direction", "").strip().lower() in ("", "up")), None)
    if rising is None:
        raise Panic(INVALID)
    wanted = (ro["metadata"]["name"], rising.get("revisionName"))
    for deployment in given["deployments"]:
        labels = deployment["metadata"].get("labels", {})
        if (labels.get("serving.knative.dev/service"), labels.get("serving.knative.dev/revision")) == wanted:
            replicas = deployment.get("spec", {}).get("replicas")
            available = deployment.get("status", {}).get("availableReplicas", 0)
            return list(stage if replicas is not None and 1 <= available <= replicas else recorded)
    return list(recorded)
