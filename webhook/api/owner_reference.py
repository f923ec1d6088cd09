"""Owner references: who an object belongs to, and who controls it."""

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.api.kinds import API_VERSION, RO_KIND
from webhook.api.wire import Wire


def rollout_owner_reference(name: str, uid: str) -> Wire:
    """The controller reference to an RO; apiVersion and kind are fixed whatever the RO itself carries, as upstream."""
    return {
        "apiVersion": API_VERSION,
        "kind": RO_KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(references: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The reference marked as controller, or None."""
    return next((reference for reference in references if reference.get("controller") is True), None)


def is_rollout(reference: Mapping[str, Any]) -> bool:
    """Whether a reference points at an RO, of any version of its group."""
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    return reference.get("kind") == RO_KIND and group == API_VERSION.partition("/")[0]
