"""``python -m tests.e2e build|path``: build once what the tests here run, or print where such programs are.

Pytest would keep the progress of a build to itself.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sandbox.interruption import run_interruptible
from tests.controlplane import Binaries, Unavailable
from tests.controlplane.build import BuildFailed
from tests.e2e.foreign import NotFetched, Parts
from tests.e2e.foreign.parts import PROGRAMS
from tests.rig import Unavailable as NoKnative
from tests.rig.release import UnknownRelease, find_or_build, is_run

NO_CONTROL_PLANE: Final = 3
DEFAULT_PARTS: Final = tuple(name for name in PROGRAMS if name != "argo-cd")
"""Argo CD is built by make e2e-argo alone: it takes more time than any other."""


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0; 1 where a build failed; 3 where there is no control plane, or KNATIVE names no release."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", help="build the programs; what cannot be had is named, but for the control plane"
    )
    build.add_argument("parts", nargs="*", help="programs of others; default: Knative and all but argo-cd")
    commands.add_parser("path", help="print the folders of kubectl and helm for PATH, as far as they are built")
    chosen = parser.parse_args(arguments)
    try:
        return _build(chosen.parts) if chosen.command == "build" else _print_path()
    except (Unavailable, UnknownRelease) as reason:
        print(reason, file=sys.stderr)
        return NO_CONTROL_PLANE
    except BuildFailed as reason:
        print(reason, file=sys.stderr)
        return 1


def _build(names: Sequence[str]) -> int:
    Binaries.find_or_make(controller_manager=True)
    if not names and is_run():
        _try_knative()
    parts = Parts(fetch=True)
    for name in names or DEFAULT_PARTS:
        _try_part(parts, name)
    return 0


def _try_knative() -> None:
    try:
        find_or_build()
    except UnknownRelease:
        raise
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
    sys.exit(run_interruptible("python -m tests.e2e", main))
