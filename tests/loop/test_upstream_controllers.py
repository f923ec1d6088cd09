"""Whether upstream's controllers run, by the Leases of Knative's namespace."""

from datetime import timedelta
from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from tests.loop.world import World
from webhook.api.wire import format_time
from webhook.cluster.client import Client
from webhook.cluster.errors import Forbidden
from webhook.cluster.resource import LEASES
from webhook.loop.upstream_controllers import UpstreamControllers

THEIRS = "controller.knative.dev.serving-progressive-rollout.pkg.reconciler.service.reconciler.00-of-01"
STOCK = "controller.knative.dev.serving.pkg.reconciler.service.reconciler.00-of-01"


def lease(api: FakeApi, name: str, seconds: float, clock: FakeClock, **spec: Any) -> None:
    renewed = format_time(clock.now() - timedelta(seconds=seconds))
    metadata = {"name": name, "namespace": "knative-serving"}
    api.put(LEASES, {"metadata": metadata, "spec": {"renewTime": renewed, "leaseDurationSeconds": 60, **spec}})


@pytest.mark.parametrize(
    ("name", "age", "runs"),
    [(THEIRS, 5, True), (THEIRS, 119, True), (THEIRS, 121, False), (STOCK, 5, False)],
)
def test_they_run_while_a_lease_of_theirs_is_renewed(name: str, age: float, runs: bool) -> None:
    api, clock = FakeApi(), FakeClock()
    api.serve(LEASES)
    lease(api, name, age, clock)
    found = UpstreamControllers(Client(api, field_manager="test"), "knative-serving", clock).running()
    assert found == (f"upstream's controllers (Lease knative-serving/{THEIRS})" if runs else "")


def test_one_look_counts_for_five_minutes() -> None:
    api, clock = FakeApi(), FakeClock()
    api.serve(LEASES)
    upstream = UpstreamControllers(Client(api, field_manager="test"), "knative-serving", clock)
    assert upstream.running() == ""
    lease(api, THEIRS, 0, clock)
    assert upstream.running() == ""
    assert len(api.reads) == 1
    clock.advance(301)
    lease(api, THEIRS, 0, clock)
    assert upstream.running() != ""


def test_an_account_that_may_not_read_leases_sees_none() -> None:
    api, clock = FakeApi(), FakeClock()
    api.serve(LEASES)
    api.fail = lambda request: Forbidden(request.call, "no", status=403)
    assert UpstreamControllers(Client(api, field_manager="test"), "knative-serving", clock).running() == ""


def test_no_lease_is_read_while_nothing_is_held() -> None:
    world = World()
    world.settle()
    assert "leases" not in {call.resource for call in world.api.reads}
