"""What an API server can answer besides yes, told apart by what to do next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Call:
    """One request in the words of RBAC: ``patch stagepodautoscalers/status default/hello-00001``."""

    verb: str
    resource: str
    namespace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.resource}{f' {where}' if where else ''}"


MOST_PATIENCE: Final = 60.0
"""Seconds. Whatever the server, or a proxy in front of it, asks for: nothing stands still for longer."""


class ApiError(Exception):
    """A request that was not done. ``status`` is the HTTP status, 0 when there was no answer at all.

    ``retry_after`` is the server's own wish in seconds, at most MOST_PATIENCE, None when it has none.
    """

    def __init__(
        self, call: Call, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"{call}: {message}")
        self.call = call
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_refusal(self) -> bool:
        """True if the server, or an admission webhook, understood the request and will not do it as it is.

        Another try is refused too, until somebody changes the object, a permission or a policy.
        """
        is_no = 400 <= self.status < 500 and self.status != _REQUEST_TIMEOUT and not isinstance(self, _PASSING)
        return is_no or isinstance(self, Forbidden | Invalid)


class NotFound(ApiError):
    """There is no such object, or the server does not serve the resource."""


class Conflict(ApiError):
    """The object has moved on since it was read: read it afresh and decide again."""


class AlreadyExists(Conflict):
    """Somebody else created an object of that name first."""


class Gone(ApiError):
    """The resource version or continue token is too old: list again."""


class Invalid(ApiError):
    """The server, or an admission webhook, refuses the object as it is."""


class Forbidden(ApiError):
    """This account may not do this; the message names account, verb and resource."""


class Unauthorized(ApiError):
    """The credentials are missing or have expired."""


class NoCredentials(ApiError):
    """There are none to send, such as from a plugin that fails: nothing was sent, so nothing was stored."""


class TooManyRequests(ApiError):
    """The server asks for patience; ``retry_after`` says for how long."""


class Unavailable(ApiError):
    """The server answered with an error of its own (5xx)."""


class Unreachable(ApiError):
    """No connection: nothing was sent, so nothing was stored."""


class OutcomeUnknown(ApiError):
    """The request was sent and no answer came back: a write may or may not be stored."""


_REQUEST_TIMEOUT: Final = 408
_PASSING: Final = (NotFound, Conflict, Gone, Unauthorized, TooManyRequests)
"""Answers of the 4xx range that another try, another version or new credentials may turn into a yes."""

_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_from(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error that an HTTP answer stands for; ``body`` is a Status object where the server is well."""
    answer = _status_object(body)
    reason = str(answer.get("reason") or "")
    message = str(answer.get("message") or body[:200].decode("utf-8", "replace").strip() or f"HTTP {status}")
    kind = Unavailable if status >= 500 else _BY_STATUS.get(status, ApiError)
    if kind is Conflict and reason == "AlreadyExists":
        kind = AlreadyExists
    return kind(call, message, status=status, reason=reason, retry_after=_retry_after(headers, answer))


def error_from_event(call: Call, status: Mapping[str, Any]) -> ApiError:
    """The error inside a watch event of type ERROR."""
    code = status.get("code")
    return error_from(call, code if isinstance(code, int) else 500, {}, json.dumps(status).encode())


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_after(headers: Mapping[str, str], answer: Mapping[str, Any]) -> float | None:
    details = answer.get("details")
    wishes = [headers.get("Retry-After"), details.get("retryAfterSeconds") if isinstance(details, dict) else None]
    for wish in wishes:
        try:
            seconds = float(wish)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if seconds > 0:
            return min(seconds, MOST_PATIENCE)
    return None
