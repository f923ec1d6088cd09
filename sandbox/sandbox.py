"""One running sandbox: its server, its certificates and the kubeconfig files that lead to it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final

import yaml

from sandbox.front import Front
from sandbox.identity import ADMIN, MASTERS, Authority, authenticated
from sandbox.objects import Object
from sandbox.requestlog import RequestLog
from sandbox.server import ApiServer

_INSTALLER: Final = authenticated("system:apiserver", (MASTERS,))
_DEFINITION: Final = "CustomResourceDefinition"
_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_NAMES: Final = ("127.0.0.1", "localhost")


def _now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """An HTTPS API server on loopback with everything in memory.

    ``directory`` receives certificates and kubeconfig files, which ``stop`` deletes again; ``port`` 0 takes a free
    one. ``manifests`` registers the CRDs of ``manifests/crds``, ``knative`` the small ones of Knative's own kinds.
    ``clock`` gives the time written into objects. ``history`` is how many changes of each resource a watch may look
    back (beyond it: 410), ``bookmark_seconds`` how often a watch that asked for bookmarks gets one.

    Usable as a context manager, and from any thread. Nobody's rights are checked: every user whose certificate this
    sandbox made may do everything, and only members of ``system:masters`` may impersonate.
    """

    def __init__(
        self,
        directory: Path | str,
        port: int = 0,
        *,
        manifests: bool = True,
        knative: bool = True,
        clock: Callable[[], datetime] = _now,
        history: int = 20_000,
        bookmark_seconds: float = 60.0,
    ) -> None:
        self._directory = Path(directory)
        self._port = port
        self._manifests = manifests
        self._knative = knative
        self._clock = clock
        self._history = history
        self._bookmark_seconds = bookmark_seconds
        self._authority: Authority | None = None
        self._front: Front | None = None
        self._api: ApiServer | None = None
        self._url = ""
        self.request_log = RequestLog()

    def start(self) -> "Sandbox":
        """Serve; returns when requests are answered. Raises OSError if the port is taken."""
        if self._front is not None:
            raise RuntimeError("the sandbox is running already")
        self._authority = Authority(self._directory)
        api = ApiServer(self._clock, self._history, self._bookmark_seconds, self.request_log)
        context = self._authority.server_context(_NAMES)
        try:
            front = Front(self._port, context, api)
        except OSError:
            self._authority.remove_files()
            self._authority = None
            raise
        self._front, self._api = front, api
        self._url = f"https://127.0.0.1:{front.port}"
        api.start()
        for value in _first_objects(manifests=self._manifests, knative=self._knative):
            api.install(value, _INSTALLER)
        api.store.begin_history()
        front.start()
        return self

    def stop(self) -> None:
        """End every watch and connection, free the port, delete the files; harmless when not running."""
        if self._front is None or self._api is None or self._authority is None:
            return
        self._api.stop()
        self._front.stop()
        self._authority.remove_files()
        self._front = self._api = self._authority = None

    def map_service(self, namespace: str, name: str, host: str, port: int) -> None:
        """Send calls of webhooks that name this Service to an address; there is no cluster network.

        The webhook's certificate is still checked for ``NAME.NAMESPACE.svc``.
        """
        if self._api is None:
            raise RuntimeError("the sandbox is not running; call start() first")
        self._api.transport.map_service(namespace, name, host, port)

    def forget_history(self) -> None:
        """Forget all changes, as a compaction does: watches and continued lists from before get 410."""
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
        """The kubeconfig of a person who may impersonate others (group ``system:masters``)."""
        path = self._directory / "kubeconfig"
        return path if path.exists() else self._running().kubeconfig(self._url, ADMIN, (MASTERS,), path.name)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate of this user; a service account is ``system:serviceaccount:NS:NAME``.

        The groups ``system:authenticated`` and, for service accounts, ``system:serviceaccounts`` and
        ``system:serviceaccounts:NS`` are added by the server.
        """
        name = "kubeconfig-" + "".join(c if c.isalnum() or c in ".-" else "-" for c in user)
        return self._running().kubeconfig(self._url, user, groups, name)

    def _running(self) -> Authority:
        if self._authority is None:
            raise RuntimeError("the sandbox is not running; call start() first")
        return self._authority


def _first_objects(*, manifests: bool, knative: bool) -> Iterator[Object]:
    for name in _NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    folders = [_manifests() / "crds"] if manifests else []
    folders += [Path(__file__).parent / "crds"] if knative else []
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")):
            yield from (v for v in yaml.safe_load_all(file.read_text()) if v and v["kind"] == _DEFINITION)


def _manifests() -> Path:
    """The folder of the namespace package ``manifests``; an editable install lists places that are no folders too."""
    spec = find_spec("manifests")
    found = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    for place in found:
        if (place / "crds").is_dir():
            return place
    raise FileNotFoundError("the folder manifests/crds is not installed beside webhook; start with manifests=False")
