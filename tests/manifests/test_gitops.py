"""What manifests/gitops grants: the account that installs has rights for every kind of the manifests, and no others."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
PARTS: Final = ("base", "components", "crds", "policies", "rbac", "webhooks")
NO_OBJECTS: Final = ("Kustomization", "Component")
VERBS: Final = {"get", "list", "watch", "create", "update", "patch", "delete"}
Wire = dict[str, Any]


def objects() -> list[Wire]:
    """Every object that an install may contain."""
    files = [path for part in PARTS for path in sorted((MANIFESTS / part).rglob("*.yaml"))]
    found = [each for path in files for each in yaml.safe_load_all(path.read_text())]
    return [
        each for each in found if each and each.get("kind") not in (None, *NO_OBJECTS) and "name" in each["metadata"]
    ]


@pytest.fixture(scope="module")
def rules() -> list[Wire]:
    (role,) = yaml.safe_load_all((MANIFESTS / "gitops" / "installer.yaml").read_text())
    found: list[Wire] = role["rules"]
    return found


def resource_of(wire: Wire) -> tuple[str, str]:
    """Group and plural."""
    kind = wire["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("policy") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
    group, _, _ = wire["apiVersion"].rpartition("/")
    return group, plural


def test_the_installer_may_write_every_kind_of_the_manifests_and_no_other(rules: list[Wire]) -> None:
    granted = {
        (group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if set(rule["verbs"]) == VERBS
    }

    assert granted == {resource_of(each) for each in objects()}


def test_it_may_bind_and_extend_our_own_roles_alone(rules: list[Wire]) -> None:
    named = [set(rule["resourceNames"]) for rule in rules if {"bind", "escalate"} & set(rule["verbs"])]

    assert named == [{each["metadata"]["name"] for each in objects() if each["kind"] in ("ClusterRole", "Role")}]
