"""What manifests/gitops has for Flux, as people would use it."""

from typing import Any, Final

import yaml

from tests.e2e.administrator import REPOSITORY

Wire = dict[str, Any]

_FOLDER: Final = REPOSITORY / "manifests" / "gitops"
_OWN: Final = ("sourceRef", "path", "interval", "retryInterval", "timeout", "dependsOn")
"""What a test sets by itself."""


def kustomization(name: str) -> Wire:
    """The spec of one of the Kustomizations."""
    (found,) = (
        each for each in _objects("flux.yaml") if (each["kind"], each["metadata"]["name"]) == ("Kustomization", name)
    )
    return {key: value for key, value in found["spec"].items() if key not in _OWN}


def accounts() -> list[Wire]:
    """The accounts of both, and the rights of the one that installs Stagegate."""
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    return [each for name in ("installer.yaml", "flux.yaml") for each in _objects(name) if each["kind"] in kinds]


def grants(namespace: str) -> list[Wire]:
    """The rights of the one that writes rollouts, in a namespace."""
    found = [each for each in _objects("flux.yaml") if each["kind"] == "RoleBinding"]
    return [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in found]


def _objects(name: str) -> list[Wire]:
    return list(yaml.safe_load_all((_FOLDER / name).read_text()))
