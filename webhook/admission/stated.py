"""Who stated a bound: the person who writes now, or someone before."""

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
    minimum = bounds[0] if bounds[0] != before[0] else None
    maximum = bounds[1] if bounds[1] != before[1] else None
    if path != MUTATE and entry is not None:
        own_min, own_max = entry
        owned: set[str] = set()
        if (minimum is not None and minimum == own_min) or (maximum is not None and maximum == own_max):
            owned = _owned_fields(metadata.managed_fields)
        if minimum == own_min and "f:stageMinScale" not in owned:
            minimum = None
        if maximum == own_max and "f:stageMaxScale" not in owned:
            maximum = None
    return Stated(minimum, maximum, controller)


def _owned_fields(managed_fields: Any) -> set[str]:
    """The members of the spec that some field manager owns, by the names they have there."""
    owned: set[str] = set()
    for manager in managed_fields if isinstance(managed_fields, list) else ():
        fields = manager.get("fieldsV1") if isinstance(manager, dict) else None
        spec = fields.get("f:spec") if isinstance(fields, dict) else None
        if isinstance(spec, dict):
            owned.update(spec)
    return owned
