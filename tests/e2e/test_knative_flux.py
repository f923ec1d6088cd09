"""A Knative Service in Git, applied by Flux on the rig: its edit rolls out by stages, and Flux waits for the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.gitops.documented import kustomization
from tests.e2e.gitops.flux import Flux, files
from tests.e2e.progressive import NEW, NEWER, OLD, STAGES, complete, faults, hello, under_way
from tests.e2e.tenant import Tenant, Wire
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import condition_of

EXPRESSIONS = kustomization("rollouts")["healthCheckExprs"]


@pytest.fixture(scope="module")
def flux(
    running_stagegate: Stagegate,
    program: Callable[[str], Path],
    definitions: Callable[[str], list[Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flux]:
    folder, controller = tmp_path_factory.mktemp("flux"), program("kustomize-controller")
    kinds = [*definitions("kustomize-controller"), *definitions("source-controller")]
    option = "--feature-gates=CancelHealthCheckOnNewRevision=true"
    with ExitStack() as ends:
        with running_stagegate.rig.inside():
            flux = ends.enter_context(Flux(running_stagegate.plane, folder, controller, kinds, option))
        yield flux


@pytest.fixture
def name(flux: Flux, tenant: Tenant) -> Iterator[str]:
    """The Kustomization that waits for the Service of the tenant, whose first revision it has applied."""
    flux.sync(tenant.name, wait=True, timeout="10m", healthCheckExprs=EXPRESSIONS)
    flux.commit(tenant.name, files(kept(tenant, "1")))
    flux.await_ready(tenant.name)
    yield tenant.name
    flux.remove(tenant.name)


def test_an_edit_in_git_is_ready_when_its_rollout_is_over(flux: Flux, tenant: Tenant, name: str) -> None:
    since = tenant.version()

    flux.commit(name, files(kept(tenant, "2")))
    under_way(tenant, {OLD: 75, NEW: 25})
    assert flux.awaits_health(name)
    flux.await_ready(name)

    assert tenant.record().end.shares("hello") == {NEW: 100}
    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []
    states = [condition_of(state.all("services")["hello"], "Ready") for state in record.since(since)]
    # What the expression takes for a failure.
    assert "False" not in states


def test_a_service_whose_new_revision_crashes_has_failed_and_its_fix_is_green(
    flux: Flux, tenant: Tenant, name: str
) -> None:
    flux.commit(name, files(kept(tenant, "2")))
    under_way(tenant, {OLD: 50, NEW: 50})
    tenant.rig.kubelet.crash(tenant.name, NEW)

    message = flux.await_failure(name, "health check failed")
    flux.commit(name, files(kept(tenant, "3")))
    flux.await_ready(name)

    assert f"Service/{name}/hello status: 'Failed'" in message
    assert tenant.record().end.shares("hello") == {NEWER: 100}


def test_a_revert_in_git_turns_the_rollout_round(flux: Flux, tenant: Tenant, name: str) -> None:
    since = tenant.version()
    flux.commit(name, files(kept(tenant, "2")))
    under_way(tenant, {OLD: 50, NEW: 50})

    flux.commit(name, files(kept(tenant, "1")))
    flux.await_ready(name)

    assert tenant.record().end.shares("hello") == {NEWER: 100}
    assert faults(tenant.record(), since) == []


def kept(tenant: Tenant, version: str) -> Wire:
    """The Service as Git has it."""
    body = hello(version)
    return {**body, "metadata": {**body["metadata"], "namespace": tenant.name}}
