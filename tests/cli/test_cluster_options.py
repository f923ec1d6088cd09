"""Options of a cluster: which namespace is meant, and what becomes of an error of the API server."""

import json
import math
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.test_exit_codes import DOWN
from webhook.cli.cluster import line_of
from webhook.cli.cluster_options import ClusterOptions, cluster_options
from webhook.cli.command import Command
from webhook.cli.program import run_click
from webhook.cluster import connection
from webhook.cluster.errors import ApiError, Call, Conflict, Forbidden, Unauthorized, Unreachable


def kubeconfig(folder: Path, namespace: str | None = "team-a") -> str:
    """Two contexts; the current one has this namespace, the other one team-b."""
    own = {} if namespace is None else {"namespace": namespace}
    contexts = [
        {"name": "c", "context": {"cluster": "c", "user": "u", **own}},
        {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "team-b"}},
    ]
    (folder / "config").write_text(json.dumps({**DOWN, "contexts": contexts}))
    return str(folder / "config")


def given(*words: str, **settings: Any) -> ClusterOptions:
    seen: list[ClusterOptions] = []

    @click.command(cls=Command)
    @cluster_options(**settings)
    def command(cluster: ClusterOptions) -> int:
        seen.append(cluster)
        return 0

    assert run_click(command, "test", words) == 0
    return seen[0]


@pytest.mark.parametrize(
    ("words", "namespace", "scope"),
    [
        ([], "team-a", "team-a"),
        (["-n", "ops"], "ops", "ops"),
        (["--namespace=ops"], "ops", "ops"),
        (["--context", "other"], "team-b", "team-b"),
        (["-A"], "team-a", None),
        (["-A", "-n", "ops"], "ops", None),
    ],
)
def test_the_namespace_is_that_of_the_context_unless_one_is_given(
    words: list[str], namespace: str, scope: str | None, tmp_path: Path
) -> None:
    options = given("--kubeconfig", kubeconfig(tmp_path), *words)
    assert (options.namespace, options.scope) == (namespace, scope)


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    assert given("--kubeconfig", kubeconfig(tmp_path, None)).namespace == "default"


def test_a_pod_means_its_own_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "namespace").write_text("ops\n")
    monkeypatch.setattr(connection, "POD_NAMESPACE", tmp_path / "namespace")
    assert given().namespace == "ops"
    assert given("--kubeconfig", kubeconfig(tmp_path)).namespace == "team-a"


def test_without_any_cluster_the_namespace_is_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert given().namespace == "default"


def test_the_time_to_wait_is_read_as_kubectl_reads_it() -> None:
    assert given().timeout == 300
    assert given("--timeout", "90s").timeout == 90
    assert given(timeout="7d").timeout == 604800


@pytest.mark.parametrize("words", [["--timeout", "0"], ["--timeout=0s"]])
def test_a_time_of_0_is_no_limit(words: list[str]) -> None:
    assert given(*words).timeout == math.inf
    assert given(*words).limit.left() == math.inf


def test_a_command_without_some_options_refuses_them(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command(cls=Command)
    @cluster_options(all_namespaces=False, selectors=False)
    def command(cluster: ClusterOptions) -> int:
        return 0

    for word in ("-A", "--selector=a=b"):
        assert run_click(command, "test", [word]) == 2
    assert run_click(command, "test", ["-n", "Bad_NS"]) == 2
    assert "--namespace: must be a namespace" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problem", "code"),
    [(Forbidden(Call("list", "pods"), "no"), 3), (Conflict(Call("patch", "pods"), "no"), 1), (KeyError("x"), 1)],
)
def test_an_error_of_the_api_server_is_one_line(
    problem: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command(cls=Command)
    @cluster_options()
    def command(cluster: ClusterOptions) -> int:
        raise problem

    assert run_click(command, "test", []) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert ("unexpected" in error) == (not isinstance(problem, ApiError))


MAY_NOT = 'rolloutorchestrators.serving.knative.dev is forbidden: User "jane" cannot {} resource "x" in API group "y"'
LIST, PATCH = Call("list", "rolloutorchestrators", "shop"), Call("patch", "rolloutorchestrators", "shop", "hello")


@pytest.mark.parametrize(
    ("problem", "way_out"),
    [
        (Forbidden(LIST, MAY_NOT.format("list")), "have the ClusterRole view bound to your account"),
        (Forbidden(PATCH, MAY_NOT.format("patch")), "have the ClusterRole edit bound to your account"),
        (Forbidden(Call("get", "secrets", "a", "b"), MAY_NOT.format("get")), "ask for that right"),
        (
            Unauthorized(LIST, "Unauthorized"),
            "the API server does not accept these credentials: renew them, or name another kubeconfig or context",
        ),
        (
            Unreachable(LIST, "no connection to https://127.0.0.1:1: Connection refused"),
            "check that it runs, and the server and certificate-authority of the kubeconfig",
        ),
    ],
)
def test_the_way_out_of_what_no_further_try_mends(problem: ApiError, way_out: str) -> None:
    assert line_of(problem) == f"{problem}; {way_out}"
    caused = ValueError("cannot read it")
    caused.__cause__ = problem
    assert line_of(caused) == f"cannot read it; {way_out}"


def test_what_a_webhook_refuses_has_its_own_way_out() -> None:
    problem = Forbidden(PATCH, 'admission webhook "mutate.stagegate.dev" denied the request: x is refused')
    assert line_of(problem) == str(problem)


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command(cls=Command)
    @cluster_options()
    def command(cluster: ClusterOptions) -> int:
        return len(cluster.client.field_manager)

    assert run_click(command, "test", ["--kubeconfig", str(tmp_path / "no")]) == 3
    assert capsys.readouterr().err == f"test: cannot read the kubeconfig {tmp_path / 'no'}: No such file or directory\n"
    assert run_click(command, "test", ["--kubeconfig", kubeconfig(tmp_path)]) == len("stagegate-test")
