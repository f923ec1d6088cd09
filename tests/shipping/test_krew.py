"""The krew plugin: its manifest is for this version and this archive, and its launcher starts our command."""

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import yaml

from shipping.krew import LAUNCHER, NAME, PLUGIN, archive
from tests.documents import REPOSITORY


def test_the_manifest_is_for_this_version_and_this_archive() -> None:
    spec = yaml.safe_load((REPOSITORY / PLUGIN).read_text())["spec"]
    (platform,) = spec["platforms"]
    assert spec["version"] == f"v{metadata.version('stagegate')}"
    assert platform["uri"].endswith(f"/{spec['version']}/{NAME}")
    assert platform["sha256"] == hashlib.sha256(archive(REPOSITORY)).hexdigest()


def launched(path: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", REPOSITORY / LAUNCHER, *words],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_launcher_starts_the_command_with_its_words_and_exit_code() -> None:
    bin_folder = str(Path(sys.executable).parent)
    assert launched(f"{bin_folder}{os.pathsep}/usr/bin", "--version").stdout.startswith("stagegate ")
    assert launched(f"{bin_folder}{os.pathsep}/usr/bin", "no-such-command").returncode == 2


def test_without_the_command_the_launcher_says_how_to_install_it(tmp_path: Path) -> None:
    done = launched(str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "pipx install" in done.stderr
    assert done.stderr.count("\n") == 1
