"""``python -m tests.web``: take the pictures that the tests compare with, and the one of the README."""

import tempfile
from pathlib import Path

from tests.server.live import ROOT
from tests.web.browser import chromium
from tests.web.test_browser import PICTURES, WIDTHS, picture

_COLOURS = 48
README = ROOT / "docs" / "page.png"


def main() -> None:
    """Take all of them anew."""
    PICTURES.mkdir(exist_ok=True)
    for dark in (False, True):
        with tempfile.TemporaryDirectory() as folder, chromium(Path(folder), dark=dark) as browser:
            for scene in ("list", "rollout"):
                for width in WIDTHS:
                    taken = picture(browser, scene, width)
                    kept = taken.quantize(_COLOURS)
                    kept.save(PICTURES / f"{scene}-{width}-{'dark' if dark else 'light'}.png", optimize=True)
                    if (scene, width, dark) == ("rollout", 1280, False):
                        taken.crop((0, 0, 1280, 850)).quantize(_COLOURS).save(README, optimize=True)


if __name__ == "__main__":
    main()
