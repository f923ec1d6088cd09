"""``python -m shipping.release``: pack the commit that is checked out as a release."""

import argparse
import sys
from pathlib import Path
from typing import Final

from shipping.release.errors import CannotPack
from shipping.release.packing import pack

REPOSITORY: Final = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with the reason in one line."""
    parser = argparse.ArgumentParser(prog="python -m shipping.release", description=__doc__)
    parser.add_argument("--dir", type=Path, help="the folder to make; default: dist/stagegate-VERSION")
    parser.add_argument("--image", default="", help="NAME, NAME:VERSION or NAME@sha256:DIGEST; default: stagegate")
    parser.add_argument("--owner", default="", help="whose repository on GitHub publishes the release")
    chosen = parser.parse_args(arguments)
    try:
        print(pack(REPOSITORY, chosen.dir, chosen.image, chosen.owner))
    except CannotPack as reason:
        print(f"cannot pack the release: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
