"""``stagegate doctor`` on the sandbox: what it prints, its exit codes, and that it writes nothing."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.demo import control_plane
from sandbox.demo.stack import Stack
from tests.cli.terminals import on_terminal
from tests.cli.test_exit_codes import DOWN
from tests.cluster.fake_clock import FakeClock
from webhook.cli import main
from webhook.cli.doctor import until_well
from webhook.cli.errors import TIMED_OUT, CommandError
from webhook.cli.output import Output
from webhook.cluster.errors import Call, Unreachable
from webhook.cluster.resource import (
    LEASES,
    NAMESPACES,
    PODS,
    STAGE_POD_AUTOSCALERS,
    VALIDATING_WEBHOOKS,
)
from webhook.diagnosis.doctor.examination import Examined
from webhook.diagnosis.doctor.result import FAILED, OK, Result


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation, with a Pod object that stands for its webhook."""
    folder = tmp_path_factory.mktemp("doctor")
    with control_plane.sandbox(folder) as plane, Stack(plane, folder) as stack:
        stack.install()
        stack.start_webhook()
        stack.start_loop()
        port = urlsplit(stack.pages_url).port
        labels = {"app.kubernetes.io/name": "stagegate-webhook", "app.kubernetes.io/part-of": "stagegate"}
        ports = [{"name": "http", "containerPort": port}]
        body: dict[str, Any] = {
            "metadata": {"name": "webhook-1", "labels": labels},
            "spec": {"containers": [{"name": "webhook", "image": "stagegate", "ports": ports}]},
        }
        stack.client.create(PODS, "stagegate-system", body)
        ready = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        stack.client.patch(PODS, "stagegate-system", "webhook-1", {"status": ready}, "status")
        assert doctor(stack, "--wait", "--timeout", "2m") == 0
        yield stack


def doctor(stack: Stack, *words: str) -> int:
    return main(["doctor", "--kubeconfig", str(stack.plane.kubeconfig), "-n", "default", *words])


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    report = json.loads(capsys.readouterr().out)
    assert (report["apiVersion"], report["kind"]) == ("stagegate.dev/v1alpha1", "DoctorReport")
    return {each["id"]: each["state"] for each in report["checks"]}


def test_what_is_well_stands_in_groups_and_the_last_line_counts(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(stack) == 0
    out = capsys.readouterr().out
    assert "Registration\n------------\n√ registration: mutate.stagegate.dev and validate.stagegate.dev" in out
    assert "√ loop-lease: renewed " in out
    assert "√ pods-reachable: 1 of 1 pods answer\n" in out
    assert "√ versions: the pods and this command have version 0.1.0\n" in out
    assert "√ refuses: a bad SPA is refused by mutate.stagegate.dev in a dry run in default\n" in out
    assert "√ fills-once: a good SPA is completed, and a second write of it changes nothing\n" in out
    assert "? policies: the policies cannot be read: this cluster does not serve validatingadmissionpolicies\n" in out
    assert out.splitlines()[-1] == "22 of 27 checks are well, 5 not known"


def test_short_leaves_out_what_is_well(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(stack, "-o", "short") == 0
    out = capsys.readouterr().out
    assert "√" not in out
    assert "---" not in out
    assert "? loop-pods: there are no loop pods in stagegate-system: the webhook runs outside of the cluster" in out


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_marks_in_colors_and_lines_that_fit(stack: Stack, columns: int) -> None:
    words = ["-m", "webhook", "doctor", "--kubeconfig", str(stack.plane.kubeconfig), "-n", "default"]
    code, shown = on_terminal(words, columns=columns)
    assert code == 0
    assert "\x1b[32m√\x1b[0m crds: both kinds are served as serving.knative.dev/v1\n" in shown
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= columns
    code, plain = on_terminal([*words, "--no-color"], columns=columns)
    assert code == 0
    assert "\x1b" not in plain


def test_it_writes_nothing(stack: Stack) -> None:
    assert doctor(stack) == 0
    assert stack.client.list(STAGE_POD_AUTOSCALERS)["items"] == []


def test_a_namespace_on_warn_is_a_warning_and_no_failure(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        stack.client.patch(NAMESPACES, None, "default", {"metadata": {"labels": {"stagegate.dev/enforce": "warn"}}})
        deadline = time.monotonic() + 60
        while True:
            assert doctor(stack, "-o", "json") == 0
            found = states(capsys)
            assert found["namespaces-on-warn"] == "warning"
            # The webhook learns of the label by a watch.
            if found["refuses"] == "warning" or time.monotonic() > deadline:
                break
        assert found["refuses"] == "warning"
    finally:
        stack.client.patch(NAMESPACES, None, "default", {"metadata": {"labels": {"stagegate.dev/enforce": None}}})


def test_an_installation_in_another_namespace_is_found_by_its_registration(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    before = stack.client.get(VALIDATING_WEBHOOKS, None, "validate.stagegate.dev")["webhooks"]
    service = {"namespace": "rollouts", "name": "stagegate-webhook", "path": "/validate"}
    moved = [{**one, "clientConfig": {"service": service}} for one in before]
    try:
        stack.client.patch(VALIDATING_WEBHOOKS, None, "validate.stagegate.dev", {"webhooks": moved})
        doctor(stack)
        assert "there are no webhook pods in rollouts" in capsys.readouterr().out
        doctor(stack, "--stagegate-namespace", "stagegate-system")
        assert "webhook-pods: 1 of 1 webhook pods is ready" in capsys.readouterr().out
    finally:
        stack.client.patch(VALIDATING_WEBHOOKS, None, "validate.stagegate.dev", {"webhooks": before})


def test_a_webhook_that_is_not_registered_is_a_failure_with_the_way_out(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stack.client.get(VALIDATING_WEBHOOKS, None, "validate.stagegate.dev")
    stack.client.delete(VALIDATING_WEBHOOKS, None, "validate.stagegate.dev", uid=before["metadata"]["uid"])
    try:
        assert doctor(stack, "-o", "short") == 1
    finally:
        metadata = {"name": "validate.stagegate.dev", "labels": before["metadata"]["labels"]}
        stack.client.create(VALIDATING_WEBHOOKS, None, {"metadata": metadata, "webhooks": before["webhooks"]})
    out = capsys.readouterr().out
    assert "✗ registration: not registered: validate.stagegate.dev; writes are not judged\n    install this " in out
    assert ", 1 failed, " in out.splitlines()[-1]


def test_without_a_leader_it_fails_and_with_wait_it_waits_for_one(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.stop_loop()
    assert doctor(stack, "-o", "json") == 1
    assert {check for check, state in states(capsys).items() if state == "failed"} == {"loop-leader"}
    assert doctor(stack, "--wait", "--timeout", "1ms", "-o", "json") == 4
    assert states(capsys)["loop-leader"] == "failed"
    later = threading.Timer(1.0, stack.start_loop)
    later.start()
    try:
        assert doctor(stack, "--wait", "--timeout", "2m", "-o", "short") == 0
    finally:
        later.join()
    output = capsys.readouterr()
    assert output.err == "waiting: loop-leader\n"
    assert "✗" not in output.out
    assert stack.client.get(LEASES, "stagegate-system", "stagegate-loop")["spec"]["holderIdentity"]


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "down").write_text(json.dumps(DOWN))
    assert main(["doctor", "--kubeconfig", str(tmp_path / "down")]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("stagegate doctor: get /version: no connection to https://127.0.0.1:1: ")
    assert output.err.count("\n") == 1


class Patient:
    """Examinations one after the other, an exception being raised; time passes only while it sleeps."""

    def __init__(self, *outcomes: Result | Exception) -> None:
        self.outcomes = list(outcomes)
        self.clock = FakeClock()

    def examined(self) -> tuple[Examined, ...]:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return (Examined("group", (outcome,)),)

    def until_well(self, timeout: float) -> Result:
        groups = until_well(self.examined, timeout, Output(), monotonic=self.clock.monotonic, sleep=self.clock.advance)
        return groups[0].results[0]


BAD, WORSE, GOOD = Result("a", FAILED, "no"), Result("b", FAILED, "no"), Result("a", OK, "yes")
AWAY = Unreachable(Call("get", "/version"), "no connection")


def test_waiting_says_once_what_fails_and_ends_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert Patient(AWAY, AWAY, BAD, BAD, WORSE, GOOD).until_well(60) == GOOD
    assert capsys.readouterr().err.splitlines() == [
        "waiting: get /version: no connection",
        "waiting: a",
        "waiting: b",
    ]


def test_waiting_ends_with_the_time() -> None:
    patient = Patient(BAD)
    before = patient.clock.monotonic()
    assert patient.until_well(7) == BAD
    assert patient.clock.monotonic() - before == 7


def test_waiting_ends_with_the_error_of_a_cluster_that_never_answered() -> None:
    with pytest.raises(CommandError, match=r"^time ran out after 7 s: get /version: no connection$") as ended:
        Patient(AWAY).until_well(7)
    assert ended.value.exit_code == TIMED_OUT
