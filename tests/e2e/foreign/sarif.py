"""The schema of SARIF: the one of OASIS, release 2.1.0-rtm.5, from a package of npm that carries it."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = "@microsoft/jest-sarif@1.0.0-beta.0"
_SHA512: Final = (
    "0357ce84f77a21ce620e4e05f583f0d6a341e1717eefe22f891ef197caf617a4"
    "33424c7972963d2ec1a4dab1318852047016e3a559d29b058606e9004a4890f4"
)
_MEMBER: Final = "package/lib/schemas/sarif-2.1.0-rtm.5.json"


class SchemaNotFetched(RuntimeError):
    """The schema is not here, and why."""


def sarif_schema(cache: Path, *, fetch: bool) -> dict[str, Any]:
    """The schema. Raises SchemaNotFetched, and ValueError if the package is not the one that is pinned."""
    path = cache / "sarif-2.1.0-rtm.5.json"
    if not path.exists():
        if not fetch:
            raise SchemaNotFetched("sarif: not fetched yet")
        _unpack(cache, path)
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema


def _unpack(cache: Path, path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SchemaNotFetched("sarif: install npm")
    folder = cache / "sarif.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), _PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise SchemaNotFetched(f"sarif: npm: {done.stderr.strip()[:200]}")
    (archive,) = folder.glob("*.tgz")
    if hashlib.sha512(archive.read_bytes()).hexdigest() != _SHA512:
        raise ValueError(f"{_PACKAGE} is not the package that is pinned")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(_MEMBER)
        assert member is not None
        (folder / path.name).write_bytes(member.read())
    (folder / path.name).replace(path)
    shutil.rmtree(folder)
