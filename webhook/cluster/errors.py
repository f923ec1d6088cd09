"""Errors of API requests, one class for each way to react."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Call:
    """A request as RBAC names it: ``patch stagepodautoscalers/status default/hello-00001``."""

    verb: str
    resource: str
    namespace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.resource}{f' {where}' if where else ''}"


MAX_RETRY_AFTER: Final = 60.0
"""Seconds. A longer Retry-After of the server, or of a proxy in front of it, is shortened to this."""


class ApiError(Exception):
    """A request failed. ``status`` is the HTTP status, 0 without a response.

    ``retry_after`` is what the server asks for, in seconds, at most MAX_RETRY_AFTER; None if it asks for nothing.
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
        """True if the server, or an admission webhook, refuses the request as it is.

        A retry is refused too, until somebody changes the object, a permission or a policy.
        """
        is_refused = 400 <= self.status < 500 and self.status != _REQUEST_TIMEOUT and not isinstance(self, _RETRIABLE)
        return is_refused or isinstance(self, Forbidden | Invalid)


class NotFound(ApiError):
    """The object does not exist, or the server does not serve the resource."""


class Conflict(ApiError):
    """The object has changed since it was read: read it again and decide again."""


class AlreadyExists(Conflict):
    """An object of that name exists already."""


class Gone(ApiError):
    """The resource version or continue token is too old: list again."""


class Invalid(ApiError):
    """The server, or an admission webhook, refuses the object."""


class Forbidden(ApiError):
    """The account lacks a permission; the message names account, verb and resource."""


class Unauthorized(ApiError):
    """The credentials are missing or have expired."""


class NoCredentials(ApiError):
    """There are no credentials, for example because a plugin fails. Nothing was sent, so nothing was stored."""


class TooManyRequests(ApiError):
    """The server limits the rate; see ``retry_after``."""


class Unavailable(ApiError):
    """The server failed (5xx)."""


class Unreachable(ApiError):
    """No connection could be opened. Nothing was sent, so nothing was stored."""


class OutcomeUnknown(ApiError):
    """The request was sent but no response arrived, or none that can be used: a write may or may not be stored."""


_REQUEST_TIMEOUT: Final = 408
_RETRIABLE: Final = (NotFound, Conflict, Gone, Unauthorized, TooManyRequests)
"""Errors of the 4xx range after which a retry, another version or new credentials may succeed."""

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
    """The error for an HTTP response; ``body`` is usually a Status object."""
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
    values = [headers.get("Retry-After"), details.get("retryAfterSeconds") if isinstance(details, dict) else None]
    for value in values:
        try:
            seconds = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if seconds > 0:
            return min(seconds, MAX_RETRY_AFTER)
    return None
