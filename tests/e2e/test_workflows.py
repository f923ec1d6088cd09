"""The workflows: actionlint finds nothing, they run targets of the Makefile, and their rights are minimal."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def test_actionlint_finds_nothing(program: Callable[[str], Path]) -> None:
    done = subprocess.run(
        [program("actionlint"), "-no-color", *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {
        word
        for job in jobs(path).values()
        for step in job["steps"]
        for word in re.findall(r"\bmake ([a-z0-9-]+)", step.get("run", ""))
    }
    assert used
    assert used <= targets


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_only_release_jobs_may_write_and_every_job_has_a_timeout(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 90
        writes = [right for right, level in job.get("permissions", {}).items() if level == "write"]
        assert not writes or path.stem == "release"


def test_ci_runs_what_must_pass_before_a_change_is_merged() -> None:
    commands = {
        line.split(" KUBERNETES=")[0]
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line.startswith("make ")
    }
    workflow = {
        re.sub("^sudo .* make", "make", step["run"])
        for job in jobs(ROOT / ".github/workflows/ci.yaml").values()
        for step in job["steps"]
        if "run" in step
    }
    assert commands <= workflow
