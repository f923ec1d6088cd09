"""A restored backup: holds and records of deleted objects hold nothing, and are removed."""

import json

import pytest

from tests.e2e.progressive import NEW, OLD, complete, deployed, faults, hello, under_way
from tests.e2e.tenant import MIN_SCALE, Tenant
from webhook.knative.annotations import HOLD, OWN

pytestmark = pytest.mark.usefixtures("stagegate")


def test_a_hold_of_a_service_that_was_deleted_since_is_removed(tenant: Tenant) -> None:
    """A backup brings back the annotations of a Route that was held, under a Service with another uid."""
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    hold = tenant.get("routes", "hello")["metadata"]["annotations"][HOLD]
    tenant.delete("hello")
    tenant.eventually(lambda state: not state.all("routes") and not state.all("revisions"))
    tenant.apply(hello("1"))
    tenant.await_ready("hello")

    tenant.patch("routes", "hello", {"metadata": {"annotations": {HOLD: hold}}})

    tenant.eventually(lambda state: state.annotation("routes", "hello", HOLD) is None)
    complete(tenant, OLD)


def test_a_record_of_own_bounds_without_a_hold_is_given_back(tenant: Tenant) -> None:
    deployed(tenant)
    record = json.dumps({"min-scale": "4", "set": {"min-scale": "1"}})

    tenant.patch("revisions", OLD, {"metadata": {"annotations": {OWN: record, MIN_SCALE: "1"}}})

    complete(tenant, OLD)
    assert tenant.get("revisions", OLD)["metadata"]["annotations"][MIN_SCALE] == "4"


def test_the_next_edit_rolls_out_as_ever(tenant: Tenant) -> None:
    deployed(tenant)
    stale = json.dumps({"phase": "held", "initial": {"gone-00007": 100}, "new": "gone-00008", "since": "another"})
    tenant.patch("routes", "hello", {"metadata": {"annotations": {HOLD: stale}}})
    tenant.eventually(lambda state: state.annotation("routes", "hello", HOLD) is None)
    since = tenant.version()

    tenant.apply(hello("2"))

    record = complete(tenant)
    assert record.peak(since) == 5
    assert faults(record, since) == []
