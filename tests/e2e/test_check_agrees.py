"""``stagegate check`` agrees with kubectl: it reads the same values, and denies what an API server refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.check.runs import HEAD, SPA
from tests.check.test_document import MERGES, VALUES
from tests.controlplane import ControlPlane
from webhook.check.document import documents_of
from webhook.check.rules import DOC001, DOC002, DOC003, DOC004, DOC005, DOC006
from webhook.check.source_text import decoded

NAMED = f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: hello-00002, namespace: default}}\n"
NUMBERS = "keys: {1: a, true: b, on: c, 1.5: d}\n"
TEXTS = {
    "CR LF": NAMED.replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + NAMED.encode(),
    "JSON": json.dumps({"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler",
                        "metadata": {"name": "a", "namespace": "default"}, "x": "\U0001f680\u2028/"}).encode(),
    "keys that are no text": f"{NAMED}{NUMBERS}".encode(),
    "anchors": f"{NAMED}a: &a {{b: [1, 2]}}\nc: *a\nd: [*a]\n".encode(),
    "a repeated key": f"{NAMED}spec: {{stageMaxScale: 3, stageMaxScale: 5}}\n".encode(),
}  # fmt: skip


def read_by_kubectl(plane: ControlPlane, text: bytes) -> Any:
    """The object that kubectl would send."""
    command = [str(plane.binaries.kubectl), "--kubeconfig", str(plane.kubeconfig), "create", "--dry-run=client"]
    command += ["--validate=false", "-o", "json", "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    # Numbers beyond 63 bits are floats there, which are printed without a point.
    return json.loads(done.stdout, parse_int=lambda text: int(text) if -(2**63) <= int(text) < 2**63 else float(text))


def read_by_check(text: bytes) -> Any:
    (document,) = documents_of(decoded(text))
    return document.root.value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_kubectl_reads_the_same(plane: ControlPlane, text: bytes) -> None:
    assert read_by_check(text) == read_by_kubectl(plane, text)


def test_kubectl_reads_the_same_scalars(plane: ControlPlane) -> None:
    given = "".join(f"  - [{scalar or 'null'}]\n" for scalar in VALUES)
    theirs = read_by_kubectl(plane, f"{NAMED}values:\n{given}".encode())["values"]
    ours = [[value] for value in VALUES.values()]
    assert dict(zip(VALUES, theirs, strict=True)) == dict(zip(VALUES, ours, strict=True))


def test_kubectl_merges_the_same(plane: ControlPlane) -> None:
    for spec, value in MERGES.values():
        bases = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
        theirs = read_by_kubectl(plane, f"{NAMED}{bases}spec:\n  {spec}\n".encode())["spec"]
        assert theirs == value, spec


@pytest.mark.parametrize("rule", [DOC001, DOC002, DOC003, DOC004, DOC005, DOC006], ids=lambda rule: rule.id)
def test_kubectl_refuses_the_bad_example_of_a_rule_and_takes_the_good_one(
    plane: ControlPlane, tmp_path: Path, rule: Any
) -> None:
    def applied(text: str) -> int:
        (tmp_path / "object.yaml").write_text(text)
        command = [str(plane.binaries.kubectl), "--kubeconfig", str(plane.kubeconfig), "create", "--dry-run=server"]
        command += ["--namespace", "default", "-f", str(tmp_path / "object.yaml")]
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode

    # kubectl takes the last of two keys; kustomize and Flux refuse the file.
    assert (applied(rule.bad) == 0) == (rule is DOC002)
    assert applied(rule.good) == 0


METADATA = {
    "a name in upper case": "name: A_1",
    "a name of another script": "name: \u00e4-00001",
    "a name of 253 characters": f"name: {'a' * 253}",
    "a name of 254 characters": f"name: {'a' * 254}",
    "points in a name": "name: a.b.c",
    "two points in a row": "name: a..b",
    "a label with a blank": "name: a, labels: {a: x y}",
    "a label of 63 characters": f"name: a, labels: {{a: {'x' * 63}}}",
    "a label of 64 characters": f"name: a, labels: {{a: {'x' * 64}}}",
    "an empty label": "name: a, labels: {a: ''}",
    "a key of a label with a blank": "name: a, labels: {a b: x}",
    "a key of a label with a domain": "name: a, labels: {example.com/A_b: x}",
    "a key of a label with a domain in upper case": "name: a, labels: {Example.com/a: x}",
    "a key of an annotation with a domain in upper case": "name: a, annotations: {Example.com/a: x}",
    "a key of an annotation with two slashes": "name: a, annotations: {a/b/c: x}",
    "a key of an annotation that ends with a slash": "name: a, annotations: {a/: x}",
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_the_api_server_takes_the_same_names_and_labels(plane: ControlPlane, metadata: str, tmp_path: Path) -> None:
    (tmp_path / "object.yaml").write_text(f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{{metadata}}}\nspec: {{}}\n")
    command = [str(plane.binaries.kubectl), "--kubeconfig", str(plane.kubeconfig), "create", "--dry-run=server"]
    command += ["--namespace", "default", "-f", str(tmp_path / "object.yaml")]
    applied = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    ours = [sys.executable, "-m", "webhook", "check", str(tmp_path / "object.yaml")]
    checked = subprocess.run(ours, capture_output=True, text=True, timeout=120, check=False)
    assert (checked.returncode == 0) == (applied.returncode == 0), (checked.stdout, applied.stderr)


def test_what_kubectl_renders_names_the_real_files(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    production = tmp_path / "overlays" / "production"
    production.mkdir(parents=True)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [spa.yaml]\n")
    (tmp_path / "base" / "spa.yaml").write_text(f"# the base\n{SPA}spec:\n  stageMinScale: 5\n  stageMaxScale: 3\n")
    (production / "own.yaml").write_text(f"{SPA.replace('hello', 'own')}spec: {{stageMinScale: -1}}\n")
    (production / "kustomization.yaml").write_text(
        "buildMetadata: [originAnnotations]\nnamePrefix: p-\nresources: [../../base, own.yaml]\n"
    )
    rendered = subprocess.check_output([str(plane.binaries.kubectl), "kustomize", str(production)], timeout=120)
    command = [sys.executable, "-m", "webhook", "check", "--format", "compact", "--root", "overlays/production", "-"]
    done = subprocess.run(command, input=rendered, capture_output=True, timeout=120, check=False)
    assert [line.partition(" spec")[0] for line in done.stdout.decode().splitlines()] == [
        "base/spa.yaml:6:18: deny SPA002",
        "overlays/production/own.yaml:4:23: deny SPA001",
    ]
