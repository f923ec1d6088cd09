"""Revisions on the wire: whether one exists for its service, and which one is the newest."""

from collections.abc import Mapping
from typing import Any, Final

from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.knative.annotations import labels_of

GENERATION: Final = "serving.knative.dev/configurationGeneration"


def absence_of(revision: Mapping[str, Any] | None, name: str, service: str) -> str | None:
    """Why a Revision on the wire, None for none, does not exist for a service; None if it does.

    It exists if its labels name the service and the configuration of that name, as for upstream's lister.
    """
    if revision is None:
        return f"no Revision {name}"
    labels = (revision.get("metadata") or {}).get("labels") or {}
    lacking = [
        f"the label {key}={service}" for key in (SERVICE_LABEL, CONFIGURATION_LABEL) if labels.get(key) != service
    ]
    return f"Revision {name} lacks {' and '.join(lacking)}" if lacking else None


def newest_of(revisions: Mapping[str, Mapping[str, Any]]) -> str:
    """The name of the newest Revision, empty if there is none: the one of the highest generation of its template."""
    return max(revisions, key=lambda name: _age(revisions[name]), default="")


def _age(revision: Mapping[str, Any]) -> tuple[int, str, str]:
    generation = labels_of(revision).get(GENERATION, "")
    metadata = revision.get("metadata") or {}
    number = int(generation) if generation.isdecimal() and len(generation) < 19 else 0
    return number, str(metadata.get("creationTimestamp") or ""), str(metadata.get("name") or "")
