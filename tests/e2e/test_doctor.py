"""``stagegate doctor`` on a real API server: an installation that is well, and what goes wrong with one."""

import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.controlplane import Binaries, ControlPlane
from tests.controlplane.session import Session
from tests.documents import section
from tests.e2e.breakages import (
    CRDS,
    DEPLOYMENTS,
    LEASES,
    MISLABELLED,
    MUTATING,
    ROWS,
    UPSTREAM,
    Body,
    Broken,
    added,
    changed,
    lease,
    on_warn,
)
from tests.e2e.certified import PODS, Certified, free_port, run_pod
from tests.e2e.cluster import SPAS, Namespace, create_namespace, eventually
from tests.kustomize import rendered
from webhook.cli import main

UPSTREAM_ACCOUNT = "system:serviceaccount:knative-serving:controller"
LOOP_ADDRESS = "127.0.0.6"


class Clinic:
    """An installation with two webhooks, two loops of which one leads, and everything that the doctor asks for."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.cluster = Certified(plane, folder)
        for name in ("idle", "knative-serving"):
            create_namespace(plane.admin, name, {})
        for body in rendered():
            if body["kind"] == "Deployment":
                assert plane.admin.create(DEPLOYMENTS, body).status == HTTPStatus.CREATED
        pages = free_port(LOOP_ADDRESS)
        for name in ("loop-1", "loop-2"):
            run_pod(plane, name, LOOP_ADDRESS, "stagegate-loop", http=pages)
        self.loop = self.cluster.start_loop("--pages-host", LOOP_ADDRESS, "--pages-port", str(pages))
        self.cluster.await_rest()

    def doctor(self, *words: str, kubeconfig: Path | None = None) -> int:
        return main(["doctor", "--kubeconfig", str(kubeconfig or self.plane.kubeconfig), "-n", "default", *words])


@pytest.fixture(scope="module")
def clinic(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with ControlPlane.start(binaries=binaries) as plane:
        clinic = Clinic(plane, tmp_path_factory.mktemp("doctor"))
        try:
            yield clinic
        finally:
            clinic.cluster.close()


@pytest.fixture
def found(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, str]]:
    """Examine; the state of each check."""

    def states(*words: str, code: int = 0, kubeconfig: Path | None = None) -> dict[str, str]:
        capsys.readouterr()
        exit_code = clinic.doctor("-o", "json", *words, kubeconfig=kubeconfig)
        output = capsys.readouterr()
        assert output.err == ""
        report = json.loads(output.out)
        assert exit_code == code, [each for each in report["checks"] if each["state"] != "ok"]
        return {each["id"]: each["state"] for each in report["checks"]}

    return states


def test_all_is_well(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    assert clinic.doctor() == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "29 of 29 checks are well"
    assert "√ pods-reachable: 4 of 4 pods answer\n" in out
    assert "√ certificates: clients can verify every server that was seen\n" in out


def test_it_writes_nothing(clinic: Clinic) -> None:
    def written() -> list[str]:
        return [
            event["requestURI"]
            for event in clinic.plane.audit_events()
            if "(doctor)" in event.get("userAgent", "")
            and event["verb"] not in ("get", "list")
            and "selfsubjectaccessreviews" not in event["requestURI"]
            and "dryRun=All" not in event["requestURI"]
        ]

    before = clinic.plane.admin.get(Namespace("default").path(SPAS)).body["items"]
    assert clinic.doctor() == 0
    assert clinic.plane.admin.get(Namespace("default").path(SPAS)).body["items"] == before
    assert written() == []


@pytest.mark.parametrize(("broken", "code", "states"), ROWS)
def test_what_goes_wrong_is_found_and_nothing_else(
    clinic: Clinic,
    found: Callable[..., dict[str, str]],
    broken: Callable[[Session], Broken],
    code: int,
    states: dict[str, str],
) -> None:
    with broken(clinic.plane.admin):
        # API servers take up registrations and policies a moment after they were written.
        eventually(lambda: red(clinic, states), 30)
        assert {check: state for check, state in found(code=code).items() if state != "ok"} == states
    eventually(lambda: clinic.doctor("-o", "json") == 0, 30)


def red(clinic: Clinic, states: dict[str, str]) -> bool:
    report = io.StringIO()
    with redirect_stdout(report):
        clinic.doctor("-o", "json")
    return states.items() <= {each["id"]: each["state"] for each in json.loads(report.getvalue())["checks"]}.items()


def test_a_stored_object_that_breaks_a_rule_is_found(clinic: Clinic, found: Callable[..., dict[str, str]]) -> None:
    path = Namespace("idle").path(SPAS)
    account = clinic.plane.session(UPSTREAM_ACCOUNT, ["system:masters"])
    with account as controller, added(controller, path, MISLABELLED):
        states = found(code=1)
    assert {check for check, state in states.items() if state != "ok"} == {"stored-objects"}


def test_the_readme_shows_what_is_printed(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    admin = clinic.plane.admin
    assert UPSTREAM in section("The tools").text
    create_namespace(admin, "team-a", {})
    driver = added(admin, f"{LEASES}/knative-serving/leases", lease(UPSTREAM))
    with driver, changed(admin, "/api/v1/namespaces/team-a", on_warn):
        capsys.readouterr()
        assert clinic.doctor("-o", "short") == 1
    shown = section("The tools").printed("stagegate doctor -o short\n")
    assert capsys.readouterr().out.splitlines() == [line for line in shown if line]


def test_certificates_that_end_soon_are_found(found: Callable[..., dict[str, str]]) -> None:
    assert found("--expiring", "3650d")["certificates-expiry"] == "warning"


def test_a_pod_that_does_not_answer_is_found(clinic: Clinic, found: Callable[..., dict[str, str]]) -> None:
    run_pod(clinic.plane, "dead", "127.0.0.8", "stagegate-webhook", https=1, http=1)
    try:
        assert found(code=1)["pods-reachable"] == "failed"
    finally:
        clinic.plane.admin.delete(f"{PODS}/dead?gracePeriodSeconds=0")


def test_a_stranger_is_told_what_cannot_be_known(clinic: Clinic, found: Callable[..., dict[str, str]]) -> None:
    states = found(kubeconfig=clinic.plane.kubeconfig_for("system:serviceaccount:idle:stranger"))
    assert set(states.values()) == {"ok", "unknown", "warning"}
    assert {check for check, state in states.items() if state == "warning"} == {"rights-see", "rights-steer"}
    assert {states[check] for check in ("crds", "registration", "stored-objects", "refuses")} == {"unknown"}


def test_a_pod_of_another_version_is_found(clinic: Clinic, found: Callable[..., dict[str, str]]) -> None:
    with other_version() as port:
        run_pod(clinic.plane, "old", "127.0.0.1", "stagegate-loop", http=port)
        try:
            states = found()
        finally:
            clinic.plane.admin.delete(f"{PODS}/old?gracePeriodSeconds=0")
    assert {check: state for check, state in states.items() if state != "ok"} == {"versions": "warning"}


@contextmanager
def other_version() -> Iterator[int]:
    """The port of a process that says that it is another version."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"version": "0.0.9"}')

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_pod_that_is_not_ready_is_found(clinic: Clinic, found: Callable[..., dict[str, str]]) -> None:
    path = f"{PODS}/loop-2/status"
    conditions = clinic.plane.admin.get(path).body["status"]["conditions"]
    clinic.plane.admin.patch(path, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    try:
        assert found()["loop-pods"] == "warning"
    finally:
        clinic.plane.admin.patch(path, {"status": {"conditions": conditions}})


@pytest.fixture(scope="module")
def ended(clinic: Clinic) -> Clinic:
    """Nobody leads any more, and so nobody mends what is broken."""
    clinic.loop.stop()
    return clinic


def test_a_loop_that_ended_is_found(ended: Clinic, found: Callable[..., dict[str, str]]) -> None:
    assert failed(found(code=1)) == {"loop-leader", "pods-reachable"}


def failed(states: dict[str, str]) -> set[str]:
    return {check for check, state in states.items() if state == "failed"}


def test_a_lease_that_nobody_renews_is_found(ended: Clinic, found: Callable[..., dict[str, str]]) -> None:
    path = f"{LEASES}/stagegate-system/leases/stagegate-loop"
    ended.plane.admin.patch(path, {"spec": {"holderIdentity": "dead", "renewTime": "2020-01-01T00:00:00.000000Z"}})
    assert failed(found(code=1)) == {"loop-lease", "pods-reachable"}


def test_a_key_of_another_certificate_is_found(ended: Clinic, found: Callable[..., dict[str, str]]) -> None:
    stored = ended.cluster.stored()
    ended.cluster.store(tls_key=stored.ca_key)
    try:
        assert "certificates" in failed(found(code=1))
    finally:
        ended.cluster.store(tls_key=stored.key)


def test_a_missing_bundle_is_found(ended: Clinic, found: Callable[..., dict[str, str]]) -> None:
    def untrusting(configuration: Body) -> None:
        del configuration["webhooks"][0]["clientConfig"]["caBundle"]

    with changed(ended.plane.admin, MUTATING, untrusting):
        eventually(lambda: red(ended, {"fills-once": "failed"}), 30)
        assert failed(found(code=1)) >= {"ca-bundle", "certificates", "fills-once"}


def test_a_missing_definition_is_found(ended: Clinic, found: Callable[..., dict[str, str]]) -> None:
    """The last one: nothing of this kind is left."""
    assert ended.plane.admin.delete(f"{CRDS}/{SPAS}.serving.knative.dev").status == HTTPStatus.OK
    eventually(lambda: red(ended, {"crds": "failed"}), 30)
    assert found(code=1)["stored-objects"] == "unknown"
