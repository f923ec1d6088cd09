"""``stagegate manifests``: what kustomize prints, without kustomize."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.cli import main
from webhook.cli.manifests import MANIFESTS, NAMESPACE, overlays

Rendered = list[dict[str, Any]]

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here to compare with")


def kustomize(folder: Path) -> Rendered:
    run = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(run.stdout))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Rendered:
    assert main(["manifests", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def customised(folder: Path, **fields: Any) -> Path:
    """A kustomization of somebody who builds on ours."""
    (folder / "manifests").symlink_to(MANIFESTS)
    fields["resources"] = ["manifests/base"]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(fields))
    return folder


def test_json_is_a_list_of_the_same_objects(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--enforce", "warn", "--namespace", "rollouts")
    assert main(["manifests", *options, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert found["items"] == printed(capsys, *options) == printed(capsys, *options, "-o", "yaml")


def test_there_is_a_component_for_each_overlay() -> None:
    assert overlays() == [
        "cert-manager",
        "dev",
        "enforce-warn",
        "existing-namespace",
        "fail-open",
        "forbid-override",
        "monitoring",
        "no-force-delete",
        "no-stock-knative",
        "progressive",
        "steps-off",
        "stock-knative-namespaces",
        "stock-knative-policy",
        "stock-knative-strict",
        "web",
    ]
    components = sorted(path.name for path in (MANIFESTS / "components").iterdir())
    assert components == sorted([*overlays(), "stock-knative"]), "the base has the component stock-knative"


@pytest.mark.parametrize("folder", ["components/stock-knative", "crds", "policies", "rbac", "webhooks"])
def test_every_file_of_a_folder_is_installed(folder: str) -> None:
    listed = yaml.safe_load((MANIFESTS / folder / "Kustomization").read_text())["resources"]

    assert sorted(listed) == sorted(path.name for path in (MANIFESTS / folder).glob("*.yaml"))


@needs_kubectl
def test_the_default_install_is_kustomizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == kustomize(MANIFESTS)


@needs_kubectl
@pytest.mark.parametrize("overlay", overlays())
def test_an_overlay_is_kustomizes(capsys: pytest.CaptureFixture[str], overlay: str) -> None:
    assert printed(capsys, "--overlay", overlay) == kustomize(MANIFESTS / "overlays" / overlay)


@needs_kubectl
def test_several_overlays_are_kustomizes_components(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chosen = ["cert-manager", "monitoring", "enforce-warn", "steps-off"]
    folder = customised(tmp_path, components=[f"manifests/components/{name}" for name in chosen])

    assert printed(capsys, *(f"--overlay={name}" for name in chosen)) == kustomize(folder)


@needs_kubectl
@pytest.mark.parametrize(
    ("image", "fields"),
    [
        (
            "registry.example.com:5000/team/gate:1.2",
            {"newName": "registry.example.com:5000/team/gate", "newTag": "1.2"},
        ),
        ("gate@sha256:" + 64 * "0", {"newName": "gate", "digest": "sha256:" + 64 * "0"}),
    ],
    ids=["tag", "digest"],
)
def test_an_image_is_kustomizes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, image: str, fields: dict[str, str]
) -> None:
    folder = customised(tmp_path, images=[{"name": "stagegate", **fields}])

    objects = printed(capsys, "--image", image)

    assert objects == kustomize(folder)
    assert [image] * 2 == [
        container["image"]
        for each in objects
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    ]


def test_another_namespace_is_named_wherever_ours_was(capsys: pytest.CaptureFixture[str]) -> None:
    overlays = ["--overlay=cert-manager", "--overlay=monitoring"]
    ours, others = printed(capsys, *overlays), printed(capsys, *overlays, "--namespace=elsewhere", "--create-namespace")

    text = yaml.safe_dump(others)
    assert NAMESPACE not in text
    assert yaml.safe_load(text.replace("elsewhere", NAMESPACE)) == ours
    assert "'system:serviceaccount:elsewhere:stagegate-loop'" in text


def test_enforce_warn_is_short_for_the_overlay(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--enforce=warn") == printed(capsys, "--overlay=enforce-warn") != printed(capsys)


def test_forbid_override_is_short_for_the_overlay(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--forbid-override") == printed(capsys, "--overlay=forbid-override") != printed(capsys)


def test_an_account_stands_in_place_of_knatives_wherever_that_stood(capsys: pytest.CaptureFixture[str]) -> None:
    knative, other = "system:serviceaccount:knative-serving:controller", "system:serviceaccount:ci:deployer"
    text = yaml.safe_dump(printed(capsys))

    assert printed(capsys, "--controller", other) == yaml.safe_load(text.replace(knative, other))
    assert printed(capsys, "--controller", knative, "--controller", other) != printed(capsys, "--controller", other)


def test_an_overlay_given_twice_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--overlay=steps-off", "--overlay=steps-off") == printed(capsys, "--overlay=steps-off")


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--namespace=Rollouts", "--namespace Rollouts: must be a DNS label"),
        ("--namespace=a.b", "--namespace a.b: must be a DNS label"),
        ("--controller=", "--controller '': must be a user name"),
        ("--controller=x' in ['x']", "--controller \"x' in ['x']\": must be a user name"),
        ("--controller=$(POD_NAMESPACE)", "--controller '$(POD_NAMESPACE)': must be a user name"),
        ("--image=", "--image '': must be an image"),
        ("--image=:0.1.0", "--image ':0.1.0': must be an image"),
        ("--image=gate 0.1.0", "--image 'gate 0.1.0': must be an image"),
        ("--image=x:y:z", "--image 'x:y:z': must be an image"),
        ("--image=Team/Gate", "--image 'Team/Gate': must be an image"),
        ("--image=team//gate", "--image 'team//gate': must be an image"),
        ("--image=gate@sha256:0123", "--image 'gate@sha256:0123': must be an image"),
    ],
)
def test_wrong_usage_is_reported(capsys: pytest.CaptureFixture[str], argument: str, problem: str) -> None:
    assert main(["manifests", argument]) == 2

    output = capsys.readouterr()
    assert problem in output.err
    assert output.out == ""


@pytest.mark.parametrize(
    "image",
    [
        "gate",
        "gate:0.1.0_rc.1-x",
        "localhost:5000/gate",
        "[fd00::1]:5000/team/gate:latest",
        "ghcr.io/a__b/c-d/e.f:1@sha256:" + 64 * "a",
    ],
)
def test_an_image_is_whatever_a_container_runtime_takes(capsys: pytest.CaptureFixture[str], image: str) -> None:
    assert f"image: {image}" in yaml.safe_dump(printed(capsys, "--image", image)).replace("'", "")


def test_a_namespace_cannot_be_created_where_the_overlay_says_that_it_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--overlay=existing-namespace", "--create-namespace"]

    assert main(["manifests", *arguments, "--namespace=rollouts"]) == main(["manifests", *arguments]) == 2

    output = capsys.readouterr()
    assert "--create-namespace: the overlay existing-namespace creates no namespace" in output.err
    assert output.out == ""
