"""What manifests/gitops has for Argo CD, as people would use it."""

from typing import Any, Final

import yaml

from tests.e2e.administrator import REPOSITORY

Wire = dict[str, Any]

_FOLDER: Final = REPOSITORY / "manifests" / "gitops"


def application(name: str) -> Wire:
    """The spec of one of the Applications."""
    spec: Wire = _one("Application", name)["spec"]
    return spec


def project(name: str, namespace: str = "") -> Wire:
    """The spec of one of the projects, for any repository, and for rollouts in another namespace."""
    spec: Wire = _one("AppProject", name)["spec"]
    places = [{**each, "namespace": namespace or each["namespace"]} for each in spec["destinations"]]
    accounts = [{**each, "namespace": namespace or each["namespace"]} for each in spec["destinationServiceAccounts"]]
    return {**spec, "sourceRepos": ["*"], "destinations": places, "destinationServiceAccounts": accounts}


def accounts() -> list[Wire]:
    """The accounts that write, and the rights of the one that installs."""
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    return [each for each in _objects("argocd.yaml") if each["kind"] in kinds]


def grants(namespace: str) -> list[Wire]:
    """The rights of the account for rollouts in a namespace."""
    found = [each for each in _objects("argocd.yaml") if each["kind"] == "RoleBinding"]
    return [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in found]


def _one(kind: str, name: str) -> Wire:
    (found,) = (each for each in _objects("argocd.yaml") if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def _objects(name: str) -> list[Wire]:
    return list(yaml.safe_load_all((_FOLDER / name).read_text()))
