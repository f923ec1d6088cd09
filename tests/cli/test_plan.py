"""``stagegate plan``: files and a cluster in, text and exit code out."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.cluster.fake_api import FakeApi
from tests.documents import section
from tests.server.live import ROOT
from webhook.cli import main
from webhook.cli.cluster_options import ClusterOptions
from webhook.cluster.client import Client
from webhook.cluster.resource import KNATIVE_SERVICES, RESOURCE_QUOTAS, ROUTES
from webhook.diagnosis.world import RESOURCES

SAMPLES = ROOT / "manifests" / "samples"
EDIT = ["-f", str(SAMPLES / "service.yaml"), "-f", str(SAMPLES / "service-edited.yaml")]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """A cluster in which the Service of the samples runs."""
    api = FakeApi()
    api.serve(*RESOURCES)
    service = yaml.safe_load((SAMPLES / "service.yaml").read_text())
    api.put(KNATIVE_SERVICES, {**service, "status": {"latestCreatedRevisionName": "shop-00003"}})
    traffic = [{"revisionName": "shop-00003", "percent": 100}]
    api.put(ROUTES, {"metadata": {"name": "shop", "namespace": "default"}, "status": {"traffic": traffic}})
    monkeypatch.setattr(ClusterOptions, "client", Client(api, field_manager="test"))
    monkeypatch.setattr(ClusterOptions, "namespace", "default")
    return api


def lines(capsys: Capture) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_one_replica_is_one(tmp_path: Path, capsys: Capture) -> None:
    lists = "initialRevisions: [{revisionName: a, percent: 100}], targetRevisions: [{revisionName: b, percent: 100}]"
    ro = f"apiVersion: serving.knative.dev/v1\nkind: RolloutOrchestrator\nmetadata: {{name: a}}\nspec: {{{lists}}}\n"
    (tmp_path / "ro.yaml").write_text(ro)
    assert main(["plan", "-f", str(tmp_path / "ro.yaml")]) == 0
    assert lines(capsys)[1].endswith(": 1 stage, 1 replica at the peak, 0 more than at the start")


def test_an_edit_that_nobody_has_seen_yet(capsys: Capture) -> None:
    assert main(["plan", *EDIT]) == 0
    assert lines(capsys)[:9] == [
        "default/shop",
        "availability, ratio 25 %: 4 stages, 5 replicas at the peak, 1 more than at the start",
        "",
        "STAGE   shop-00001   shop-00002   PEAK   cpu",
        "now     100 % on 4   0 % on 0     4      100m",
        "1       75 % on 3    25 % on 1    5      125m",
        "2       50 % on 2    50 % on 2    5      125m",
        "3       25 % on 1    75 % on 3    5      125m",
        "4       0 % on 0     100 % on 4   5      125m",
    ]


def test_the_readme_shows_what_is_printed(capsys: Capture) -> None:
    shown = section("The tools").printed("stagegate plan ")
    assert main(["plan", *EDIT]) == 0
    assert shown
    assert lines(capsys)[: len(shown)] == shown


def test_several_settings_side_by_side(capsys: Capture) -> None:
    words = ["--ratio", "25,50", "--strategy", "both", "--per-replica", "nvidia.com/gpu=1"]
    assert main(["plan", *EDIT, *words, "--fits", "requests.nvidia.com/gpu=5"]) == 1
    found = lines(capsys)
    assert found[1:6] == [
        "STRATEGY       RATIO   STAGES   PEAK   BEYOND   cpu    nvidia.com/gpu   FITS",
        "availability   25 %    4        5      +1       125m   5                yes",
        "availability   50 %    2        6      +2       150m   6                no",
        "resourceutil   25 %    4        5      +1       125m   5                yes",
        "resourceutil   50 %    2        6      +2       150m   6                no",
    ]
    assert "availability, ratio 50 %: does not fit: nvidia.com/gpu 6 of 5, 1 too many (--fits)" in found


def test_assumptions_are_stated(capsys: Capture) -> None:
    assert main(["plan", *EDIT, "--demand", "7"]) == 0
    found = lines(capsys)
    assert "- all of the traffic needs 7 replicas (as given)" in found[found.index("assumed:") :]


def test_a_document(capsys: Capture) -> None:
    assert main(["plan", *EDIT, "-o", "json", "--fits", "pods=4"]) == 1
    read = json.loads(capsys.readouterr().out)

    assert (read["apiVersion"], read["kind"], read["fits"]) == ("stagegate.dev/v1alpha1", "Forecast", False)
    assert read["rollout"] == {"namespace": "default", "name": "shop"}
    (setting,) = read["settings"]
    assert (setting["strategy"], setting["overConsumptionRatio"], setting["peakReplicas"]) == ("availability", 25, 5)
    assert [stage["stage"] for stage in setting["stages"]] == [1, 2, 3, 4]
    assert setting["stages"][0]["steps"][-1] == {
        "step": "down",
        "traffic": {"shop-00001": 75, "shop-00002": 25},
        "replicas": {"shop-00001": 3, "shop-00002": 1},
    }
    assert setting["resources"]["cpu"] == {"now": "100m", "peak": "125m", "beyondNow": "25m"}
    assert setting["fits"] == [{"source": "--fits", "resource": "pods", "hard": "4", "atPeak": "5", "fits": False}]


def test_a_comment_for_a_pull_request(capsys: Capture) -> None:
    assert main(["plan", *EDIT, "-o", "markdown", "--ratio", "50", "--fits", "cpu=1"]) == 0
    assert lines(capsys)[:11] == [
        "### Rollout of `default/shop`",
        "",
        "**availability, ratio 50 %**: 2 stages, 6 replicas at the peak, 2 more than at the start.",
        "",
        "| stage | `shop-00001` | `shop-00002` | peak | cpu |",
        "|---|---|---|---|---|",
        "| now | 100 % on 4 | 0 % on 0 | 4 | 100m |",
        "| 1 | 50 % on 2 | 50 % on 2 | 6 | 150m |",
        "| 2 | 0 % on 0 | 100 % on 4 | 6 | 150m |",
        "",
        "- fits: cpu 150m of 1 (--fits)",
    ]


def test_a_picture(capsys: Capture) -> None:
    assert main(["plan", *EDIT, "-o", "svg"]) == 0
    root = ET.fromstring(capsys.readouterr().out)
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "default/shop: availability, ratio 25 %"


def test_a_new_service_against_the_live_one(api: FakeApi, capsys: Capture) -> None:
    quota: dict[str, Any] = {"metadata": {"name": "pods", "namespace": "default"}}
    quota |= {"spec": {"hard": {"pods": "6"}}, "status": {"used": {"pods": "6"}}}
    api.put(RESOURCE_QUOTAS, quota)

    assert main(["plan", "-f", str(SAMPLES / "service-edited.yaml"), "--fits", "quota"]) == 1
    found = lines(capsys)
    assert "STAGE   shop-00003   shop-00004   PEAK   cpu" in found
    assert "does not fit: pods 7 of 6, 1 too many (ResourceQuota pods)" in found


def test_the_next_edit_of_a_live_service(api: FakeApi, capsys: Capture) -> None:
    assert main(["plan", "shop"]) == 0
    assert "- the next edit makes shop-00004, with the bounds and resources of today's template" in lines(capsys)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["plan"], 2, "give the name of a rollout, or files with -f", id="nothing"),
        pytest.param(
            ["plan", "-f", "absent.yaml"], 3, "cannot read absent.yaml: No such file or directory", id="no file"
        ),
        pytest.param(["plan", *EDIT, "-o", "svg", "--strategy", "both"], 2, "draws one setting", id="two pictures"),
        pytest.param(["plan", *EDIT, "--ratio", "5,200"], 2, "from 1 to 100", id="a ratio"),
        pytest.param(["plan", *EDIT, "--fits", "gpu"], 2, "RESOURCE=QUANTITY", id="no amount"),
        pytest.param(["plan", *EDIT[:2]], 3, "no cluster", id="no cluster for the old Service"),
        pytest.param(
            ["plan", *EDIT, "--ratio", ",".join(map(str, range(1, 12))), "--strategy", "both"], 2, "22", id="many"
        ),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], code: int, said: str, capsys: Capture) -> None:
    assert main(words) == code
    errors = capsys.readouterr().err
    assert said in errors


def test_a_rollout_that_never_ends_is_a_no(tmp_path: Path, capsys: Capture) -> None:
    stuck = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "RolloutOrchestrator",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "initialRevisions": [{"revisionName": "old", "percent": 100, "minScale": 4}],
            "targetRevisions": [{"revisionName": "new", "percent": 100, "minScale": 9, "maxScale": 4}],
        },
    }
    (tmp_path / "ro.yaml").write_text(yaml.safe_dump(stuck))

    assert main(["plan", "-f", str(tmp_path / "ro.yaml")]) == 1
    assert "never reaches its target" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "markdown", "json", "svg"])
def test_a_change_that_makes_no_revision_is_fine(form: str, capsys: Capture) -> None:
    same = ["-f", str(SAMPLES / "service.yaml")] * 2
    assert main(["plan", *same, "-o", form]) == 0
    printed = capsys.readouterr()
    assert "nothing to roll out" in (printed.err if form == "svg" else printed.out)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "{apiVersion: serving.knative.dev/v1, kind: RolloutOrchestrator, metadata: {name: hello}, spec: []}",
            "RolloutOrchestrator hello: spec: must be an object",
            id="a field",
        ),
        pytest.param("{", "given.yaml: not YAML", id="not YAML"),
        pytest.param("[1, 2]", "given.yaml: a document is a list, not an object", id="not an object"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(text: str, says: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "given.yaml").write_text(text)
    assert main(["plan", "-f", str(tmp_path / "given.yaml")]) == 1
    assert says in capsys.readouterr().err


def test_a_binary_file_is_named(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert main(["plan", "-f", str(tmp_path / "binary")]) == 1
    assert "binary: not a text in UTF-8" in capsys.readouterr().err


def test_a_name_that_is_not_there_is_said_with_its_namespace(api: FakeApi, capsys: Capture) -> None:
    assert main(["plan", "nosuch"]) == 3
    assert "default/nosuch" in capsys.readouterr().err


def test_names_from_files_cannot_act_on_a_terminal(tmp_path: Path, capsys: Capture) -> None:
    evil = yaml.safe_load((SAMPLES / "rollout-availability.yaml").read_text())
    evil["spec"]["targetRevisions"][0]["revisionName"] = "new\x1b[2J"
    (tmp_path / "ro.yaml").write_text(yaml.safe_dump(evil))

    for form in ("table", "markdown"):
        assert main(["plan", "-f", str(tmp_path / "ro.yaml"), "-o", form]) == 0
        assert "\x1b" not in capsys.readouterr().out
