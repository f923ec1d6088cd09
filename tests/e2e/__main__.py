"""``python -m tests.e2e build|path``: build once what the tests here run, or print where such programs are.

Pytest would keep the progress of a build to itself.
"""

import argparse
import os
import sys
from contextlib import suppress

from tests.controlplane import Binaries, Unavailable
from tests.controlplane.build import BuildFailed
from tests.e2e.foreign import NotFetched, Parts
from tests.e2e.foreign.parts import PROGRAMS
from tests.rig import Unavailable as NoKnative
from tests.rig.release import find_or_build, is_run

NO_CONTROL_PLANE = 3


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0; 1 where a build failed; 3 where there is no control plane."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the programs; what cannot be had is named, but for the control plane")
    commands.add_parser("path", help="print the folders of kubectl and helm for PATH, as far as they are built")
    try:
        return _build() if parser.parse_args(arguments).command == "build" else _print_path()
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        return NO_CONTROL_PLANE
    except BuildFailed as reason:
        print(reason, file=sys.stderr)
        return 1


def _build() -> int:
    Binaries.find_or_make(controller_manager=True)
    if is_run():
        _try_knative()
    parts = Parts(fetch=True)
    for name in PROGRAMS:
        _try_part(parts, name)
    return 0


def _try_knative() -> None:
    try:
        find_or_build()
    except NoKnative as reason:
        print(reason, file=sys.stderr)


def _try_part(parts: Parts, name: str) -> None:
    try:
        parts.program(name)
    except NotFetched as reason:
        print(reason, file=sys.stderr)


def _print_path() -> int:
    """Each folder with a separator behind it, to be put before another PATH."""
    found = Binaries.find()
    folders = [found.kubectl.parent] if found is not None else []
    with suppress(NotFetched):
        folders.append(Parts(fetch=False).program("helm").parent)
    print(*folders, sep=os.pathsep, end=os.pathsep if folders else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
