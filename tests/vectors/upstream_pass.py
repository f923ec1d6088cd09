"""A small model of upstream's pass on plain JSON, from its recorded description; imports nothing of ours.

Without rules it answers every recorded row as upstream did. Each rule is one deliberate difference; a run notes those
that it met, which is to say: where upstream would have gone another way.
"""

from copy import deepcopy
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from tests.vectors import upstream_strategies as rules_of
from tests.vectors.upstream_conditions import NEW_GENERATION, ROLLING, START, Conditions
from tests.vectors.upstream_run import SPA, Failure, Rules
from tests.vectors.upstream_steps import Steps
from tests.vectors.upstream_strategies import Panic

Json = Any
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
GRACE = 300.0
FAILED = "The rollout of the current stage failed with message: "
UPSTREAM = Rules()
OURS = Rules(**{rule.name: True for rule in fields(Rules)})


class Pass(Steps):
    """The pass, and what the generated controller does around it."""

    observed = False
    error = False
    dropped = False

    def run(self) -> None:
        """Raises Panic where upstream panics and no difference prevents it."""
        metadata = self.ro["metadata"]
        if self.wrapped:
            if "deletionTimestamp" in metadata:
                return
            self.conditions.prepare()
            if metadata.get("generation", 0) != self.status.get("observedGeneration", 0):
                if self.conditions.status("StageReady") == "False" and self.mends("failed_stays"):
                    self.conditions.unknown("StageReady", *NEW_GENERATION)
                    self.conditions.unknown("LastStageReady", *NEW_GENERATION)
                self.conditions.unknown("Ready", *NEW_GENERATION)
                self.observed = True
        self.reconcile()
        if self.wrapped:
            self.status["observedGeneration"] = metadata.get("generation", 0)

    def reconcile(self) -> None:
        """Steps 1 to 8."""
        if self.stage and not self.stays_failed():
            invalid = self.invalid_field() if self.rules.no_panic else None
            if invalid is not None:
                self.met.add("no-panic")
                self.error = self.dropped = True
                self.conditions.failed(FAILED + invalid)
            else:
                try:
                    self.carry()
                except Failure:
                    self.error = True
        self.clean_up()

    def stays_failed(self) -> bool:
        metadata = self.ro["metadata"]
        current = self.observed or metadata.get("generation", 0) == self.status.get("observedGeneration", 0)
        return current and self.conditions.status("StageReady") == "False" and self.mends("failed_stays")

    def invalid_field(self) -> str | None:
        """What upstream would not find in the spec if every write succeeded."""
        attempt = deepcopy(self)
        attempt.refused = {request for request in self.refused if request[:2] == ("list", "pods")}
        try:
            attempt.carry()
        except Panic as panic:
            self.met |= attempt.met
            return panic.field
        except Failure:
            return None
        return None

    # Steps 2 to 7.

    def carry(self) -> None:
        self.up = self.differs(lambda stage: rules_of.by_direction(stage, "up"), self.stage)
        self.down = self.differs(lambda stage: rules_of.by_direction(stage, "down"), self.stage)
        if not self.up:
            raise Failure("nothing goes up")
        at_first = not self.resets_last()
        if at_first:
            self.reset_obsolete()
        if self.take_steps():
            self.conclude()
        if not at_first and self.conditions.status("StageReady") == "True":
            self.reset_obsolete()

    def resets_last(self) -> bool:
        """Whether ready-runs lowers nothing of the service before the stage is done: nothing but what goes up is named.

        It applies only if there is something to lower.
        """
        others = [r for r in (*self.stage, *self.initial) if r.get("revisionName", "") not in self.up]
        if others or self.is_down_first() or self.conditions.status("Ready") == "True" or not self.rules.ready_runs:
            return False
        return any(self.bounds(name) != rules_of.spec_of(0, 1) for name in self.obsolete()) and self.mends("ready_runs")

    def conclude(self) -> None:
        if self.conditions.status("StageReady") == "Unknown":
            is_longer = self.differs(lambda stage, final: len(stage) > len(final), self.stage, self.final)
            reached = rules_of.without_idle(self.stage) if is_longer else self.stage
            complete = self.differs(rules_of.last_stage_complete, reached, self.final)
            self.recorded = reached
            self.conditions.true("StageReady")
            if complete:
                self.conditions.true("LastStageReady")
            else:
                self.conditions.unknown("LastStageReady", *ROLLING)
        elif (self.conditions.status("StageReady"), self.conditions.status("Ready")) == ("True", "Unknown") and (
            not self.differs(rules_of.last_stage_complete, self.recorded, self.final) or self.runs_nothing_yet()
        ):
            for kind in ("StageScaleUpReady", "StageScaleDownReady", "StageReady"):
                self.conditions.unknown(kind, *START)
            self.conditions.unknown("LastStageReady", *ROLLING)
        else:
            for kind in ("StageScaleUpReady", "StageScaleDownReady", "StageReady", "LastStageReady"):
                self.conditions.true(kind)

    def runs_nothing_yet(self) -> bool:
        idle = []
        carrying = [r.get("revisionName", "") for r in self.recorded if r.get("percent", 0) > 0]
        for name, revision in self.up.items():
            status = self.spas.get(name, {}).get("status", {})
            if name in carrying and not {"desiredScale", "actualScale"} <= status.keys():
                continue
            idle.append(self.runs_nothing(status, revision))
        return any(idle) and self.mends("ready_runs")

    def reset_obsolete(self) -> None:
        for name in self.obsolete():
            self.write(name, rules_of.spec_of(0, 1))

    def obsolete(self) -> list[str]:
        named = {revision.get("revisionName", "") for revision in (*self.stage, *self.initial)}
        found = []
        for name in self.of_service():
            status = self.spas[name].get("status", {})
            if name in named:
                continue
            if status.get("desiredScale") != 0 or (status.get("actualScale", 0) > 0 and self.mends("obsolete_running")):
                found.append(name)
        return found

    # Step 8.

    def clean_up(self) -> None:
        for name in self.of_service():
            if name in self.fleeting:
                del self.spas[name]
            elif name not in self.revisions:
                left = seconds_of_grace(self.spas[name]["metadata"])
                if left > 0 and self.mends("early_spa"):
                    self.enqueued.append(max(1.0, left))
                    continue
                try:
                    self.request("delete", SPA, name)
                except Failure:
                    continue
                del self.spas[name]


def seconds_of_grace(metadata: Json) -> float:
    """How long an SPA without a Revision is spared, seen at noon for the first time: five minutes from its creation,
    or from now if another field manager than the loop's has fields outside of its status."""
    others = [
        entry
        for entry in metadata.get("managedFields", [])
        if entry["manager"] != "stagegate-loop" and entry.get("subresource") != "status"
    ]
    if others:
        return GRACE
    if "creationTimestamp" not in metadata:
        return 0.0
    age = NOON - datetime.fromisoformat(metadata["creationTimestamp"])
    return GRACE - age.total_seconds()


def run_of(given: Json, rules: Rules, wrapped: bool) -> Pass:
    """The pass over a row, carried out. Raises Panic."""
    refused = {(error["verb"], error["resource"], error["name"]) for error in given.get("apiErrors", [])}
    run = Pass(given, rules, wrapped, refused)
    run.run()
    return run


def differences_met(given: Json, wrapped: bool) -> frozenset[str]:
    """The names of the differences that decide something in a pass over this row."""
    return frozenset(run_of(given, OURS, wrapped).met)


def answer(given: Json, rules: Rules, wrapped: bool) -> Json:
    """What the model expects of a row, in the form of the recorded results."""
    try:
        run = run_of(given, rules, wrapped)
    except Panic:
        return {"panic": True}
    before = {spa["metadata"]["name"]: spa.get("spec", {}) for spa in given.get("spas", [])}
    after = {name: run.bounds(name) for name in run.spas}
    expected: Json = {
        "error": run.error,
        "status": {"conditions": run.conditions.listed(), "stageRevisionStatus": run.recorded},
        "spas": after,
        "createdSPAs": named(run.actions, "create", SPA),
        "updatedSPAs": named(run.actions, "update", SPA),
        "deletedSPAs": named(run.actions, "delete", SPA),
        "deletedPods": named(run.actions, "delete", "pods"),
        "changedSPAs": sorted(name for name in after if name in before and after[name] != before[name]),
        "enqueueAfter": sorted(run.enqueued),
        "actions": run.actions,
    }
    created = {name: spa["metadata"] for name, spa in run.spas.items() if name not in before}
    if created:
        members = ("namespace", "labels", "ownerReferences")
        expected["createdMeta"] = {name: {key: meta[key] for key in members} for name, meta in created.items()}
    if wrapped:
        expected["status"]["observedGeneration"] = run.status.get("observedGeneration", 0)
        expected["statusWritten"] = status_written(given, expected["status"])
        reason = "InvalidRollout" if run.dropped else "InternalError"
        expected["events"] = [f"Warning {reason}"] if run.error else []
    return expected


def status_written(given: Json, status: Json) -> bool:
    recorded = given["ro"].get("status", {})
    known = {
        "conditions": Conditions(recorded.get("conditions", [])).listed(),
        "stageRevisionStatus": recorded.get("stageRevisionStatus", []),
        "observedGeneration": recorded.get("observedGeneration", 0),
    }
    return bool(known != status)


def named(actions: list[str], verb: str, resource: str) -> list[str]:
    """The names that a verb was applied to, sorted, without repeats."""
    wanted = f"{verb} {resource} "
    return sorted({action.removeprefix(wanted) for action in actions if action.startswith(wanted)})
