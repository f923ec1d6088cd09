"""A small model of upstream's pass on plain JSON, from its recorded description; imports nothing of ours.

Without rules it answers every recorded row as upstream did. Each rule is one deliberate difference; a run notes those
that it met, which is to say: where upstream would have gone another way.
"""

from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

from tests.vectors import upstream_strategies as rules_of
from tests.vectors.upstream_conditions import NEW_GENERATION, ROLLING, START, Conditions
from tests.vectors.upstream_strategies import Panic

Json = Any
Entries = dict[str, Json]
SPA = "stagepodautoscalers"
AN_HOUR = 3600
FAILED = "The rollout of the current stage failed with message: "


class Failure(Exception):
    """Upstream returns an error here."""


@dataclass(frozen=True)
class Rules:
    """Where the model leaves upstream: each is one named difference."""

    zero_max: bool = False
    no_panic: bool = False
    failed_stays: bool = False
    verify_initial: bool = False
    obsolete_running: bool = False
    strategy_spelling: bool = False
    grace_left: bool = False
    quiet_writes: bool = False


UPSTREAM = Rules()
OURS = Rules(**{rule.name: True for rule in fields(Rules)})


@dataclass
class Run:
    """One pass: what it starts from, what it wrote, and the differences it met."""

    given: Json
    rules: Rules
    wrapped: bool
    refused: set[tuple[str, str, str]]
    met: set[str] = field(default_factory=set)
    actions: list[str] = field(default_factory=list)
    enqueued: list[float] = field(default_factory=list)
    error: bool = False
    dropped: bool = False

    def __post_init__(self) -> None:
        self.ro = deepcopy(self.given["ro"])
        self.spec, self.status = self.ro.get("spec", {}), self.ro.get("status", {})
        self.name, self.namespace = self.ro["metadata"]["name"], self.ro["metadata"]["namespace"]
        self.conditions = Conditions(self.status.get("conditions", []))
        self.recorded = self.status.get("stageRevisionStatus", [])
        self.spas = {spa["metadata"]["name"]: deepcopy(spa) for spa in self.given.get("spas", [])}
        self.revisions = set(self.given.get("revisions", []))
        self.up = rules_of.by_direction(self.stage, "up")
        self.down = rules_of.by_direction(self.stage, "down")

    @property
    def stage(self) -> Json:
        return self.spec.get("stageTargetRevisions", [])

    @property
    def final(self) -> Json:
        return self.spec.get("targetRevisions", [])

    @property
    def initial(self) -> Json:
        return self.spec.get("initialRevisions", [])

    def mends(self, rule: str) -> bool:
        """Whether a difference applies here; called only where it makes one."""
        if not getattr(self.rules, rule):
            return False
        self.met.add(rule.replace("_", "-"))
        return True

    # The wrapper.

    def run(self) -> None:
        """Raises Panic where upstream dies and nothing mends it."""
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

    observed = False

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
        """What upstream would look for in the spec in vain if every write went through."""
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

    def request(self, verb: str, resource: str, name: str) -> None:
        self.actions.append(f"{verb} {resource} {name}")
        if self.is_refused(verb, resource, name):
            raise Failure(f"{verb} {resource} {name}")

    def is_refused(self, verb: str, resource: str, name: str) -> bool:
        return not self.refused.isdisjoint({(verb, resource, name), (verb, resource, "*")})

    def write(self, name: str, spec: Json) -> None:
        """An update, sent also when it changes nothing, as upstream does."""
        if spec == self.bounds(name) and self.rules.quiet_writes:
            if self.is_refused("update", SPA, name):
                self.met.add("quiet-writes")
            return
        self.request("update", SPA, name)
        self.spas[name]["spec"] = spec

    def create(self, name: str, spec: Json) -> None:
        self.request("create", SPA, name)
        labels = {"serving.knative.dev/revision": name, "serving.knative.dev/service": self.name}
        owner = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "RolloutOrchestrator",
            "name": self.name,
            "uid": self.ro["metadata"].get("uid", ""),
            "controller": True,
            "blockOwnerDeletion": True,
        }
        metadata = {"name": name, "namespace": self.namespace, "labels": labels, "ownerReferences": [owner]}
        self.spas[name] = {"metadata": metadata, "spec": spec}

    def bounds(self, name: str) -> Json:
        return self.spas[name].get("spec", {})

    def of_service(self) -> list[str]:
        """The SPAs labelled for this service, by name."""
        return sorted(
            name
            for name, spa in self.spas.items()
            if spa["metadata"].get("labels", {}).get("serving.knative.dev/service") == self.name
            and spa["metadata"].get("namespace") == self.namespace
        )

    # Steps 2 to 7.

    def carry(self) -> None:
        if not self.up:
            raise Failure("nothing goes up")
        self.reset_obsolete()
        if not self.take_steps():
            return
        if self.conditions.status("StageReady") == "Unknown":
            reached = rules_of.without_idle(self.stage) if len(self.stage) > len(self.final) else self.stage
            complete = rules_of.last_stage_complete(reached, self.final)
            self.recorded = reached
            self.conditions.true("StageReady")
            if complete:
                self.conditions.true("LastStageReady")
            else:
                self.conditions.unknown("LastStageReady", *ROLLING)
        elif (self.conditions.status("StageReady"), self.conditions.status("Ready")) == (
            "True",
            "Unknown",
        ) and not rules_of.last_stage_complete(self.recorded, self.final):
            for kind in ("StageScaleUpReady", "StageScaleDownReady", "StageReady"):
                self.conditions.unknown(kind, *START)
            self.conditions.unknown("LastStageReady", *ROLLING)
        else:
            for kind in ("StageScaleUpReady", "StageScaleDownReady", "StageReady", "LastStageReady"):
                self.conditions.true(kind)

    def reset_obsolete(self) -> None:
        named = {revision.get("revisionName", "") for revision in (*self.stage, *self.initial)}
        for name in self.of_service():
            status = self.spas[name].get("status", {})
            if name in named:
                continue
            if status.get("desiredScale") != 0 or (status.get("actualScale", 0) > 0 and self.mends("obsolete_running")):
                self.write(name, rules_of.spec_of(0, 1))

    def take_steps(self) -> bool:
        """Whether nothing is left to wait for."""
        steps = [
            (self.execute_up, self.verify_up, "StageScaleUpReady"),
            (self.execute_down, self.verify_down, "StageScaleDownReady"),
        ]
        if self.is_down_first():
            steps.reverse()
        for execute, verify, kind in steps:
            execute()
            if self.conditions.status("StageReady") != "Unknown":
                return True
            if not verify():
                self.conditions.unknown(kind, *START)
                self.conditions.unknown("StageReady", *START)
                self.conditions.unknown("LastStageReady", *ROLLING)
                return False
            self.conditions.true(kind)
        return True

    def is_down_first(self) -> bool:
        stated = self.spec.get("rolloutStrategy", "")
        down_first: bool = stated.lower() == "resourceutil"
        if down_first != (stated.strip().lower() == "resourceutil") and self.mends("strategy_spelling"):
            return not down_first
        return down_first

    def may_force(self) -> bool:
        stated = self.spec.get("rolloutStrategy", "")
        literal: bool = stated == "resourceutil"
        if literal != (stated.strip().lower() == "resourceutil") and self.mends("strategy_spelling"):
            return not literal
        return literal

    def execute_up(self) -> None:
        for name, revision in self.up.items():
            try:
                spec = rules_of.up_spec(revision)
            except Panic as panic:
                raise Panic(f"spec.stageTargetRevisions[{self.stage.index(revision)}].{panic.field}") from None
            if name in self.spas:
                self.write(name, spec)
            else:
                self.create(name, spec)

    def verify_up(self) -> bool:
        for name, revision in self.up.items():
            status = self.spas[name].get("status", {})
            reported = ("PodAutoscalerStageReady", "True") in [
                (condition["type"], condition["status"]) for condition in status.get("conditions", [])
            ]
            if not reported or not self.is_up(status, revision):
                for other, leaving in self.down.items():
                    if other in self.spas:
                        self.write(other, self.bounds(other))
                    else:
                        self.create(other, rules_of.spec_of(leaving.get("minScale"), leaving.get("maxScale")))
                return False
        return True

    def is_up(self, status: Json, revision: Json) -> bool:
        ready = rules_of.up_ready(status, revision)
        mended = rules_of.up_ready(status, rules_of.unlimited(revision))
        return mended if mended != ready and self.mends("zero_max") else ready

    def execute_down(self) -> None:
        for name in self.up:
            if name not in self.spas:
                self.create(name, rules_of.spec_of(0, 0))
        for name, revision in (self.down or self.leaving()).items():
            self.lower(name, revision)

    def leaving(self) -> Entries:
        """The initial revisions that do not go up, without percent."""
        return {
            name: {key: value for key, value in revision.items() if key != "percent"}
            for revision in self.initial
            if (name := revision.get("revisionName", "")) not in self.up
        }

    def lower(self, name: str, revision: Json) -> None:
        there = name in self.spas
        before = self.bounds(name) if there else rules_of.spec_of(revision.get("minScale"), revision.get("maxScale"))
        spec = rules_of.down_spec(before, revision, True)
        mended = rules_of.unlimited_down_spec(before, revision, True)
        if mended != spec and self.mends("zero_max"):
            spec = mended
        if there:
            self.write(name, spec)
        else:
            self.create(name, spec)

    def verify_down(self) -> bool:
        to_verify = self.down
        if not self.down:
            there = {name: {**r, "targetReplicas": 0} for name, r in self.leaving().items() if name in self.revisions}
            if not all(self.is_gone(name, revision) for name, revision in there.items()) and self.mends(
                "verify_initial"
            ):
                to_verify = there
        for name, revision in to_verify.items():
            self.lower(name, revision)
            if not self.is_gone(name, revision):
                self.see_to_pods(name)
                return False
        return True

    def is_gone(self, name: str, revision: Json) -> bool:
        status = self.spas.get(name, {}).get("status", {})
        ready = rules_of.down_ready(status, revision)
        mended = rules_of.down_ready(status, rules_of.unlimited(revision))
        if mended != ready and self.mends("zero_max"):
            ready = mended
        return ready and status.get("replicasTerminating", -1) == 0

    def see_to_pods(self, revision: str) -> None:
        if self.is_refused("list", "pods", revision):
            return
        for pod in sorted(self.given.get("pods", []), key=lambda pod: str(pod["metadata"]["name"])):
            metadata = pod["metadata"]
            label = metadata.get("labels", {}).get("serving.knative.dev/revision")
            ends = metadata.get("deletionTimestamp")
            if (metadata.get("namespace"), label) != (self.namespace, revision) or ends is None:
                continue
            if ends == "past" or self.is_held():
                self.request("delete", "pods", metadata["name"])
            elif "deletionGracePeriodSeconds" in metadata:
                grace = metadata["deletionGracePeriodSeconds"]
                left = max(1, min(grace, AN_HOUR))
                self.enqueued.append(left if left != grace and self.mends("grace_left") else grace)

    def is_held(self) -> bool:
        """Whether the revision that goes up waits at 0/0; asked only of a pod whose time is not over."""
        if not self.may_force():
            return False
        name, revision = next(iter(self.up.items()))
        spec = self.bounds(name)
        minimum, maximum = spec.get("stageMinScale"), spec.get("stageMaxScale")
        if minimum is None or (minimum == 0 and maximum is None):
            if self.mends("no_panic"):
                return False
            raise Panic("bounds")
        if (minimum, maximum) != (0, 0):
            return False
        own = (revision.get("minScale"), revision.get("maxScale"))
        return not (own == (0, 0) and self.mends("zero_max"))

    # Step 8.

    def clean_up(self) -> None:
        for name in self.of_service():
            if name not in self.revisions:
                try:
                    self.request("delete", SPA, name)
                except Failure:
                    continue
                del self.spas[name]


def run_of(given: Json, rules: Rules, wrapped: bool) -> Run:
    """The pass over a row, carried out. Raises Panic."""
    refused = {(error["verb"], error["resource"], error["name"]) for error in given.get("apiErrors", [])}
    run = Run(given, rules, wrapped, refused)
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
