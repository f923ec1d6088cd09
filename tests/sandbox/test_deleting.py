"""Deletion: preconditions, finalizers, grace, owners, namespaces and definitions."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.sandbox.wire import SPAS, Api, Object, Place, config_map, pod, spa

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.02)


def gone(api: Api, path: str) -> Callable[[], bool]:
    return lambda: api.get(path).code == 404


def owned_by(*owners: Object) -> list[Object]:
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        for owner in owners
    ]


def test_a_deletion_tells_what_went(api: Api, place: Place) -> None:
    uid = api.create(place.path(SPAS), spa("a")).body["metadata"]["uid"]
    reply = api.delete(place.path(SPAS, "a")).body
    assert (reply["kind"], reply["status"]) == ("Status", "Success")
    assert reply["details"] == {"name": "a", "group": "serving.knative.dev", "kind": "stagepodautoscalers", "uid": uid}
    again = api.delete(place.path(SPAS, "a"))
    assert again.message == 'stagepodautoscalers.serving.knative.dev "a" not found'


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_a_deletion_can_insist(api: Api, place: Place, precondition: str) -> None:
    created = api.create(place.path(SPAS), spa("a")).body
    wrong = api.delete(place.path(SPAS, "a"), {"preconditions": {precondition: "1"}})
    assert wrong.code == 409
    assert "does not match the" in wrong.message
    right = {"preconditions": {precondition: created["metadata"][precondition]}}
    assert api.delete(place.path(SPAS, "a"), right).code == 200


def test_a_finalizer_holds_an_object(api: Api, place: Place) -> None:
    path = place.path(SPAS, "a")
    api.create(place.path(SPAS), spa("a", finalizers=["example.com/hold"]))
    marked = api.delete(path).body["metadata"]
    assert (marked["deletionGracePeriodSeconds"], marked["generation"]) == (0, 2)
    assert api.delete(path).body["metadata"] == marked
    more = api.patch(path, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert "no new finalizers can be added if the object is being deleted" in more.message
    assert api.patch(path, {"metadata": {"finalizers": None}}).code == 200
    assert gone(api, path)()


def test_a_pod_on_a_node_is_given_its_grace_period(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    with Sandbox(tmp_path, knative=False, clock=lambda: now) as sandbox, Api(sandbox.kubeconfig) as api:
        path = Place("default").path("pods", "a")
        api.create(Place("default").path("pods"), pod("a", nodeName="n", terminationGracePeriodSeconds=60))
        marked = api.delete(path).body["metadata"]
        assert (marked["deletionTimestamp"], marked["deletionGracePeriodSeconds"]) == ("2030-01-01T00:01:00Z", 60)
        now += timedelta(seconds=10)
        assert api.delete(path).body["metadata"]["deletionTimestamp"] == "2030-01-01T00:01:00Z"
        assert api.delete(path, gracePeriodSeconds="5").body["metadata"]["deletionGracePeriodSeconds"] == 5
        now += timedelta(hours=1)
        assert api.get(path).code == 200, "only the node, or force, takes it away"
        assert api.delete(path, gracePeriodSeconds="0").body["kind"] == "Pod"
        assert gone(api, path)()


def test_a_pod_without_a_node_goes_at_once(api: Api, place: Place) -> None:
    api.create(place.path("pods"), pod("a"))
    assert api.delete(place.path("pods", "a")).body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert gone(api, place.path("pods", "a"))()


def test_dependents_follow_their_last_owner(api: Api, place: Place) -> None:
    owners = [api.create(place.path(SPAS), spa(name)).body for name in ("one", "two")]
    references = owned_by(*owners)
    api.create(place.path("configmaps"), config_map("a", ownerReferences=references))
    path = place.path("configmaps", "a")
    api.delete(place.path(SPAS, "one"))
    eventually(lambda: len(api.get(path).body["metadata"]["ownerReferences"]) == 1)
    api.delete(place.path(SPAS, "two"))
    eventually(gone(api, path))


def test_who_names_an_owner_that_never_was_goes(api: Api, place: Place) -> None:
    owner = spa("none", uid="never") | {"metadata": {"name": "none", "uid": "never"}}
    api.create(place.path("configmaps"), config_map("a", ownerReferences=owned_by(owner)))
    eventually(gone(api, place.path("configmaps", "a")))


def test_a_collection_is_not_deleted_at_once(api: Api, place: Place) -> None:
    assert api.delete(place.path(SPAS)).code == 405


def test_a_namespace_goes_when_it_is_empty(api: Api) -> None:
    place = Place("doomed")
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed"}})
    api.create(place.path(SPAS), spa("free"))
    api.create(place.path(SPAS), spa("held", finalizers=["example.com/hold"]))
    marked = api.delete("/api/v1/namespaces/doomed").body
    assert marked["status"]["phase"] == "Terminating"
    eventually(gone(api, place.path(SPAS, "free")))
    late = api.create(place.path(SPAS), spa("late"))
    assert late.causes == [("metadata.namespace", "namespace doomed is being terminated")]
    assert late.body["reason"] == "Forbidden"
    eventually(lambda: "deletionTimestamp" in api.get(place.path(SPAS, "held")).body["metadata"])
    assert api.get("/api/v1/namespaces/doomed").code == 200
    api.patch(place.path(SPAS, "held"), {"metadata": {"finalizers": None}})
    eventually(gone(api, "/api/v1/namespaces/doomed"))


def test_the_first_namespaces_stay(api: Api) -> None:
    reply = api.delete("/api/v1/namespaces/default")
    assert reply.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


def test_a_definition_takes_its_objects_along_and_is_served_no_more(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox, Api(sandbox.kubeconfig) as api:
        path = Place("default").path("serving.knative.dev/v1/revisions")
        revision = {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"name": "a"}}
        assert api.create(path, revision).code == 201
        with api.watch(path) as events:
            assert next(events)["type"] == "ADDED"
            api.delete(f"{DEFINITIONS}/revisions.serving.knative.dev")
            assert [event["type"] for event in events][-1] == "DELETED"
        eventually(gone(api, f"{DEFINITIONS}/revisions.serving.knative.dev"))
        assert api.get(path).body == "404 page not found\n"


def test_options_of_a_deletion(api: Api, place: Place) -> None:
    path = place.path(SPAS, "a")
    api.create(place.path(SPAS), spa("a"))
    assert api.delete(path, {"dryRun": ["All"]}).code == 200
    for policy in ("Foreground", "Orphan"):
        refused = api.delete(path, {"propagationPolicy": policy})
        assert (refused.code, refused.message) == (
            501,
            f"the sandbox does not do this: propagationPolicy {policy}; leave it out, or say Background",
        )
    assert api.delete(path, {"orphanDependents": True}).code == 501
    assert api.delete(path, {"kind": "Pod", "apiVersion": "v1"}).code == 400
    assert api.get(path).code == 200
