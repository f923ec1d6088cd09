"""Rollouts on stock Knative with other overlays and settings, changed in the middle."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.progressive import NEW, OLD, STAGES, complete, deployed, faults, hello, under_way
from tests.e2e.tenant import Tenant, differences
from tests.rig.stagegate import Stagegate

SETTINGS = "/api/v1/namespaces/knative-serving/configmaps"


@pytest.fixture(autouse=True)
def changed(stagegate: Stagegate, inside: None) -> Iterator[None]:
    """Whatever a test changes is as before afterwards."""
    yield
    stagegate.install()
    stagegate.restore()


def test_the_policy_keeps_a_held_route_where_no_webhook_answers(stagegate: Stagegate, tenant: Tenant) -> None:
    stagegate.unregister()
    stagegate.install("manifests/overlays/stock-knative-policy")
    stagegate.await_registrations()
    try:
        since = deployed(tenant)
        tenant.apply(hello("2"))
        under_way(tenant, {OLD: 75, NEW: 25})
        assert stagegate.webhook is not None
        stagegate.kill(stagegate.webhook)
        tenant.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})
        tenant.settle(4)
        assert tenant.record().end.shares("hello") == {OLD: 75, NEW: 25}
        stagegate.start_webhook()

        record = complete(tenant)

        assert record.path("hello", since) == STAGES
        assert faults(record, since) == []
    finally:
        policies = "mutatingadmissionpolicies,mutatingadmissionpolicybindings"
        stagegate.kubectl("delete", policies, "-l", "app.kubernetes.io/part-of=stagegate")


def test_the_overlay_progressive_asks_for_everybody(stagegate: Stagegate, new_tenant: Callable[..., Tenant]) -> None:
    stagegate.install("manifests/overlays/progressive")
    stagegate.stop()
    stagegate.start()
    tenant, other = new_tenant(), new_tenant({"stagegate.dev/progressive": "false"})
    began = {each: deployed(each, annotations={}) for each in (tenant, other)}

    for each in began:
        each.apply(hello("2", annotations={}))

    assert complete(tenant).peak(began[tenant]) == 5
    assert complete(other).peak(began[other]) == 8


def test_nothing_new_is_held_while_the_switch_is_on(stagegate: Stagegate, new_tenant: Callable[..., Tenant]) -> None:
    """Without a restart; what is under way goes on."""
    under, new = new_tenant(), new_tenant()
    began = {each: deployed(each) for each in (under, new)}
    under.apply(hello("2"))
    under_way(under, {OLD: 75, NEW: 25})
    admin = stagegate.rig.plane.admin
    name = "config-rolloutorchestrator"
    metadata = {"name": name, "namespace": "knative-serving"}
    wire = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"hold-nothing-new": "true"}}
    admin.apply(f"{SETTINGS}/{name}", wire, "administrator")
    try:
        # The webhook reads it from its cache, and nothing shows when that has it.
        new.settle(2)
        new.apply(hello("2"))

        assert complete(new).peak(began[new]) == 8
        assert complete(under).path("hello", began[under]) == STAGES
    finally:
        admin.delete(f"{SETTINGS}/{name}")


def test_both_ways_of_keeping_a_route_end_alike(new_tenant: Callable[..., Tenant]) -> None:
    """A rollout released at once and one carried to its end leave the same objects."""
    one, other = new_tenant(), new_tenant()
    for tenant in (one, other):
        deployed(tenant)
        tenant.apply(hello("2"))
    under_way(other, {OLD: 75, NEW: 25})
    other.patch("services", "hello", {"metadata": {"annotations": {"stagegate.dev/progressive": "false"}}})
    for tenant in (one, other):
        complete(tenant)
        tenant.settle()
    other.patch("services", "hello", {"metadata": {"annotations": {"stagegate.dev/progressive": "true"}}})
    other.settle()

    assert differences(one.stored(), other.stored()) == []
