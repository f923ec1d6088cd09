"""``stagegate pause``, ``resume``, ``retry`` and ``abort``: what they write, print and exit with."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi
from webhook.cli import main
from webhook.cli.cluster_options import ClusterOptions
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, Forbidden
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.cluster.transport import Request

PAUSE, PAUSE_BY = "stagegate.dev/pause", "stagegate.dev/pause-by"
ABORT, ABORT_REASON = "stagegate.dev/abort", "stagegate.dev/abort-reason"
RETRY = "stagegate.dev/retry"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """A cluster with two rollouts on their way, hello and other, and one that is complete, done."""
    found = FakeApi()
    found.serve(ROLLOUT_ORCHESTRATORS)
    for name, ready in (("hello", "Unknown"), ("other", "Unknown"), ("done", "True")):
        spec = {
            "initialRevisions": [{"revisionName": f"{name}-00001", "percent": 100}],
            "targetRevisions": [{"revisionName": f"{name}-00002", "percent": 100}],
        }
        stored = found.put(
            ROLLOUT_ORCHESTRATORS, {"metadata": {"name": name, "labels": {"team": name[:1]}}, "spec": spec}
        )
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        status["observedGeneration"] = stored["metadata"].get("generation") or 0  # type: ignore[assignment]
        found.put(ROLLOUT_ORCHESTRATORS, {**stored, "status": status})

    def client(self: ClusterOptions, field_manager: str, *, dry_run: bool = False, pool_size: int = 4) -> Client:
        return Client(found, field_manager=field_manager, dry_run=dry_run)

    monkeypatch.setattr(ClusterOptions, "client_as", client)
    monkeypatch.setattr(ClusterOptions, "namespace", "default")
    return found


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def annotations(api: FakeApi, name: str = "hello") -> dict[str, str]:
    found = api.get(ROLLOUT_ORCHESTRATORS, "default", name)
    assert found is not None
    return dict(found["metadata"].get("annotations") or {})


def put(api: FakeApi, given: dict[str, str], name: str = "hello") -> None:
    found = api.get(ROLLOUT_ORCHESTRATORS, "default", name)
    assert found is not None
    api.put(ROLLOUT_ORCHESTRATORS, {**found, "metadata": {**found["metadata"], "annotations": given}})


def test_a_pause_is_applied_under_a_field_manager_of_its_own(api: FakeApi, run: Run) -> None:
    assert run("pause", "hello", "--reason", "load test") == (0, "rolloutorchestrator/hello paused: load test\n", "")
    assert annotations(api) == {PAUSE: "load test"}
    (write,) = api.writes
    assert (write.verb, write.query["fieldManager"], write.query["force"]) == ("patch", "stagegate-steering", "true")


def test_what_is_repeated_changes_nothing_and_says_so(api: FakeApi, run: Run) -> None:
    run("pause", "hello", "--reason", "load test")
    put(api, {**annotations(api), PAUSE_BY: "alice"})
    api.writes.clear()
    again = run("pause", "hello", "--reason", "another")
    assert again == (0, "rolloutorchestrator/hello already paused by alice: load test; nothing changed\n", "")
    assert run("resume", "other")[1] == "rolloutorchestrator/other not paused; nothing changed\n"
    assert run("retry", "other")[1] == "rolloutorchestrator/other not failed: nothing to retry; nothing changed\n"
    assert api.writes == []


def test_what_is_asked_of_a_pause_that_is_there_already_is_not_dropped_without_a_word(api: FakeApi, run: Run) -> None:
    run("pause", "hello", "--reason", "x")
    _, out, _ = run("pause", "hello", "--reason", "x", "--for", "30m")
    assert out.splitlines()[1] == "  resume it first to change when it begins or ends"
    assert run("pause", "done", "--reason", "x")[1].splitlines()[1] == (
        "  the rollout is complete: this holds the next one"
    )


def test_a_resume_takes_away_also_what_others_set(api: FakeApi, run: Run) -> None:
    put(api, {PAUSE: "x", PAUSE_BY: "alice", "team": "a"})
    assert run("resume", "hello")[:2] == (0, "rolloutorchestrator/hello resumed\n")
    assert annotations(api) == {"team": "a"}


def test_an_abort_keeps_the_pause_that_this_manager_owns_for_the_loop_to_take_away(api: FakeApi, run: Run) -> None:
    run("pause", "hello", "--reason", "x")
    code, out, _ = run("abort", "hello", "--reason", "errors", "--yes")
    assert (code, annotations(api)[PAUSE], annotations(api)[ABORT]) == (0, "x", "hello-00002=100")
    assert out.splitlines() == [
        "rolloutorchestrator/hello aborted hello-00002=100, back to hello-00001 100%: errors",
        "  in Git set spec.targetRevisions of hello to hello-00001=100, or to another revision",
    ]


def test_an_abort_asks_where_it_can(api: FakeApi, run: Run) -> None:
    code, _, err = run("abort", "hello", "--reason", "errors")
    assert (code, "give --yes" in err) == (2, True)
    assert annotations(api) == {}


def test_a_dry_run_lets_the_server_check_and_says_so(api: FakeApi, run: Run) -> None:
    code, out, _ = run("abort", "hello", "--reason", "errors", "--dry-run")
    assert (code, out.splitlines()[0].endswith("(server dry run)")) == (0, True)
    assert [write.query.get("dryRun") for write in api.writes] == ["All"]


def test_what_is_complete_is_not_aborted(api: FakeApi, run: Run) -> None:
    code, out, err = run("abort", "done", "hello", "--reason", "errors", "--yes")
    assert (code, err) == (
        1,
        "stagegate abort: default/done: the rollout is complete; to go back, roll out the former revision\n",
    )
    assert ABORT in annotations(api)
    assert out.startswith("rolloutorchestrator/hello aborted")


@pytest.mark.parametrize(
    ("words", "paused"),
    [
        (["hello", "other"], {"hello", "other"}),
        (["-l", "team=o"], {"other"}),
        (["--all"], {"hello", "other", "done"}),
    ],
)
def test_which_rollouts_are_meant(api: FakeApi, run: Run, words: list[str], paused: set[str]) -> None:
    assert run("pause", *words, "--reason", "x")[0] == 0
    assert {name for name in ("hello", "other", "done") if PAUSE in annotations(api, name)} == paused


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["pause", "--reason", "x"], 2, "give one of these"),
        (["pause", "hello", "--all", "--reason", "x"], 2, "give one of these"),
        (["pause", "hello"], 2, "--reason"),
        (["pause", "hello", "--reason", "x", "--for", "soon"], 2, "--for"),
        (["pause", "hello", "--reason", "x", "--after-stage", "0"], 2, "--after-stage"),
        (["pause", "nobody", "--reason", "x"], 3, "stagegate pause: there is no rollout default/nobody"),
        (["retry"], 2, "give one of these: names of rollouts or -l with a selector"),
        (["abort", "--reason", "x", "--yes"], 2, "give one of these: names of rollouts or -l with a selector"),
        (["retry", "hello", "-A"], 2, "-A goes with -l, not with names"),
        (["retry", "hello", "--all"], 2, "no such option '--all'"),
        (["pause", "hello", "--reason", "a\x1b[31m"], 2, "must be one line without control characters; take them out"),
        (["abort", "hello", "--yes", "--reason", "a\nb"], 2, "must be one line without control characters"),
        (["abort", "hello", "--yes", "--reason", "a" * 1025], 2, "must have at most 1024 characters; shorten it"),
        (["pause", "hello", "--reason", " "], 2, "must not be empty"),
        (["pause", "-l", "team=nobody", "--reason", "x"], 3, "there is no rollout with these labels in default"),
        (["resume", "Hello_1"], 2, "NAME"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(run: Run, words: list[str], code: int, said: str) -> None:
    exit_code, out, err = run(*words)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert said in err


def test_an_abort_and_a_retry_may_be_meant_by_labels(api: FakeApi, run: Run) -> None:
    assert run("abort", "-l", "team=h", "--reason", "errors", "--yes")[0] == 0
    assert {name for name in ("hello", "other", "done") if ABORT in annotations(api, name)} == {"hello"}
    assert run("retry", "-l", "team=h")[0] == 0
    assert {name for name in ("hello", "other", "done") if RETRY in annotations(api, name)} == {"hello"}


def test_a_right_that_is_missing_is_said_for_each_and_the_others_go_on(api: FakeApi, run: Run) -> None:
    def refuse(request: Request) -> ApiError | None:
        is_hello = request.call.verb == "patch" and request.call.name == "hello"
        return Forbidden(request.call, "cannot patch", status=403) if is_hello else None

    api.fail = refuse
    code, out, err = run("pause", "hello", "other", "--reason", "x")
    assert (code, out) == (3, "rolloutorchestrator/other paused: x\n")
    assert "cannot patch" in err


def test_a_rollout_that_changes_in_between_is_read_again(api: FakeApi, run: Run) -> None:
    conflicts = [1, 1]

    def fail(request: Request) -> ApiError | None:
        if request.call.verb == "patch" and conflicts:
            conflicts.pop()
            return Conflict(request.call, "changed", status=409)
        return None

    api.fail = fail
    put(api, {PAUSE: "x"})
    assert run("resume", "hello")[0] == 0
    assert annotations(api) == {}


def test_what_somebody_took_away_in_between_is_not_set_again(api: FakeApi, run: Run) -> None:
    put(api, {PAUSE: "x"})
    resumed: list[bool] = []

    def resume(request: Request) -> ApiError | None:
        if request.call.verb == "patch" and not resumed:
            resumed.append(True)
            put(api, {})
        return None

    api.fail = resume
    assert run("abort", "hello", "--reason", "errors", "--yes")[0] == 0
    assert annotations(api) == {ABORT: "hello-00002=100", ABORT_REASON: "errors"}


def test_the_name_that_is_printed_is_that_of_what_was_asked_for(api: FakeApi, run: Run) -> None:
    put(api, {PAUSE: "x", PAUSE_BY: "bob"})
    _, out, _ = run("abort", "hello", "--reason", "errors", "--yes")
    assert out.splitlines()[0] == "rolloutorchestrator/hello aborted hello-00002=100, back to hello-00001 100%: errors"


def test_the_answer_for_programs(api: FakeApi, run: Run) -> None:
    code, out, _ = run("pause", "hello", "nobody", "--reason", "x", "-o", "json")
    answer: dict[str, Any] = json.loads(out)
    hello, nobody = answer["rollouts"]
    assert (code, answer["apiVersion"], answer["kind"]) == (3, "stagegate.dev/v1alpha1", "PauseResult")
    assert (hello["changed"], hello["annotations"]) == (True, {PAUSE: "x"})
    assert (nobody["changed"], nobody["error"]) == (False, True)


def test_text_of_others_cannot_move_the_cursor(api: FakeApi, run: Run) -> None:
    put(api, {PAUSE: "x\x1b[2J", PAUSE_BY: "eve\x1b[1A"})
    _, out, _ = run("pause", "hello", "--reason", "y")
    assert "\x1b" not in out
