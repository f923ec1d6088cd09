"""``stagegate get`` and ``explain`` as a person runs them, beside the real loop."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.terminals import on_terminal
from tests.integration.service import Service
from tests.integration.user import Printed, User
from tests.server.live import ROOT

Run = Callable[..., Printed]


@pytest.fixture(scope="session")
def stagegate(person: User) -> Run:
    """Run a command as the person, off a terminal."""

    def run(*words: str) -> Printed:
        command = [sys.executable, "-m", "webhook", *words, "--kubeconfig", str(person.kubeconfig)]
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    return run


def shown(person: User, words: Sequence[str], columns: int) -> tuple[int, list[str]]:
    """Exit code and lines on a terminal of that width, without colors; every line fits into it."""
    command = ["-m", "webhook", *words, "--kubeconfig", str(person.kubeconfig)]
    code, text = on_terminal(command, columns=columns, environment={"NO_COLOR": "1"})
    lines = [line.rstrip() for line in text.splitlines()]
    assert all(len(line) <= columns for line in lines), text
    return code, lines


@pytest.mark.parametrize("columns", [80, 200])
def test_a_rollout_that_stands_still(
    columns: int, new_service: Callable[..., Service], stagegate: Run, person: User
) -> None:
    service = new_service(demand=4)
    name, old, new, namespace = service.name, service.revision(1), service.revision(2), service.place.namespace
    with service.observed() as observer:
        service.fail(2)
        service.start("availability", ratio=25)
        service.carry(observer, "the new revision wants replicas, and runs none", service.waits)

        code, lines = shown(person, ["get", name, "-n", namespace], columns)
        assert code == 0
        assert lines[0].startswith(f"{namespace}/{name}  Stuck  stage 1/4  availability  ")
        assert f"├── {old}  down        75%  ####  4 run, 3 wanted" in lines
        assert any(line.startswith(f"├── {new}  up          25%  .") for line in lines)
        assert f"then  {old} 50% of traffic, to run 2 replicas" in "\n".join(lines)

        code, lines = shown(person, ["get", "-n", namespace], columns)
        assert code == 0
        row = next(line for line in lines if line.startswith(f"{name} "))
        assert row.split()[1:7] == ["Stuck", "1/4", "25%", "4", "of", "4"]
        says = re.sub(r"\s+", " ", " ".join(lines))
        assert f"Knative says that PodAutoscaler {new} is not Ready" in says or columns == 200

        code, lines = shown(person, ["explain", name, "-n", namespace], columns)
        assert code == 1
        assert lines[2] == "newcomer-not-ready stops it"
        assert any(re.search(rf"PodAutoscaler {new}  wants \d, runs 0 \(ImagePullBackOff", line) for line in lines)
        assert any(re.search(rf"Pod {new}-0", line) for line in lines)

        document = json.loads(stagegate("get", "-n", namespace, "-o", "json").out)
        (row_of_it,) = [one for one in document["items"] if one["name"] == name]
        assert (row_of_it["state"], row_of_it["cause"]["id"]) == ("Stuck", "newcomer-not-ready")

        late = stagegate("get", name, "-n", namespace, "--until", "complete", "--timeout", "1s")
        assert late.code == 4
        assert f"time ran out after 1 s: {namespace}/{name} is Stuck" in late.err


def test_a_rollout_is_watched_to_its_end(new_service: Callable[..., Service], stagegate: Run, person: User) -> None:
    service = new_service(demand=4)
    name, new, namespace = service.name, service.revision(2), service.place.namespace
    with service.observed() as observer:
        service.fail(2)
        service.start("availability", ratio=25)
        service.carry(observer, "the new revision is there", service.waits)

        words = ["get", name, "-n", namespace, "--until", "complete", "--kubeconfig", str(person.kubeconfig)]
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "webhook", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as watch:
            assert watch.stdout is not None
            first = watch.stdout.readline()
            service.fail(2, fails=False)
            rest, _ = watch.communicate(timeout=120)
        assert watch.returncode == 0
        lines = [first, *rest.splitlines()]
        assert all(re.match(rf" *\d+\.\ds  {namespace}/{name}  ", line) for line in lines)
        assert lines[-1].split()[2] == "Complete"
        seconds = [float(line.split("s ")[0]) for line in lines]
        assert seconds == sorted(seconds)
        stages = [int(found[1]) for line in lines if (found := re.search(r"stage (\d)/4", line))]
        assert stages == sorted(stages)
        assert stages[0] == 1

        code, text = on_terminal(
            ["-m", "webhook", "get", name, "-n", namespace, "-w", "--kubeconfig", str(person.kubeconfig)]
        )
        assert code == 0
        assert f"{new}" in text
        assert stagegate("explain", name, "-n", namespace).code == 0


def test_a_rollout_that_somebody_paused(new_service: Callable[..., Service], stagegate: Run, person: User) -> None:
    service = new_service(demand=4)
    name, namespace = service.name, service.place.namespace
    with service.observed() as observer:
        service.fail(2)
        service.start("availability", ratio=25)
        service.carry(observer, "the first stage is under way", service.waits)
        pause = {"metadata": {"annotations": {"stagegate.dev/pause": "errors in the log"}}}
        assert person.patch(service.path, pause).done

        assert stagegate("get", name, "-n", namespace, "--until", "paused", "--timeout", "60s").code == 0
        found = stagegate("explain", name, "-n", namespace)
        assert found.code == 5
        assert re.search(r"^paused pauses it\n  paused .*: errors in the log$", found.out, re.M)
        assert stagegate("get", name, "-n", namespace, "--until", "complete").code == 5
        listed = stagegate("get", "-n", namespace, "-o", "name").out.splitlines()
        assert f"rolloutorchestrator.serving.knative.dev/{name}" in listed


def test_a_namespace_without_rollouts_and_a_name_that_is_not_there(stagegate: Run) -> None:
    empty = stagegate("get", "-n", "default")
    assert (empty.code, empty.out, empty.err) == (0, "", "No rollouts in namespace default.\n")
    missing = stagegate("get", "nobody", "-n", "default")
    assert (missing.code, missing.err.partition(";")[0]) == (3, "stagegate get: there is no rollout default/nobody")
    assert stagegate("explain", "nobody", "-n", "default").code == 3
    assert stagegate("get", "nobody", "-n", "default", "-w").code == 3


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_runs_it_as_a_plugin(person: User) -> None:
    """With the kubeconfig and the exit code of kubectl, which finds the program in the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def plugin(*words: str) -> Printed:
        done = subprocess.run(
            ["kubectl", "stagegate", *words],
            env={**os.environ, "PATH": path, "KUBECONFIG": str(person.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    empty = plugin("get", "-n", "default")
    assert (empty.code, empty.out, empty.err) == (0, "", "No rollouts in namespace default.\n")
    missing = plugin("get", "nobody", "-n", "default")
    assert missing.code == 3
    assert missing.err.startswith("kubectl stagegate get: there is no rollout default/nobody; ")
