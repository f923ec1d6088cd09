"""Knative's objects in memory: what the API server has, and what a pin is decided on."""

from typing import Any

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from tests.knative.routes import UID, floating, held_entries, hold, route, service
from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.resource import CONFIG_MAPS, KNATIVE_SERVICES, NAMESPACES, REVISIONS, ROUTES
from webhook.knative.bounds import Defaults
from webhook.knative.pin import NewRevision
from webhook.knative.settings import HoldSettings
from webhook.server.knative_informers import KnativeInformers
from webhook.server.metrics import ServerMetrics

NEW = NewRevision("default", "hello-00002", "hello", UID)
ALL = (KNATIVE_SERVICES, ROUTES, REVISIONS, NAMESPACES, CONFIG_MAPS)


def config_map(name: str, **data: str) -> Wire:
    spelt = {key.replace("_", "-"): value for key, value in data.items()}
    return {"metadata": {"name": name, "namespace": "knative-serving"}, "data": spelt}


def cluster(*served: Any) -> FakeApi:
    api = FakeApi()
    api.serve(*(served or ALL))
    return api


def informers(api: FakeApi, **options: Any) -> KnativeInformers:
    made = KnativeInformers(Client(api, field_manager="test"), FakeClock(), ServerMetrics(), **options)
    step(made)
    return made


def step(made: KnativeInformers) -> None:
    for reflector in made.reflectors:
        reflector.step()


def test_a_pin_is_decided_on_what_the_cluster_has() -> None:
    api = cluster()
    api.put(KNATIVE_SERVICES, service())
    api.put(ROUTES, route())
    api.put(NAMESPACES, {"metadata": {"name": "default", "labels": {"stagegate.dev/progressive": "true"}}})
    api.put(CONFIG_MAPS, config_map("config-rolloutorchestrator", hold_nothing_new="true"))
    api.put(CONFIG_MAPS, config_map("config-autoscaler", min_scale="2", initial_scale="3"))
    made = informers(api, by_default=True)
    observed = made.observe(NEW)
    assert made.unsynced() == ""
    assert observed.service is not None
    assert observed.service["metadata"]["uid"] == UID
    assert (observed.is_stored, observed.by_default) == (False, True)
    assert observed.namespace_labels == {"stagegate.dev/progressive": "true"}
    assert observed.settings == HoldSettings(holds_nothing_new=True)
    assert made.defaults() == Defaults(2, 0, 3)
    assert made.route("default", "hello")["status"] == route()["status"]


def test_without_anything_in_the_cluster_there_is_nothing() -> None:
    made = informers(cluster())
    assert made.unsynced() == ""
    assert (made.observe(NEW).service, made.route("default", "hello"), made.defaults()) == (None, {}, Defaults())


def test_a_revision_that_is_stored_is_known() -> None:
    api = cluster()
    api.put(REVISIONS, {"metadata": {"name": "hello-00002", "labels": {"a": "b"}}, "spec": {"containers": []}})
    made = informers(api)
    assert made.observe(NEW).is_stored
    assert not made.observe(NewRevision("other", "hello-00002", "hello")).is_stored


def test_the_switch_and_the_bounds_of_the_cluster_need_no_restart() -> None:
    api = cluster()
    made = informers(api)
    assert made.observe(NEW).settings == HoldSettings()
    api.put(CONFIG_MAPS, config_map("config-rolloutorchestrator", hold_nothing_new="true"))
    api.put(CONFIG_MAPS, config_map("config-autoscaler", min_scale="2"))
    step(made)
    assert made.observe(NEW).settings.holds_nothing_new
    assert made.defaults().min_scale == 2


def test_a_cluster_without_knative_is_waited_for() -> None:
    api = cluster(NAMESPACES, CONFIG_MAPS)
    made = informers(api)
    assert made.unsynced().startswith("services.serving.knative.dev not read yet: ")
    api.serve(KNATIVE_SERVICES, ROUTES, REVISIONS)
    step(made)
    assert made.unsynced() == ""


def test_memory_holds_the_members_that_are_read_and_no_others() -> None:
    api = cluster()
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 1000}
    one = service(annotations=applied | {"stagegate.dev/progressive": "true"}, managedFields=[{"manager": "kubectl"}])
    one["spec"]["template"] = {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{"image": "x"}]}}
    api.put(KNATIVE_SERVICES, one)
    api.put(ROUTES, {**route(managedFields=[]), "status": {**route()["status"], "url": "http://x", "address": {}}})
    made = informers(api)
    kept = made.observe(NEW).service
    assert kept is not None
    assert kept["metadata"]["annotations"] == {"stagegate.dev/progressive": "true"}
    assert kept["spec"] == {
        "traffic": [{"latestRevision": True, "percent": 100}],
        "template": {"metadata": {"annotations": {"a": "b"}}},
    }
    assert "managedFields" not in kept["metadata"]
    assert made.route("default", "hello")["status"] == {"traffic": route()["status"]["traffic"]}


def test_an_object_without_annotations_is_kept_too() -> None:
    api = cluster()
    api.put(KNATIVE_SERVICES, service(annotations=None))
    made = informers(api)
    assert made.observe(NEW).service is not None


def test_a_route_that_was_just_written_is_seen_at_once() -> None:
    api = cluster()
    before = api.put(ROUTES, route())
    made = informers(api)
    after = copy_of(before) | {"spec": {"traffic": held_entries(a=100)}}
    after["metadata"] |= {"resourceVersion": "1000", "annotations": {"stagegate.dev/hold": hold()}}
    made.written(after)
    assert made.route("default", "hello")["spec"] == {"traffic": held_entries(a=100)}
    late = copy_of(before) | {"spec": {"traffic": [floating(100)]}}
    api.put(ROUTES, late)
    step(made)
    assert made.route("default", "hello")["spec"] == {"traffic": held_entries(a=100)}
