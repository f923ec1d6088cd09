"""Whole rollouts in a small simulation: plan, pass, autoscaler, tick by tick. Who plans and passes is passed in."""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.vectors.upstream_planning import put

Json = Any
Row = dict[str, Json]

_READY_SPA = {"type": "PodAutoscalerStageReady", "status": "True"}


@dataclass(frozen=True)
class Planner:
    """One implementation of a rollout on plain JSON; time is the number of the tick.

    ``plan`` takes the input of a plan_stages row and returns the new spec, or None after an error. ``update`` takes
    the input of an initial_final_targets row and the end list, and returns the new spec. ``carry`` takes the input of
    a rollout_reconcile_wrapped row and returns whether there was an error, the new status and the SPAs.
    """

    plan: Callable[[Row, int], Row | None]
    update: Callable[[Row, list[Row]], Row]
    carry: Callable[[Row, int], tuple[bool, Row, list[Row]]]


@dataclass
class Trace:
    """A rollout on its way. ``watch`` sees what each planner call of a tick is given."""

    given: Row
    planner: Planner
    watch: Callable[[int, str, Row], None] = lambda tick, call, row: None
    errors: int = 0
    tick: int = 0
    peak: int = 0
    stages: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        target, initial = self.given["target"], self.given["initial"]
        self.bounds = {revision["name"]: bounds_of(revision) for revision in (*initial, target)}
        self.scales: dict[str, int] = {revision["name"]: revision["actualScale"] for revision in initial}
        self.scales[target["name"]] = 0
        self.ro: Row = {
            "metadata": {"name": self.given["service"], "namespace": self.given["namespace"], "generation": 1},
            "spec": {
                "initialRevisions": [entry_of(r, latestRevision=False, percent=r["percent"]) for r in initial],
                "targetRevisions": [entry_of(target, latestRevision=True, percent=100)],
            },
        }
        self.spas: dict[str, Row] = {}
        for revision in initial:
            if revision["spaExists"]:
                self.spas[revision["name"]] = self.spa_of(revision)
        self.revisions = [*self.bounds, *(s["name"] for s in self.seconds())]

    def seconds(self) -> list[Row]:
        return [self.given["secondTarget"]] if "secondTarget" in self.given else []

    def spa_of(self, revision: Row) -> Row:
        labels = {
            "serving.knative.dev/service": self.given["service"],
            "serving.knative.dev/revision": revision["name"],
        }
        bounds = bounds_of(revision)
        spa = {
            "metadata": {"name": revision["name"], "namespace": self.given["namespace"], "labels": labels},
            "spec": put({}, stageMinScale=bounds.get("minScale"), stageMaxScale=bounds.get("maxScale")),
        }
        return self.observed(spa, revision["actualScale"])

    def observed(self, spa: Row, scale: int) -> Row:
        status = {"desiredScale": scale, "actualScale": scale, "replicasTerminating": 0, "conditions": [_READY_SPA]}
        return {**spa, "status": status}

    def run(self) -> "Trace":
        """Run to the end, at most maxTicks."""
        while self.tick < self.given["maxTicks"] and not self.finished():
            self.tick += 1
            self.one_tick()
        return self

    def finished(self) -> bool:
        if self.tick <= self.given.get("secondTargetAtTick", 0):
            return False
        return all(condition_of(self.ro, kind) == "True" for kind in ("Ready", "LastStageReady"))

    def one_tick(self) -> None:
        before = deepcopy(self.ro.get("spec", {}))
        if self.tick == self.given.get("secondTargetAtTick"):
            self.new_target(self.given["secondTarget"])
        self.plan()
        if self.ro["spec"] != before:
            self.ro["metadata"]["generation"] += 1
        stage = self.ro["spec"].get("stageTargetRevisions", [])
        if not self.stages or stage != self.stages[-1]["stageTargetRevisions"]:
            self.stages.append({"stageTargetRevisions": deepcopy(stage), "firstTick": self.tick})
        self.carry()
        self.scale({r["revisionName"]: r.get("percent", 0) for r in stage})
        self.peak = max(self.peak, sum(self.scales.values()))
        self.stages[-1] |= {"lastTick": self.tick, "spas": self.spa_bounds()}
        self.log.append(
            {
                "tick": self.tick,
                "stage": len(self.stages) - 1,
                "scales": dict(self.scales),
                "spas": self.spa_bounds(),
                "ready": condition_of(self.ro, "Ready"),
                "stageReady": condition_of(self.ro, "StageReady"),
                "lastStageReady": condition_of(self.ro, "LastStageReady"),
            }
        )

    def new_target(self, second: Row) -> None:
        self.bounds[second["name"]] = bounds_of(second)
        self.scales.setdefault(second["name"], 0)
        final = [entry_of(second, latestRevision=True, percent=100)]
        route = {"status": {"traffic": [{"percent": 100}]}}
        row = {"ro": deepcopy(self.ro), "route": route, "deployments": []}
        self.watch(self.tick, "update", {**row, "finalTargetRevision": final})
        self.ro["spec"] = self.planner.update(row, final)

    def plan(self) -> None:
        row = {
            "ro": deepcopy(self.ro),
            "config": self.given["config"],
            "podAutoscalers": dict(self.scales),
            "spas": sorted(self.spas),
        }
        self.watch(self.tick, "plan", row)
        spec = self.planner.plan(row, self.tick)
        if spec is None:
            self.errors += 1
        else:
            self.ro["spec"] = spec

    def carry(self) -> None:
        row = {
            "ro": deepcopy(self.ro),
            "spas": [deepcopy(self.spas[name]) for name in sorted(self.spas)],
            "pods": [],
            "revisions": sorted(self.revisions),
        }
        self.watch(self.tick, "pass", row)
        error, status, spas = self.planner.carry(row, self.tick)
        self.errors += error
        self.ro["status"] = status
        self.spas = {spa["metadata"]["name"]: spa for spa in spas}

    def scale(self, percents: Mapping[str, int]) -> None:
        """The autoscaler's turn."""
        for name, scale in self.scales.items():
            minimum, maximum = self.effective_bounds(name)
            wanted = max(self.wanted(scale, percents.get(name, 0), minimum), minimum)
            self.scales[name] = min(wanted, maximum) if maximum > 0 else wanted
            if name in self.spas:
                self.spas[name] = self.observed(self.spas[name], self.scales[name])

    def wanted(self, scale: int, percent: int, minimum: int) -> int:
        autoscaler = self.given["autoscaler"]
        if autoscaler["mode"] == "demand":
            demand: int = autoscaler["totalDemand"]
            return math.ceil(demand * percent / 100)
        return minimum if autoscaler["mode"] == "bounds" and percent == 0 else scale

    def effective_bounds(self, name: str) -> tuple[int, int]:
        minimum, maximum = self.bounds[name].get("minScale", 0), self.bounds[name].get("maxScale", 0)
        if name not in self.spas:
            return minimum, maximum
        spec = self.spas[name].get("spec", {})
        if self.given["autoscaler"]["bounds"] == "stage":
            return spec.get("stageMinScale", 0), spec.get("stageMaxScale", 0)
        return min(minimum, spec.get("stageMinScale", minimum)), min(maximum, spec.get("stageMaxScale", maximum))

    def spa_bounds(self) -> Row:
        specs = {name: spa.get("spec", {}) for name, spa in self.spas.items()}
        return {
            name: put({}, min=spec.get("stageMinScale"), max=spec.get("stageMaxScale")) for name, spec in specs.items()
        }

    def recorded_part(self) -> Row:
        """The trace in the form of the recorded ones."""
        status = self.ro.get("status", {})
        conditions = [put(condition, lastTransitionTime=None) for condition in status.get("conditions", [])]
        return {
            "finished": self.finished(),
            "ticks": self.tick,
            "stages": self.stages,
            "peakReplicas": self.peak,
            "errors": self.errors,
            "conditions": sorted(conditions, key=lambda condition: str(condition["type"])),
            "stageRevisionStatus": status.get("stageRevisionStatus", []),
            "log": self.log if len(self.log) <= 15 else self.log[:12] + self.log[-3:],
        }


def bounds_of(revision: Row) -> Row:
    return {key: revision[key] for key in ("minScale", "maxScale") if key in revision}


def entry_of(revision: Row, **members: Json) -> Row:
    return {"revisionName": revision["name"], **bounds_of(revision), **members}


def condition_of(ro: Row, kind: str) -> str:
    conditions = ro.get("status", {}).get("conditions", [])
    return next((str(c["status"]) for c in conditions if c["type"] == kind), "")
