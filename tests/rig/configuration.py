"""What is created before Knative starts: its own configuration, without what a single machine has no use for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.rig import ingress
from tests.rig.release import Release

NAMESPACE: Final = "knative-serving"
WEBHOOK_PORT: Final = 8443
ACTIVATOR: Final = "10.244.255.1"
"""The address of the activator, which the rig simulates."""

# A second version of every duration is in Knative's own examples; the shortest that it accepts are chosen here.
_SETTINGS: Final[dict[str, dict[str, str]]] = {
    "config-autoscaler": {
        "stable-window": "6s",
        "scale-to-zero-grace-period": "6s",
        "target-burst-capacity": "-1",
        "allow-zero-initial-scale": "true",
    },
    "config-deployment": {"queue-sidecar-image": "dev.local/queue"},
    "config-network": {"ingress-class": ingress.CLASS},
}
Wire = dict[str, Any]


def definitions(release: Release) -> list[Path]:
    """The files of CRDs of Serving and of what it is built on."""
    return [
        *sorted((release.serving / "300-resources").glob("*.yaml")),
        *(
            release.networking / f"{name}.yaml"
            for name in ("certificate", "domain-claim", "ingress", "serverlessservice")
        ),
        release.caching / "image.yaml",
    ]


def objects(release: Release) -> Iterator[Wire]:
    """Namespace, accounts, roles, ConfigMaps and Services; Knative's programs are processes, not Deployments."""
    yield from _read(release.serving / "100-namespace.yaml")
    yield from _read(release.serving / "200-serviceaccount.yaml")
    for path in sorted((release.serving / "200-roles").glob("*.yaml")):
        yield from _read(path)
    maps = [*sorted((release.serving / "configmaps").glob("*.yaml")), release.networking / "config-network.yaml"]
    for path in maps:
        for each in _read(path):
            each["metadata"].pop("annotations", None)
            yield each | {"data": _SETTINGS.get(each["metadata"]["name"], {})}
    yield from _read(release.serving / "webhooks" / "secret.yaml")
    for name in ("activator", "autoscaler", "webhook"):
        for each in _read(release.serving / "deployments" / f"{name}.yaml"):
            if each["kind"] == "Service":
                yield _played(each)
    yield _endpoints("activator-service", ACTIVATOR, {"http": 8012, "http2": 8013, "https": 8112})


def registrations(release: Release) -> Iterator[Wire]:
    """Knative's webhooks, at the port that the program listens on: nothing translates ports here."""
    for path in sorted((release.serving / "webhooks").glob("*.yaml")):
        for each in _read(path):
            for webhook in each.get("webhooks", []):
                webhook["clientConfig"]["service"]["port"] = WEBHOOK_PORT
            if "webhooks" in each:
                yield each


def _played(service: Wire) -> Wire:
    """The Service without a selector, since no Pod stands for the program; its ports are those of the program."""
    service["spec"].pop("selector", None)
    for port in service["spec"]["ports"]:
        if port["name"] == "https-webhook":
            port["port"] = WEBHOOK_PORT
    return service


def _endpoints(name: str, address: str, ports: dict[str, int]) -> Wire:
    listed = [{"name": each, "port": number} for each, number in ports.items()]
    metadata = {"name": name, "namespace": NAMESPACE}
    subsets = [{"addresses": [{"ip": address}], "ports": listed}]
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}


def _read(path: Path) -> Iterator[Wire]:
    yield from (each for each in yaml.safe_load_all(path.read_text()) if each)
