"""Credential plugins: how they are run, what they may answer, and the error when they fail."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from webhook.cluster import exec_plugin
from webhook.cluster.credentials import ClientCertificate, CredentialsFailed, Identity
from webhook.cluster.exec_plugin import ALWAYS, IF_AVAILABLE, NEVER, Plugin, issue, one_line, read

V1, BETA = exec_plugin.API_VERSIONS
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answer(status: Any, api_version: str = V1, kind: str = "ExecCredential") -> str:
    return json.dumps({"apiVersion": api_version, "kind": kind, "status": status})


def shell(script: str, **rest: Any) -> Plugin:
    return Plugin("sh", V1, ("-c", script), **rest)


@pytest.mark.parametrize(
    ("status", "identity", "expires_at", "renew_at"),
    [
        ({"token": "t"}, Identity("Bearer t"), None, None),
        (
            {"clientCertificateData": "c", "clientKeyData": "k"},
            Identity("", ClientCertificate(b"c", b"k")),
            None,
            None,
        ),
        (
            {"token": "t", "clientCertificateData": "c", "clientKeyData": "k", "more": 1},
            Identity("Bearer t", ClientCertificate(b"c", b"k")),
            None,
            None,
        ),
        (
            {"token": "t", "expirationTimestamp": "2026-01-01T01:00:00+00:00"},
            Identity("Bearer t"),
            NOW + timedelta(hours=1),
            NOW + timedelta(minutes=59),
        ),
        (
            {"token": "t", "expirationTimestamp": "2026-01-01T00:00:05.123456789Z"},
            Identity("Bearer t"),
            NOW + timedelta(seconds=5.123456),
            NOW + timedelta(seconds=5.123456) * 4 / 5,
        ),
    ],
)
def test_what_a_plugin_issues(
    status: Mapping[str, Any], identity: Identity, expires_at: datetime | None, renew_at: datetime | None
) -> None:
    issued = read(answer(status).encode(), V1, NOW)
    assert issued.identity == identity
    assert issued.expires_at == expires_at
    assert (issued.renew_at is None) == (renew_at is None)
    if issued.renew_at is not None and renew_at is not None:
        assert abs(issued.renew_at - renew_at) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "its output is not JSON"),
        ("log in at https://...", "its output is not JSON"),
        ("[]", "its output is not an ExecCredential"),
        (answer({"token": "t"}, kind="Secret"), "its output is not an ExecCredential"),
        (answer({"token": "t"}, BETA), f"its output has apiVersion {BETA}, the kubeconfig wants {V1}"),
        (answer(None), "its output has no status"),
        (answer({}), "it gave neither a token nor a client certificate"),
        (answer({"token": ""}), "it gave neither a token nor a client certificate"),
        (answer({"token": 1}), "its status.token is not a string"),
        (answer({"clientCertificateData": "c"}), "it gave only one of clientCertificateData and clientKeyData"),
        (answer({"token": "t", "clientKeyData": "k"}), "it gave only one of clientCertificateData and clientKeyData"),
        (answer({"token": "a\nb"}), "a token has characters that no HTTP header can hold"),
        (
            answer({"token": "t", "expirationTimestamp": "tomorrow"}),
            "its status.expirationTimestamp is not an RFC 3339 time",
        ),
    ],
)
def test_what_is_no_credential(output: str, problem: str) -> None:
    with pytest.raises(ValueError) as raised:
        read(output.encode(), V1, NOW)
    assert str(raised.value) == problem


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        pytest.param(
            shell("echo 'please log in' >&2; exit 3"),
            "credential plugin sh failed with exit code 3: please log in",
            id="fails",
        ),
        pytest.param(shell("exit 1"), "credential plugin sh failed with exit code 1", id="fails without a word"),
        pytest.param(shell("kill -9 $$"), "credential plugin sh failed with exit code -9", id="is killed"),
        pytest.param(
            Plugin("no-such-plugin", V1, install_hint="run:\n  \x1b[1mbrew install it\x1b[0m"),
            "credential plugin no-such-plugin: not found; run: brew install it",
            id="missing",
        ),
        pytest.param(
            Plugin("no-such-plugin", V1), "credential plugin no-such-plugin: not found", id="missing without a hint"
        ),
        pytest.param(Plugin("/etc/passwd", V1), "credential plugin /etc/passwd: Permission denied", id="no program"),
        pytest.param(
            shell("echo hello; echo 'token expired' >&2"),
            "credential plugin sh: its output is not JSON: token expired",
            id="no JSON",
        ),
        pytest.param(
            Plugin("true", V1, interactive_mode=ALWAYS),
            "credential plugin true: it has to ask a person, and standard input is not a terminal",
            id="has to ask",
        ),
    ],
)
def test_a_failure_is_one_line_with_the_plugins_own_words(plugin: Plugin, problem: str) -> None:
    with pytest.raises(CredentialsFailed) as raised:
        issue(plugin, lambda: NOW, has_terminal=False)
    assert str(raised.value) == problem


def test_a_plugin_that_cannot_ask_a_person_ends_after_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_SECONDS", 0.2)
    with pytest.raises(CredentialsFailed, match="no answer within"):
        issue(shell("exec sleep 600"), lambda: NOW, has_terminal=False)


@pytest.mark.parametrize(
    ("mode", "has_terminal", "is_interactive"),
    [(NEVER, True, False), (IF_AVAILABLE, True, True), (IF_AVAILABLE, False, False), (ALWAYS, True, True)],
)
def test_a_plugin_gets_what_it_is_run_for(
    mode: str, has_terminal: bool, is_interactive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    script = (
        f'printf "%s" "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; echo "$INHERITED $GIVEN $1" > {tmp_path}/rest; '
        f"pwd > {tmp_path}/folder; echo '{answer({'token': 't'})}'"
    )
    plugin = Plugin(
        "sh",
        V1,
        ("-c", script, "sh", "argument"),
        environment=(("GIVEN", "too"),),
        interactive_mode=mode,
        cluster={"server": "https://one"},
    )
    issue(plugin, lambda: NOW, has_terminal=has_terminal)
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": is_interactive, "cluster": {"server": "https://one"}},
    }
    assert (tmp_path / "rest").read_text() == "yes too argument\n"
    assert (tmp_path / "folder").read_text() == f"{Path.cwd()}\n"


def test_what_an_interactive_plugin_says_is_shown_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where to log in, and waits until that is done."""
    fifo = tmp_path / "logged-in"
    os.mkfifo(fifo)

    class Terminal:
        shown = ""

        def write(self, text: str) -> None:
            self.shown += text
            if self.shown == "open https://login: ":
                fifo.write_text("done")

        def flush(self) -> None: ...

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    script = f"printf 'open https://login: ' >&2; cat {fifo} >&2; echo '{answer({'token': 't'})}'"
    assert issue(shell(script), lambda: NOW, has_terminal=True).identity == Identity("Bearer t")
    assert terminal.shown == "open https://login: done"


def test_a_child_of_the_plugin_that_runs_on_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_DRAIN_SECONDS", 0.1)
    script = f"sleep 10 & echo '{answer({'token': 't'})}'; echo $! >&2"
    assert issue(shell(script), lambda: NOW, has_terminal=False).identity == Identity("Bearer t")


class Gone:
    """A terminal that is closed, or one that has a bug."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def write(self, text: str) -> None:
        raise self.problem

    def flush(self) -> None: ...


def test_what_cannot_be_shown_is_the_cause_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Gone(OSError(5, "Input/output error")))
    with pytest.raises(CredentialsFailed) as raised:
        issue(shell(f"echo open >&2; echo '{answer({'token': 't'})}'"), lambda: NOW, has_terminal=True)
    assert str(raised.value) == "credential plugin sh: Input/output error"


@pytest.mark.parametrize("stream", ["output", "words"])
def test_a_fault_in_a_thread_that_reads_is_raised_where_the_credentials_are_asked_for(
    stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is counted; without it the plugin would be said to have said nothing."""
    reading = os.read

    def fails(descriptor: int, size: int) -> bytes:
        found = reading(descriptor, size)
        if found.startswith(stream.encode()):
            raise KeyError("a fault in a reader")
        return found

    monkeypatch.setattr(os, "read", fails)
    with pytest.raises(KeyError, match="a fault in a reader"):
        issue(shell("echo output; echo words >&2"), lambda: NOW, has_terminal=False)


def test_long_words_keep_their_end() -> None:
    assert one_line("a\x07b\r\n\x1b[31mred\x1b[0m " + "x" * 700) == "..." + "x" * 600
    assert one_line("a\x07b\r\n\x1b[31mred\x1b[0m") == "a b red"
