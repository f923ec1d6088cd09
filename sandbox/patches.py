"""JSON patch and merge patch."""

from typing import Any

import jsonpatch
import jsonpointer

from sandbox.failures import ApiError, bad_request, unfit
from sandbox.objects import Object, copy_of, json_name

MAX_OPERATIONS = 10_000
"""As many operations as a real API server takes in one JSON patch."""


def json_patch(value: Object, operations: Any) -> Object:
    """Apply an RFC 6902 patch. Raises ApiError: 400 for what is no patch, 422 for one that does not fit."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        told = f"json: cannot unmarshal {json_name(operations)} into Go value of type []handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: {told}")
    if len(operations) > MAX_OPERATIONS:
        raise ApiError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}",
        )
    try:
        result = jsonpatch.apply_patch(copy_of(value), operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError):
        raise unfit() from None
    if not isinstance(result, dict):
        raise unfit()
    return result


def merge_patch(value: Any, change: Any) -> Any:
    """Apply an RFC 7386 merge patch; shares nothing with its arguments."""
    if not isinstance(change, dict):
        return copy_of(change)
    result: Object = copy_of(value) if isinstance(value, dict) else {}
    for name, member in change.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), member)
    return result
