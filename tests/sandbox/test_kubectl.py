"""The installed kubectl against the sandbox, as a person uses it."""

import subprocess
from collections.abc import Callable

import pytest
import yaml

from tests.sandbox.wire import spa

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

MANIFEST = yaml.safe_dump(spa("hello", {"stageMinScale": 1, "stageMaxScale": 3}))
NAME = "stagepodautoscaler.serving.knative.dev/hello"


def test_apply_says_what_it_did(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=MANIFEST).stdout == f"{NAME} created\n"
    assert kubectl("apply", "-f", "-", stdin=MANIFEST).stdout == f"{NAME} unchanged\n"
    changed = MANIFEST.replace("stageMinScale: 1", "stageMinScale: 2")
    assert kubectl("diff", "-f", "-", stdin=MANIFEST).returncode == 0
    difference = kubectl("diff", "-f", "-", stdin=changed)
    assert difference.returncode == 1
    assert "+  stageMinScale: 2" in difference.stdout
    assert (
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed).stdout == f"{NAME} configured (server dry run)\n"
    )
    assert kubectl("get", "spa", "hello", "-o", "jsonpath={.spec.stageMinScale}").stdout == "1"
    assert kubectl("apply", "-f", "-", stdin=changed).stdout == f"{NAME} configured\n"


def test_apply_on_the_server_by_two_managers(kubectl: Kubectl) -> None:
    low = yaml.safe_dump(spa("hello", {"stageMinScale": 1}))
    high = yaml.safe_dump(spa("hello", {"stageMaxScale": 3}))
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    assert kubectl(*apply, "one", stdin=low).stdout == f"{NAME} serverside-applied\n"
    assert kubectl(*apply, "two", stdin=high).stdout == f"{NAME} serverside-applied\n"
    other = low.replace("1", "2").replace("v2", "v1")
    conflict = kubectl(*apply, "two", stdin=other)
    assert conflict.stderr.startswith('error: Apply failed with 1 conflict: conflict with "one": .spec.stageMinScale\n')
    assert kubectl(*apply, "two", "--force-conflicts", stdin=other).returncode == 0


def test_a_refusal_in_the_words_people_know(kubectl: Kubectl) -> None:
    bad = MANIFEST.replace("stageMinScale: 1", "stageMinScale: -1")
    reply = kubectl("apply", "-f", "-", stdin=bad)
    assert reply.returncode == 1
    assert reply.stderr.startswith('The StagePodAutoscaler "hello" is invalid: spec.stageMinScale: Invalid value: -1: ')
    unknown = kubectl("apply", "-f", "-", stdin=MANIFEST.replace("spec:", "spec:\n  other: 1"))
    assert unknown.stderr.strip().endswith('strict decoding error: unknown field "spec.other"')
    warned = kubectl("apply", "--validate=warn", "-f", "-", stdin=MANIFEST.replace("spec:", "spec:\n  other: 1"))
    assert warned.stderr == 'Warning: unknown field "spec.other"\n'


def test_columns(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    head, row = kubectl("get", "spa").stdout.splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "MIN", "MAX", "DESIRED", "ACTUAL", "AGE"]
    assert row.split()[:3] == ["hello", "1", "3"]
    assert "TERMINATING" in kubectl("get", "spa", "-o", "wide").stdout
    assert kubectl("get", "namespaces", "default", "--no-headers").stdout.split()[0] == "default"
    assert kubectl("get", "pods").stderr.startswith("No resources found in ")


def test_a_watch_ends_with_what_it_waits_for(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert kubectl("wait", "spa/hello", "--for=jsonpath={.spec.stageMaxScale}=3", "--timeout=10s").returncode == 0
    assert kubectl("delete", "spa", "hello", "--wait").stdout.startswith("stagepodautoscaler.serving.knative.dev")
    assert kubectl("get", "spa", "hello").stderr == (
        'Error from server (NotFound): stagepodautoscalers.serving.knative.dev "hello" not found\n'
    )


@pytest.mark.parametrize(
    "patch",
    [
        ["--type", "merge", "-p", '{"spec": {"stageMaxScale": 4}}'],
        ["--type", "json", "-p", '[{"op": "replace", "path": "/spec/stageMaxScale", "value": 4}]'],
        ["--subresource", "status", "--type", "merge", "-p", '{"status": {"actualScale": 4}}'],
    ],
)
def test_patches(kubectl: Kubectl, patch: list[str]) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert kubectl("patch", "spa", "hello", *patch).stdout == f"{NAME} patched\n"
    assert "4" in kubectl("get", "spa", "hello", "-o", "jsonpath={.spec.stageMaxScale}{.status.actualScale}").stdout


def test_built_in_kinds_are_applied_on_the_server(kubectl: Kubectl) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, stdin=yaml.safe_dump(settings)).stdout == "configmap/settings serverside-applied\n"
    settings["data"] = {"a": "2"}
    assert kubectl(*apply, stdin=yaml.safe_dump(settings)).stdout == "configmap/settings serverside-applied\n"
    assert kubectl("get", "configmap", "settings", "-o", "jsonpath={.data}").stdout == '{"a":"2"}'
    refused = kubectl("create", "configmap", "other", "--from-literal=a=b")
    assert "accepted media types include: application/json" in refused.stderr


def test_describe_and_label(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "Stage Max Scale:  3" in kubectl("describe", "spa", "hello").stdout
    assert kubectl("label", "spa", "hello", "a=b").stdout == f"{NAME} labeled\n"
