"""A packed release: the same bytes from the same commit, and every file of it works with the program that it is for."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.controlplane import Binaries, ControlPlane
from tests.e2e.administrator import Administrator, Wire
from tests.e2e.test_install import DEFAULT, FOLDERS, OF_OTHERS, STOCK_KNATIVE_POLICY
from tests.shipping.repository import clone

NAME = "registry.example.com/team/stagegate"
DIGEST = f"sha256:{'0a' * 32}"
INSTALLS = {"install.yaml": DEFAULT} | {f"install-{Path(each).name}.yaml": each for each in FOLDERS if each != DEFAULT}
"""The files to install, with the folder of the manifests that each is made from."""
OTHERS = ["IMAGE.md", "SHA256SUMS", "kubectl-stagegate.zip", "stagegate-0.1.0.tgz", "stagegate.yaml"]


def pack(binaries: Binaries, helm: Path, repository: Path, target: Path, umask: int) -> Path:
    """What ``make release`` does, in a clone of this repository."""
    words = ["--dir", str(target), "--image", f"{NAME}@{DIGEST}", "--owner", "acme"]
    done = subprocess.run(
        [sys.executable, "-m", "shipping.release", *words],
        cwd=repository,
        env=os.environ | {"PATH": f"{binaries.kubectl.parent}:{helm.parent}:{os.environ['PATH']}"},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{target}\n"
    return target


@pytest.fixture(scope="module")
def helm(program: Callable[[str], Path]) -> Path:
    return program("helm")


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [clone(tmp_path_factory.mktemp(name)) for name in ("one", "another")]


@pytest.fixture(scope="module")
def release(binaries: Binaries, helm: Path, clones: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(binaries, helm, clones[0], tmp_path_factory.mktemp("packed") / "release", 0o022)


@pytest.fixture(scope="module")
def administrator(binaries: Binaries) -> Iterator[Administrator]:
    """A cluster without Knative, and without Stagegate at first."""
    with ControlPlane.start(binaries=binaries, manifests=False, knative=False) as plane:
        yield Administrator(plane)


def installed(release: Path, name: str = "install.yaml") -> list[Wire]:
    return list(yaml.safe_load_all((release / name).read_text()))


def images(objects: list[Wire]) -> set[str]:
    """The images of the Deployments."""
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]
    return {container["image"] for pod in pods for container in pod["containers"]}


def test_the_same_commit_gives_the_same_bytes(
    binaries: Binaries, helm: Path, clones: list[Path], release: Path, tmp_path: Path
) -> None:
    """Elsewhere, later, with other file modes."""
    again = pack(binaries, helm, clones[1], tmp_path / "release", 0o077)

    assert sorted(path.name for path in release.iterdir()) == sorted([*INSTALLS, *OTHERS])
    for path in release.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_every_file_has_its_checksum(release: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    checked = [line.removesuffix(": OK") for line in done.stdout.splitlines()]
    assert sorted([*checked, "SHA256SUMS"]) == sorted([*INSTALLS, *OTHERS])


@pytest.mark.parametrize("name", INSTALLS)
def test_an_install_is_its_overlay_with_the_image(administrator: Administrator, release: Path, name: str) -> None:
    text = administrator.does(f"kubectl kustomize {INSTALLS[name]}")

    assert images(installed(release, name)) == {f"{NAME}@{DIGEST}"}
    assert (release / name).read_text() == text.replace("image: stagegate:0.1.0\n", f"image: {NAME}@{DIGEST}\n")


@pytest.mark.parametrize("name", INSTALLS)
def test_the_api_server_accepts_an_install(
    administrator: Administrator, definitions: Callable[[str], list[Path]], release: Path, name: str
) -> None:
    if INSTALLS[name] == STOCK_KNATIVE_POLICY and administrator.plane.version < (1, 36):
        pytest.skip("MutatingAdmissionPolicy is served from Kubernetes 1.36 on")
    if INSTALLS[name] in OF_OTHERS:
        administrator.applies_definitions(definitions(OF_OTHERS[INSTALLS[name]]))
    administrator.does(f"kubectl apply --server-side --force-conflicts --warnings-as-errors -f {release / name}")

    stored = administrator.stored(installed(release, name))
    assert images(stored) == {f"{NAME}@{DIGEST}"}
    assert len(stored) == len(installed(release, name))


def test_the_chart_is_the_default_install(release: Path, helm: Path) -> None:
    template = ["template", "stagegate", str(release / "stagegate-0.1.0.tgz"), "--namespace", "stagegate-system"]
    rendered = subprocess.run([helm, *template], capture_output=True, text=True, timeout=60, check=True).stdout
    described = subprocess.run(
        [helm, "show", "chart", str(release / "stagegate-0.1.0.tgz")], capture_output=True, text=True, check=True
    ).stdout

    chart = yaml.safe_load(described)
    assert (chart["version"], chart["appVersion"]) == ("0.1.0", "0.1.0")
    objects = [each for each in yaml.safe_load_all(rendered) if each]
    assert images(objects) == {f"{NAME}@{DIGEST}"}
    assert names(installed(release)) <= names(objects)


def names(objects: list[Wire]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in objects}


def test_krew_accepts_the_plugin(program: Callable[[str], Path], release: Path) -> None:
    krew = program("validate-krew-manifest")
    done = subprocess.run(
        [krew, "-manifest", release / "stagegate.yaml", "-skip-install"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "OWNER" not in (release / "stagegate.yaml").read_text()


def test_the_instructions_name_the_commit_and_the_image(release: Path, clones: list[Path]) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clones[0], capture_output=True, text=True, check=True)
    instructions = (release / "IMAGE.md").read_text()

    assert f"`{NAME}@{DIGEST}`. It is built from commit {head.stdout.strip()}:" in instructions
    assert f"--tag {NAME}:0.1.0 --push ." in instructions
