"""Simulated Services, each in a rollout, whose targets people change in between."""

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sandbox.demo.knative import Knative
from sandbox.workloads import CLASS_ANNOTATION, GRACE_ANNOTATION, HANG_ANNOTATION
from tests.chaos.history import History
from tests.chaos.recorded import named_by
from tests.chaos.slow_autoscaler import CLASS, SlowAutoscaler
from webhook.api import RolloutOrchestrator
from webhook.api.conditions import LAST_STAGE_READY, READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.wire import format_time
from webhook.cluster.client import Client
from webhook.cluster.errors import Conflict, NotFound, OutcomeUnknown, Unavailable, Unreachable
from webhook.cluster.resource import (
    NAMESPACES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
)

Wire = dict[str, Any]
PLACES: Final = ("chaos-a", "chaos-b", "chaos-c")
BYSTANDER: Final = "bystander-00001"
PLAIN, DAWDLING, HANGING = "plain", "dawdling", "hanging"
_UNLIMITED: Final = (2, 0)
_PAUSE, _PAUSE_UNTIL = "stagegate.dev/pause", "stagegate.dev/pause-until"
_ABORT, _ABORT_REASON = "stagegate.dev/abort", "stagegate.dev/abort-reason"
_ANNOTATIONS: Final = "rollout.knative.dev"


@dataclass
class Service:
    """One service. ``number`` is that of the revision it goes to, ``names`` are those of its revisions so far.

    Of the dawdling ones the replicas move late, and a stage should be done in a second; pods of the hanging ones do not
    end by themselves. ``wanted`` is the revision that people want to go to as soon as the server lets them.
    """

    client: Client
    history: History
    namespace: str
    name: str
    chance: random.Random
    number: int = 1
    rollouts: int = 0
    awaited: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    considered: str = ""
    collected: set[int] = field(default_factory=lambda: {0})
    nature: str = PLAIN
    wanted: int | None = None
    paused: bool = False
    steered: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        dawdling = self.nature == DAWDLING
        self.demand = self.chance.randint(3 if dawdling else 1, 5)
        self.ratio = self.chance.choice([10, 34, 50] if dawdling else [10, 34, 50, 100])
        self.low, self.high = self.chance.choice([(1, 10), (self.demand, self.demand), (0, 8), _UNLIMITED])
        if (self.low, self.high) == _UNLIMITED:
            # No stage can hold down what has no limit of its own, and is needed: such a one waits for its time-out.
            self.demand = min(self.demand, self.low)
        self.tagged = self.chance.random() < 0.25
        self.knative = Knative(self.client, self.namespace, self.name, self.demand)
        self.autoscaler = SlowAutoscaler(self.client, self.namespace, self.name, self.demand, self.chance)

    def revision(self, number: int) -> str:
        return f"{self.name}-{number:05}"

    def entry(self, number: int, **members: Any) -> Wire:
        bounds = {"minScale": self.low, "maxScale": self.high}
        return {"revisionName": self.revision(number), "percent": 100, **bounds, **members}

    def targets(self, number: int) -> list[Wire]:
        """The targets of people; some of them have a tag on the newest revision, which is no second target."""
        tag = {"revisionName": self.revision(number), "percent": 0, "tag": "candidate"}
        return [self.entry(number, latestRevision=True), *([tag] if self.tagged else [])]

    def begin(self) -> None:
        """The first revision runs; the rollout to the second begins."""
        self._make(1)
        self._make_pod_autoscaler(1)
        self._make(2)
        self.number, self.rollouts = 2, 1
        annotations = {
            f"{_ANNOTATIONS}/over-consumption-ratio": str(self.ratio),
            # Nothing at all is taken for a second.
            f"{_ANNOTATIONS}/stage-rollout-timeout-minutes": "0" if self.nature == DAWDLING else "60",
        }
        spec: Wire = {"initialRevisions": [self.entry(1)], "targetRevisions": self.targets(2)}
        strategy = self.chance.choice(["availability", "availability", "resourceutil", None])
        if strategy:
            spec["rolloutStrategy"] = strategy
        metadata = {"name": self.name, "labels": {SERVICE_LABEL: self.name}, "annotations": annotations}
        kind = {"apiVersion": ROLLOUT_ORCHESTRATORS.api_version, "kind": ROLLOUT_ORCHESTRATORS.kind}
        self.client.create(ROLLOUT_ORCHESTRATORS, self.namespace, {**kind, "metadata": metadata, "spec": spec})

    def step(self, *, more: bool) -> None:
        """What Knative and people do now; with ``more`` they begin another rollout when one is complete.

        What the server cannot do now is tried again at the next step.
        """
        try:
            self._step(more=more)
        except (Unavailable, Unreachable, OutcomeUnknown):
            return

    def _step(self, *, more: bool) -> None:
        for name in sorted(self.awaited):
            # With its SPA there, a new revision never runs free.
            if self.history.latest(STAGE_POD_AUTOSCALERS, self.namespace, name) is not None:
                self._make_pod_autoscaler(_number(name))
                self.awaited.discard(name)
        if self.nature == DAWDLING:
            self._dawdle()
        if self.wanted is not None:
            self._retarget(self.wanted)
        elif self.paused:
            self._stay_paused(more=more)
        elif not more:
            return
        elif self.complete:
            self._forget_oldest()
            self._retarget(len(self.names) + 1)
        elif self.is_back:
            self._go_on()
        elif self._is_a_new_stage():
            self._interfere()

    def _interfere(self) -> None:
        """What people do to a rollout on its way, now and then."""
        dice = self.chance.random()
        if dice < 0.1:
            back = self.chance.random() < 0.5 and self.number - 1 not in self.collected
            self._retarget(self.number - 1 if back else len(self.names) + 1)
        elif dice < 0.25:
            self.paused = True
            end = format_time(datetime.now(UTC) + timedelta(seconds=3))
            self._annotate("paused", {_PAUSE: "chaos", _PAUSE_UNTIL: end if self.chance.random() < 0.3 else None})
        elif dice < 0.4:
            self._annotate("aborted", {_ABORT: f"{self.revision(self.number)}=100", _ABORT_REASON: "chaos"})

    def _stay_paused(self, *, more: bool) -> None:
        """A pause mostly lasts until its stage is done, and some steps more; now and then people abort meanwhile."""
        dice = self.chance.random()
        if dice < (0.1 if self._is_stage_done else 0.005) or not more:
            self._annotate("resumed", dict.fromkeys((_PAUSE, f"{_PAUSE}-by", _PAUSE_UNTIL)))
            self.paused = False
        elif dice > 0.98:
            self._annotate("aborted", {_ABORT: f"{self.revision(self.number)}=100", _ABORT_REASON: "chaos"})

    def _go_on(self) -> None:
        """After an abort people try the same targets again, or other ones."""
        if self.chance.random() < 0.3:
            self._annotate("retried", {f"{_ABORT}{end}": None for end in ("", "-by", "-reason")})
        else:
            self._retarget(len(self.names) + 1)

    def _annotate(self, what: str, annotations: dict[str, str | None]) -> None:
        """As the commands do; a pause ends while a new one may already be wanted, so that nothing is assumed."""
        patch = {"metadata": {"annotations": annotations}}
        self.client.patch(ROLLOUT_ORCHESTRATORS, self.namespace, self.name, patch)
        self.steered[what] += 1

    def _dawdle(self) -> None:
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {}
        spec = wire.get("spec") or {}
        entries = spec.get("stageTargetRevisions") or spec.get("initialRevisions") or []
        percents = {entry["revisionName"]: entry.get("percent") or 0 for entry in entries}
        alive = [name for number, name in enumerate(self.names, 1) if number not in self.collected]
        spas = {name: self.history.latest(STAGE_POD_AUTOSCALERS, self.namespace, name) for name in alive}
        self.autoscaler.step({name: (self.entry(_number(name)), spa) for name, spa in spas.items()}, percents)

    def _make_pod_autoscaler(self, number: int) -> None:
        annotations = {}
        if self.nature == DAWDLING:
            annotations[CLASS_ANNOTATION] = CLASS
        if self.nature == HANGING:
            annotations = {HANG_ANNOTATION: "true", GRACE_ANNOTATION: self.chance.choice(["1", "2", "4"])}
        self.knative.make_pod_autoscaler(self.entry(number), annotations)
        if self.nature == DAWDLING:
            running = min(max(self.demand, self.low), self.high or self.demand) if number == 1 else 0
            self.autoscaler.take(self.revision(number), running)

    @property
    def complete(self) -> bool:
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name)
        if wire is None:
            return False
        ro = RolloutOrchestrator.from_dict(wire)
        named = [entry.revision_name for entry in ro.spec.target_revisions if entry.percent]
        reached = [entry.revision_name for entry in ro.status.stage_revision_status if entry.percent]
        conditions = ro.status.conditions
        return (
            named == reached == [self.revision(self.number)]
            and ro.status.observed_generation == ro.metadata.generation
            and conditions.is_true(READY)
            and conditions.is_true(LAST_STAGE_READY)
        )

    @property
    def _is_stage_done(self) -> bool:
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {}
        conditions = (wire.get("status") or {}).get("conditions") or []
        return ("StageReady", "True") in ((one["type"], one["status"]) for one in conditions)

    @property
    def is_back(self) -> bool:
        """True once an aborted rollout is where it began."""
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {}
        conditions = (wire.get("status") or {}).get("conditions") or []
        reasons = {one["type"]: one.get("reason") for one in conditions}
        is_asked = _ABORT in (wire.get("metadata", {}).get("annotations") or {})
        return is_asked and (reasons.get("Ready"), reasons.get("Aborted")) == ("Aborted", "AbortComplete")

    @property
    def is_over(self) -> bool:
        """True once it is complete, or back, and nobody holds it; its replicas do not move any more either."""
        return not self.paused and (self.complete or self.is_back) and self.autoscaler.is_still

    def state(self) -> str:
        """Where it stands, in one line."""
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {}
        spec, status = wire.get("spec") or {}, wire.get("status") or {}
        spas = {
            name: (spa.get("spec"), {k: v for k, v in (spa.get("status") or {}).items() if k != "conditions"})
            for name in self.names
            if (spa := self.history.latest(STAGE_POD_AUTOSCALERS, self.namespace, name)) is not None
        }
        conditions = [
            f"{one['type']} {one['status']} {one.get('reason', '')} {one.get('message', '')}".strip()
            for one in status.get("conditions") or []
        ]
        return (
            f"{self.namespace}/{self.name} to {self.revision(self.number)}"
            f"{', paused' if self.paused else ''}{'' if self.autoscaler.is_still else ', replicas move'}: {conditions};"
            f" stage {spec.get('stageTargetRevisions')}; SPAs {spas}"
        )

    def wrong_end(self) -> list[str]:
        """What is not as it has to be at the end of the last rollout; empty when all is well.

        Laws say how an aborted one has to end, and what may be left of other revisions.
        """
        if self.is_back:
            return []
        last = self.history.latest(STAGE_POD_AUTOSCALERS, self.namespace, self.revision(self.number)) or {}
        bounds = {"stageMinScale": self.low, "stageMaxScale": self.high}
        if last.get("spec") == bounds:
            return []
        return [f"{self.namespace}/{self.name}: {last.get('spec')} instead of {bounds}"]

    def _make(self, number: int) -> None:
        self.knative.make_revision(self.entry(number))
        self.names.append(self.revision(number))
        if number > 1:
            self.awaited.add(self.revision(number))

    def _retarget(self, number: int) -> None:
        self.wanted = number
        if number > len(self.names):
            self._make(number)
        # Written twice where the answer got lost, it says the same.
        spec = {"targetRevisions": self.targets(number)}
        self.client.patch(ROLLOUT_ORCHESTRATORS, self.namespace, self.name, {"spec": spec})
        self.number, self.wanted = number, None
        self.rollouts += 1

    def _is_a_new_stage(self) -> bool:
        wire = self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {}
        stage = str((wire.get("spec") or {}).get("stageTargetRevisions"))
        new = stage not in ("None", self.considered)
        self.considered = stage
        return new

    def _forget_oldest(self) -> None:
        """Revisions that are never a target again, and that no abort leads back to, are collected."""
        named = named_by(self.history.latest(ROLLOUT_ORCHESTRATORS, self.namespace, self.name) or {"spec": {}})
        for number, name in enumerate(self.names[:-2], 1):
            if number == self.number or number in self.collected or name in named:
                continue
            for resource in (REVISIONS, POD_AUTOSCALERS):
                with suppress(NotFound, Conflict):
                    uid = self.client.get(resource, self.namespace, name)["metadata"]["uid"]
                    self.client.delete(resource, self.namespace, name, uid=uid)
            self.autoscaler.forget(name)
            self.collected.add(number)


def _number(revision: str) -> int:
    return int(revision.rpartition("-")[2])


def make_services(client: Client, history: History, count: int, seed: int) -> list[Service]:
    """So many services in three namespaces, some of the same name; and an SPA that belongs to none of them."""
    for namespace in PLACES:
        client.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    client.create(
        STAGE_POD_AUTOSCALERS,
        PLACES[0],
        {
            "apiVersion": STAGE_POD_AUTOSCALERS.api_version,
            "kind": STAGE_POD_AUTOSCALERS.kind,
            "metadata": {"name": BYSTANDER},
            "spec": {"stageMinScale": 3, "stageMaxScale": 7},
        },
    )
    natures = (PLAIN, DAWDLING, PLAIN, HANGING, PLAIN, PLAIN, DAWDLING, PLAIN)
    services = [
        Service(
            client,
            history,
            PLACES[i % 3],
            f"service-{i // 3}",
            random.Random(f"{seed} service {i}"),
            nature=natures[i % len(natures)],
        )
        for i in range(count)
    ]
    for service in services:
        service.begin()
    return services
