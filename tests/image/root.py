"""Root: a folder with what a Python base image holds, made from this machine's own Python and C library."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_TOOLS: Final = ("sh", "rm", "mkdir", "sed")
_LEFT_OUT: Final = shutil.ignore_patterns(
    "test", "tests", "__pycache__", "*.a", "config-3*", "idlelib", "tkinter", "turtledemo", "lib2to3", "_test*"
)
_PIP_NEEDS: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt")

_EVERYWHERE: Final = (
    *("libnss_*.so.2", "libresolv.so.2", "librt.so.1", "libpthread.so.0", "libdl.so.2", "libutil.so.1", "libm.so.6"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)


def find_python(version: str) -> Path | None:
    """Where a Python of this version ("3.13") is installed; None where there is none."""
    program = shutil.which(f"python{version}")
    if program is None:
        return None
    done = subprocess.run(
        [program, "-c", "import sys; print(sys.base_prefix)"],
        env=os.environ | {"PYENV_VERSION": version},
        capture_output=True,
        text=True,
        check=False,
    )
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def make_base(root: Path, python: Path, version: str) -> None:
    """Python under /usr/local with its pip, a shell with three tools, the libraries of all, and no more."""
    for folder in ("usr/bin", "usr/local/bin", "usr/local/lib", "tmp", "dev/shm", "proc", "etc", "work"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    shutil.copytree(
        python / "lib" / f"python{version}", root / f"usr/local/lib/python{version}", symlinks=True, ignore=_LEFT_OUT
    )
    shutil.copytree(python / "include", root / "usr/local/include")
    for found in (python / "lib").glob("libpython*"):
        shutil.copy2(found, root / "usr/local/lib", follow_symlinks=False)
    for found in (python / "bin").glob("p*"):
        if re.fullmatch(r"pip\S*", found.name) or found.name == f"python{version}":
            shutil.copy2(found, root / "usr/local/bin")
    for name in ("python3", "python"):
        (root / "usr/local/bin" / name).symlink_to(f"python{version}")
    programs = [_which(name) for name in _TOOLS]
    for program in programs:
        shutil.copy2(program, root / "usr/bin" / program.name)
    extensions = (python / "lib" / f"python{version}" / "lib-dynload").glob("*.so")
    for library in sorted(_libraries([*programs, python / "bin" / f"python{version}", *extensions])):
        _copy(library, root)
    for path in (*_PIP_NEEDS, *_loaded_by_name()):
        if Path(path).exists():
            _copy(Path(path), root)
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n")
    subprocess.run([shutil.which("ldconfig", path="/usr/sbin:/sbin") or "ldconfig", "-r", root], check=True)
    site_packages = root / f"usr/local/lib/python{version}/site-packages"
    for found in site_packages.iterdir():
        if not found.name.startswith("pip"):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def _which(name: str) -> Path:
    found = shutil.which(name, path="/usr/bin:/bin")
    assert found is not None, f"no {name} on this machine"
    return Path(found)


def _libraries(programs: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    for program in programs:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        found |= {Path(path) for path in re.findall(r"(/(?!root)\S+\.so\S*)", done.stdout) if "pyenv" not in path}
    return found


def _loaded_by_name() -> Iterator[str]:
    """The rest of the C library, and what compilers rely on; every Debian has both, and wheels count on it."""
    for pattern in _EVERYWHERE:
        yield from map(str, Path("/lib").glob(f"*-linux-gnu/{pattern}"))


def _copy(path: Path, root: Path) -> None:
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)
