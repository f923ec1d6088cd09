"""Options of every command that reads a cluster, spelt as kubectl spells them, and the value that they give."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from webhook.cli.arguments import filled, namespace, selector, time_limit
from webhook.cli.cluster import connected, exit_code_of, line_of
from webhook.cli.command import section
from webhook.cli.errors import MISSING, CommandError
from webhook.cli.time_limit import LimitedTransport, TimeLimit

if TYPE_CHECKING:
    from webhook.cluster.client import Client

_F = TypeVar("_F", bound=Callable[..., Any])

_TIMEOUT_HELP: Final = "How long reading and writing may take, such as 90s or 5m; 0: no limit."

cluster_option: Final = section("cluster")


@dataclass(frozen=True)
class ClusterOptions:
    """The cluster that was named, and the part of it that is meant. ``timeout`` is in seconds, infinite for no limit.

    ``given_namespace`` is that of ``-n``, None without it; ``selector`` is empty for every object. With ``is_limited``
    the requests of all clients take at most ``timeout`` together.
    """

    kubeconfig: str | None = None
    context: str | None = None
    given_namespace: str | None = None
    all_namespaces: bool = False
    selector: str = ""
    timeout: float = math.inf
    is_limited: bool = False

    @cached_property
    def namespace(self) -> str:
        """That of ``-n``, else of the kubeconfig's context or of the pod, else ``default``. Raises CommandError."""
        from webhook.cluster.connection import NoCluster, default_namespace

        try:
            return self.given_namespace or default_namespace(self.kubeconfig, self.context)
        except NoCluster as problem:
            raise CommandError(str(problem), MISSING) from problem

    @property
    def scope(self) -> str | None:
        """The namespace to list, or None for all of them. Raises CommandError."""
        return None if self.all_namespaces else self.namespace

    @property
    def unlimited(self) -> "ClusterOptions":
        """The same without a limit of time, for a command that bounds its waiting itself."""
        return replace(self, is_limited=False)

    @property
    def begun_anew(self) -> "ClusterOptions":
        """The same with the whole time, for what comes after the answer of a person."""
        return replace(self)

    @cached_property
    def limit(self) -> TimeLimit:
        """What is left of ``timeout``."""
        return TimeLimit(self.timeout if self.is_limited else math.inf)

    @cached_property
    def client(self) -> "Client":
        """A client that writes as ``stagegate-COMMAND``; nothing is sent yet. Raises CommandError."""
        return self.client_as(f"stagegate-{_command_name()}")

    def client_as(self, field_manager: str, *, dry_run: bool = False, pool_size: int = 4) -> "Client":
        """A client that writes under this field manager. Raises CommandError."""
        from webhook.cluster.client import Client

        agent = f"stagegate/{metadata.version('stagegate')} ({_command_name()})"
        transport = self.limit.run(
            "the credentials of the cluster",
            lambda: connected(self.kubeconfig, self.context, user_agent=agent, pool_size=pool_size),
        )
        limited = LimitedTransport(transport, self.limit)
        return Client(limited, field_manager=field_manager, dry_run=dry_run, read_timeout=15.0)


def cluster_options(
    *, all_namespaces: bool = True, selectors: bool = True, timeout: str = "5m", timeout_help: str = _TIMEOUT_HELP
) -> Callable[[_F], Callable[..., Any]]:
    """Add the options; the command gets them as ``cluster``. ``timeout`` is the default of ``--timeout``.

    An ApiError that the command lets through becomes one line and an exit code, and so does the end of the time.
    """

    def decorated(command: _F) -> Callable[..., Any]:
        @wraps(command)
        def with_cluster(**given: Any) -> Any:
            options = ClusterOptions(
                given.pop("kubeconfig"),
                given.pop("context"),
                given.pop("namespace"),
                given.pop("all_namespaces", False),
                given.pop("selector", None) or "",
                given.pop("timeout"),
                is_limited=True,
            )
            with_errors = _with_errors(command)
            return with_errors(cluster=options, **given)

        added: Callable[..., Any] = timeout_option(cluster_option, timeout, timeout_help)(with_cluster)
        if selectors:
            added = cluster_option(
                "-l", "--selector", type=selector, metavar="SELECTOR", help="Only objects with these labels."
            )(added)
        if all_namespaces:
            added = cluster_option("-A", "--all-namespaces", is_flag=True, help="Every namespace.")(added)
        added = cluster_option(
            "-n", "--namespace", type=namespace, metavar="NS", help="Default: that of the context, as kubectl has it."
        )(added)
        return connection_options(cluster_option)(added)

    return decorated


def connection_options(option: Callable[..., Any]) -> Callable[[_F], _F]:
    """Add ``--kubeconfig`` and ``--context``, by this decorator of options."""

    def decorated(command: _F) -> _F:
        added = option(
            "--context", type=filled, metavar="NAME", help="Context of the kubeconfig; default: its current one."
        )(command)
        where = "Default: the account of the pod, else $KUBECONFIG, else ~/.kube/config."
        result: _F = option("--kubeconfig", type=filled, metavar="F", help=where)(added)
        return result

    return decorated


def timeout_option(
    option: Callable[..., Any], default: str = "5m", help_text: str = _TIMEOUT_HELP
) -> Callable[[_F], _F]:
    """Add ``--timeout``, by this decorator of options."""
    added: Callable[[_F], _F] = option(
        "--timeout", type=time_limit, default=default, metavar="DURATION", help=help_text
    )
    return added


def _with_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    def run(**given: Any) -> Any:
        try:
            return command(**given)
        except Exception as problem:
            # Imported only now, so that a command that needs no cluster starts fast.
            from webhook.cluster.errors import ApiError

            if isinstance(problem, ApiError):
                raise CommandError(line_of(problem), exit_code_of(problem)) from problem
            raise

    return run


def _command_name() -> str:
    context = click.get_current_context(silent=True)
    return (context.info_name if context is not None else None) or "command"
