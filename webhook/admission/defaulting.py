"""Defaulting as a JSON patch: absent members are added, members that are set are never changed."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.admission.lookup import CachedRollout, Lookup, RevisionBounds
from webhook.admission.request import Metadata
from webhook.admission.rules.field_error import echo
from webhook.admission.verdict import Default
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.owner_reference import controller_of, named_rollout, owning_rollout
from webhook.strategies.defaulting import absent_labels, spa_defaults
from webhook.strategies.table import DEFAULT_STRATEGY

_LATER: Final = "the loop completes this object later"


class Association(NamedTuple):
    """The RO of an SPA and its bounds for the revision, each None if there is none.

    Without an RO ``missing`` gives the reason and the way out; it is empty if there is no cluster to look into.
    """

    rollout: CachedRollout | None
    bounds: RevisionBounds | None
    missing: str = ""


class Defaulted(NamedTuple):
    """The values to add, sorted by pointer. For an SPA also its bounds and its new controller after defaulting."""

    defaults: tuple[Default, ...]
    notices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None
    controller: str = ""


NOTHING: Final = Defaulted(())
_OUTDATED: Final = Association(None, None, f"the view of the rollouts is not current; {_LATER}")


def associate(metadata: Metadata, namespace: str, lookup: Lookup, max_age: float) -> Association:
    """Find the RO of an SPA by the rule of ``owning_rollout``; none if the lookup is older than ``max_age`` seconds."""
    has_cluster = lookup.has_cluster()
    age = lookup.age()
    if has_cluster and (age is None or age > max_age):
        return _OUTDATED
    name, labels, references = metadata.name, metadata.labels, metadata.owner_references
    rollout = owning_rollout(
        labels,
        references,
        lambda service: lookup.rollout(namespace, service),
        lambda: lookup.rollouts_listing(namespace, name) if name else (),
    )
    if rollout is not None:
        return Association(rollout, rollout.bounds.get(name))
    if not has_cluster:
        return Association(None, None)
    if service := named_rollout(labels, references):
        return Association(None, None, f"RolloutOrchestrator {echo(service)} does not exist yet; {_LATER}")
    if not name:
        return Association(None, None, f"there is neither a name nor a service label yet; {_LATER}")
    is_listed = bool(lookup.rollouts_listing(namespace, name))
    some = "more than one RolloutOrchestrator lists" if is_listed else "no RolloutOrchestrator lists"
    return Association(None, None, f"{some} revision {echo(name)}; set the label {SERVICE_LABEL}")


def default_spa(metadata: Metadata, spec: Any, minimum: Any, maximum: Any, association: Association) -> Defaulted:
    """What ``spa_defaults`` gives an SPA; without a name, the values that need one are left out.

    ``spec`` is the JSON value, ``minimum`` and ``maximum`` are its bounds.
    """
    rollout, bounds, _ = association
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
        entry=bounds if has_sound_spec else None,
    )
    defaults: list[Default] = []
    add_members("/metadata/labels", labels, added, defaults)
    if reference is not None:
        _add_owner_reference(owner_references, reference, defaults)
    if low is not None or high is not None:
        _add_to_spec(spec, {"stageMaxScale": high, "stageMinScale": low}, defaults)
    lacks_bound = minimum is None or maximum is None
    is_controlled = bool(owner_references) and controller_of(owner_references or ()) is not None
    notices: tuple[str, ...] = ()
    if lacks_bound or not is_controlled or not labels or SERVICE_LABEL not in labels:
        notices = _notices(metadata, association, lacks_bound)
    minimum, maximum = minimum if low is None else low, maximum if high is None else high
    return Defaulted(tuple(defaults), notices, minimum, maximum, "" if reference is None else service)


def default_rollout(metadata: Metadata, spec: Any) -> Defaulted:
    """The defaults of an RO: the service label, which is its own name, and the strategy."""
    defaults: list[Default] = []
    added = absent_labels(metadata.labels, {SERVICE_LABEL: metadata.name})
    add_members("/metadata/labels", metadata.labels, added, defaults)
    if spec is None or isinstance(spec, dict):
        _add_to_spec(spec, {"rolloutStrategy": DEFAULT_STRATEGY}, defaults)
    return Defaulted(tuple(defaults))


def _add_owner_reference(
    references: list[dict[str, Any]] | None, reference: dict[str, Any], defaults: list[Default]
) -> None:
    if references is None:
        defaults.append(Default("/metadata/ownerReferences", [reference]))
    else:
        defaults.append(Default("/metadata/ownerReferences/-", reference))


def _add_to_spec(spec: Mapping[str, Any] | None, wanted: Mapping[str, Any], defaults: list[Default]) -> None:
    present = spec or {}
    absent = {key: value for key, value in wanted.items() if value is not None and present.get(key) is None}
    add_members("/spec", spec, absent, defaults)


def add_members(
    pointer: str, present: Mapping[str, Any] | None, absent: dict[str, Any], defaults: list[Default]
) -> None:
    """Add the absent members to an object, or the whole object if it is absent too.

    A JSON patch replaces a member that is not absent.
    """
    if not absent:
        return
    if present is None:
        defaults.append(Default(pointer, absent))
    else:
        for key, value in absent.items():
            defaults.append(Default(f"{pointer}/{key.replace('/', '~1')}", value))


def _notices(metadata: Metadata, association: Association, lacks_bound: bool) -> tuple[str, ...]:
    """Why a default was left out, if the object itself does not show the reason."""
    rollout, bounds, missing = association
    if rollout is None:
        return (f"nothing was filled in from a rollout: {missing}",) if missing else ()
    if not metadata.name:
        return (f"not everything was filled in: generateName gives no name yet; {_LATER}",)
    if lacks_bound and bounds is None:
        problem = f"RolloutOrchestrator {echo(rollout.name)} does not list revision {echo(metadata.name)}"
        return (f"no bounds were filled in: {problem}; {_LATER}",)
    return ()
