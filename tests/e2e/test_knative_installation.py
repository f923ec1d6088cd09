"""The installation beside rollouts on stock Knative: given back, taken out, put in again, and set up in other ways."""

from collections.abc import Callable, Iterator

import pytest

from tests.documents import section
from tests.e2e.administrator import Administrator
from tests.e2e.progressive import NEW, OLD, STAGES, complete, deployed, faults, hello, traces, under_way
from tests.e2e.tenant import Tenant, differences
from tests.rig.stagegate import Stagegate

UNINSTALL = [each for each in section("Uninstall").commands if "delete -f " not in each and " release " not in each]
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps"


@pytest.fixture(autouse=True)
def changed(stagegate: Stagegate, inside: None) -> Iterator[None]:
    """Whatever a test changes is as before afterwards."""
    yield
    stagegate.install()
    stagegate.restore()


@pytest.fixture
def administrator(stagegate: Stagegate) -> Administrator:
    return Administrator(stagegate.rig.plane)


def taken_out(stagegate: Stagegate, administrator: Administrator) -> None:
    """Remove it as the documents say."""
    stagegate.stop()
    for command in UNINSTALL:
        administrator.does(command)


def test_release_gives_a_service_back_with_its_pods_first(
    stagegate: Stagegate, administrator: Administrator, new_tenant: Callable[..., Tenant]
) -> None:
    tenant, twin = new_tenant(), new_tenant()
    since = deployed(tenant)
    deployed(twin, annotations={})
    twin.apply(hello("2", annotations={}))
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})
    assert f"{tenant.name}/hello " in administrator.does("stagegate release --list")

    administrator.does(f"stagegate release hello --namespace {tenant.name}")

    assert traces(tenant.record().end) == []
    record = complete(tenant)
    assert record.path("hello", since)[-1] == {NEW: 100}
    assert faults(record, since) == []
    assert f"{tenant.name}/hello " not in administrator.does("stagegate release --list")
    complete(twin)
    tenant.settle()
    assert scales(tenant) == scales(twin)


def scales(tenant: Tenant) -> dict[str, dict[str, str]]:
    """The scale annotations of each Revision."""
    return {
        name: {key: value for key, value in wire["metadata"]["annotations"].items() if "autoscaling" in key}
        for name, wire in tenant.record().end.all("revisions").items()
    }


def test_taken_out_after_a_release_nothing_is_left(
    stagegate: Stagegate, administrator: Administrator, new_tenant: Callable[..., Tenant]
) -> None:
    tenants = [new_tenant(), new_tenant()]
    for tenant in tenants:
        deployed(tenant)
        tenant.apply(hello("2"))
    for tenant in tenants:
        under_way(tenant, {OLD: 50, NEW: 50})

    administrator.does("stagegate release --all")
    taken_out(stagegate, administrator)

    for tenant in tenants:
        complete(tenant)
        since = tenant.version()
        tenant.apply(hello("3"))
        record = complete(tenant, "hello-00003")
        assert record.path("hello", since) == [{NEW: 100}, {"hello-00003": 100}]


def test_taken_out_in_the_middle_the_traffic_heals_and_bounds_follow_once_it_is_back(
    stagegate: Stagegate, administrator: Administrator, tenant: Tenant
) -> None:
    """Knative's own write of the Route removes the hold with everything else that is not of the Service."""
    deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 50, NEW: 50})

    taken_out(stagegate, administrator)
    tenant.patch("services", "hello", {"metadata": {"labels": {"touched": "true"}}})

    under_way(tenant, {NEW: 100})
    tenant.settle(4)
    state = tenant.record().end
    assert state.is_ready("hello")
    assert state.ready(NEW) == 2
    assert traces(state) == [OLD, NEW]

    stagegate.install()
    stagegate.start()

    complete(tenant)


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
        # The webhook reads it from its cache, and nobody says when that has it.
        new.settle(2)
        new.apply(hello("2"))

        assert complete(new).peak(began[new]) == 8
        assert complete(under).path("hello", began[under]) == STAGES
    finally:
        admin.delete(f"{SETTINGS}/{name}")


def test_both_ways_of_keeping_a_route_end_alike(new_tenant: Callable[..., Tenant]) -> None:
    """A rollout given back at once and one carried to its end leave the same objects."""
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
