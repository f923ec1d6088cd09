"""The writes that a decision about a Service plans, as values, each conditional on the object that was observed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.api.wire import Wire, copy_of
from webhook.knative.annotations import HOLD
from webhook.knative.hold import Hold


@dataclass(frozen=True, slots=True)
class CreateRollout:
    """Create the RO of the Service."""

    rollout: Wire


@dataclass(frozen=True, slots=True)
class PatchRollout:
    """Merge a patch into the RO of the Service."""

    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PatchRevision:
    """Set these annotations of a Revision on the wire, None removing one."""

    revision: Wire
    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class PatchRoute:
    """Set the hold of a Route on the wire, None removing it, and its traffic if that is given."""

    route: Wire
    hold: Hold | None
    traffic: list[Wire] | None = None

    def patch(self) -> Wire:
        """The merge patch."""
        annotation = None if self.hold is None else self.hold.to_annotation()
        patch: Wire = {"metadata": {"annotations": {HOLD: annotation}}}
        if self.traffic is not None:
            patch["spec"] = {"traffic": copy_of(self.traffic)}
        return patch


ServiceWrite = CreateRollout | PatchRollout | PatchRevision | PatchRoute


ORDER: Final = (PatchRevision, PatchRoute, CreateRollout, PatchRollout)
"""The order in which one decision writes: pods are allowed before they get traffic."""
