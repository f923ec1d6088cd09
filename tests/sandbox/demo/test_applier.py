"""How a manifest is written where there is no kubectl, and where there is one."""

from pathlib import Path

import pytest

from sandbox.demo.applier import CommandOutput, Kubectl, ServerSideApply, applier_for
from tests.cluster.fake_api import FakeApi, status_error
from webhook.cluster.client import APPLY_PATCH, Client
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS

MANIFEST = """\
apiVersion: serving.knative.dev/v1
kind: StagePodAutoscaler
metadata: {name: hello-00002, namespace: default}
spec: {stageMaxScale: 3}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "spa.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(STAGE_POD_AUTOSCALERS)
    api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "hello-00002", "namespace": "default"}, "spec": {}})
    return api


def test_the_client_applies_server_side(api: FakeApi, manifest: Path) -> None:
    answer = ServerSideApply(Client(api, field_manager="demo")).apply(manifest)

    assert answer == CommandOutput(True, "stagepodautoscalers.serving.knative.dev/hello-00002 applied")
    assert api.requests[-1].content_type == APPLY_PATCH
    stored = api.get(STAGE_POD_AUTOSCALERS, "default", "hello-00002")
    assert stored is not None
    assert stored["spec"] == {"stageMaxScale": 3}


def test_the_client_deletes(api: FakeApi, manifest: Path) -> None:
    answer = ServerSideApply(Client(api, field_manager="demo")).delete(manifest)

    assert answer == CommandOutput(True, "stagepodautoscalers.serving.knative.dev/hello-00002 deleted")
    assert api.get(STAGE_POD_AUTOSCALERS, "default", "hello-00002") is None


@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_a_refusal_is_an_answer(verb: str, api: FakeApi, manifest: Path) -> None:
    api.fail = lambda request: status_error(request, 403, "Forbidden", "must not exceed 3 [SPA002]")
    applier = ServerSideApply(Client(api, field_manager="demo"))

    assert getattr(applier, verb)(manifest) == CommandOutput(False, "must not exceed 3 [SPA002]")


PRETENDER = """#!/bin/sh
echo "called with $*"
echo "KUBECONFIG is ${KUBECONFIG:-not set}" >&2
exit 1
"""


def test_kubectl_is_never_given_the_surrounding_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: FakeApi
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(PRETENDER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("KUBECONFIG", "/somebody's/config")

    applier = applier_for(Path("/ours"), tmp_path, Client(api, field_manager="demo"))
    answer = applier.apply(Path("spa.yaml"))

    assert isinstance(applier, Kubectl)
    assert answer == CommandOutput(
        False,
        f"called with --kubeconfig /ours --cache-dir {tmp_path}/kubectl-cache apply --filename spa.yaml\n"
        "KUBECONFIG is not set",
    )


def test_without_kubectl_the_client_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: FakeApi) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert isinstance(applier_for(Path("/ours"), tmp_path, Client(api, field_manager="demo")), ServerSideApply)
