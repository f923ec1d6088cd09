"""The Dockerfile as it is written: what a linter would ask for, and what has to agree with the rest."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.image.dockerfile import REPOSITORY, Stage, ignored_patterns, parse, sent
from tests.kustomize import rendered

_, (BUILD, FINAL) = parse((REPOSITORY / "Dockerfile").read_text())
SETTINGS: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = SETTINGS["project"]


def pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in rendered() if each["kind"] == "Deployment"]


def test_both_bases_are_of_one_release_and_the_last_is_slim() -> None:
    build, final = (re.fullmatch(r"python:(3\.\d+)(-slim)?", stage.base) for stage in (BUILD, FINAL))

    assert build is not None
    assert final is not None
    assert (build[1], build[2]) == (final[1], None)
    assert final[2] == "-slim"
    assert tuple(map(int, final[1].split("."))) >= tuple(map(int, PROJECT["requires-python"][2:].split(".")))
    paths = re.findall(r"/python(3\.\d+)/", (REPOSITORY / "Dockerfile").read_text())
    assert set(paths) == {final[1]}


def test_every_package_comes_by_its_hash_and_none_is_compiled() -> None:
    steps = [
        step for run in BUILD.all("RUN") for step in run.split("&&") if re.search(r"pip\b.* (install|wheel)", step)
    ]

    assert len(steps) == 4
    for step in steps:
        assert "--require-hashes" in step or "--no-index" in step
        assert "--no-cache-dir" in step
        assert "--only-binary=:all:" in step or "--no-index" in step
        assert "--no-binary" not in step


def test_the_last_stage_installs_nothing() -> None:
    for run in FINAL.all("RUN"):
        assert not re.search(r"\b(apt|apt-get|pip install|curl|wget|chmod|chown)\b", run)
    assert FINAL.all("COPY") == ["--from=build /opt/stagegate /opt/stagegate"]


def test_its_user_is_a_number_and_that_of_the_pods() -> None:
    user, group = (int(part) for part in FINAL.last("USER").split(":"))

    assert user > 10000
    for pod in pods():
        assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (user, group)


def test_it_starts_the_command_without_a_shell() -> None:
    assert FINAL.listed("ENTRYPOINT") == ["stagegate"]
    assert "stagegate" in PROJECT["scripts"]
    assert FINAL.listed("CMD") == ["--help"]
    assert FINAL.last("WORKDIR") == "/"


def test_its_ports_are_those_of_the_pods() -> None:
    ports = {port["containerPort"] for pod in pods() for container in pod["containers"] for port in container["ports"]}

    assert set(map(int, FINAL.last("EXPOSE").split())) == ports


def test_its_labels_say_what_the_project_says() -> None:
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in FINAL.pairs("LABEL").items()}

    assert labels == {
        "title": "Stagegate",
        "description": PROJECT["description"],
        "licenses": PROJECT["license"],
        "version": "${VERSION}",
    }
    assert f"VERSION={PROJECT['version']}" in FINAL.all("ARG")


def test_the_pods_run_the_image_of_this_version() -> None:
    images = {container["image"] for pod in pods() for container in pod["containers"]}

    assert images == {f"stagegate:{PROJECT['version']}"}


def test_a_read_only_root_suffices() -> None:
    environment = FINAL.pairs("ENV")

    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["PATH"].startswith("/opt/stagegate/bin:")
    assert any("compileall" in run and "unchecked-hash" in run for run in BUILD.all("RUN"))


@pytest.mark.parametrize("stage", [BUILD, FINAL], ids=["build", "final"])
def test_nothing_is_added_from_elsewhere(stage: Stage) -> None:
    for copied in stage.all("COPY"):
        *sources, _ = copied.split()
        for source in sources:
            assert source.startswith("--from=") or "/opt/" in source or sent(Path(source), ignored_patterns())


@pytest.mark.parametrize(
    ("path", "is_sent"),
    [
        ("webhook/api/conditions.py", True),
        ("manifests/crds/Kustomization", True),
        (".requirements-dev.lock", True),
        ("webhook/api/__pycache__/conditions.cpython-311.pyc", False),
        ("tests/conftest.py", False),
        ("sandbox/sandbox.py", False),
        (".git/config", False),
        (".venv/bin/python", False),
    ],
)
def test_the_context_holds_what_is_built_and_no_more(path: str, is_sent: bool) -> None:
    assert sent(Path(path), ignored_patterns()) is is_sent


def test_the_wheel_holds_the_product_alone() -> None:
    include = SETTINGS["tool"]["setuptools"]["packages"]["find"]["include"]

    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}

    assert {name for name in folders if any(fnmatch(name, each) for each in include)} == {
        "webhook",
        "certs",
        "manifests",
    }


def test_an_instruction_that_nobody_plays_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot play ADD"):
        parse("FROM a\nADD https://example.com/x /x\n")
