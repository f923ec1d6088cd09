"""The hook of ``.pre-commit-hooks.yaml``, run by pre-commit as its users run it; needs PyPI."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.check.runs import SPA
from tests.documents import REPOSITORY, section

GIT = ["git", "-c", "user.name=alice", "-c", "user.email=alice@example.com"]
BAD = f"{SPA}spec:\n  stageMinScale: 5\n  stageMaxScale: 3\n"


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        words, cwd=folder, env=environ | environment, capture_output=True, text=True, timeout=600, check=False
    )


def committed(folder: Path) -> str:
    """The commit with everything in a folder."""
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        done = run(folder, *GIT, *words)
        assert done.returncode == 0, done.stderr
    return run(folder, *GIT, "rev-parse", "HEAD").stdout.strip()


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository with what the product consists of, and its commit."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in ("webhook", "certs", "manifests"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(REPOSITORY / name, folder / name)
    return folder, committed(folder)


def test_the_hook_refuses_what_the_webhook_would_deny(hooks: tuple[Path, str], tmp_path: Path) -> None:
    (documented,) = section("pre-commit", "CHECKS.md").yaml_documents
    folder, commit = hooks
    documented["repos"][0] |= {"repo": str(folder), "rev": commit}
    user = tmp_path / "user"
    user.mkdir()
    (user / ".pre-commit-config.yaml").write_text(yaml.safe_dump(documented))
    (user / "spa.yaml").write_text(BAD)
    (user / "notes.txt").write_text("[")
    committed(user)

    def pre_commit() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"]
        return run(user, *command, PRE_COMMIT_HOME=str(tmp_path / "home"))

    refused = pre_commit()
    if "No matching distribution" in refused.stdout or "Connection" in refused.stdout:
        pytest.skip("PyPI is not to be had")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "spa.yaml:5:18: deny SPA002 spec.stageMinScale: Invalid value: 5" in refused.stdout
    assert "exit code: 1" in refused.stdout
    assert "notes.txt" not in refused.stdout

    (user / "spa.yaml").write_text(BAD.replace("5", "2"))
    accepted = pre_commit()
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert "Passed" in accepted.stdout
