"""The merge patch (RFC 7386) that turns one JSON object into another."""

from collections.abc import Mapping
from typing import Any

from webhook.api.wire import Wire, copy_of


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Wire:
    """The differing members: lists as a whole, absent members as null. Empty if nothing differs.

    A merge patch cannot set a member to null; Kubernetes treats null as absent.
    """
    patch: Wire = {}
    for key, value in after.items():
        if key not in before:
            if value is not None:
                patch[key] = copy_of(value)
        elif isinstance(value, Mapping) and isinstance(before[key], Mapping):
            if inner := merge_patch(before[key], value):
                patch[key] = inner
        elif before[key] != value or type(before[key]) is not type(value):
            patch[key] = copy_of(value)
    patch |= {key: None for key, value in before.items() if key not in after and value is not None}
    return patch
