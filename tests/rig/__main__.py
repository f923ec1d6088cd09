"""``python -m tests.rig build|run|demo``: build Knative Serving, keep it running, or show a rollout on it."""

import argparse
import os
import subprocess
import sys
import time

from sandbox.interruption import run_interruptible
from tests.controlplane import Unavailable as NoControlPlane
from tests.controlplane.plane import StartFailed as NoStart
from tests.rig import Rig, Unavailable
from tests.rig.demo import show
from tests.rig.release import find_or_build
from tests.rig.rig import StartFailed

UNAVAILABLE = 3


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or that of the shell; 1 where it did not come up; 3 where it cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the programs if need be, and print their folder")
    commands.add_parser("run", help="start Knative and open a shell in its network; its end ends all")
    commands.add_parser("demo", help="edit a Service on Knative alone and in stages, and print what happens")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "build":
            print(find_or_build().programs)
            return 0
        return show() if chosen.command == "demo" else _keep()
    except (Unavailable, NoControlPlane) as reason:
        print(reason, file=sys.stderr)
        return UNAVAILABLE
    except (StartFailed, NoStart) as reason:
        print(reason, file=sys.stderr)
        return 1


def _keep() -> int:
    started = time.monotonic()
    with Rig.start() as rig, rig.inside():
        print(f"Knative Serving {rig.release.version} after {time.monotonic() - started:.1f} s", file=sys.stderr)
        print(f"KUBECONFIG={rig.plane.kubeconfig}; leave the shell to end it", file=sys.stderr)
        environment = os.environ | {
            "KUBECONFIG": str(rig.plane.kubeconfig),
            "PATH": f"{rig.plane.binaries.kubectl.parent}:{os.environ['PATH']}",
        }
        return subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_interruptible("python -m tests.rig", main))
