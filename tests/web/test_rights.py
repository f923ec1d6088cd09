"""The account of the page: it may read what the page shows, and nothing else."""

from typing import Any

from webhook.cli.manifests import NAMESPACE, rendered
from webhook.diagnosis.world import RESOURCES


def rules() -> list[dict[str, Any]]:
    objects = rendered(["web"], None, NAMESPACE, ())
    (role,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", "stagegate-web"))
    found: list[dict[str, Any]] = role["rules"]
    return found


def test_it_reads_and_nothing_else() -> None:
    assert {verb for rule in rules() for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert all(resource != "secrets" for rule in rules() for resource in rule["resources"])


def test_it_reads_exactly_what_the_page_shows() -> None:
    granted = {(group, resource) for rule in rules() for group in rule["apiGroups"] for resource in rule["resources"]}
    assert granted == {(resource.group, resource.plural) for resource in RESOURCES}
