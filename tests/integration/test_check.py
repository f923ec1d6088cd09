"""``stagegate check --cluster``: files in the context of the rollouts of a cluster."""

import json
from pathlib import Path

import pytest
import yaml

from sandbox.demo.control_plane import ControlPlane
from tests.integration.place import ROS, SPAS, Place
from tests.integration.user import User
from tests.waiting import eventually
from webhook.cli import main


@pytest.fixture
def spa(place: Place, person: User, tmp_path: Path) -> Path:
    """A file with an SPA, and the rollout that it belongs to in the cluster."""
    assert person.create(place.path(ROS), place.rollout()).status == 201
    path = tmp_path / "spa.yaml"
    path.write_text(yaml.safe_dump(place.spa("hello-00002", {"stageMinScale": 5})))
    return path


def check(plane: ControlPlane, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str | None], str]:
    """Exit code, the ids of the findings, and the talk."""
    code = main(["check", "--kubeconfig", str(plane.kubeconfig), "-o", "json", *words])
    out, err = capsys.readouterr()
    return code, [finding["id"] for finding in json.loads(out)["findings"]], err


def test_the_live_rollout_is_context(plane: ControlPlane, spa: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(plane, capsys, str(spa))[:2] == (0, [])
    code, ids, talk = check(plane, capsys, "--cluster", str(spa))
    assert (code, ids) == (0, ["SPA006", "SPA008"])
    assert talk == "1 object in 1 file checked, 0 denied, 2 warnings\n"


def test_a_rollout_that_is_in_no_file_and_not_in_the_cluster_is_noted(
    plane: ControlPlane, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spa.yaml"
    path.write_text(yaml.safe_dump(place.spa("other-00002", {}, service="other")))
    assert check(plane, capsys, "--cluster", str(path))[:2] == (0, [None])


def test_the_verdict_is_that_of_the_webhook(
    plane: ControlPlane, place: Place, person: User, spa: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--cluster", "--kubeconfig", str(plane.kubeconfig), "-o", "json", str(spa)]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    warnings = [f"{each['field']}: {each['message']} [{each['id']}]; {each['wayOut']}" for each in findings]

    def is_said() -> bool:
        answer = person.create(place.path(SPAS), yaml.safe_load(spa.read_text()), dryRun="All")
        return sorted(answer.warnings) == sorted(warnings)

    # The webhook sees a new rollout a moment later than the API server does.
    eventually(is_said, f"the webhook warns of {warnings}")


def test_a_cluster_that_does_not_answer(spa: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = {"server": "http://127.0.0.1:9"}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    assert main(["check", "--cluster", "--kubeconfig", str(tmp_path / "config"), str(spa)]) == 3
    assert capsys.readouterr().err.count("\n") == 1
