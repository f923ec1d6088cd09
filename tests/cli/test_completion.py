"""Completion: in a bash on a terminal, by kubectl, and the scripts for the other shells."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.server.live import ROOT

BIN = Path(sys.executable).parent
ENVIRONMENT = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/", "TERM": "dumb", "LC_ALL": "C.UTF-8"}

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine")

COMPLETE = """
eval "$(_STAGEGATE_COMPLETE=bash_source stagegate)"
COMP_WORDS=(stagegate "$@")
COMP_CWORD=$#
_stagegate_completion stagegate
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(*words: str) -> list[str]:
    command = ["bash", "--norc", "-c", COMPLETE, "bash", *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@needs_bash
@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["do"], ["doctor"]),
        (["retr"], ["retry"]),
        (["certs", "s"], ["status"]),
        (["doctor", "-o", ""], ["json", "yaml", "short"]),
        (["doctor", "--stagegate"], ["--stagegate-namespace"]),
        (["serve", "--enforce", "w"], ["warn"]),
    ],
)
def test_bash_proposes_commands_options_and_values(words: list[str], proposed: list[str]) -> None:
    assert in_bash(*words) == proposed


@needs_bash
def test_a_tab_completes_what_a_person_types() -> None:
    """In an interactive bash on a terminal, set up as the documents say."""
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=ROOT,
        env=ENVIRONMENT | {"PS1": "$ "},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        os.write(ours, b'eval "$(_STAGEGATE_COMPLETE=bash_source stagegate)"; echo set""up\n')
        await_text(ours, "setup")
        os.write(ours, b"stagegate certs rot\t--help | grep -c Usage\n")
        assert "stagegate certs rotate --help" in await_text(ours, r"\n1\r?\n")
    finally:
        shell.kill()
        shell.wait(60)
        os.close(ours)


def await_text(terminal: int, pattern: str) -> str:
    """What the terminal shows until this pattern is there."""
    shown, deadline = b"", time.monotonic() + 60
    while not re.search(pattern, shown.decode(errors="replace")):
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536)
    return shown.decode(errors="replace")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", ["stagegate", "kubectl-stagegate"])
def test_there_is_a_script_for_each_shell(program: str, shell: str) -> None:
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    done = subprocess.run(
        [BIN / program], env=ENVIRONMENT | {variable: f"{shell}_source"}, capture_output=True, text=True, check=True
    )
    assert f"{variable}={shell}_complete" in done.stdout


@needs_kubectl
@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["do"], "doctor\tsay what is wrong with an installation\n:4\n"),
        (["certs", "r"], "rotate\tMake a new leaf or authority now.\n:4\n"),
        (["doctor", "-o", "s"], "short\n:4\n"),
    ],
)
def test_kubectl_completes_its_plugin(words: list[str], proposed: str) -> None:
    done = subprocess.run(
        ["kubectl", "__complete", "stagegate", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == proposed
