"""The write executor: the one place that carries out the planned writes of a pass."""

import logging
from dataclasses import dataclass, field
from typing import Final, Protocol

from webhook.api import MalformedObject, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.reasons import BOUNDS_ALTERED
from webhook.cluster.errors import ApiError
from webhook.loop.planned_writes import (
    CreateSPA,
    DeletePod,
    DeleteSPA,
    EmitEvent,
    PassPlan,
    PlannedWrite,
    RequeueAfter,
    SetTraffic,
    Traffic,
    UpdateSPA,
)
from webhook.loop.result import Result
from webhook.loop.reverts import PAUSE, Reverts
from webhook.loop.spa_cleanup import deletion_event
from webhook.loop.spas import bounds_of
from webhook.strategies.protocols import EventSink, PodClient, SPAClient, SPALister

_LOG: Final = logging.getLogger(__name__)


class SPADeleter(Protocol):
    """Deletes SPAs, on condition that uid and resource version are still those it was read with."""

    def delete(self, spa: StagePodAutoscaler) -> str | None:
        """Why it has no Revision, for which it was deleted; None if it has one after all and stays.

        Raises the client's error, but not for an SPA that is gone already.
        """
        ...


@dataclass(slots=True)
class _Carried:
    """What came of the writes so far: the delays asked for, and the SPAs as they were stored."""

    ro: RolloutOrchestrator
    delays: list[float] = field(default_factory=list)
    stored: dict[tuple[str, str], StagePodAutoscaler] = field(default_factory=dict)


class WriteExecutor:
    """Sends planned writes, each on condition of the version that it was decided on."""

    def __init__(
        self,
        spas: SPAClient,
        lister: SPALister,
        pods: PodClient,
        deleter: SPADeleter,
        events: EventSink,
        reverts: Reverts,
        traffic: Traffic | None = None,
    ) -> None:
        """``reverts`` is what is known of bounds that other clients changed; ``traffic`` that of held Routes."""
        self._spas = spas
        self._lister = lister
        self._pods = pods
        self._deleter = deleter
        self._events = events
        self._reverts = reverts
        self._traffic = traffic

    def carry_out(self, ro: RolloutOrchestrator, plan: PassPlan) -> Result:
        """Send the writes of a plan for this RO; after one of the stage that fails, its status is the one before that.

        Raises what is no error of a request: a fault of the program.
        """
        carried = _Carried(ro)
        error, unfinished = plan.error, None
        for planned in plan.stage:
            try:
                self._send(planned.write, carried)
            except (ApiError, MalformedObject) as problem:
                ro.status = planned.status_before
                error = problem
                break
        for write in plan.cleanup:
            try:
                self._send(write, carried)
            except (ApiError, MalformedObject) as problem:
                if unfinished is not None:
                    _LOG.warning("RolloutOrchestrator %s/%s: %s", ro.namespace, ro.name, problem)
                unfinished = unfinished or problem
        return Result(error, unfinished or plan.unfinished, tuple(sorted(carried.delays)))

    def _send(self, write: PlannedWrite, carried: _Carried) -> None:
        match write:
            case CreateSPA(spa):
                created = self._spas.create(spa)
                self._check_stored(spa, created, carried)
                carried.stored[spa.namespace, spa.name] = created
                self._reverts.stored(created)
            case UpdateSPA(spa):
                self._set_bounds(spa, carried)
            case DeleteSPA(spa):
                absence = self._deleter.delete(self._present(spa, carried))
                if absence is not None:
                    self._events.emit(carried.ro, *deletion_event(spa, absence))
            case DeletePod(pod):
                self._pods.delete_now(pod)
            case SetTraffic(route, entries):
                if self._traffic is not None:
                    self._traffic.write(route, entries)
            case EmitEvent(type_, reason, message):
                self._events.emit(carried.ro, type_, reason, message)
            case RequeueAfter(seconds):
                carried.delays.append(seconds)

    def _set_bounds(self, spa: StagePodAutoscaler, carried: _Carried) -> None:
        """Store the bounds of an SPA, unless that would set harmless ones back too soon after the last time."""
        found = self._present(spa, carried)
        decision = self._reverts.decide(carried.ro, found, spa.bounds)
        if decision.wait:
            carried.delays.append(decision.wait)
            return
        # A second write to the same SPA goes on top of what the first one stored.
        base = carried.stored.get((spa.namespace, spa.name), spa)
        updated = self._spas.update(base.with_bounds(*spa.bounds))
        self._check_stored(spa, updated, carried)
        carried.stored[spa.namespace, spa.name] = updated
        if decision.reverts:
            self._reverts.reverted(carried.ro, found, updated, decision)
        else:
            self._reverts.stored(updated)

    def _check_stored(self, sent: StagePodAutoscaler, stored: StagePodAutoscaler, carried: _Carried) -> None:
        """Warn if the cluster stored other bounds than were sent, and write them again after a while."""
        if all(want in (None, found) for want, found in zip(sent.bounds, stored.bounds, strict=True)):
            return
        message = (
            f"StagePodAutoscaler {sent.name} was stored with bounds {bounds_of(stored)} instead of {bounds_of(sent)}:"
            " an admission webhook or a policy of the cluster changes what the loop writes; exempt the loop's account"
        )
        _LOG.warning("RolloutOrchestrator %s/%s: %s", carried.ro.namespace, carried.ro.name, message)
        self._events.emit(carried.ro, "Warning", BOUNDS_ALTERED, message)
        carried.delays.append(PAUSE)

    def _present(self, spa: StagePodAutoscaler, carried: _Carried) -> StagePodAutoscaler:
        """The SPA as it is stored now, as far as that is known."""
        stored = carried.stored.get((spa.namespace, spa.name))
        return stored or self._lister.get(spa.namespace, spa.name) or spa
