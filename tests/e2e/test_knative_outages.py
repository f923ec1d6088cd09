"""Outages during rollouts on stock Knative: processes that end or hang at any time, and what everybody else notices."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.progressive import NEW, OLD, STAGES, complete, deployed, faults, hello, under_way
from tests.e2e.tenant import Tenant
from tests.rig.stagegate import Stagegate
from webhook.knative.annotations import HOLD


@pytest.fixture(autouse=True)
def outage(stagegate: Stagegate, inside: None) -> Iterator[None]:
    """Whatever a test ends runs again afterwards."""
    yield
    stagegate.restore()


def test_without_the_webhook_an_edit_is_a_stock_rollout(stagegate: Stagegate, tenant: Tenant) -> None:
    since = deployed(tenant)
    assert stagegate.webhook is not None
    stagegate.kill(stagegate.webhook)

    tenant.apply(hello("2"))

    record = complete(tenant)
    assert record.path("hello", since) == [{OLD: 100}, {NEW: 100}]
    assert record.peak(since) == 8


def test_a_webhook_that_ends_in_the_middle_moves_nothing(stagegate: Stagegate, tenant: Tenant) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    assert stagegate.webhook is not None
    stagegate.kill(stagegate.webhook)
    tenant.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})
    tenant.settle(4)

    stagegate.start_webhook()

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []


def test_at_rest_nobody_misses_the_webhook(stagegate: Stagegate, tenant: Tenant) -> None:
    deployed(tenant)
    tenant.apply(hello("2"))
    complete(tenant)
    assert stagegate.webhook is not None
    stagegate.kill(stagegate.webhook)

    tenant.apply(hello("2", traffic=[{"revisionName": OLD, "percent": 100}]))

    under_way(tenant, {OLD: 100})


def edited(tenant: Tenant, version: str) -> float:
    """Edit a Service that asks for no stages: seconds until it is Ready. Its pods are at rest afterwards."""
    started = time.monotonic()
    tenant.apply(hello(version, annotations={}))
    tenant.await_ready("hello")
    lasted = time.monotonic() - started
    tenant.eventually(lambda state: state.running() == {f"hello-0000{version}": 4})
    return lasted


def test_a_webhook_that_hangs_slows_others_by_its_time_out_only(
    stagegate: Stagegate, new_tenant: Callable[..., Tenant]
) -> None:
    """Beside a held Route that Knative tries to write again and again."""
    tenant, other = new_tenant(), new_tenant()
    since = deployed(tenant)
    deployed(other, annotations={})
    usual = edited(other, "2")
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    assert stagegate.webhook is not None
    stagegate.hang(stagegate.webhook)
    tenant.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})

    beside = edited(other, "3")
    stagegate.resume(stagegate.webhook)

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []
    # 2 s for the new Revision, and 1 s now and then where both of Knative's workers are at the held Route.
    assert beside < usual + 8, f"the other Service took {beside:.1f} s, and {usual:.1f} s before"


def test_an_edit_while_the_webhook_hangs_comes_to_its_end(stagegate: Stagegate, tenant: Tenant) -> None:
    """The Revision is created without it. A review whose caller has gone may still hold the Route afterwards."""
    since = deployed(tenant)
    assert stagegate.webhook is not None
    stagegate.hang(stagegate.webhook)

    tenant.apply(hello("2"))
    tenant.eventually(lambda state: NEW in state.all("revisions"))
    stagegate.resume(stagegate.webhook)

    assert complete(tenant).peak(since) == 8


@pytest.mark.parametrize("seed", [1, 2])
def test_a_loop_that_is_killed_at_any_time_is_gone_on_with(stagegate: Stagegate, tenant: Tenant, seed: int) -> None:
    chosen, pause = random.Random(seed), threading.Event()
    since = deployed(tenant)
    tenant.apply(hello("2"))

    for _ in range(4):
        pause.wait(chosen.uniform(0, 4))
        assert stagegate.loop is not None
        stagegate.kill(stagegate.loop)
        stagegate.start_loop()

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []
    assert record.peak(since) == 5
    assert record.created(since) == {NEW: 4}


def test_an_edit_while_no_loop_runs_waits_for_one(stagegate: Stagegate, tenant: Tenant) -> None:
    since = deployed(tenant)
    assert stagegate.loop is not None
    stagegate.kill(stagegate.loop)
    tenant.apply(hello("2"))
    tenant.eventually(lambda state: len(state.pods(NEW)) == 1)
    tenant.settle(3)
    assert tenant.record().end.shares("hello") == {OLD: 100}

    stagegate.start_loop()

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []


def test_a_removed_hold_is_a_release(stagegate: Stagegate, tenant: Tenant) -> None:
    """Somebody removes the registrations and then the hold; it is not set again."""
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})
    stagegate.unregister()
    try:
        tenant.eventually(lambda _: removed(tenant), 20)

        record = complete(tenant)
    finally:
        stagegate.install()

    assert record.end.shares("hello") == {NEW: 100}


def removed(tenant: Tenant) -> bool:
    """Remove the hold, which the guard puts back as long as an API server calls it."""
    tenant.patch("routes", "hello", {"metadata": {"annotations": {HOLD: None}}})
    return HOLD not in tenant.get("routes", "hello")["metadata"].get("annotations", {})
