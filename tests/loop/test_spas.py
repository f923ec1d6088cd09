"""SPAs in the cluster: what an update, a creation and a deletion are on the wire."""

from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.api import StagePodAutoscaler
from webhook.api.kinds import SERVICE_LABEL
from webhook.cluster.client import APPLY_PATCH, MERGE_PATCH, Client
from webhook.cluster.errors import AlreadyExists, Conflict
from webhook.cluster.indexer import Indexer, by_label
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS
from webhook.loop.resource_writer import ResourceWriter
from webhook.loop.spas import ClusterSPAs


class CachedSPAs:
    def __init__(self, absence: str | None = "no Revision a") -> None:
        self.api = FakeApi()
        self.api.serve(STAGE_POD_AUTOSCALERS)
        self.store = Indexer(FakeClock().monotonic, {"service": by_label(SERVICE_LABEL)})
        writer = ResourceWriter(Client(self.api, field_manager="loop"), STAGE_POD_AUTOSCALERS, self.store)
        self.pod_autoscaler: dict[str, Any] | None = None
        self.spas = ClusterSPAs(self.store, writer, lambda spa: absence, lambda namespace, name: self.pod_autoscaler)

    def stored(self, name: str = "a", **spec: int) -> StagePodAutoscaler:
        metadata = {"name": name, "labels": {SERVICE_LABEL: "hello"}}
        self.store.assume(self.api.put(STAGE_POD_AUTOSCALERS, {"metadata": metadata, "spec": spec}))
        found = self.spas.get("default", name)
        assert found is not None
        return found


def test_an_update_is_an_apply_of_the_bounds_alone_on_condition_of_uid_and_version() -> None:
    cached = CachedSPAs()
    spa = cached.stored(stageMinScale=1, stageMaxScale=5)
    updated = cached.spas.update(spa.with_bounds(2, 3))
    assert (updated.stage_min_scale, updated.stage_max_scale) == (2, 3)
    assert cached.api.requests[-1].content_type == APPLY_PATCH
    assert cached.api.writes[0].body == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {
            "name": "a",
            "namespace": "default",
            "uid": "uid-a",
            "resourceVersion": spa.metadata.resource_version,
        },
        "spec": {"stageMinScale": 2, "stageMaxScale": 3},
    }


def test_a_bound_that_an_apply_leaves_in_place_is_taken_away() -> None:
    cached = CachedSPAs()
    spa = cached.stored(stageMinScale=1, stageMaxScale=5)
    updated = cached.spas.update(spa.with_bounds(2, None))
    assert (updated.stage_min_scale, updated.stage_max_scale) == (2, None)
    assert [request.content_type for request in cached.api.requests] == [APPLY_PATCH, MERGE_PATCH]
    assert cached.api.writes[1].body["spec"] == {"stageMaxScale": None}


def test_what_was_written_is_read_at_once() -> None:
    cached = CachedSPAs()
    cached.spas.update(cached.stored(stageMinScale=1).with_bounds(0, 1))
    read = cached.spas.get("default", "a")
    assert read is not None
    assert (read.stage_min_scale, read.stage_max_scale) == (0, 1)
    assert [spa.name for spa in cached.spas.list("default", {SERVICE_LABEL: "hello"})] == ["a"]
    assert cached.spas.list("default", {SERVICE_LABEL: "other"}) == []
    assert [spa.name for spa in cached.spas.list("default", {})] == ["a"]


def test_an_update_of_what_has_moved_on_is_a_conflict_and_shows_what_is_there_now() -> None:
    cached = CachedSPAs()
    spa = cached.stored(stageMinScale=1)
    cached.api.put(STAGE_POD_AUTOSCALERS, {**spa.to_dict(), "spec": {"stageMinScale": 9}})
    with pytest.raises(Conflict):
        cached.spas.update(spa.with_bounds(2, 3))
    read = cached.spas.get("default", "a")
    assert read is not None
    assert read.stage_min_scale == 9


def test_a_creation_of_what_exists_shows_what_is_there() -> None:
    cached = CachedSPAs()
    cached.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "a"}, "spec": {"stageMinScale": 4}})
    new = StagePodAutoscaler.from_dict({"metadata": {"namespace": "default", "name": "a"}, "spec": {}})
    with pytest.raises(AlreadyExists):
        cached.spas.create(new)
    read = cached.spas.get("default", "a")
    assert read is not None
    assert read.stage_min_scale == 4


@pytest.mark.parametrize("gone_already", [False, True])
def test_a_deleted_spa_is_not_read_again(gone_already: bool) -> None:
    cached = CachedSPAs()
    spa = cached.stored()
    if gone_already:
        cached.api.remove(STAGE_POD_AUTOSCALERS, "default", "a")
    assert cached.spas.delete(spa) == "no Revision a"
    assert cached.spas.get("default", "a") is None


def test_an_spa_that_has_a_revision_after_all_stays() -> None:
    cached = CachedSPAs(absence=None)
    assert cached.spas.delete(cached.stored()) is None
    assert cached.api.writes == []


@pytest.mark.parametrize(
    ("reported", "counts"),
    [
        pytest.param((2, 2), (2, 2), id="the same"),
        pytest.param((2, 1), (2, 1), id="one replica has ended"),
        pytest.param((1, 2), (2, 1), id="one replica is about to end"),
        pytest.param((3, 3), (3, 2), id="one more runs, which is not stored yet"),
        pytest.param((0, 0), (2, 0), id="none runs any more"),
        pytest.param((3, None), (2, 2), id="no actual scale yet"),
        pytest.param(None, (2, 2), id="no PodAutoscaler"),
    ],
)
def test_a_status_that_its_pod_autoscaler_contradicts_counts_as_ready_for_neither_direction(
    reported: tuple[int, int | None] | None, counts: tuple[int, int]
) -> None:
    cached = CachedSPAs()
    metadata = {"name": "a", "labels": {SERVICE_LABEL: "hello"}}
    status = {"desiredScale": 2, "actualScale": 2}
    cached.store.assume(cached.api.put(STAGE_POD_AUTOSCALERS, {"metadata": metadata, "status": status}))
    if reported is not None:
        scales = dict(zip(("desiredScale", "actualScale"), reported, strict=True))
        cached.pod_autoscaler = {"status": {key: scale for key, scale in scales.items() if scale is not None}}
    (listed,) = cached.spas.list("default", {SERVICE_LABEL: "hello"})
    assert listed == cached.spas.get("default", "a")
    assert (listed.desired_scale, listed.actual_scale) == counts
