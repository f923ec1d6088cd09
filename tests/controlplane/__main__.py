"""``python -m tests.controlplane build|run``: make the programs ready, or start a control plane and keep it."""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.controlplane import Binaries, ControlPlane, Unavailable
from tests.controlplane.plane import StartFailed

UNAVAILABLE = 3


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0; 1 where it did not come up; 3 where the programs cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="find the programs, or download or build them")
    run = commands.add_parser("run", help="start a control plane and print its kubeconfig; Ctrl-C ends it")
    run.add_argument("--dir", type=Path, help="where its folder goes")
    run.add_argument("--controller-manager", action="store_true", help="garbage collection and ends of namespaces too")
    chosen = parser.parse_args(arguments)
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        if chosen.command == "build":
            print(Binaries.find_or_make(controller_manager=True).kube_apiserver.parent)
            return 0
        return _keep(chosen.dir, chosen.controller_manager)
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        return UNAVAILABLE
    except StartFailed as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _keep(directory: Path | None, controller_manager: bool) -> int:
    started = time.monotonic()
    with ControlPlane.start(directory, controller_manager=controller_manager) as plane:
        print(f"KUBECONFIG={plane.kubeconfig}", flush=True)
        print(f"serves at {plane.url} after {time.monotonic() - started:.1f} s; Ctrl-C ends it", file=sys.stderr)
        signal.pause()
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
