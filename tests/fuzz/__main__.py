"""``python -m tests.fuzz``: fuzz reviews and the HTTP protocol, one process each, and say what it found."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.interruption import run_interruptible
from tests.fuzz.engine import TARGETS, replay
from tests.program import parser_of

PROGRAM: Final = "python -m tests.fuzz"
EXAMPLES: Final = """\
examples:
  python -m tests.fuzz
  python -m tests.fuzz --seconds 1800 --only streams
      longer, one target
  python -m tests.fuzz --replay reviews .fuzz/finds/reviews-crash-0123
      what a run has found, once more

What covers something new is kept in .fuzz, and the next run begins with it. Ctrl-C ends it and everything that it
started.

exit codes: 0 nothing found, 1 a find, 2 wrong usage, 130 interrupted
"""
FOLDER: Final = Path(".fuzz")
"""Where the corpus of each target grows from run to run, and where finds are kept."""
_STATUS: Final = re.compile(r"#(\d+)\s.*cov: (\d+) ft: \d+ corp: (\d+)/.*exec/s: (\d+)")


def engine(name: str, corpus: Path, finds: Path) -> list[str]:
    """The command that runs one target."""
    return [sys.executable, "-m", "tests.fuzz.engine", name, str(corpus), f"-artifact_prefix={finds}/{name}-"]


def start(name: str, corpus: Path, finds: Path, log: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start one target; a find is written to a file in ``finds``."""
    finds.mkdir(parents=True, exist_ok=True)
    command = [*engine(name, corpus, finds), *options]
    with log.open("wb") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONHASHSEED": "0"}
        )


def status_of(log: Path) -> str:
    """How far a target has come, by the last line of libFuzzer in its log."""
    found = _STATUS.findall(log.read_text(errors="replace"))
    if not found:
        return "begins"
    count, coverage, size, rate = found[-1]
    return f"{int(count):,} inputs, {int(coverage):,} branches, {size} kept, {rate}/s"


def report_of(log: Path) -> str:
    """What a target printed of its find."""
    return log.read_text(errors="replace").partition(" === Uncaught")[2][-6000:]


def run(seconds: int, folder: Path, names: list[str]) -> int:
    """Fuzz the targets side by side. Exit code 1 if any of them has a find."""
    finds = folder / "finds"
    logs = {name: folder / f"{name}.log" for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    before = set(finds.glob("*"))
    options = (f"-max_total_time={seconds}",)
    running = {name: start(name, folder / name, finds, logs[name], *options) for name in names}
    try:
        _wait(running, logs)
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
    for name, process in running.items():
        print(f"{name}: {status_of(logs[name])}; {'a find' if process.returncode else 'nothing found'}")
        if process.returncode:
            print(report_of(logs[name]) or f"exit code {process.returncode}; see {logs[name]}")
    for find in sorted(set(finds.glob("*")) - before):
        print(f"again: {sys.executable} -m tests.fuzz --replay {find.name.partition('-')[0]} {find}")
    return 1 if any(process.returncode for process in running.values()) else 0


def _wait(running: Mapping[str, "subprocess.Popen[bytes]"], logs: Mapping[str, Path]) -> None:
    begun = time.monotonic()
    shown = 0.0
    while any(process.poll() is None for process in running.values()):
        time.sleep(0.5)
        if time.monotonic() - shown > 15:
            shown = time.monotonic()
            states = "; ".join(f"{name}: {status_of(log)}" for name, log in logs.items())
            print(f"{shown - begun:5.0f} s  {states}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command; exit code 1 on a find."""
    parser = parser_of(PROGRAM, "Fuzz reviews and the HTTP protocol, guided by coverage, in a process each.", EXAMPLES)
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--only", choices=sorted(TARGETS), help="this target alone")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), help="check the input in this file")
    options = parser.parse_args(arguments)
    if options.replay:
        name, file = options.replay
        replay(name, Path(file).read_bytes())
        print(f"{file}: every law holds")
        return 0
    return run(options.seconds, FOLDER, [options.only] if options.only else sorted(TARGETS))


if __name__ == "__main__":
    sys.exit(run_interruptible(PROGRAM, main))
