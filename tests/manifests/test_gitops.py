"""What manifests/gitops grants: the account that installs has rights for every kind of the manifests, and no others."""

import re
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


def hook() -> list[Wire]:
    """What the chart adds when it is uninstalled, which Argo CD applies as well."""
    text = (MANIFESTS / "chart" / "templates" / "release-held-services.yaml").read_text()
    found = re.findall(r"^apiVersion: (\S+)\nkind: (\S+)\nmetadata:\n  name: (\S+)$", text, re.MULTILINE)
    assert len(found) == text.count("\nkind: ")
    return [{"apiVersion": version, "kind": kind, "metadata": {"name": name}} for version, kind, name in found]


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

    assert granted == {resource_of(each) for each in [*objects(), *hook()]}


def test_it_may_bind_and_extend_our_own_roles_alone(rules: list[Wire]) -> None:
    named = [set(rule["resourceNames"]) for rule in rules if {"bind", "escalate"} & set(rule["verbs"])]

    roles = [each for each in [*objects(), *hook()] if each["kind"] in ("ClusterRole", "Role")]
    assert named == [{each["metadata"]["name"] for each in roles}]
