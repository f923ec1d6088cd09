"""Ctrl-C on the terminal of a program that starts others: one line, exit code 130, and nothing that still runs."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.interruption import run_interruptible
from tests.server.live import ROOT
from tests.waiting import eventually

_MARK = "STAGEGATE_TEST_STARTED_BY"
_ON_ITS_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass
class Started:
    """A program on a terminal of its own, and all that it started."""

    process: "subprocess.Popen[bytes]"
    terminal: int
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def running(self) -> list[str]:
        """What runs of it, and of what it started."""
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self.mark}".encode() in (one / "environ").read_bytes():
                    found.append((one / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self.terminal, b"\x03")

    def end(self) -> tuple[int, str]:
        """Exit code, and what the terminal showed."""
        parts = []
        while True:
            try:
                part = os.read(self.terminal, 65536)
            except OSError:
                break
            parts.append(part)
        return self.process.wait(60), b"".join(parts).decode().replace("\r\n", "\n")


@contextmanager
def started(*words: str, is_ignored: bool = False) -> Iterator[Started]:
    """``python WORDS``; with ``is_ignored`` as a shell without job control starts it in the background."""
    terminal, theirs = pty.openpty()
    mark = uuid.uuid4().hex
    command = [sys.executable, "-c", _ON_ITS_TERMINAL, "ignored" if is_ignored else "", *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {_MARK: mark},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    one = Started(process, terminal, mark)
    try:
        yield one
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


PROGRAMS = {
    "fuzz": (["-m", "tests.fuzz", "--seconds", "600", "--only", "reviews"], 2),
    "demo": (["-m", "sandbox.demo"], 3),
    "vectors": (["-m", "tests.vectors"], 2),
    "chaos": (["-m", "tests.chaos", "--services", "2", "--kills", "100"], 4),
}


@pytest.mark.integration
@pytest.mark.parametrize("is_ignored", [False, True], ids=["foreground", "ignored at its start"])
@pytest.mark.parametrize(("words", "processes"), PROGRAMS.values(), ids=PROGRAMS)
def test_it_ends_in_one_line_with_everything_that_it_started(
    words: list[str], processes: int, is_ignored: bool
) -> None:
    with started(*words, is_ignored=is_ignored) as program:
        eventually(lambda: len(program.running()) >= processes, "all of it runs", 120, program.running)
        program.interrupt()
        code, shown = program.end()
        assert code == 130, shown
        tail = shown.partition("^C")[2]
        assert re.sub(r"^.*stage .*\n", "", tail, flags=re.MULTILINE) == (
            f"python -m {words[1]}: interrupted; everything that it started has ended\n"
        )
        eventually(lambda: not program.running(), "nothing runs any more", 10, program.running)


@pytest.mark.integration
def test_a_sandbox_stays_up_until_ctrl_c_which_is_its_end() -> None:
    with started("-m", "sandbox") as program:
        shown = b""
        while b"kubectl get spa --watch" not in shown:
            shown += os.read(program.terminal, 65536)
        program.interrupt()
        code, rest = program.end()
        assert (code, rest.endswith("stopped\n")) == (0, True), rest
        eventually(lambda: not program.running(), "nothing runs any more", 10, program.running)


def test_an_interruption_that_the_interpreter_discards_comes_again() -> None:
    hook = sys.unraisablehook

    class Destroyed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def run() -> int:
        Destroyed()
        assert not threading.Event().wait(60)
        return 0

    assert run_interruptible("x", run) == 130
    assert sys.unraisablehook is hook


def test_the_exit_code_is_that_of_the_program_where_nothing_interrupts_it() -> None:
    assert run_interruptible("x", lambda: 3) == 3
