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


LACKS_BOTH = (
    "Revision hello-00001 lacks the label serving.knative.dev/service=hello"
    " and the label serving.knative.dev/configuration=hello"
)
EXISTENCE = [
    (None, "no Revision hello-00001"),
    ({SERVICE_LABEL: "hello", CONFIGURATION_LABEL: "hello"}, None),
    ({SERVICE_LABEL: "other", CONFIGURATION_LABEL: "other"}, LACKS_BOTH),
    ({}, LACKS_BOTH),
    ({SERVICE_LABEL: "hello"}, "Revision hello-00001 lacks the label serving.knative.dev/configuration=hello"),
    ({CONFIGURATION_LABEL: "hello"}, "Revision hello-00001 lacks the label serving.knative.dev/service=hello"),
]


@pytest.mark.parametrize(("labels", "absence"), EXISTENCE)
def test_lister_cache_and_api_agree_on_what_exists_and_say_why_it_does_not(
    labels: dict[str, str] | None, absence: str | None
) -> None:
    world = World()
    if labels is not None:
        world.api.put(REVISIONS, {"metadata": {"name": "hello-00001", "labels": labels}})
    world.observe()
    revisions = revisions_of(world)
    assert revisions.absence("default", "hello-00001", "hello") == absence
    assert revisions.absence_in_api(SPA) == absence
    names = revisions.names("default", "hello")
    assert names is not None
    assert ("hello-00001" in names) == (absence is None)


def test_what_cannot_be_seen_is_not_absent() -> None:
    for world in (World(), World(absent=(REVISIONS,))):
        assert revisions_of(world).absence("default", "hello-00001", "hello") is None
    assert revisions_of(World(absent=(REVISIONS,))).absence_in_api(SPA) is None
    world = World()
    world.api.fail = lambda request: Unavailable(request.call, "500", status=500)
    assert revisions_of(world).absence_in_api(SPA) is None
