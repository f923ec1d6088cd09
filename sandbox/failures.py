"""What an API server answers when it does not do what was asked: a Status with reason, code and causes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.objects import Object, go_value, listing

_TYPE_INVALID: Final = "Type invalid"
"""Told as ``Invalid value``, with a reason of its own."""

_CAUSES: Final = {
    "Invalid value": "FieldValueInvalid",
    "Required value": "FieldValueRequired",
    "Duplicate value": "FieldValueDuplicate",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Not found": "FieldValueNotFound",
    _TYPE_INVALID: "FieldValueTypeInvalid",
}
REASON_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


class ApiError(Exception):
    """A request that fails with this Status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def to_dict(self) -> Object:
        """The Status on the wire."""
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


class StatusError(ApiError):
    """A Status that somebody else composed, such as an admission webhook."""

    def __init__(self, status: Object) -> None:
        super().__init__(int(status["code"]), str(status.get("reason") or ""), str(status.get("message") or ""))
        self._status = status

    def to_dict(self) -> Object:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}} | self._status


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong at one place of an object; ``type`` as in ``Invalid value``, ``value`` already in Go's form."""

    type: str
    field: str
    value: str = ""
    detail: str = ""

    @property
    def body(self) -> str:
        """The message without the field."""
        type_ = "Invalid value" if self.type == _TYPE_INVALID else self.type
        text = f"{type_}: {self.value}" if self.value else type_
        return f"{text}: {self.detail}" if self.detail else text

    def cause(self) -> Object:
        return {"reason": _CAUSES[self.type], "message": self.body, "field": self.field}


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("Invalid value", field, go_value(value), detail)


def invalid_type(field: str, shown: str, detail: str) -> FieldError:
    return FieldError(_TYPE_INVALID, field, shown, detail)


UNCHECKED: Final = FieldError(
    "Invalid value",
    "<nil>",
    "null",
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)
"""Told beside errors that keep the CEL rules from being evaluated."""

BLOCKING: Final = frozenset({"Unsupported value", "Required value", "Too long", "Too many", _TYPE_INVALID})


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("Required value", field, "", detail)


def forbidden_field(field: str, detail: str) -> FieldError:
    return FieldError("Forbidden", field, "", detail)


def unsupported(field: str, value: Any, supported: Iterable[Any]) -> FieldError:
    return FieldError("Unsupported value", field, go_value(value), f"supported values: {listing(supported)}")


def qualified(resource: str, group: str) -> str:
    """A plural or a kind with its group behind it, if there is one."""
    return f"{resource}.{group}" if group else resource


def _details(name: str, group: str, kind: str) -> Object:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def not_found(resource: str, group: str, name: str) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(name, group, resource))


def already_exists(resource: str, group: str, name: str) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(name, group, resource))


MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, why: str = MODIFIED) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(name, group, resource))


def forbidden(resource: str, group: str, name: str, why: str) -> ApiError:
    subject = f'{qualified(resource, group)} "{name}"' if name else qualified(resource, group)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(name, group, resource))


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause per finding; the message tells equal ones once."""
    texts = list(dict.fromkeys(f"{error.field}: {error.body}" for error in errors))
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(name, group, kind) | {"causes": [error.cause() for error in errors]}
    return ApiError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {told}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unsupported_media(accepted: Iterable[str], why: str = "") -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(415, "UnsupportedMediaType", f"{message}: {why}" if why else message)


def not_implemented(what: str) -> ApiError:
    """For what a real API server does and the sandbox does not: it says so instead of pretending."""
    return ApiError(501, "NotImplemented", f"the sandbox does not do this: {what}")


def unfit() -> ApiError:
    """For a JSON patch that does not fit the object; a real API server says no more either."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def success(details: Object | None = None) -> Object:
    """The Status of a deletion."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return status | {"details": details} if details else status
