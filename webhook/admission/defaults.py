"""Filling in: what an object leaves out and its rollout knows. What is stated is never touched."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.admission.association import Association
from webhook.admission.lookup import Rollout
from webhook.admission.metadata import Metadata
from webhook.admission.rules.field_error import echo
from webhook.admission.rules.stage_pod_autoscaler import fitting_bounds
from webhook.admission.verdict import Fill
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import controller_of, rollout_owner_reference
from webhook.planning.strategy import AVAILABILITY

# A name can be longer than a label's value may be; such a label would have the whole write refused.
_MAX_LABEL_VALUE: Final = 63
_LATER: Final = "the loop completes this object later"


class Filling(NamedTuple):
    """The values to add, sorted by pointer. For an SPA also its bounds afterwards, and its new controller."""

    fills: tuple[Fill, ...]
    notices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None
    controller: str = ""


def fill_spa(metadata: Metadata, spec: Any, minimum: Any, maximum: Any, association: Association) -> Filling:
    """What ``create_base_stage_pod_autoscaler`` would give an SPA beyond what it states.

    ``spec`` is the JSON value, ``minimum`` and ``maximum`` its bounds. A bound that the rollout does not state stays
    absent: absent means inherit, and a 0 would let the revision go to zero. A bound that would not be valid beside
    the stated one is left out too. Without a name, what needs one is left out.
    """
    rollout, entry, _ = association
    name, labels, owner_references = metadata.name, metadata.labels, metadata.owner_references
    fills: list[Fill] = []
    service = "" if rollout is None else rollout.name
    _fill_labels(labels, {REVISION_LABEL: name, SERVICE_LABEL: service}, fills)
    is_controlled = bool(owner_references) and controller_of(owner_references or ()) is not None
    adopted = rollout is not None and not is_controlled and _fill_owner_reference(owner_references, rollout, fills)
    low = high = None
    lacks_bound = minimum is None or maximum is None
    if entry is not None and lacks_bound and (spec is None or isinstance(spec, dict)):
        low, high = fitting_bounds(minimum, maximum, entry)
        _fill_spec(spec, {"stageMaxScale": high, "stageMinScale": low}, fills)
    notices: tuple[str, ...] = ()
    if lacks_bound or not is_controlled or not labels or SERVICE_LABEL not in labels:
        notices = _notices(metadata, association, lacks_bound)
    minimum, maximum = minimum if low is None else low, maximum if high is None else high
    return Filling(tuple(fills), notices, minimum, maximum, service if adopted else "")


def fill_rollout(metadata: Metadata, spec: Any) -> Filling:
    """The service label, an RO's own name; and the default strategy."""
    fills: list[Fill] = []
    _fill_labels(metadata.labels, {SERVICE_LABEL: metadata.name}, fills)
    if spec is None or isinstance(spec, dict):
        _fill_spec(spec, {"rolloutStrategy": AVAILABILITY}, fills)
    return Filling(tuple(fills))


def _fill_labels(labels: Mapping[str, Any] | None, wanted: Mapping[str, str], fills: list[Fill]) -> None:
    stated = labels or {}
    absent = {
        key: value for key, value in wanted.items() if stated.get(key) is None and 0 < len(value) <= _MAX_LABEL_VALUE
    }
    if absent:
        _fill_members("/metadata/labels", labels, absent, fills)


def _fill_owner_reference(references: list[dict[str, Any]] | None, rollout: Rollout, fills: list[Fill]) -> bool:
    """Whether the RO becomes the controller."""
    reference = rollout_owner_reference(rollout.name, rollout.uid)
    if references is None:
        fills.append(Fill("/metadata/ownerReferences", [reference]))
    # An API server does not take two references to one owner; the one that is stated stays as it is.
    elif all(other.get("uid") != rollout.uid for other in references):
        fills.append(Fill("/metadata/ownerReferences/-", reference))
    else:
        return False
    return True


def _fill_spec(spec: Mapping[str, Any] | None, wanted: Mapping[str, Any], fills: list[Fill]) -> None:
    stated = spec or {}
    absent = {key: value for key, value in wanted.items() if value is not None and stated.get(key) is None}
    if absent:
        _fill_members("/spec", spec, absent, fills)


def _fill_members(pointer: str, stated: Mapping[str, Any] | None, absent: dict[str, Any], fills: list[Fill]) -> None:
    """Add members to an object, or the object with them."""
    if stated is None:
        fills.append(Fill(pointer, absent))
    else:
        for key, value in absent.items():
            fills.append(Fill(f"{pointer}/{key.replace('/', '~1')}", value))


def _notices(metadata: Metadata, association: Association, lacks_bound: bool) -> tuple[str, ...]:
    """Why something was left out, where the object itself does not show it."""
    rollout, entry, missing = association
    if rollout is None:
        return (f"nothing was filled in from a rollout: {missing}",)
    if not metadata.name:
        return (f"not everything was filled in: generateName gives no name yet; {_LATER}",)
    if lacks_bound and entry is None:
        problem = f"RolloutOrchestrator {echo(rollout.name)} does not list revision {echo(metadata.name)}"
        return (f"no bounds were filled in: {problem}; {_LATER}",)
    return ()
