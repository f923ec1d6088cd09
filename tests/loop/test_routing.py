"""Routing: a change of some object, and whom it concerns."""

from typing import Any

import pytest

from tests.loop.world import World, entry
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.indexer import Change
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.loop.caches import trimmed
from webhook.loop.routing import ROLLOUT, SPA, Key

HELLO, OTHER = Key(ROLLOUT, "default", "hello"), Key(ROLLOUT, "default", "other")


@pytest.fixture
def world() -> World:
    """Two rollouts, an SPA of the first, and one without an owner."""
    world = World()
    world.rollout("hello", targetRevisions=[entry("hello-00001", 100)], initialRevisions=[entry("shared", 100)])
    world.rollout("other", targetRevisions=[entry("shared", 100)])
    world.spa_object("hello-00001")
    world.spa_object("lonely", service="nobody")
    world.observe()
    return world


def one(name: str, service: str | None = None, revision: str | None = None, **members: Any) -> Wire:
    labels = {key: value for key, value in ((SERVICE_LABEL, service), (REVISION_LABEL, revision)) if value}
    metadata = {"namespace": "default", "name": name, "labels": labels, **members.pop("metadata", {})}
    return {"metadata": metadata, **members}


NAMING = {"targetRevisions": [entry("shared", 100)]}
FAILED = {"conditions": [{"type": "Ready", "status": "False", "reason": "R", "lastTransitionTime": "1"}]}
FAILED_LATER = {"conditions": [{"type": "Ready", "status": "False", "reason": "R", "lastTransitionTime": "2"}]}
GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("resource", "before", "after", "keys"),
    [
        (ROLLOUT_ORCHESTRATORS, None, one("new"), {Key(ROLLOUT, "default", "new")}),
        (ROLLOUT_ORCHESTRATORS, one("hello"), None, {HELLO}),
        (ROLLOUT_ORCHESTRATORS, one("new", spec=NAMING), None, {Key(ROLLOUT, "default", "new"), HELLO, OTHER}),
        (ROLLOUT_ORCHESTRATORS, one("new", spec=NAMING), one("new"), {Key(ROLLOUT, "default", "new"), HELLO, OTHER}),
        (ROLLOUT_ORCHESTRATORS, one("new", spec=NAMING), one("new", spec=NAMING), {Key(ROLLOUT, "default", "new")}),
        (STAGE_POD_AUTOSCALERS, one("shared", "hello"), None, {HELLO, OTHER}),
        (STAGE_POD_AUTOSCALERS, None, one("x", "hello"), {HELLO}),
        (STAGE_POD_AUTOSCALERS, None, one("x"), {Key(SPA, "default", "x")}),
        (STAGE_POD_AUTOSCALERS, one("x", "hello"), one("x", "other"), {HELLO, OTHER}),
        (STAGE_POD_AUTOSCALERS, one("x", "hello"), None, {HELLO}),
        (POD_AUTOSCALERS, None, one("hello-00001", status={"actualScale": 1}), {HELLO}),
        (POD_AUTOSCALERS, None, one("shared", status={"actualScale": 1}), {HELLO, OTHER}),
        (POD_AUTOSCALERS, None, one("lonely"), {Key(SPA, "default", "lonely")}),
        (POD_AUTOSCALERS, None, one("unknown"), set()),
        (POD_AUTOSCALERS, None, one("unnamed", "hello"), {HELLO}),
        (POD_AUTOSCALERS, one("shared", metadata={"resourceVersion": "1"}), one("shared"), set()),
        (PODS, None, one("p", revision="hello-00001"), set()),
        (PODS, one("p", revision="hello-00001"), one("p", revision="hello-00001", metadata=GOING), {HELLO}),
        (PODS, one("p", revision="hello-00001", metadata=GOING), None, {HELLO}),
        (PODS, None, one("p", metadata=GOING), set()),
        (REVISIONS, one("hello-00001", "hello"), None, {HELLO}),
        (REVISIONS, None, one("hello-00009", "hello"), {HELLO}),
        (REVISIONS, None, one("x-1", "unknown"), set()),
        (REVISIONS, one("hello-00001", "hello"), one("hello-00001", "hello", status=FAILED), {HELLO}),
        (REVISIONS, one("shared"), one("shared", status=FAILED), {HELLO, OTHER}),
        (POD_AUTOSCALERS, one("hello-00001"), one("hello-00001", status=FAILED), {HELLO}),
        (POD_AUTOSCALERS, one("hello-00001", status=FAILED), one("hello-00001", status=FAILED_LATER), set()),
        (DEPLOYMENTS, None, one("d", "other", status={"availableReplicas": 1}), {OTHER}),
        (KNATIVE_SERVICES, None, one("hello"), {HELLO}),
        (KNATIVE_SERVICES, None, one("unknown"), set()),
        (ROUTES, one("other", status={}), one("other", status={"traffic": []}), {OTHER}),
        (CONFIG_MAPS, None, one("config-rolloutorchestrator", data={}), {HELLO, OTHER}),
    ],
)
def test_rows(world: World, resource: Resource, before: Wire | None, after: Wire | None, keys: set[Key]) -> None:
    cut = (trimmed(resource, one) if one is not None else None for one in (before, after))
    assert world.loop._router.keys(resource, Change(*cut)) == keys


def test_a_key_shows_kind_namespace_and_name() -> None:
    assert str(HELLO) == "rollout default/hello"


def test_when_routing_fails_every_rollout_of_the_namespace_is_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.api.put(ROLLOUT_ORCHESTRATORS, {"metadata": {"name": "far", "namespace": "elsewhere"}, "spec": {}})
    world.settle()

    def fault(*_: object) -> set[Key]:
        raise KeyError("metadata")

    monkeypatch.setattr(world.loop._router, "keys", fault)
    with pytest.raises(KeyError):
        world.loop._changed(REVISIONS, Change(None, one("x")))
    assert {world.loop.queue.take(0.0), world.loop.queue.take(0.0)} == {HELLO, OTHER}
    assert world.loop.queue.take(0.0) is None


@pytest.mark.parametrize("spec", [None, [], "text", 7, {"targetRevisions": 3}, {"stageTargetRevisions": {"a": 1}}])
def test_a_rollout_of_any_shape_does_not_keep_the_others_out(spec: Any) -> None:
    world = World()
    world.api.put(ROLLOUT_ORCHESTRATORS, {"metadata": {"name": "odd"}, "spec": spec})
    world.rollout("hello", targetRevisions=[entry("hello-00001", 100)])
    world.settle()
    assert world.loop.caches.rollouts.get("default", "hello")
    assert world.condition("Ready")[0]
