"""Owner references: the RO that an object belongs to, and its controller."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from webhook.api.kinds import API_VERSION, RO_KIND, SERVICE_LABEL
from webhook.api.wire import Wire

Rollout = TypeVar("Rollout")


def rollout_owner_reference(name: str, uid: str) -> Wire:
    """The controller reference to an RO; apiVersion and kind are fixed, as upstream."""
    return controller_reference(RO_KIND, name, uid)


def controller_reference(kind: str, name: str, uid: str) -> Wire:
    """The controller reference to an object of the group and version of ROs, such as a Knative Service."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(references: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The reference marked as controller, or None."""
    return next((reference for reference in references if reference.get("controller") is True), None)


def is_rollout(reference: Mapping[str, Any]) -> bool:
    """True for a reference to an RO of any version."""
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    return reference.get("kind") == RO_KIND and group == API_VERSION.partition("/")[0]


def controlling_rollout(references: Sequence[Mapping[str, Any]] | None) -> str:
    """The name of the RO that is the controller; empty if there is none."""
    controller = controller_of(references) if references else None
    name = controller.get("name") if controller is not None and is_rollout(controller) else ""
    return name if isinstance(name, str) else ""


def named_rollout(labels: Mapping[str, Any] | None, references: Sequence[Mapping[str, Any]] | None) -> str:
    """The name of the RO in an SPA's service label, else in its controller reference; empty if it has neither."""
    return (labels or {}).get(SERVICE_LABEL) or controlling_rollout(references)


def owning_rollout(
    labels: Mapping[str, Any] | None,
    references: Sequence[Mapping[str, Any]] | None,
    find: Callable[[str], Rollout | None],
    listing: Callable[[], Sequence[Rollout]],
) -> Rollout | None:
    """The RO that an SPA belongs to: the one it names, else the only one that lists its revision.

    A named RO counts even if it does not exist yet; otherwise the result would depend on the order in which a rollout
    and its SPAs are applied. ``find`` returns an RO by name, ``listing`` the ROs that list the revision; both leave out
    ROs that are being deleted.
    """
    if named := named_rollout(labels, references):
        return find(named)
    candidates = listing()
    return candidates[0] if len(candidates) == 1 else None
