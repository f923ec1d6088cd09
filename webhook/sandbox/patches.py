"""JSON patch and merge patch."""

from typing import Any

import jsonpatch
import jsonpointer

from webhook.sandbox.failures import ApiError, bad_request
from webhook.sandbox.objects import Object, copy_of, encode

MAX_OPERATIONS = 10_000
"""As many operations as a real API server takes in one JSON patch."""


def json_patch(value: Object, operations: Any) -> Object:
    """Apply an RFC 6902 patch. Raises ApiError: 400 for what is no patch, 422 for one that does not fit."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        raise ApiError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}",
        )
    try:
        result = jsonpatch.apply_patch(copy_of(value), operations)
    except jsonpatch.JsonPatchTestFailed:
        path = next((str(o.get("path")) for o in operations if o.get("op") == "test"), "")
        raise _unfit(f"testing value {path} failed: test failed") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as problem:
        raise _unfit(str(problem)) from None
    if not isinstance(result, dict):
        raise _unfit("the patch leaves no object")
    return result


def _unfit(why: str) -> ApiError:
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


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


def size_of(value: Any) -> int:
    """Bytes of a value on the wire."""
    return len(encode(value))
