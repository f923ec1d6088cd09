"""One running sandbox: its server, its certificates and the kubeconfig files that lead to it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from webhook.sandbox.identity import ADMIN, MASTERS, Authority
from webhook.sandbox.requestlog import RequestLog

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
        self._url = ""
        self.request_log = RequestLog()

    def start(self) -> "Sandbox":
        """Serve; returns when requests are answered. Raises OSError if the port is taken."""
        raise NotImplementedError

    def stop(self) -> None:
        """End every watch and connection, free the port, delete the files; harmless when not running."""
        raise NotImplementedError

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
