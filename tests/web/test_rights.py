"""The account of the page: it may read what the page shows, and nothing else."""

from typing import Any

from tests.kustomize import by_name
from webhook.cluster.resource import VALIDATING_WEBHOOKS
from webhook.diagnosis.reading import selection
from webhook.diagnosis.world import RESOURCES


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = by_name("web")["ClusterRole", "stagegate-web"]["rules"]
    return found


def test_it_reads_and_nothing_else() -> None:
    assert {verb for rule in rules() for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert all(resource != "secrets" for rule in rules() for resource in rule["resources"])


def test_it_reads_exactly_what_the_page_shows() -> None:
    granted = {(group, resource) for rule in rules() for group in rule["apiGroups"] for resource in rule["resources"]}
    assert granted == {(resource.group, resource.plural) for resource in (*RESOURCES, VALIDATING_WEBHOOKS)}


def test_of_registrations_it_reads_the_one_that_names_the_namespace_of_the_loop() -> None:
    (rule,) = (rule for rule in rules() if VALIDATING_WEBHOOKS.plural in rule["resources"])
    assert rule["resourceNames"] == ["validate.stagegate.dev"]


def test_of_what_is_asked_for_by_name_it_reads_nothing_else() -> None:
    """The API server takes the name from the field selector of a list and of a watch."""
    for resource in RESOURCES:
        name = selection(resource, None).name
        (rule,) = (rule for rule in rules() if resource.plural in rule["resources"])
        assert rule.get("resourceNames", []) == ([name] if name else [])
