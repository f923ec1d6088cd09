"""Argo CD: its application controller and repository server on a stand, with the configuration of its own install."""

import shlex
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane.process import Program
from tests.e2e.gitops.argo_cd.application import APPLICATIONS, GROUP, NAMESPACE, Application
from tests.e2e.gitops.argo_cd.repository import Repository
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually

Wire = dict[str, Any]

ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:argocd-application-controller"
HERE: Final = "https://kubernetes.default.svc"
"""The address by which an Application names the cluster that Argo CD runs in."""

APPLIES: Final = {"client": [], "server": ["ServerSideApply=true"]}
"""Sync options by the side that applies."""

_REDIS, _REPOSITORY, _METRICS, _REPOSITORY_METRICS = 6379, 18081, 18082, 18084
_PROJECTS: Final = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/appprojects"
_SETTINGS: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps/argocd-cm"
_INSTALLED: Final = ("base/config", "base/application-controller-roles", "cluster-rbac/application-controller")
_PROGRAMS: Final = {
    # It has kustomize built in. Argo CD asks for the version once, and then for the objects of folders.
    "kustomize": """#!/bin/sh
case "$1" in
  version) echo v5.8.1 ;;
  build) shift; exec {kubectl} kustomize "$@" ;;
esac
""",
    # Commits are not signed.
    "git-verify-wrapper.sh": "#!/bin/sh\n",
}


class ArgoCD:
    """At work while it is entered. Each Application that it is given has a repository of its own, of the same name."""

    def __init__(self, stand: Stand, program: Path, definitions: list[Path], folder: Path) -> None:
        self.stand = stand
        self._program = program
        self._folder = folder
        self._manifests = definitions[0].parents[1]
        self._definitions = definitions
        self._running: dict[str, Program] = {}
        self._repositories: dict[str, Repository] = {}
        tools = folder / "bin"
        tools.mkdir()
        for name, text in _PROGRAMS.items():
            (tools / name).write_text(text.replace("{kubectl}", str(stand.plane.binaries.kubectl)))
            (tools / name).chmod(0o755)

    def install(self) -> None:
        """Its definitions, configuration and rights, as they come with it, and a project that allows everything."""
        self.stand.plane.register_crds(self._definitions)
        self.stand.administrator.does(f"kubectl create namespace {NAMESPACE}")
        for part in _INSTALLED:
            self.stand.administrator.does(f"kubectl apply -n {NAMESPACE} -k {shlex.quote(str(self._manifests / part))}")
        self.project("default")

    def setting(self, name: str, value: str | None) -> None:
        """Set a key of argocd-cm, or take it away."""
        answer = self.stand.plane.admin.patch(_SETTINGS, {"data": {name: value}})
        assert answer.status == HTTPStatus.OK, answer.message

    def project(self, name: str, **spec: Any) -> None:
        """A project that allows everything, unless its spec says otherwise."""
        allowed = {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        }
        self._create(_PROJECTS, "AppProject", name, {**allowed, **spec})

    def __enter__(self) -> Self:
        self._run("redis", f"127.0.0.1:{_REDIS}")
        self._run(
            "argocd-repo-server",
            f"--redis=127.0.0.1:{_REDIS}",
            "--address=127.0.0.1",
            f"--port={_REPOSITORY}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={_REPOSITORY_METRICS}",
            "--disable-tls",
            "--client-ca-path=",
        )
        kubeconfig = self.stand.plane.kubeconfig_for(ACCOUNT)
        self._run(
            "argocd-application-controller",
            f"--kubeconfig={kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--redis=127.0.0.1:{_REDIS}",
            f"--repo-server=127.0.0.1:{_REPOSITORY}",
            "--repo-server-plaintext",
            f"--metrics-port={_METRICS}",
            # The health of each object, which else only the page of Argo CD shows, in the status of the Application.
            "--persist-resource-health",
            environment={"ARGOCD_FAKE_IN_CLUSTER": "true", "KUBECONFIG": str(kubeconfig)},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._running.values():
            program.kill()

    def commit(self, name: str, files: Mapping[str, str | Path]) -> str:
        """Make these files the newest commit of a repository, and answer its id."""
        if name not in self._repositories:
            self._repositories[name] = Repository(self._folder / name)
        return self._repositories[name].commit(files)

    def application(self, name: str, namespace: str, path: str = ".", **spec: Any) -> Application:
        """An Application of the repository of its name. It is synced on demand, unless its spec says otherwise."""
        source = {"repoURL": self._repositories[name].url, "path": path, "targetRevision": "main"}
        destination = {"server": HERE, "namespace": namespace}
        whole = {"project": "default", "source": source, "destination": destination, **spec}
        self._create(APPLICATIONS, "Application", name, whole)
        return Application(self.stand.plane.admin, name)

    def remove(self, name: str) -> None:
        """Delete an Application, and leave what it has applied; harmless where there is none."""
        application = Application(self.stand.plane.admin, name)
        if application.body():
            application.patch({"metadata": {"finalizers": None}})
            application.delete()
        eventually(lambda: not application.body(), f"Application {name} is gone")

    def _create(self, path: str, kind: str, name: str, spec: Wire) -> None:
        body = {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        answer = self.stand.plane.admin.create(path, body)
        assert answer.status == HTTPStatus.CREATED, answer.message

    def _run(self, command: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        own = {
            "PATH": f"{self._folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_ASK_PASS_SOCK": str(self._folder / "ask-pass.sock"),
        }
        log = self._folder / f"{command}.log"
        self._running[command] = Program([self._program, command, *options], log, {**own, **(environment or {})})
