"""``stagegate explain`` on dumps: what is printed at two widths, for programs, and the exit code."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.terminals import on_terminal
from tests.diagnosis import worlds
from tests.diagnosis.causes.test_pods import QUOTA, UNSCHEDULABLE, new_pods
from tests.diagnosis.test_reading import Cluster
from tests.diagnosis.worlds import NEW, NOW, OLD
from tests.documents import section
from webhook.cli import explain, main
from webhook.cli.cluster_options import ClusterOptions
from webhook.cli.cluster_world import read_cluster
from webhook.cluster.resource import PODS, REPLICA_SETS, ROLLOUT_ORCHESTRATORS, Resource

Wire = dict[str, Any]
Dump = Callable[..., str]

STUCK: dict[Resource, list[Wire]] = {
    PODS: new_pods(UNSCHEDULABLE),
    REPLICA_SETS: [
        worlds.replica_set(OLD, 4, 4),
        worlds.replica_set(NEW, 2, 1, worlds.condition("ReplicaFailure", {"status": "True", "message": QUOTA})),
    ],
}
DONE = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """Write the base world, with the objects of these resources in place of its own; the path."""

    def dump(changes: dict[Resource, list[Wire]] | None = None) -> str:
        items = [
            {"apiVersion": resource.api_version, "kind": resource.kind, **one}
            for resource, listed in {**worlds.base(), **(changes or {})}.items()
            for one in listed
        ]
        (tmp_path / "dump.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
        return str(tmp_path / "dump.yaml")

    return dump


AT_80 = """\
default/hello  Stuck  stage 1 of 4  availability  1m21s left

quota stops it
  ResourceQuota gpu allows requests.nvidia.com/gpu=4, of which
  requests.nvidia.com/gpu=4 is used; a pod of hello-00002 needs
  requests.nvidia.com/gpu=1; it runs 0 of 1 replica
  about   ResourceQuota gpu
  since   2026-03-01T11:59:20Z (39s ago)
  way out raise the quota or free what it counts, or roll out with the strategy
          resourceutil, which takes replicas away before it adds any
  next    Kubernetes tries again, with growing delays of at most some minutes
"""
CHAIN_AT_200 = """\
├── · Route hello  not seen
├── ✔ Revision hello-00001  Ready True
│   └── · StagePodAutoscaler hello-00001  bounds 4..10, wants 4, runs 4
│       └── · PodAutoscaler hello-00001  wants 4, runs 4
│           └── ✔ Deployment hello-00001-deployment  4 of 4 replicas available
│               └── ✔ ReplicaSet hello-00001-deployment-abc  4 of 4 pods made
│                   └── ✔ Pod 4 ready
└── · Revision hello-00002  Ready Unknown (39s)
    └── · StagePodAutoscaler hello-00002  bounds 1..1, wants 1, runs 0
        └── · PodAutoscaler hello-00002  wants 1, runs 0
            └── ✘ Deployment hello-00002-deployment  0 of 1 replicas available
"""


def shown(words: list[str], columns: int) -> str:
    """What a person sees on a terminal of that width, without colors; every line fits into it."""
    _, text = on_terminal(["-m", "webhook", *words], columns=columns, environment={"NO_COLOR": "1"})
    lines = [line.rstrip() for line in text.splitlines()]
    assert all(len(line) <= columns for line in lines)
    return "\n".join(lines) + "\n"


def test_the_first_cause_stands_on_top_at_80_columns(dump: Dump) -> None:
    assert shown(["explain", "hello", "-f", dump(STUCK)], 80).startswith(AT_80)


def test_the_chain_at_200_columns(dump: Dump) -> None:
    text = shown(["explain", "hello", "-f", dump(STUCK)], 200)
    assert f"\n✘ RolloutOrchestrator hello  {OLD} 75% of traffic, to run 3 replicas; {NEW} 25% of traffic" in text
    assert CHAIN_AT_200 in text
    assert "\nnot seen:\n  the dump has none of: " in text


def test_the_readme_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    cluster.objects |= STUCK
    monkeypatch.setattr(ClusterOptions, "client", cluster)
    monkeypatch.setattr(ClusterOptions, "namespace", "default")
    monkeypatch.setattr(explain, "read_cluster", partial(read_cluster, now=lambda: NOW))
    shown = section("The tools").printed("stagegate explain hello | head -8\n")
    assert main(["explain", "hello"]) == 1
    assert capsys.readouterr().out.splitlines()[:8] == shown


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        pytest.param({}, 0, f"scaling up: waiting for {NEW} to run 1 replica", id="it moves"),
        pytest.param({ROLLOUT_ORCHESTRATORS: [worlds.ro(DONE)]}, 0, "complete", id="it is complete"),
        pytest.param(STUCK, 1, "quota stops it", id="it is stuck"),
        pytest.param(
            {ROLLOUT_ORCHESTRATORS: [worlds.ro({"Paused": "True"})]}, 5, "paused pauses it", id="somebody paused it"
        ),
    ],
)
def test_exit_codes(changes: Any, code: int, says: str, dump: Dump, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "hello", "-f", dump(changes)]) == code
    assert f"\n{says}\n" in capsys.readouterr().out


def test_what_only_informs_stands_below_what_is_waited_for(dump: Dump, capsys: pytest.CaptureFixture[str]) -> None:
    later = {"stagegate.dev/pause": "look", "stagegate.dev/pause-by": "jane", "stagegate.dev/pause-after-stage": "2"}
    assert (
        main(["explain", "hello", "-f", dump({ROLLOUT_ORCHESTRATORS: [worlds.ro(metadata__annotations=later)]})]) == 0
    )
    said = (
        f"scaling up: waiting for {NEW} to run 1 replica\n\npause-ahead (for information)\n  pauses after stage 2, by"
    )
    assert f"\n{said} jane: look\n" in capsys.readouterr().out


def test_for_programs(dump: Dump, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "hello", "-f", dump(STUCK), "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["apiVersion"], document["kind"]) == ("stagegate.dev/v1alpha1", "RolloutExplanation")
    assert [one["id"] for one in document["causes"]] == ["quota", "unschedulable"]
    assert document["causes"][0]["since"] == "2026-03-01T11:59:20Z"
    assert document["rollout"]["state"] == "Stuck"
    assert [one["kind"] for one in document["chain"]["under"]] == ["Route", "Revision", "Revision"]
    assert {"resourcequotas", "configmaps"} <= {one["resource"] for one in document["notSeen"]}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(["hello", "-f", "/nowhere"], 3, "cannot read /nowhere: No such file or directory", id="no file"),
        pytest.param(["other", "-f", "{dump}"], 3, "has no rollout other; it has default/hello", id="no such rollout"),
        pytest.param(["hello", "-f", "{dump}", "-n", "x"], 3, "has no rollout hello; it has", id="another namespace"),
        pytest.param([], 2, "NAME", id="no name"),
        pytest.param(["SH op"], 2, "'SH op'", id="not a name"),
        pytest.param(
            ["hello", "-f", "{empty}"],
            3,
            "empty.yaml is empty; the output of kubectl get -o yaml is needed",
            id="an empty dump",
        ),
        pytest.param(["hello", "-f", "{binary}"], 1, "binary: not a dump: it is not UTF-8 text", id="not text"),
    ],
)
def test_errors_are_one_line(
    words: list[str], code: int, says: str, dump: Dump, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    paths = {"{dump}": dump(), "{empty}": str(tmp_path / "empty.yaml"), "{binary}": str(tmp_path / "binary")}
    assert main(["explain", *(paths.get(word, word) for word in words)]) == code
    assert says in capsys.readouterr().err


def test_text_of_objects_cannot_reach_the_terminal(dump: Dump) -> None:
    evil = worlds.ro({"StageReady": {"status": "False", "message": "a\x1b[31mb\u202e"}})
    code, text = on_terminal(["-m", "webhook", "explain", "hello", "-f", dump({ROLLOUT_ORCHESTRATORS: [evil]})])
    assert code == 1
    assert r"a\x1b[31mb\u202e" in text
