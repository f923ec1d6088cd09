"""kn, Knative's command line, on the rig: what it does starts a rollout, and it waits for the end."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.tenant import Tenant
from tests.rig.stagegate import Stagegate

OLD, NEW = "hello-00001", "hello-00002"


@pytest.fixture
def tenant(new_tenant: Callable[..., Tenant], stagegate: Stagegate) -> Tenant:
    return new_tenant({"stagegate.dev/progressive": "true"})


@pytest.fixture
def kn(tenant: Tenant, program: Callable[[str], Path], tmp_path: Path) -> Callable[..., str]:
    """Run kn in the namespace of the tenant; what it printed."""

    def run(*arguments: str) -> str:
        kubeconfig = f"--kubeconfig={tenant.rig.plane.kubeconfig}"
        done = subprocess.run(
            [program("kn"), *arguments, kubeconfig, f"--namespace={tenant.name}"],
            env={"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_update_with_wait_returns_when_the_rollout_is_over(tenant: Tenant, kn: Callable[..., str]) -> None:
    kn("service", "create", "hello", "--image=dev.local/hello", "--scale-min=4", "--wait-timeout=120")
    before = tenant.version()

    printed = kn("service", "update", "hello", "--env=VERSION=2", "--wait", "--wait-timeout=240")

    assert "Ready to serve" in printed
    record = tenant.record()
    assert record.end.shares("hello") == {NEW: 100}
    assert record.end.is_ready("hello")
    assert record.end.ready(NEW) == 4
    assert record.peak(before) == 5
    assert len(record.path("hello", before)) >= 4


def test_update_with_traffic_acts_at_once(tenant: Tenant, kn: Callable[..., str]) -> None:
    """Explicit traffic is an order: nothing is held against it."""
    kn("service", "create", "hello", "--image=dev.local/hello", "--scale-min=4", "--wait-timeout=120")
    kn("service", "update", "hello", "--env=VERSION=2", "--no-wait")
    tenant.eventually(lambda state: NEW in state.shares("hello"))

    kn("service", "update", "hello", f"--traffic={OLD}=100", "--wait", "--wait-timeout=120")

    assert tenant.record().end.shares("hello") == {OLD: 100}
    tenant.eventually(lambda state: state.ready(OLD) == 4)
    assert "stagegate.dev/hold" not in tenant.get("routes", "hello")["metadata"].get("annotations", {})
