"""A connection of a command to a cluster; a failure becomes one line and an exit code."""

from typing import TYPE_CHECKING, Final

from webhook.api.kinds import RO_PLURAL, SPA_PLURAL
from webhook.cli.errors import FAILED, MISSING, CommandError

if TYPE_CHECKING:
    from webhook.cluster.errors import ApiError
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


def line_of(problem: BaseException) -> str:
    """What went wrong, and the way out where this error, or one that caused it, is one of the API server."""
    from webhook.cluster.errors import ApiError

    cause: BaseException | None = problem
    while cause is not None and not isinstance(cause, ApiError):
        cause = cause.__cause__
    way_out = "" if cause is None else _way_out(cause)
    return f"{problem}; {way_out}" if way_out else str(problem)


def _way_out(problem: "ApiError") -> str:
    """What a person can do about an error that more tries do not mend; empty for every other."""
    from webhook.cluster.errors import Forbidden, Unauthorized, Unreachable

    call = problem.call
    if isinstance(problem, Unreachable):
        return "check that it runs, and the server and certificate-authority of the kubeconfig"
    if isinstance(problem, Unauthorized):
        return "the API server does not accept these credentials: renew them, or name another kubeconfig or context"
    # An admission webhook forbids too, and gives its own way out.
    if not isinstance(problem, Forbidden) or f" cannot {call.verb} resource " not in problem.message:
        return ""
    if call.resource not in _IN_ROLES:
        return "ask for that right"
    return f"have the ClusterRole {'view' if call.verb in ('get', 'list', 'watch') else 'edit'} bound to your account"


_IN_ROLES: Final = (RO_PLURAL, SPA_PLURAL, "routes", "revisions", "services", "podautoscalers", "pods", "events")
"""Resources that the ClusterRoles view and edit have, with what is aggregated to them."""


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
