"""What an API server answers when it does not do what was asked: a Status with reason, code and causes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.objects import Object


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
        status |= {"message": self.message, "reason": self.reason, "details": self.details, "code": self.code}
        return {key: value for key, value in status.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong at one place of an object, as a cause of a Status has it."""

    reason: str
    field: str
    message: str

    def cause(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {json.dumps(value)}: {detail}")


def wrong_type(field: str, found: str, wanted: str) -> FieldError:
    message = f'Invalid value: "{found}": {field} in body must be of type {wanted}: "{found}"'
    return FieldError("FieldValueTypeInvalid", field, message)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def forbidden_field(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def unsupported(field: str, value: Any, supported: Iterable[Any]) -> FieldError:
    listed = ", ".join(map(json.dumps, supported))
    message = f"Unsupported value: {json.dumps(value)}: supported values: {listed}"
    return FieldError("FieldValueNotSupported", field, message)


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
    message = f'{qualified(resource, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(name, group, resource))


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause for each error."""
    texts = list(dict.fromkeys(f"{error.field}: {error.message}" for error in errors))
    message = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(name, group, kind) | {"causes": [error.cause() for error in errors]}
    return ApiError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {message}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unsupported_media(accepted: Iterable[str], way_out: str = "") -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    message += f"; {way_out}" if way_out else ""
    return ApiError(415, "UnsupportedMediaType", message)


def not_implemented(what: str) -> ApiError:
    """For what a real API server does and the sandbox does not: it says so instead of pretending."""
    return ApiError(501, "NotImplemented", f"the sandbox does not do this: {what}")
