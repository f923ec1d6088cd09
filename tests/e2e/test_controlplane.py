"""The control plane itself: what comes up, and that nothing stays behind, however the test run ends."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.controlplane import Binaries, ControlPlane
from tests.e2e.cluster import SPAS, create_namespace, eventually, rollout, spa

ROOT = Path(__file__).parents[2]


def programs_under(directory: Path) -> list[str]:
    """Command lines of running processes that work in the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(directory):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_everything_is_gone_after_stop(binaries: Binaries) -> None:
    plane = ControlPlane.start(binaries=binaries, manifests=False, knative=False)
    running = programs_under(plane.directory)
    plane.stop()
    plane.stop()

    assert len(running) == 2
    assert programs_under(plane.directory) == []
    assert not plane.directory.exists()


@contextmanager
def command() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The command ``run``, and the folder of what it runs."""
    run = [sys.executable, "-m", "tests.controlplane", "run"]
    process = subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("KUBECONFIG="), line
        directory = Path(line.removeprefix("KUBECONFIG=")).parent
        yield process, directory
        # One that was killed cannot remove its folder itself.
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.usefixtures("binaries")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing(signal_: signal.Signals) -> None:
    with command() as (process, directory):
        assert programs_under(directory)
        process.send_signal(signal_)

        assert process.wait(120) == 0
        assert programs_under(directory) == []
        assert not directory.exists()


@pytest.mark.usefixtures("binaries")
@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_a_test_run_that_is_killed_takes_its_programs_along() -> None:
    with command() as (process, directory):
        assert len(programs_under(directory)) == 2
        process.kill()
        process.wait()

        eventually(lambda: programs_under(directory) == [])


def test_rights_are_checked(plane: ControlPlane) -> None:
    account = "system:serviceaccount:default:somebody"
    with plane.session(account) as session:
        answer = session.get("/api/v1/namespaces/default/pods")

    assert answer.status == HTTPStatus.FORBIDDEN
    assert account in answer.message


def test_a_kubeconfig_identifies_the_user_to_kubectl(plane: ControlPlane) -> None:
    who = "system:serviceaccount:stagegate-system:stagegate-loop"
    path = plane.kubeconfig_for(who)
    command = [str(plane.binaries.kubectl), f"--kubeconfig={path}", "auth", "whoami", "-o=jsonpath={.status.userInfo}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    assert f'"username":"{who}"' in printed
    assert '"system:serviceaccounts:stagegate-system"' in printed
    assert path.stat().st_mode & 0o077 == 0


def test_every_request_is_in_the_audit_log(plane: ControlPlane) -> None:
    plane.admin.get("/api/v1/namespaces/default/pods/none-of-this-name")

    def logged() -> bool:
        return any(event["requestURI"].endswith("none-of-this-name") for event in plane.audit_events())

    eventually(logged)


def test_with_a_controller_manager_what_is_owned_goes_with_its_owner(
    binaries_with_controller_manager: Binaries,
) -> None:
    binaries = binaries_with_controller_manager
    with ControlPlane.start(binaries=binaries, controller_manager=True, knative=False) as plane:
        namespace = create_namespace(plane.admin, "short-lived", {})
        owner = plane.admin.create(namespace.path("rolloutorchestrators"), rollout("hello")).body["metadata"]
        reference = {"apiVersion": "serving.knative.dev/v1", "kind": "RolloutOrchestrator", "name": "hello"}
        owned = spa("hello-00001", ownerReferences=[{**reference, "uid": owner["uid"]}])
        plane.admin.create(namespace.path(SPAS), owned)
        plane.admin.create(namespace.path(SPAS), spa("hello-00002"))

        plane.admin.delete(namespace.path("rolloutorchestrators", "hello"))
        path = namespace.path(SPAS, "hello-00001")
        eventually(lambda: plane.admin.get(path).status == HTTPStatus.NOT_FOUND, within=60)
        assert plane.admin.get(namespace.path(SPAS, "hello-00002")).status == HTTPStatus.OK

        plane.admin.delete("/api/v1/namespaces/short-lived")
        eventually(lambda: plane.admin.get("/api/v1/namespaces/short-lived").status == HTTPStatus.NOT_FOUND, within=60)
    assert not plane.directory.exists()
