"""JSON patch and merge patch."""

from typing import Any, Final

import jsonpatch
import jsonpointer

from sandbox.failures import ApiError, bad_request
from sandbox.objects import Object, copy_of

_UNFIT: Final = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError)
"""An API server says no more of these than that it rejects the patch."""


def json_patch(value: Object, operations: Any) -> Object:
    """Apply an RFC 6902 patch. Raises ApiError: 400 for what is no patch, 422 for one that does not fit."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        result = jsonpatch.apply_patch(copy_of(value), operations)
    except _UNFIT:
        result = None
    if not isinstance(result, dict):
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
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
