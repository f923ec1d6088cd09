"""The image: every instruction of the Dockerfile carried out in a folder, and its programs run there as in a pod."""

import base64
import json
import os
import re
import socket
import ssl
import stat
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.directory import DirectoryStore
from certs.renewal import renew
from certs.rotation import RotationPolicy
from tests.controlplane import ControlPlane
from tests.e2e.administrator import REPOSITORY, Administrator
from tests.image.build import Image, build
from tests.image.container import Container
from tests.image.root import find_python, make_base
from tests.kustomize import MANIFESTS, by_name
from tests.server.reviews import GOOD

VERSION = "3.13"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    python = find_python(VERSION)
    if os.geteuid() != 0 or python is None:
        pytest.skip(f"playing the Dockerfile takes root and a Python {VERSION}")
    folder = tmp_path_factory.mktemp("image")
    image = build(folder, lambda root: make_base(root, python, VERSION))
    # The image needs no shell: what is run from here on has none.
    for tool in ("sh", "rm", "mkdir", "sed"):
        (image.root / "usr/bin" / tool).unlink()
    (image.root / "work").chmod(0o777)
    return image


def run(image: Image, folder: Path, *arguments: str) -> tuple[int, str]:
    with Container(image, arguments, folder / "log") as container:
        return container.wait(), container.output


def python(image: Image, folder: Path, program: str) -> str:
    with Container(image, ["-c", program], folder / "log", entry=["python3"]) as container:
        assert container.wait() == 0, container.output
        return container.output


def test_without_arguments_it_explains_itself(image: Image, tmp_path: Path) -> None:
    code, output = run(image, tmp_path, *image.stage.listed("CMD"))

    assert code == 0
    assert "Usage: stagegate" in output


def test_it_is_the_version_that_its_label_says(image: Image, tmp_path: Path) -> None:
    (version,) = (line.partition("=")[2] for line in image.stage.all("ARG") if line.startswith("VERSION="))

    assert run(image, tmp_path, "--version") == (0, f"stagegate {version}\n")


def test_its_packages_are_those_of_the_lock(image: Image, tmp_path: Path) -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE))
    program = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"

    found = dict(pair.split("==") for pair in python(image, tmp_path, program).split())

    names = {name.lower().replace("_", "-").replace(".", "-"): version for name, version in found.items()}
    assert names.pop("stagegate")
    assert names == {name: locked[name] for name in names}
    assert locked.keys() - names.keys() == set()


def test_nothing_in_it_builds_installs_or_is_a_shell(image: Image) -> None:
    programs = {
        path.name for folder in ("opt/stagegate/bin", "usr/local/bin") for path in (image.root / folder).iterdir()
    }

    assert not {name for name in programs if re.match(r"(pip|easy_install|gcc|cc|ld|make|bash|sh)\d*(\.\d+)?$", name)}
    for folder in ("pip", "setuptools", "ensurepip"):
        assert list(image.root.glob(f"**/{folder}/__init__.py")) == []


def test_nothing_in_it_can_be_written_by_its_user(image: Image) -> None:
    user = int(image.stage.last("USER").partition(":")[0])
    for path in (image.root / "opt").rglob("*"):
        entry = path.lstat()
        assert entry.st_uid != user
        assert stat.S_ISLNK(entry.st_mode) or not entry.st_mode & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)


def test_every_module_comes_with_its_bytecode(image: Image, tmp_path: Path) -> None:
    program = "import importlib.util as u, webhook.admission as a, kubernetes.client as k, cryptography.x509 as c\n"
    program += "print(*(u.cache_from_source(m.__file__) for m in (a, k, c)))"

    for path in python(image, tmp_path, program).split():
        assert (image.root / path.lstrip("/")).is_file()


def test_its_root_is_read_only(image: Image, tmp_path: Path) -> None:
    """Also where the file modes would let it write; /dev/shm alone is memory of its own."""
    program = (
        "import pathlib\n"
        "for place in ('/work', '/tmp', '/opt/stagegate', '/dev/shm'):\n"
        "    try: print(pathlib.Path(place, 'x').write_text('x'))\n"
        "    except OSError as problem: print(problem.strerror)\n"
    )

    assert python(image, tmp_path, program).splitlines() == [*["Read-only file system"] * 3, "1"]


def test_it_holds_the_manifests(image: Image) -> None:
    inside = image.root / f"opt/stagegate/lib/python{VERSION}/site-packages/manifests"
    found = {path.relative_to(inside) for path in inside.rglob("*") if path.is_file()}
    ours = {path.relative_to(MANIFESTS) for path in MANIFESTS.rglob("*") if path.is_file()}
    # The chart is for Helm, the plugin for krew for the machines of people.
    assert found == {path for path in ours if path.parts[0] not in {"chart", "krew"}}


def test_it_holds_nothing_but_the_program(image: Image) -> None:
    site_packages = image.root / f"opt/stagegate/lib/python{VERSION}/site-packages"

    for folder in ("sandbox", "shipping", "tests", "manifests/chart"):
        assert not (site_packages / folder).exists()
    assert not list(site_packages.glob("webhook/**/demo*"))
    assert not (site_packages / "kubernetes" / "aio").exists()


def test_its_own_layer_is_small(image: Image) -> None:
    assert 50 * MEGABYTE < image.size("opt") < 120 * MEGABYTE


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """As a mounted Secret: readable for the group that a pod gives its user."""
    folder = tmp_path / "certs"
    renew(DirectoryStore(folder), ["localhost", "127.0.0.1"], datetime.now(UTC), RotationPolicy())
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o444)
    return folder


def test_the_webhook_serves_from_a_root_that_nobody_can_write_to(
    image: Image, tmp_path: Path, certificates: Path
) -> None:
    arguments = ["serve", "--standalone", "--cert-dir=/work", "--host=127.0.0.1", "--port=0", "--pages-port=0"]
    with Container(image, arguments, tmp_path / "log", volumes={certificates: "/work"}) as container:
        url, _, pages = container.wait_for_line("serving ").removeprefix("serving ").partition(", pages ")
        with urllib.request.urlopen(f"{pages}/readyz", timeout=60) as answer:
            assert answer.status == 200
        trusting = ssl.create_default_context(cafile=certificates / "ca.crt")
        asked = urllib.request.Request(f"{url}/validate", GOOD, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, context=trusting, timeout=60) as answer:
            assert json.load(answer)["response"]["allowed"] is True
        assert as_in_a_restricted_pod(container.status(), image)

        assert container.stop() == 0, container.output


def test_a_program_ends_with_its_test(image: Image, tmp_path: Path) -> None:
    """However the test ends."""
    program = "import time; print('running', flush=True); time.sleep(600)"
    with Container(image, ["-c", program], tmp_path / "log", entry=["python3"]) as container:
        container.wait_for_line("running")
        pid = container.pid

    assert not Path(f"/proc/{pid}").exists()


def as_in_a_restricted_pod(status: dict[str, str], image: Image) -> bool:
    """Its own user and group alone, no capability, no way to gain one, and process 1."""
    user, group = image.stage.last("USER").split(":")
    assert status["Uid"].split() == [user] * 4
    assert status["Gid"].split() == [group] * 4
    assert status["Groups"] == ""
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["NSpid"].split()[-1] == "1"
    return True


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.start(manifests=False, knative=False) as plane:
        yield plane


ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def pod(image: Image, folder: Path, plane: ControlPlane, name: str) -> Container:
    """The container of a Deployment, as it is written there, but for its address: all pods share this machine's."""
    (container,) = by_name()["Deployment", name]["spec"]["template"]["spec"]["containers"]
    elsewhere = {"--host=::": "--host=127.0.0.1", "--port=8443": "--port=0"}
    elsewhere |= {"--pages-host=::": "--pages-host=127.0.0.1", "--pages-port=8080": "--pages-port=0"}
    arguments = [
        elsewhere.get(text, text).replace("$(POD_NAMESPACE)", "stagegate-system") for text in container["args"]
    ]
    host, port = plane.url.removeprefix("https://").split(":")
    environment = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "POD_NAMESPACE": "stagegate-system",
    }
    account = token_of(plane, name, folder / name)
    return Container(image, arguments, folder / f"{name}.log", volumes={account: ACCOUNT}, environment=environment)


def token_of(plane: ControlPlane, account: str, folder: Path) -> Path:
    """What the kubelet mounts for a service account."""
    path = f"/api/v1/namespaces/stagegate-system/serviceaccounts/{account}/token"
    answer = plane.admin.create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    assert answer.status == 201, answer.message
    folder.mkdir(mode=0o755)
    (folder / "token").write_text(answer.body["status"]["token"])
    (folder / "ca.crt").write_bytes((plane.directory / "ca.crt").read_bytes())
    (folder / "namespace").write_text("stagegate-system")
    return folder


def test_the_pods_come_up_as_they_are_installed(image: Image, tmp_path: Path, plane: ControlPlane) -> None:
    """Webhook first: it waits for the certificate, which the loop makes. Each has its own account and its rights."""
    (image.root / ACCOUNT.lstrip("/")).mkdir(parents=True)
    administrator = Administrator(plane)
    administrator.does("kubectl apply -k manifests/")
    validating = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validate.stagegate.dev"

    with (
        pod(image, tmp_path, plane, "stagegate-webhook") as webhook,
        pod(image, tmp_path, plane, "stagegate-loop") as loop,
    ):
        url, _, _ = webhook.wait_for_line("serving ").partition(", pages ")
        port = int(url.rpartition(":")[2])
        loop.wait_for_line("working")
        (hook,) = administrator.api.get(validating).body["webhooks"]
        authority = base64.b64decode(hook["clientConfig"]["caBundle"]).decode()
        trusting = ssl.create_default_context(cadata=authority)
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            trusting.wrap_socket(connection, server_hostname="stagegate-webhook.stagegate-system.svc") as secured,
        ):
            assert secured.version() == "TLSv1.3"

        assert (webhook.stop(), loop.stop()) == (0, 0), (webhook.output, loop.output)
        assert forbidden(plane) == []


def forbidden(plane: ControlPlane) -> list[str]:
    return [event["requestURI"] for event in plane.audit_events() if event.get("responseStatus", {}).get("code") == 403]


def test_a_kubeconfig_with_everything_in_it_is_unpacked_in_memory(
    image: Image, tmp_path: Path, plane: ControlPlane
) -> None:
    folder = tmp_path / "account"
    folder.mkdir(mode=0o755)
    (folder / "kubeconfig").write_text(plane.kubeconfig.read_text())
    arguments = ["loop", "--kubeconfig=/work/kubeconfig", "--no-leader-elect", "--pages-port=0"]
    with Container(image, arguments, tmp_path / "log", volumes={folder: "/work"}) as container:
        pages = container.wait_for_line("pages at ").split("pages at ")[1].partition("/metrics")[0]
        with urllib.request.urlopen(f"{pages}/healthz") as answer:
            assert answer.status == 200
        assert as_in_a_restricted_pod(container.status(), image)

        assert container.stop() == 0, container.output
