"""A running server with a bug that shows the object in its message: what its callers, its log and its metrics get."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.admission.reviews import UID, complete_spa, entry, ro
from tests.server.live import Live, running
from tests.server.reviews import BAD, GOOD, review
from webhook.admission.settings import OnError

CANARY: Final = "s3cr3t-canary"

BUG: Final = '''
"""A rule of each kind that raises for the objects of one Service, with the object in the message and in its cause."""

import sys


def fail_for(usual):
    def a_rule_with_a_bug(*arguments):
        frame = sys._getframe(1)
        while "obj" not in frame.f_locals:
            frame = frame.f_back
        one = frame.f_locals["obj"]
        if "buggy" not in one["metadata"].get("annotations", {}):
            return usual(*arguments)
        try:
            raise ValueError(f"cannot read {one['metadata']['annotations']['token']}, at once")
        except ValueError as problem:
            raise LookupError(one) from problem

    return a_rule_with_a_bug


from webhook.admission import judgement
from webhook.admission.rules import target_revision

judgement.bounds_of = fail_for(judgement.bounds_of)
target_revision._check_total = fail_for(target_revision._check_total)
'''
"""Python imports it at the start of a process that has its folder in PYTHONPATH."""

SECRETS: Final = {
    "labels": {"serving.knative.dev/service": "hello", "token": f"{CANARY}-label"},
    "annotations": {"buggy": "yes", "token": f"{CANARY}-annotation", "password": f'"{CANARY}\n\u00fc'},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {f"f:{CANARY}-managed": {}}}}],
}
ENVIRONMENT: Final = [{"name": "TOKEN", "value": f"{CANARY}-environment"}]
ROLLOUT: Final = ro(
    {"targetRevisions": [entry("hello-00002", 100)], "template": {"env": ENVIRONMENT}},
    **{**SECRETS, "name": "hello", "namespace": "default"},
)
SPA: Final = complete_spa(1, 3, **SECRETS)
SPA["spec"]["env"] = ENVIRONMENT
OBJECTS: Final = {
    "RolloutOrchestrator": (ROLLOUT, "hello", "RO001"),
    "StagePodAutoscaler": (SPA, "hello-00002", "none"),
}
"""By kind: the object, its name, and a rule that the log names."""


@pytest.fixture(scope="module", params=["refuse", "allow"])
def failing(request: pytest.FixtureRequest, certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("bug")
    (folder / "sitecustomize.py").write_text(BUG)
    with running(certificates, folder, "--on-error", request.param, environment={"PYTHONPATH": str(folder)}) as server:
        yield server, request.param


def call(server: Live, path: str, kind: str) -> dict[str, Any]:
    """What an API server gets for a new object on which the webhook fails."""
    one, name, _ = OBJECTS[kind]
    reply = server.post(path, review(one, uid=UID, name=name))
    assert reply.status == 200
    response: dict[str, Any] = json.loads(reply.body)["response"]
    return response


def failed(path: str, kind: str) -> str:
    return f'stagegate_admission_reviews_total{{kind="{kind}",operation="CREATE",path="{path}",verdict="failed"}}'


ROWS: Final = [(path, kind) for path in ("/mutate", "/validate") for kind in OBJECTS]


@pytest.mark.parametrize(("path", "kind"), ROWS)
def test_the_answer_has_the_uid_and_names_the_object(failing: tuple[Live, OnError], path: str, kind: str) -> None:
    server, on_error = failing
    response = call(server, path, kind)
    is_allowed = path == "/mutate" or on_error == "allow"
    assert (response["uid"], response["allowed"], "patch" in response) == (UID, is_allowed, False)
    (words,) = response["warnings"] if is_allowed else [response["status"]["message"]]
    assert words.startswith(f'{kind} "default/{OBJECTS[kind][1]}"')
    assert "report it with the line of the webhook's log that has uid" in words
    assert UID in words
    assert CANARY not in json.dumps(response)


@pytest.mark.parametrize(("path", "kind"), ROWS)
def test_one_line_has_the_whole_traceback_and_names(failing: tuple[Live, OnError], path: str, kind: str) -> None:
    server, on_error = failing
    _, name, rule = OBJECTS[kind]
    before = len(server.log_lines())
    call(server, path, kind)
    (line,) = server.log_lines()[before:]
    assert line["level"] == "error"
    assert {
        "path": path,
        "operation": "CREATE",
        "kind": kind,
        "namespace": "default",
        "name": name,
        "uid": UID,
        "allowed": path == "/mutate" or on_error == "allow",
    }.items() <= line.items()
    assert rule in line["rule"].split(",")
    assert line["error"].startswith("LookupError")
    frames = line["traceback"]
    assert frames.count("Traceback (most recent call last)") == 2, "its cause is there too"
    for function in ("in review", "in judge", "in _judge", "in a_rule_with_a_bug", "ValueError", "LookupError"):
        assert function in frames


@pytest.mark.parametrize(("path", "kind"), ROWS)
def test_each_failure_counts_once(failing: tuple[Live, OnError], path: str, kind: str) -> None:
    server, _ = failing
    names = failed(path, kind), 'stagegate_faults_total{loop="admission"}'
    before = [server.metric(name) for name in names]
    call(server, path, kind)
    assert [server.metric(name) for name in names] == [count + 1 for count in before]


def test_later_reviews_are_judged(failing: tuple[Live, OnError]) -> None:
    server, _ = failing
    connection = server.connect()
    for path, kind in ROWS:
        one, name, _ = OBJECTS[kind]
        for body, allowed in ((review(one, name=name), None), (GOOD, True), (BAD, False)):
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = json.loads(connection.getresponse().read())["response"]
            assert allowed is None or response["allowed"] is allowed
    connection.close()
    assert server.get("/healthz").status == 200


def test_nothing_of_the_object_is_printed(certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BUG)
    for form in ("json", "text"):
        with running(
            certificates,
            tmp_path,
            *("--log-format", form, "--log-level", "debug"),
            environment={"PYTHONPATH": str(tmp_path)},
        ) as server:
            for path, kind in ROWS:
                call(server, path, kind)
            pages = server.get("/metrics").body.decode() + server.get("/healthz").body.decode()
            server.terminate()
            server.process.wait(60)
            assert server.process.stdout is not None
            printed = server.log.read_text() + server.process.stdout.read().decode() + pages
        assert printed.count("LookupError: [its message is left out") >= len(ROWS)
        assert [word for word in CANARY.split("-") if word in printed] == []
