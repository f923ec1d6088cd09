"""A small model of upstream's pass on plain JSON: what it starts from, what it writes, which differences it meets."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.vectors import upstream_strategies as rules_of
from tests.vectors.upstream_conditions import Conditions
from tests.vectors.upstream_entries import together

Json = Any
SPA = "stagepodautoscalers"


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
    early_spa: bool = False
    tag_entries: bool = False
    ready_runs: bool = False


@dataclass
class Run:
    """The state of one pass. With a rule set it goes our way where that rule decides something, and notes it."""

    given: Json
    rules: Rules
    wrapped: bool
    refused: set[tuple[str, str, str]]
    met: set[str] = field(default_factory=set)
    actions: list[str] = field(default_factory=list)
    enqueued: list[float] = field(default_factory=list)
    fleeting: set[str] = field(default_factory=set)
    """SPAs that quiet-writes did not create, because this pass would delete them again."""

    def __post_init__(self) -> None:
        self.ro = deepcopy(self.given["ro"])
        self.spec, self.status = self.ro.get("spec", {}), self.ro.get("status", {})
        self.name, self.namespace = self.ro["metadata"]["name"], self.ro["metadata"]["namespace"]
        self.conditions = Conditions(self.status.get("conditions", []))
        self.recorded = self.status.get("stageRevisionStatus", [])
        self.spas = {spa["metadata"]["name"]: deepcopy(spa) for spa in self.given.get("spas", [])}
        self.revisions = set(self.given.get("revisions", []))
        self.up: dict[str, Json] = {}
        self.down: dict[str, Json] = {}

    @property
    def stage(self) -> Json:
        return self.spec.get("stageTargetRevisions", [])

    @property
    def final(self) -> Json:
        return self.spec.get("targetRevisions", [])

    @property
    def initial(self) -> Json:
        return self.spec.get("initialRevisions", [])

    def runs_nothing(self, status: Json, revision: Json) -> bool:
        """``conditions`` of a row holds what Knative says, by revision; recorded rows have none."""
        conditions = self.given.get("conditions", {}).get(revision.get("revisionName", ""), {})
        return rules_of.runs_nothing(status, revision, conditions)

    def mends(self, rule: str) -> bool:
        """Whether a difference applies here; called only where it makes one."""
        if not getattr(self.rules, rule):
            return False
        self.met.add(rule.replace("_", "-"))
        return True

    def differs(self, of: Callable[..., Json], *lists: Json) -> Json:
        """What a question about lists is answered, where it makes a difference with the entries of a name as one."""
        usual, merged = outcome(of, *lists), outcome(of, *(together(revisions) for revisions in lists))
        # Entries by name are written in their order.
        orders = [list(answer) if isinstance(answer, dict) else answer for answer, _ in (usual, merged)]
        is_other = merged != usual or orders[0] != orders[1]
        answer, missing = merged if is_other and self.mends("tag_entries") else usual
        if missing is not None:
            raise rules_of.Panic(missing)
        return answer

    def request(self, verb: str, resource: str, name: str) -> None:
        self.actions.append(f"{verb} {resource} {name}")
        if self.is_refused(verb, resource, name):
            raise Failure(f"{verb} {resource} {name}")

    def is_refused(self, verb: str, resource: str, name: str) -> bool:
        return not self.refused.isdisjoint({(verb, resource, name), (verb, resource, "*")})

    def write(self, name: str, spec: Json) -> None:
        """An update, sent also when it changes nothing, as upstream does."""
        if spec == self.bounds(name) and self.rules.quiet_writes:
            if self.is_refused("update", SPA, name) and name not in self.fleeting:
                self.met.add("quiet-writes")
            return
        if name not in self.fleeting:
            self.request("update", SPA, name)
        self.spas[name]["spec"] = spec

    def create(self, name: str, spec: Json) -> None:
        if name not in self.revisions and self.mends("quiet_writes"):
            self.fleeting.add(name)
        else:
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


def outcome(of: Callable[..., Json], *lists: Json) -> tuple[Json, str | None]:
    """The answer, or the field that upstream looks for in vain."""
    try:
        return of(*lists), None
    except rules_of.Panic as panic:
        return None, panic.field
