"""Headless Chromium, Debian's, on pages that a test serves; and axe-core, which looks for what keeps people out."""

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.web.pages import Clocks, FakeSource, app_of

AXE: Final = "axe-playwright-python==0.1.8"
"""Carries axe.min.js of axe-core 4.12; nothing else of it is used."""
AXE_HASH: Final = "sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
_PACKAGES: Final = ("chromium", "chromium-driver", "fonts-dejavu-core")
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
    "--disable-lcd-text",
)


def programs() -> tuple[str, str]:
    """Chromium and its driver. Where they are missing the test is skipped; with CI=true they are installed."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if None in found and os.environ.get("CI") == "true":
        for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *_PACKAGES]):
            subprocess.run(["apt-get", *words], check=True, stdout=subprocess.DEVNULL)
        found = shutil.which("chromium"), shutil.which("chromedriver")
        assert None not in found, f"no Chromium although CI=true and apt-get installed {' '.join(_PACKAGES)}"
    if found[0] is None or found[1] is None:
        pytest.skip(f"Chromium is not installed: apt-get install {' '.join(_PACKAGES)}")
    return found[0], found[1]


@contextmanager
def chromium(folder: Path, *, dark: bool = False) -> Iterator[Chrome]:
    """A browser with an empty profile, in that theme."""
    program, driver = programs()
    options = ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    browser = Chrome(options, Service(driver))
    try:
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
        yield browser
    finally:
        browser.quit()


def resize(browser: Chrome, width: int, height: int = 900) -> None:
    """The size of the page itself, as of a phone's or a desktop's window."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no request."""


@contextmanager
def served(source: FakeSource, clocks: Clocks | None = None, streams: int = 2) -> Iterator[str]:
    """The pages of a source on a port of this machine."""
    ended = threading.Event()
    app = app_of(source, clocks=clocks, streams=streams, ended=ended)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        # Streams end before their server does: a connection that outlived it would be a warning of a later test.
        ended.set()
        source.show(source.shown)
        server.shutdown()
        thread.join(5)


def axe_script() -> str:
    """The source of axe-core, from PyPI once and then from the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagegate" / "axe"
    script = cache / f"{AXE.replace('==', '-')}.js"
    if not script.exists():
        # Of its own, since the tests run on several processes.
        own = cache / str(os.getpid())
        own.mkdir(parents=True, exist_ok=True)
        pinned = own / "requirements.txt"
        pinned.write_text(f"{AXE} --hash={AXE_HASH}\n")
        words = ["download", "-q", "--no-deps", "--require-hashes", "-r", str(pinned), "-d", str(own)]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"axe-core cannot be fetched from PyPI: {done.stderr.strip().splitlines()[-1:]}"
            assert os.environ.get("CI") != "true", message
            pytest.skip(message)
        with zipfile.ZipFile(next(own.glob("axe_playwright_python-*.whl"))) as wheel:
            unpacked = own / "axe.min.js"
            unpacked.write_bytes(wheel.read("axe_playwright_python/axe.min.js"))
        unpacked.replace(script)
        shutil.rmtree(own)
    return script.read_text()


def axe_findings(browser: Chrome) -> list[str]:
    """What axe-core finds on the present page: rule and element of each violation."""
    browser.execute_script(axe_script())
    found: list[dict[str, Any]] = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then(found => done(found.violations));"
    )
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
