"""A small model of the traffic that upstream gives a service during a rollout; imports nothing of planning."""

from typing import Any

from tests.vectors.upstream_planning import (
    INVALID,
    UPSTREAM,
    Panic,
    Revision,
    Rules,
    merged,
    put,
    status_of,
    strategy_in_force,
)

Json = Any


def traffic(given: Json, rules: Rules = UPSTREAM) -> Json:
    """``TransformService``: from the input of a route_traffic row to what is expected of it."""
    try:
        return routed(given, rules)
    except Panic as panic:
        return {"raised": panic.becomes} if "no-panic" in rules else {"panic": True}


def routed(given: Json, rules: Rules) -> Json:
    ro, config, own = given["ro"], given["config"], given["service"]["spec"].get("traffic", [])
    recorded = ro.get("status", {}).get("stageRevisionStatus", [])
    spec = ro.get("spec", {})
    listed, stage = spec.get("targetRevisions", []), spec.get("stageTargetRevisions", [])
    targets = merged(listed, rules)
    has_tags = len(targets) == 1 and len(listed) > 1
    if len(own) > 1 and not has_tags:
        return {"traffic": own, "stageRevisionStatus": recorded}
    if not targets:
        raise Panic(INVALID)
    entries = stage
    waits = (
        len(targets) == 1
        and config["progressiveRolloutEnabled"]
        and strategy_in_force(ro, config, rules) == "availability"
        and config["rolloutDuration"] == "0"
        and recorded
    )
    if waits and not arrived(targets[0], merged(stage, rules), given["spas"]):
        name = targets[0]["revisionName"]
        recorded = [r if r.get("revisionName") == name else put(r, latestRevision=False) for r in recorded]
        entries = recorded
        if name not in [r.get("revisionName") for r in recorded]:
            if not stage:
                raise Panic(INVALID)
            entries = [*recorded, {**stage[-1], "percent": 0}]
    if has_tags:
        entries = tagged(entries, listed)
    silent = status_of(ro, "LastStageReady") == "True" or config["rolloutDuration"] != "0"
    service = given["service"]["metadata"]["name"]
    shown = [entry_of(r, service) for r in entries if "percent" in r or not silent]
    return {"traffic": shown, "stageRevisionStatus": recorded}


def arrived(target: Revision, stage: list[Revision], spas: dict[str, Json]) -> bool:
    actual, minimum = spas.get(target["revisionName"]), target.get("minScale")
    if actual is None:
        return False
    listed = [r.get("targetReplicas") for r in stage if r.get("revisionName") == target["revisionName"]]
    wanted = listed[-1] if listed else None
    if wanted is None:
        wanted = minimum
    return minimum is None or wanted is None or not (wanted <= minimum and actual < wanted)


def tagged(entries: list[Revision], targets: list[Revision]) -> list[Revision]:
    """The entries of the one target as they are listed if it has all of their traffic, else its tags without any."""
    name = targets[0].get("revisionName")
    own = [r for r in entries if r.get("revisionName") == name]
    if sum(r.get("percent", 0) for r in own) == sum(r.get("percent", 0) for r in targets):
        return [r for r in entries if r.get("revisionName") != name] + targets
    known = [r.get("tag", "") for r in own]
    return entries + [{**r, "percent": 0} for r in targets if r.get("tag", "") not in ["", *known]]


def entry_of(revision: Revision, service: str) -> Revision:
    latest = revision.get("latestRevision")
    named = {"revisionName": revision.get("revisionName")}
    if latest:
        own = revision.get("configurationName", "")
        named = {"configurationName": own if own.strip() else service}
    kept = {key: revision.get(key) for key in ("tag", "url")}
    return put({**named, **kept, "latestRevision": latest, "percent": revision.get("percent", 0)})
