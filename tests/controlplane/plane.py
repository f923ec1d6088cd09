"""ControlPlane: etcd and kube-apiserver on loopback, from start to finish."""

import itertools
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.controlplane import kubeconfig, settings
from tests.controlplane.access import groups_of, rights_of_people
from tests.controlplane.binaries import Binaries
from tests.controlplane.certificates import Authority, Pair, private_pem
from tests.controlplane.process import Program
from tests.controlplane.session import Session

ADMINS: Final = "system:masters"
MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
KNATIVE_CRDS: Final = Path(__file__).parents[2] / "sandbox" / "crds"
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_START_WITHIN: Final = 120.0


class StartFailed(RuntimeError):
    """The control plane did not come up; the message holds the last words of the program that failed."""


class ControlPlane:
    """A running control plane. Use it in a ``with``, or call ``stop``; both leave no process and no file.

    ``admin`` is a connection of its administrator.
    """

    def __init__(self, directory: Path, binaries: Binaries) -> None:
        self.directory = directory
        self.binaries = binaries
        self.audit_log = directory / "audit.log"
        self._authority = Authority()
        self._programs: list[Program] = []
        self._numbers = itertools.count()
        # Held, never listened on: the API server shares it, and no other process of the machine is given it.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._port.bind(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._port.getsockname()[1]}"
        self.kubeconfig = directory / "admin.kubeconfig"
        self._admin = self._authority.client("admin", [ADMINS])
        self.admin = self._session(self._admin)
        self._server_command: list[str | Path] = []

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        *,
        manifests: bool = True,
        knative: bool = True,
        controller_manager: bool = False,
        controllers: Sequence[str] = (),
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        durable: bool = False,
        binaries: Binaries | None = None,
    ) -> "ControlPlane":
        """Start one and wait until it serves.

        Everything lies in a new folder inside ``directory`` (the machine's temporary folder if None), which goes with
        it. ``manifests`` registers the CRDs of ``manifests/crds``, ``knative`` the small ones of Knative's own kinds.
        ``controllers`` are those of the controller manager beside the ones that clean up; any asks for it by itself.
        ``plugins`` are admission plugins beside those that are on by default, ``options`` further options of the API
        server. ``durable`` has etcd wait for the disk with each write, as it does in a cluster. Raises Unavailable
        where the programs cannot be had, StartFailed where they do not come up.
        """
        controller_manager = controller_manager or bool(controllers)
        found = binaries or Binaries.find_or_make(controller_manager=controller_manager)
        # A socket's path must fit into about a hundred characters, which the folders of a test runner do not.
        base = directory if directory is not None and len(str(directory)) < 60 else None
        plane = cls(Path(tempfile.mkdtemp(prefix="stagegate-plane-", dir=base)), found)
        try:
            plane._start(controllers if controller_manager else None, plugins, options, durable)
            folders = [MANIFESTS / "crds"] * manifests + [KNATIVE_CRDS] * knative
            plane.register_crds(path for folder in folders for path in sorted(folder.glob("*.yaml")))
        except BaseException:
            plane.stop()
            raise
        return plane

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version of Kubernetes, as the server reports it."""
        version = self.admin.get("/version").body
        return int(version["major"]), int(version["minor"].rstrip("+"))

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate of this user; a service account is ``system:serviceaccount:NS:NAME``.

        A person may edit what is in namespaces (group ``people``); a service account may do what its roles say, and
        has the groups that its token would give it.
        """
        path = self.directory / f"user-{next(self._numbers)}.kubeconfig"
        pair = self._authority.client(user, dict.fromkeys([*groups, *groups_of(user)]))
        return kubeconfig.write(path, self.url, self._authority.certificate, user, pair)

    def register_crds(self, paths: Iterable[Path]) -> None:
        """Create the CRDs of these files and wait until they are served. Raises StartFailed with what was refused."""
        crds = []
        for path in paths:
            for crd in yaml.safe_load_all(path.read_text()):
                answer = self.admin.create(_CRDS, crd)
                if answer.status != HTTPStatus.CREATED:
                    raise StartFailed(f"{path.name}: {answer.message}")
                crds.append(crd)
        deadline = time.monotonic() + _START_WITHIN
        while missing := [crd["metadata"]["name"] for crd in crds if not self._is_served(crd)]:
            if time.monotonic() > deadline:
                raise StartFailed(f"not served after {_START_WITHIN:.0f} s: {', '.join(missing)}")
            time.sleep(0.05)

    def _is_served(self, crd: dict[str, Any]) -> bool:
        """True if every version can be listed and is in the discovery; both follow the condition Established."""
        spec = crd["spec"]
        plural = spec["names"]["plural"]
        for version in (each["name"] for each in spec["versions"] if each["served"]):
            path = f"/apis/{spec['group']}/{version}"
            discovery, listing = self.admin.get(path), self.admin.get(f"{path}/{plural}?limit=1")
            if not discovery.done or not listing.done:
                return False
            if plural not in (each["name"] for each in discovery.body["resources"]):
                return False
        return True

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Every request answered so far, as the API server logged it (level Metadata)."""
        with self.audit_log.open() as lines:
            for line in lines:
                yield json.loads(line)

    def session(self, user: str, groups: Sequence[str] = ()) -> Session:
        """A connection of this user, who has the rights that ``kubeconfig_for`` describes."""
        return self._session(self._authority.client(user, dict.fromkeys([*groups, *groups_of(user)])))

    def restart_server(self) -> None:
        """Kill the API server and start it anew on what etcd holds; returns when it serves. Raises StartFailed."""
        server = next(program for program in self._programs if program.name == self.binaries.kube_apiserver.name)
        server.kill()
        self._programs.remove(server)
        self._wait(self._run(self._server_command), self._serves)

    def stop(self) -> None:
        """End every process at once and remove the folder; safe to call twice."""
        self.admin.close()
        for program in reversed(self._programs):
            program.kill()
        self._programs.clear()
        self._port.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(
        self, controllers: Sequence[str] | None, plugins: Sequence[str], options: Sequence[str], durable: bool
    ) -> None:
        self._write_certificates()
        etcd = self._run(settings.etcd(self.binaries, self.directory, durable=durable))
        self._wait(etcd, settings.etcd_socket(self.directory).exists)
        port = int(self.url.rpartition(":")[2])
        self._server_command = settings.kube_apiserver(
            self.binaries, self.directory, port, self.audit_log, plugins, options
        )
        server = self._run(self._server_command)
        self._wait(server, self._serves)
        for path, body in rights_of_people():
            self.admin.create(path, body)
        with self.session("somebody") as person:
            # The authorizer receives new rights a moment later.
            self._wait(server, lambda: person.get("/api/v1/namespaces/default/pods").status == HTTPStatus.OK)
        if controllers is not None:
            command = settings.kube_controller_manager(self.binaries, self.directory, self.kubeconfig, controllers)
            self._run(command)

    def _session(self, pair: Pair) -> Session:
        return Session(self.url, self._authority.certificate, pair, self.directory)

    def _run(self, command: list[str | Path]) -> Program:
        program = Program(command, self.directory / f"{Path(command[0]).name}.log")
        self._programs.append(program)
        return program

    def _serves(self) -> bool:
        try:
            # The namespace comes a moment after the server calls itself ready.
            return all(
                self.admin.get(path).status == HTTPStatus.OK for path in ("/readyz", "/api/v1/namespaces/default")
            )
        except (OSError, HTTPException):
            self.admin.close()
            return False

    def _wait(self, program: Program, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while not condition():
            if not program.running or time.monotonic() > deadline:
                raise StartFailed(f"{program.name} did not come up:\n{program.last_words()}")
            time.sleep(0.05)

    def _write_certificates(self) -> None:
        serving = self._authority.serving()
        account = ec.generate_private_key(ec.SECP256R1())
        public = account.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for name, content in {
            "ca.crt": self._authority.certificate,
            "serving.crt": serving.certificate,
            "serving.key": serving.key,
            "service-account.key": private_pem(account),
            "service-account.pub": public,
        }.items():
            path = self.directory / name
            path.touch(mode=0o600)
            path.write_bytes(content)
        kubeconfig.write(self.kubeconfig, self.url, self._authority.certificate, "admin", self._admin)
