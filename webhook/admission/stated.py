"""Who stated a bound: the person who writes now, or someone before."""

from collections.abc import Mapping
from typing import Any

from webhook.admission.lookup import Entry
from webhook.admission.metadata import Metadata
from webhook.admission.request import MUTATE
from webhook.admission.rules.stage_pod_autoscaler import Stated


def stated_bounds(
    path: str,
    metadata: Metadata,
    bounds: tuple[Any, Any],
    before: tuple[Any, Any],
    entry: Entry | None,
    controller: str,
) -> Stated:
    """The bounds stated in this write, as far as the call can tell.

    A bound that the old object had too was not stated now. In the mutating call every other one was. The validating
    call sees what the mutating one filled in as well: a bound equal to the entry's counts as stated only if some field
    manager owns it, which none does for a field that a webhook filled in.
    """
    own = entry if entry is not None else Entry()
    minimum, maximum = bounds

    def is_stated(value: Any, earlier: Any, filled: int | None, key: str) -> bool:
        if value is None or value == earlier:
            return False
        return path == MUTATE or value != filled or _is_owned(metadata.managed_fields, key)

    return Stated(
        minimum if is_stated(minimum, before[0], own.min_scale, "f:stageMinScale") else None,
        maximum if is_stated(maximum, before[1], own.max_scale, "f:stageMaxScale") else None,
        controller,
    )


def _is_owned(managed_fields: Any, key: str) -> bool:
    return any(
        key in _mapping(_mapping(_mapping(entry).get("fieldsV1")).get("f:spec"))
        for entry in (managed_fields if isinstance(managed_fields, list) else ())
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
