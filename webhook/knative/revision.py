"""Revisions on the wire: whether one exists for its service."""

from collections.abc import Mapping
from typing import Any

from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL


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
