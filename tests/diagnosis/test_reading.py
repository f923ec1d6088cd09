"""Reading a world: what is asked of a cluster, and what becomes of the answers that are refused."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NOW
from webhook.cluster.errors import ApiError, Call, Forbidden, Gone, NotFound, Unreachable
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    VALIDATING_WEBHOOKS,
    Resource,
)
from webhook.diagnosis.reading import read_world
from webhook.diagnosis.world import RESOURCES, World

Wire = dict[str, Any]
FORBIDDEN = 'pods is forbidden: User "jane" cannot list resource "pods"'


class Cluster:
    """Answers from the base world; ``refusals`` are errors by plural and namespace (None in any), each raised once."""

    def __init__(self, *refusals: tuple[Resource, str | None, type[ApiError], str]) -> None:
        self.objects: dict[Resource, list[Wire]] = worlds.base()
        self.asked: list[str] = []
        self._refusals = list(refusals)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Wire:
        self.asked.append(f"get {resource.plural} {namespace}/{name}")
        self._refuse(Call("get", resource.plural, namespace, name), resource, namespace)
        for one in self.objects.get(resource, []):
            if (one["metadata"].get("namespace"), one["metadata"]["name"]) == (namespace, name):
                return one
        raise NotFound(Call("get", resource.plural, namespace, name), "not found", status=404, reason="NotFound")

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Wire:
        self.asked.append(f"list {resource.plural} {namespace} {label_selector}{field_selector}".rstrip())
        self._refuse(Call("list", resource.plural, namespace), resource, namespace)
        listed = self.objects.get(resource, [])
        first = int(continue_token or 0)
        last = first + limit if limit else len(listed)
        token = str(last) if last < len(listed) else ""
        return {"items": listed[first:last], "metadata": {"continue": token}}

    def _refuse(self, call: Call, resource: Resource, namespace: str | None) -> None:
        for refusal in self._refusals:
            if refusal[:2] == (resource, namespace):
                self._refusals.remove(refusal)
                reason = "NotFound" if refusal[3] == "object" else ""
                raise refusal[2](call, refusal[3], status=403, reason=reason)


def kinds(world: World) -> set[str]:
    return {resource.kind for resource, listed in world.objects.items() if listed}


def test_one_rollout_is_read_with_the_label_of_its_service() -> None:
    cluster = Cluster()
    world = read_world(cluster, "default", NOW, name="hello")
    assert world.unread == ()
    assert world.rollouts() == [("default", "hello")]
    assert len(world.objects[PODS]) == 5
    assert cluster.asked == [
        "get rolloutorchestrators default/hello",
        "list stagepodautoscalers default",
        "list podautoscalers default",
        "list revisions default serving.knative.dev/service=hello",
        "get services default/hello",
        "get routes default/hello",
        "list deployments default serving.knative.dev/service=hello",
        "list replicasets default serving.knative.dev/service=hello",
        "list pods default serving.knative.dev/service=hello",
        "list resourcequotas default",
        "get configmaps knative-serving/config-rolloutorchestrator",
        "get validatingwebhookconfigurations None/validate.stagegate.dev",
        "list leases None metadata.name=stagegate-loop",
        "list events default",
        "list deployments stagegate-system app.kubernetes.io/name=stagegate-loop",
    ]


def test_with_a_name_that_is_no_label_every_pod_of_a_revision_is_read() -> None:
    cluster = Cluster()
    read_world(cluster, "default", NOW, name="h" * 64)
    assert "list pods default serving.knative.dev/revision" in cluster.asked


def test_all_namespaces() -> None:
    cluster = Cluster()
    world = read_world(cluster, None, NOW)
    assert world.rollouts() == [("default", "hello")]
    of_revisions = (DEPLOYMENTS, REPLICA_SETS, PODS)
    assert {line for line in cluster.asked if line.startswith("list")} == {
        *(f"list {one.plural} None" for one in RESOURCES if one not in (CONFIG_MAPS, LEASES, *of_revisions)),
        *(f"list {one.plural} None serving.knative.dev/revision" for one in of_revisions),
        "list leases None metadata.name=stagegate-loop",
        "list deployments stagegate-system app.kubernetes.io/name=stagegate-loop",
    }


def test_what_may_not_be_read_is_part_of_the_world() -> None:
    world = read_world(Cluster((PODS, "default", Forbidden, FORBIDDEN)), "default", NOW)
    assert [(one.resource, one.reason, one.message) for one in world.unread] == [(PODS, "forbidden", FORBIDDEN)]
    assert "Pod" not in kinds(world)
    assert "Deployment" in kinds(world)


def test_what_the_cluster_does_not_serve_is_part_of_the_world() -> None:
    world = read_world(Cluster((POD_AUTOSCALERS, "default", NotFound, "page not found")), "default", NOW)
    assert [(one.resource, one.reason) for one in world.unread] == [(POD_AUTOSCALERS, "not served")]


@pytest.mark.parametrize("refusal", [Forbidden, NotFound, Unreachable])
def test_without_the_ros_there_is_no_world(refusal: type[ApiError]) -> None:
    with pytest.raises(refusal):
        read_world(Cluster((ROLLOUT_ORCHESTRATORS, "default", refusal, "no")), "default", NOW)


def test_a_name_without_an_ro_gives_a_world_without_it() -> None:
    assert read_world(Cluster(), "default", NOW, name="other").rollouts() == []


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(Unreachable):
        read_world(Cluster((PODS, "default", Unreachable, "no route to host")), "default", NOW)


def test_leases_of_a_namespace_where_those_of_the_cluster_may_not_be_listed() -> None:
    cluster = Cluster((LEASES, None, Forbidden, "no"))
    world = read_world(cluster, "default", NOW, resources=(ROLLOUT_ORCHESTRATORS, LEASES))
    assert world.objects[LEASES] == [worlds.lease()]
    refused = Cluster((LEASES, None, Forbidden, "no"), (LEASES, "stagegate-system", Forbidden, "no, either"))
    hidden = read_world(refused, "default", NOW, resources=(ROLLOUT_ORCHESTRATORS, LEASES))
    assert [(one.resource, one.message) for one in hidden.unread] == [(LEASES, "no, either")]


def registration(namespace: str) -> Wire:
    service = {"namespace": namespace, "name": "stagegate-webhook"}
    webhook = {
        "name": "validate.stagegate.dev",
        "clientConfig": {"service": service},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": "validate.stagegate.dev"}, "webhooks": [webhook]}


def of_loops(cluster: Cluster) -> list[str]:
    """The requests for Deployments of loops."""
    return [one for one in cluster.asked if one.endswith("app.kubernetes.io/name=stagegate-loop")]


@pytest.mark.parametrize(
    ("registered", "leases", "looked_in", "installed_in"),
    [
        pytest.param("rollouts", [], ["rollouts"], "rollouts", id="where it is registered"),
        pytest.param("", ["team-a"], ["team-a"], "team-a", id="where a loop has a Lease"),
        pytest.param("rollouts", ["team-a"], ["rollouts", "team-a"], "rollouts", id="both"),
        pytest.param("rollouts", ["rollouts"], ["rollouts"], "rollouts", id="each once"),
        pytest.param("", [], ["stagegate-system"], "stagegate-system", id="where the manifests install it"),
        pytest.param("", [f"n{i}" for i in range(9)], [f"n{i}" for i in range(8)], "n0", id="at most eight"),
    ],
)
def test_where_loops_are_looked_for(
    registered: str, leases: list[str], looked_in: list[str], installed_in: str
) -> None:
    cluster = Cluster()
    cluster.objects[VALIDATING_WEBHOOKS] = [registration(registered)] if registered else []
    cluster.objects[LEASES] = [worlds.lease(namespace=namespace) for namespace in leases]
    world = read_world(cluster, "default", NOW)
    assert of_loops(cluster) == [f"list deployments {one} app.kubernetes.io/name=stagegate-loop" for one in looked_in]
    assert world.installed_in == installed_in


def test_a_registration_that_may_not_be_read_names_no_namespace() -> None:
    cluster = Cluster((VALIDATING_WEBHOOKS, None, Forbidden, "no"))
    cluster.objects[VALIDATING_WEBHOOKS] = [registration("rollouts")]
    cluster.objects[LEASES] = [worlds.lease(namespace="team-a")]
    assert read_world(cluster, "default", NOW).installed_in == "team-a"
    assert of_loops(cluster) == ["list deployments team-a app.kubernetes.io/name=stagegate-loop"]


def test_pages_are_read_to_the_end() -> None:
    cluster = Cluster()
    cluster.objects[REVISIONS] = [worlds.revision(f"hello-{number:05}") for number in range(1201)]
    assert len(read_world(cluster, "default", NOW).objects[REVISIONS]) == 1201


def test_pages_whose_version_has_expired_are_read_in_one_piece() -> None:
    cluster = Cluster((REVISIONS, "default", Gone, "expired"))
    assert len(read_world(cluster, "default", NOW).objects[REVISIONS]) == 2
