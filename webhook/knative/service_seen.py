"""What was observed of one Knative Service, and the options that decisions about it are made with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import ABORTED, FALSE, PAUSED, READY
from webhook.api.reasons import ABORTED as ABORT_REASON
from webhook.api.steering import steering_of
from webhook.api.wire import Wire
from webhook.knative.bounds import Defaults
from webhook.knative.stage_traffic import Scale
from webhook.strategies import DEFAULT_STRATEGY

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """``default_opt_in`` is for Services that say nothing; ``missing_after`` and ``refused_after`` are in seconds.

    ``keeps_floor`` is that of ``stage_traffic``, ``gives_failed_shares_back`` that of ``HoldSettings``.
    """

    default_opt_in: bool = False
    keeps_floor: bool = True
    gives_failed_shares_back: bool = False
    missing_after: float = 30.0
    refused_after: float = 60.0


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """What was observed of one Knative Service, on the wire where no type says otherwise; Revisions first.

    ``revisions``, ``stage_bounds`` (of SPAs: minimum, maximum) and ``scales`` are by name of the revision.
    ``defaults`` and ``strategy`` are those that are configured. ``namespace_labels`` is None where they cannot be seen.
    ``complete_for`` is for how many seconds the RO has been complete, or back after an abort.
    ``missing_for`` is for how many seconds the new revision of the hold has not been there. ``refusal`` says who has
    refused what the rollout writes, ``refused_for`` for how many seconds, without a success in between. ``foreign``
    names upstream's controllers if they run. ``born`` is the Revision that was just created, empty for none. ``now``
    is what the end of a pause is compared with.
    """

    service: Wire | None
    route: Wire | None
    revisions: Mapping[str, Wire] = field(default_factory=dict)
    ro: RolloutOrchestrator | None = None
    stage_bounds: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] | None = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    strategy: str = DEFAULT_STRATEGY
    complete_for: float = 0.0
    missing_for: float = 0.0
    refusal: str = ""
    refused_for: float = 0.0
    foreign: str = ""
    born: str = ""
    now: datetime = _LONG_AGO

    @property
    def is_underway(self) -> bool:
        """True if a rollout to a Revision that exists goes on, whatever a later hold announced."""
        if self.ro is None or self.ro.status.conditions.is_true(READY):
            return False
        return any(entry.revision_name in self.revisions for entry in self.ro.spec.target_revisions)

    @property
    def is_steered(self) -> bool:
        """True while people pause the rollout, or abort it."""
        return self.ro is not None and any(map(self.ro.status.conditions.is_true, (PAUSED, ABORTED)))

    @property
    def is_stopped(self) -> bool:
        """True while annotations of the RO pause or abort the rollout, also where its status cannot record that.

        A pause that waits for the end of a stage counts once it has begun.
        """
        if self.ro is None:
            return False
        steering = steering_of(self.ro.metadata.annotations)
        pause, abort = steering.pause, steering.abort
        if abort is not None and abort.is_for(self.ro.spec.target_revisions):
            return True
        has_begun = pause is not None and (pause.after_stage is None or self.ro.status.conditions.is_true(PAUSED))
        return pause is not None and has_begun and not pause.has_ended(self.now)

    @property
    def is_back(self) -> bool:
        """True once an aborted rollout is back where it began; ``complete_for`` says for how long."""
        ready = self.ro.status.conditions.get(READY) if self.ro is not None else None
        return ready is not None and ready.status == FALSE and ready.reason == ABORT_REASON
