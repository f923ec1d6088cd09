"""A small model of upstream's pass on plain JSON: the two steps of a stage."""

from typing import Any

from tests.vectors import upstream_strategies as rules_of
from tests.vectors.upstream_conditions import ROLLING, START
from tests.vectors.upstream_entries import place_of
from tests.vectors.upstream_run import Run
from tests.vectors.upstream_strategies import Panic

Json = Any
Entries = dict[str, Json]
AN_HOUR = 3600


def bounds_in(revisions: Json, name: str) -> Json:
    """The bounds that the first entry of a name states."""
    first = revisions[place_of(name, revisions)]
    return rules_of.spec_of(first.get("minScale"), first.get("maxScale"))


class Steps(Run):
    """Scale up and scale down, in the order of the strategy."""

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
        word = self.spec.get("rolloutStrategy", "")
        down_first: bool = word.lower() == "resourceutil"
        if down_first != (word.strip().lower() == "resourceutil") and self.mends("strategy_spelling"):
            return not down_first
        return down_first

    def may_force(self) -> bool:
        word = self.spec.get("rolloutStrategy", "")
        literal: bool = word == "resourceutil"
        if literal != (word.strip().lower() == "resourceutil") and self.mends("strategy_spelling"):
            return not literal
        return literal

    def execute_up(self) -> None:
        for name, revision in self.up.items():
            try:
                spec = rules_of.up_spec(revision)
            except Panic as panic:
                place = place_of(revision.get("revisionName", ""), self.stage)
                raise Panic(f"spec.stageTargetRevisions[{place}].{panic.field}") from None
            kept = self.kept(name, spec)
            if kept != spec and self.mends("ready_runs"):
                spec = kept
            if name in self.spas:
                self.write(name, spec)
            else:
                self.create(name, spec)

    def kept(self, name: str, spec: Json) -> Json:
        """The bounds of one that goes up as ready-runs has them: not below those it has while others have yet to come.

        That is for one of the start, and not where down comes first or nothing has changed since all was ready.
        """
        starts = [revision for revision in self.initial if revision.get("revisionName", "") == name]
        if not starts or self.conditions.status("Ready") == "True" or self.is_down_first():
            return spec
        if all(self.has_come(other, revision) for other, revision in self.up.items() if other != name):
            return spec
        old = (
            self.bounds(name) if name in self.spas else self.differs(lambda start: bounds_in(start, name), self.initial)
        )
        minima, maxima = ([bounds.get(f"stage{end}Scale") for bounds in (spec, old)] for end in ("Min", "Max"))
        unlimited = [maximum for maximum in maxima if not maximum]
        return rules_of.spec_of(None if None in minima else max(minima), unlimited[0] if unlimited else max(maxima))

    def has_come(self, name: str, revision: Json) -> bool:
        status = self.spas.get(name, {}).get("status", {})
        if revision.get("percent", 0) < 1:
            return True
        least = min(revision.get("minScale", 0), revision.get("targetReplicas", revision.get("minScale", 0)))
        return not self.runs_nothing(status, revision) and bool(status["actualScale"] >= least)

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
        if mended != ready and self.mends("zero_max"):
            ready = mended
        if ready and self.runs_nothing(status, revision) and self.mends("ready_runs"):
            return False
        return ready

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
