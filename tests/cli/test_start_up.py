"""Start-up: what a command imports before it does anything, and the CPU time of that."""

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from tests.server.live import ROOT
from webhook.cli import COMMANDS

SLOW = {"kubernetes", "cryptography", "rich", "yaml", "flask", "gunicorn", "urllib3", "prometheus_client", "orjson"}
"""Libraries that take a tenth of a second and more to import, or are not needed for a help."""

CODE = """
import json, sys
from webhook.cli import main
code = main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@cache
def imported(*words: str) -> frozenset[str]:
    """The modules that a command had imported when it ended with 0."""
    command = [sys.executable, "-c", CODE, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stderr.splitlines()[-1]))


def cpu_seconds(*words: str) -> float:
    """User and system time of one process."""
    process = subprocess.Popen([sys.executable, "-m", "webhook", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_the_list_of_commands_imports_no_command() -> None:
    ours = {name for name in imported("--help") if name.startswith(("webhook.", "certs."))}
    assert ours == {
        f"webhook.cli{rest}" for rest in ("", ".command", ".completion", ".errors", ".program", ".streams")
    } | {"webhook.text"}
    assert not imported("--help") & SLOW


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_needs_neither_a_cluster_nor_cryptography(command: str) -> None:
    assert not imported(command, "--help") & SLOW


def test_the_help_takes_little_time() -> None:
    # The least of several runs: whatever else the machine does makes a run slower, never faster.
    assert min(cpu_seconds("--help") for _ in range(7)) < 0.2
