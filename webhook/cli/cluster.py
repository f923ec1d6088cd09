"""A connection of a command to a cluster; a failure becomes one line and an exit code."""

from typing import TYPE_CHECKING

from webhook.cli.errors import FAILED, MISSING, CommandError

if TYPE_CHECKING:
    from webhook.cluster.transport import KubernetesTransport


def connected(
    kubeconfig: str | None, context: str | None = None, *, user_agent: str, pool_size: int, otherwise: str = ""
) -> "KubernetesTransport":
    """As ``connect``; ``otherwise`` says how to do without a cluster. Raises CommandError."""
    import urllib3

    from webhook.cluster.connection import NoCluster, connect

    # For a kubeconfig with insecure-skip-tls-verify, urllib3 would write this warning for every connection.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        return connect(kubeconfig, context, user_agent=user_agent, pool_size=pool_size)
    except NoCluster as problem:
        raise CommandError(f"{problem}{otherwise}", MISSING) from problem


def exit_code_of(problem: BaseException) -> int:
    """FAILED if a request was refused as such, by this error or one that caused it; else MISSING.

    A conflict and an invalid object are such refusals. Otherwise the server, the credentials, a right or an object is
    missing.
    """
    from webhook.cluster.errors import Conflict, Invalid

    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, Conflict | Invalid):
            return FAILED
        cause = cause.__cause__
    return MISSING
