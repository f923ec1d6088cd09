"""The judge of rollouts on real Knative: what breaks a law, and what is just unusual."""

import itertools
import json
from typing import Any

import pytest

from tests.chaos.knative.judge import Judge, problems_at_end
from tests.rig.timeline import Change, Record

OLD, NEW = "hello-00001", "hello-00002"
MIN = "autoscaling.knative.dev/min-scale"
OWN = "autoscaling.knative.dev/stagegate-own"
Wire = dict[str, Any]


class RecordBuilder:
    """Builds a record step by step; each method returns the builder."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._versions = itertools.count(1)
        self._stored: dict[tuple[str, str], Wire] = {}

    def store(self, plural: str, name: str, wire: Wire) -> "RecordBuilder":
        kind = "MODIFIED" if (plural, name) in self._stored else "ADDED"
        metadata = {"name": name, "uid": name, **wire.get("metadata", {})}
        self._stored[plural, name] = stored = {**wire, "metadata": metadata}
        version = next(self._versions)
        self.changes.append(Change(version, plural, kind, stored, at=4.0 * version))
        return self

    def service(
        self, progressive: str = "true", ready: str = "Unknown", latest: str = "", **spec: Any
    ) -> "RecordBuilder":
        """``latest`` is its latest ready revision."""
        status = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": ready}]}
        status |= {"latestReadyRevisionName": latest}
        metadata = {"generation": 1, "annotations": {"stagegate.dev/progressive": progressive}}
        return self.store("services", "hello", {"metadata": metadata, "spec": spec, "status": status})

    def revision(self, name: str, ready: str = "True", record: str | None = None) -> "RecordBuilder":
        annotations = {MIN: "4"} if record is None else {MIN: "1", OWN: record}
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        return self.store("revisions", name, {"metadata": {"annotations": annotations}, "status": status})

    def route(
        self, phase: str = "", shown: dict[str, int] | None = None, new: str = NEW, observed: int = 1, **shares: int
    ) -> "RecordBuilder":
        """``shares`` are by the last digit of the revision, in the spec; ``shown`` those of the status.

        The generation is 1; ``observed`` is the one that the status is of.
        """
        wanted = {f"hello-0000{key[1:]}": percent for key, percent in shares.items()} or {OLD: 100}
        hold = {"stagegate.dev/hold": json.dumps({"phase": phase, "new": new})} if phase else {}
        spec = [{"revisionName": name, "percent": percent} for name, percent in wanted.items()]
        floating = {"latestRevision": True, "percent": 0 if phase == "held" else 100}
        status = [{"revisionName": name, "percent": percent} for name, percent in (shown or wanted).items()]
        body = {
            "spec": {"traffic": [*spec, floating] if phase == "held" else [floating]},
            "status": {"traffic": status, "observedGeneration": observed},
        }
        return self.store("routes", "hello", {"metadata": {"annotations": hold, "generation": 1}, **body})

    def pods(self, revision: str, *numbers: int, ending: bool = False, template: str = "a") -> "RecordBuilder":
        for number in numbers:
            labels = {"serving.knative.dev/revision": revision, "pod-template-hash": template}
            metadata = {"labels": labels, **({"deletionTimestamp": "now"} if ending else {})}
            status = {"conditions": [{"type": "Ready", "status": "True"}]}
            self.store("pods", f"{revision}-{number}", {"metadata": metadata, "status": status})
        return self

    def judged(self) -> list[str]:
        judge = Judge("hello")
        judge.judge(Record(self.changes))
        return [broken.problem for broken in judge.broken]


def at_rest() -> RecordBuilder:
    return RecordBuilder().service().route().revision(OLD).pods(OLD, 1, 2, 3, 4)


def held() -> RecordBuilder:
    """Pinned, the new Revision has its pod."""
    return at_rest().route("held").revision(NEW, record="{}").pods(NEW, 1)


@pytest.mark.parametrize(
    ("built", "problem"),
    [
        pytest.param(held().route("held", _1=75, _2=25).pods(OLD, 4, ending=True).pods(NEW, 2), "", id="a stage"),
        pytest.param(
            at_rest().revision(NEW).pods(NEW, 1, 2, 3, 4).route(shown={NEW: 100}).pods(OLD, 1, 2, ending=True),
            "",
            id="Knative's own rollout",
        ),
        pytest.param(held().pods(NEW, 2), "6 pods run where 5 are the most", id="more than a stage"),
        pytest.param(
            held().pods(OLD, 3, 4, ending=True).pods(NEW, 2), "hello-00002 runs 2 pods where 1 are the most", id="ahead"
        ),
        pytest.param(
            held().route("held", _1=50, _2=50), "hello-00002 has 50 % of the traffic on 1 ready pods", id="too early"
        ),
        pytest.param(held().route("held", shown={NEW: 100}, observed=0), "", id="Knative is at the Route of before"),
        pytest.param(
            held().pods(OLD, 4, ending=True), "hello-00001 has 100 % of the traffic on 3 ready pods", id="lowered early"
        ),
        pytest.param(
            held().revision(NEW, "Unknown", "{}").route("held", _1=75, _2=25),
            "names hello-00002, which is not Ready",
            id="not Ready",
        ),
        pytest.param(
            held().store(
                "routes",
                "hello",
                {
                    "metadata": {"annotations": {"stagegate.dev/hold": json.dumps({"phase": "held", "new": NEW})}},
                    "spec": {"traffic": [{"latestRevision": True, "percent": 100}]},
                    "status": {"traffic": [{"revisionName": OLD, "percent": 100}]},
                },
            ),
            "100 % float",
            id="Knative wrote it",
        ),
        pytest.param(held().route(), "the hold is gone, and nobody released it", id="the hold is lost"),
        pytest.param(
            held().service("false").route("releasing").route().route("held"),
            "held again after a release (opted out)",
            id="held again",
        ),
        pytest.param(held().route("releasing").route("held"), "which exists already", id="held for what is there"),
        pytest.param(at_rest().revision(NEW).route("held"), "", id="held a moment too late"),
        pytest.param(
            at_rest()
            .service(latest=NEW)
            .revision(NEW)
            .route("held", new="hello-00003")
            .revision("hello-00003", record="{}")
            .pods(NEW, 1, 2, 3, 4),
            "",
            id="traffic floats to a revision without any",
        ),
        pytest.param(held().pods(NEW, 1, ending=True).pods(NEW, 3), "gets a pod again", id="a pod comes again"),
        pytest.param(held().pods(NEW, 2, template="b"), "another template", id="restarted"),
        pytest.param(held().service(ready="True"), "the Service is Ready at", id="Ready in the middle"),
        pytest.param(
            held().service("false").pods(NEW, 2, 3, 4).route("releasing").route(shown={NEW: 100}), "", id="opted out"
        ),
    ],
)
def test_what_breaks_a_law(built: RecordBuilder, problem: str) -> None:
    broken = built.judged()
    assert bool(broken) == bool(problem), broken
    assert not problem or any(problem in line for line in broken), broken


@pytest.mark.parametrize(
    ("built", "problems"),
    [
        pytest.param(at_rest().service(ready="True"), 0, id="all is done"),
        pytest.param(at_rest(), 1, id="not Ready"),
        pytest.param(at_rest().service(ready="True").route("held"), 1, id="held"),
        pytest.param(at_rest().service(ready="True").revision(OLD, record="{}"), 1, id="lowered"),
        pytest.param(at_rest().service(ready="True").pods(OLD, 5), 1, id="a pod too many"),
        pytest.param(at_rest().service(ready="True").route(shown={NEW: 100}), 1, id="other traffic"),
    ],
)
def test_what_is_left_undone_at_the_end(built: RecordBuilder, problems: int) -> None:
    found = problems_at_end(Record(built.changes).end, "hello", OLD, {MIN: "4", "other": "x"})
    assert len(found) == problems, found
