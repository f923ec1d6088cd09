"""One running sandbox: its server, its certificates and the kubeconfig files that lead to it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

import yaml

from sandbox.front import Front
from sandbox.identity import ADMIN, MASTERS, Credentials
from sandbox.objects import Object
from sandbox.requestlog import RequestLog
from sandbox.server import ApiServer

MANIFESTS: Final = Path(__file__).resolve().parents[1] / "manifests"
KNATIVE_CRDS: Final = Path(__file__).resolve().parent / "crds"

_DEFINITION: Final = "CustomResourceDefinition"
_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_NAMES: Final = ("127.0.0.1", "localhost")


def _now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """An HTTPS API server on loopback with everything in memory.

    ``directory`` receives certificates and kubeconfig files, which ``stop`` deletes again; ``port`` 0 takes a free
    one. ``manifests`` registers the CRDs of ``manifests/crds``, ``knative`` the small ones of Knative's own kinds.
    ``history`` is how many changes of each resource a watch may look back (beyond it: 410), ``bookmark_seconds`` how
    often a watch that asked for bookmarks gets one.

    Usable as a context manager, and from any thread. Nobody's rights are checked: every user to whom this sandbox
    gave a token may do everything.
    """

    def __init__(
        self,
        directory: Path | str,
        port: int = 0,
        *,
        manifests: bool = True,
        knative: bool = True,
        history: int = 20_000,
        bookmark_seconds: float = 60.0,
    ) -> None:
        self._directory = Path(directory)
        self._port = port
        self._manifests = manifests
        self._knative = knative
        self._history = history
        self._bookmark_seconds = bookmark_seconds
        self._credentials: Credentials | None = None
        self._front: Front | None = None
        self._api: ApiServer | None = None
        self._url = ""
        self.request_log = RequestLog()

    def start(self) -> "Sandbox":
        """Serve; returns when requests are answered. Raises OSError if the port is taken."""
        if self._front is not None:
            raise RuntimeError("the sandbox is running already")
        self._credentials = Credentials(self._directory, _NAMES)
        api = ApiServer(_now, self._history, self._bookmark_seconds, self.request_log)
        try:
            front = Front(self._port, self._credentials, api)
        except OSError:
            self._credentials.remove_files()
            self._credentials = None
            raise
        self._front, self._api = front, api
        self._url = f"https://127.0.0.1:{front.port}"
        for value in _first_objects(manifests=self._manifests, knative=self._knative):
            api.install(value)
        api.store.forget_history()
        front.start()
        return self

    def stop(self) -> None:
        """End every watch and connection, free the port, delete the files; harmless when not running."""
        if self._front is None or self._api is None or self._credentials is None:
            return
        self._api.stop()
        self._front.stop()
        self._credentials.remove_files()
        self._front = self._api = self._credentials = None

    def forget_history(self) -> None:
        """Forget all changes, as a compaction does: watches from before get 410."""
        if self._api is not None:
            self._api.store.forget_history()

    def __enter__(self) -> "Sandbox":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``https://127.0.0.1:PORT``, once started."""
        return self._url

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a person in the group ``system:masters``."""
        path = self._directory / "kubeconfig"
        return path if path.exists() else self._running().kubeconfig(self._url, ADMIN, (MASTERS,))

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a token of this user; a service account is ``system:serviceaccount:NS:NAME``.

        The groups ``system:authenticated`` and, for service accounts, ``system:serviceaccounts`` and
        ``system:serviceaccounts:NS`` are added by the server.
        """
        return self._running().kubeconfig(self._url, user, groups)

    def _running(self) -> Credentials:
        if self._credentials is None:
            raise RuntimeError("the sandbox is not running; call start() first")
        return self._credentials


def _first_objects(*, manifests: bool, knative: bool) -> Iterator[Object]:
    for name in _NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    folders = [MANIFESTS / "crds"] if manifests else []
    folders += [KNATIVE_CRDS] if knative else []
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")):
            yield from (v for v in yaml.safe_load_all(file.read_text()) if v and v["kind"] == _DEFINITION)
