"""Defaulting as a patch: what an object leaves out is added, what is stated is never touched."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.admission.association import Association
from webhook.admission.metadata import Metadata
from webhook.admission.rules.field_error import echo
from webhook.admission.verdict import Fill
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.owner_reference import controller_of
from webhook.planning.strategy_in_force import AVAILABILITY
from webhook.strategies.defaulting import absent_labels, spa_defaults

_LATER: Final = "the loop completes this object later"


class Filling(NamedTuple):
    """The values to add, sorted by pointer. For an SPA also its bounds afterwards, and its new controller."""

    fills: tuple[Fill, ...]
    notices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None
    controller: str = ""


def fill_spa(metadata: Metadata, spec: Any, minimum: Any, maximum: Any, association: Association) -> Filling:
    """The patch for what ``spa_defaults`` gives an SPA; without a name, what needs one is left out.

    ``spec`` is the JSON value, ``minimum`` and ``maximum`` are its bounds.
    """
    rollout, entry, _ = association
    labels, owner_references = metadata.labels, metadata.owner_references
    service, uid = ("", "") if rollout is None else (rollout.name, rollout.uid)
    has_sound_spec = spec is None or isinstance(spec, dict)
    added, reference, low, high = spa_defaults(
        name=metadata.name,
        labels=labels,
        owner_references=owner_references,
        bounds=(minimum, maximum),
        service=service,
        uid=uid,
        entry=entry if has_sound_spec else None,
    )
    fills: list[Fill] = []
    _fill_members("/metadata/labels", labels, added, fills)
    if reference is not None:
        _fill_owner_reference(owner_references, reference, fills)
    if has_sound_spec:
        _fill_spec(spec, {"stageMaxScale": high, "stageMinScale": low}, fills)
    lacks_bound = minimum is None or maximum is None
    is_controlled = bool(owner_references) and controller_of(owner_references or ()) is not None
    notices: tuple[str, ...] = ()
    if lacks_bound or not is_controlled or not labels or SERVICE_LABEL not in labels:
        notices = _notices(metadata, association, lacks_bound)
    minimum, maximum = minimum if low is None else low, maximum if high is None else high
    return Filling(tuple(fills), notices, minimum, maximum, "" if reference is None else service)


def fill_rollout(metadata: Metadata, spec: Any) -> Filling:
    """The service label, an RO's own name; and the default strategy."""
    fills: list[Fill] = []
    added = absent_labels(metadata.labels, {SERVICE_LABEL: metadata.name})
    _fill_members("/metadata/labels", metadata.labels, added, fills)
    if spec is None or isinstance(spec, dict):
        _fill_spec(spec, {"rolloutStrategy": AVAILABILITY}, fills)
    return Filling(tuple(fills))


def _fill_owner_reference(
    references: list[dict[str, Any]] | None, reference: dict[str, Any], fills: list[Fill]
) -> None:
    if references is None:
        fills.append(Fill("/metadata/ownerReferences", [reference]))
    else:
        fills.append(Fill("/metadata/ownerReferences/-", reference))


def _fill_spec(spec: Mapping[str, Any] | None, wanted: Mapping[str, Any], fills: list[Fill]) -> None:
    stated = spec or {}
    absent = {key: value for key, value in wanted.items() if value is not None and stated.get(key) is None}
    _fill_members("/spec", spec, absent, fills)


def _fill_members(pointer: str, stated: Mapping[str, Any] | None, absent: dict[str, Any], fills: list[Fill]) -> None:
    """Add members to an object, or the object with them; nothing where there are none to add."""
    if not absent:
        return
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
