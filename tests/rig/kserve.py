"""KServe: its own controller, which keeps a Knative Service for each InferenceService."""

import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from certs.authority import make_authority
from certs.leaf import make_leaf
from tests.controlplane.process import Program
from tests.rig.rig import Rig, StartFailed, create

NAMESPACE: Final = "kserve"
_CONFIGURATION: Final = "inferenceservice-config"
_PORTS: Final = {"metrics-addr": ":18080", "health-probe-addr": ":18081", "webhook-port": "19443"}
_WITHIN: Final = 60.0
_DAY: Final = timedelta(days=1)
Wire = dict[str, Any]

# What its release ships, without the examples; the ingress class of the rig has no virtual hosts.
_DATA: Final = {
    "deploy": '{"defaultDeploymentMode": "Serverless"}',
    "ingress": (
        '{"ingressGateway": "knative-serving/gateway", "localGateway": "knative-serving/gateway",'
        ' "localGatewayService": "gateway.svc", "ingressClassName": "rig", "urlScheme": "http",'
        ' "domainTemplate": "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}", "disableIstioVirtualHost": true}'
    ),
    "storageInitializer": (
        '{"image": "dev.local/storage", "memoryRequest": "1Mi", "memoryLimit": "1Mi", "cpuRequest": "1m",'
        ' "cpuLimit": "1m", "cpuModelcar": "1m", "memoryModelcar": "1Mi"}'
    ),
    "localModel": '{"enabled": false}',
    "security": '{"autoMountServiceAccountToken": true}',
    "inferenceService": "{}",
    "autoscaler": "{}",
    "opentelemetryCollector": "{}",
}


class KServe:
    """Running beside Knative, as the administrator. It has no registrations: what is written is complete."""

    def __init__(self, rig: Rig, program: Path, definitions: Sequence[Path], folder: Path) -> None:
        rig.plane.register_crds(definitions)
        for one in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": _CONFIGURATION, "namespace": NAMESPACE},
                "data": _DATA,
            },
        ):
            answer = create(rig.plane.admin, one)
            if answer.status != HTTPStatus.CREATED:
                raise StartFailed(f"{one['kind']} {NAMESPACE}: {answer.message}")
        served = folder / "k8s-webhook-server" / "serving-certs"
        served.mkdir(parents=True)
        now = datetime.now(UTC)
        leaf = make_leaf(make_authority(now, _DAY), ["localhost"], now, _DAY)
        (served / "tls.crt").write_bytes(leaf.certificate)
        (served / "tls.key").write_bytes(leaf.key)
        self._program = Program(
            [program, f"--kubeconfig={rig.plane.kubeconfig}", *(f"--{name}={value}" for name, value in _PORTS.items())],
            folder / "kserve.log",
            {"POD_NAMESPACE": NAMESPACE, "TMPDIR": str(folder)},
        )

        self._await()

    def _await(self) -> None:
        """Until its probe answers."""
        deadline = time.monotonic() + _WITHIN
        while time.monotonic() < deadline and self._program.running:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1{_PORTS['health-probe-addr']}/healthz", timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        last_words = self._program.last_words()
        self.stop()
        raise StartFailed(f"KServe's controller is not up after {_WITHIN:.0f} s:\n{last_words}")

    def stop(self) -> None:
        self._program.kill()


def inference_service(name: str, *, version: str = "1", replicas: int = 4) -> Wire:
    """A model of one container; another ``version`` is another revision."""
    container = {
        "name": "kserve-container",
        "image": "dev.local/model",
        "env": [{"name": "VERSION", "value": version}],
        "resources": {"requests": {"cpu": "1m"}, "limits": {"cpu": "1m"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"minReplicas": replicas, "containers": [container]}},
    }
