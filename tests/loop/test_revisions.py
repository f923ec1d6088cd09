"""Revisions in the cluster: which exist, and what is never concluded from not seeing them."""

import pytest

from tests.loop.world import World
from webhook.api import StagePodAutoscaler
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.errors import Unavailable
from webhook.cluster.resource import REVISIONS
from webhook.loop.revisions import ClusterRevisions

SPA = StagePodAutoscaler.from_dict(
    {"metadata": {"namespace": "default", "name": "hello-00001", "labels": {SERVICE_LABEL: "hello"}}}
)


def revisions_of(world: World) -> ClusterRevisions:
    return ClusterRevisions(Client(world.api, field_manager="test"), world.loop.caches.revisions)


def test_those_of_a_service_carry_both_labels() -> None:
    world = World()
    world.revision("hello-00001")
    world.revision("other-00001", service="other")
    world.revision("hello-00002", **{CONFIGURATION_LABEL: "other"})
    world.observe()
    assert revisions_of(world).names("default", "hello") == frozenset({"hello-00001"})
    assert revisions_of(world).names("default", "nobody") == frozenset()
    assert revisions_of(world).names("elsewhere", "hello") == frozenset()


def test_before_they_were_seen_and_where_they_are_not_served_nothing_is_known() -> None:
    assert revisions_of(World()).names("default", "hello") is None
    absent = World(absent=(REVISIONS,))
    absent.observe()
    assert revisions_of(absent).names("default", "hello") is None


@pytest.mark.parametrize(
    ("labels", "orphan"),
    [
        (None, True),
        ({SERVICE_LABEL: "hello", CONFIGURATION_LABEL: "hello"}, False),
        ({SERVICE_LABEL: "other", CONFIGURATION_LABEL: "other"}, True),
        ({SERVICE_LABEL: "hello"}, True),
    ],
)
def test_an_orphan_is_one_whose_revision_the_api_does_not_have(labels: dict[str, str] | None, orphan: bool) -> None:
    world = World()
    if labels is not None:
        world.api.put(REVISIONS, {"metadata": {"name": "hello-00001", "labels": labels}})
    assert revisions_of(world).is_orphan(SPA) is orphan


def test_an_answer_that_says_nothing_makes_no_orphan() -> None:
    assert not revisions_of(World(absent=(REVISIONS,))).is_orphan(SPA)
    world = World()
    world.api.fail = lambda request: Unavailable(request.call, "500", status=500)
    assert not revisions_of(world).is_orphan(SPA)
