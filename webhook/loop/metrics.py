"""The loop's metrics, in a registry of their own."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from webhook.cluster.errors import Call
from webhook.cluster.resource import Resource
from webhook.knative.opt_in import OBSTACLES
from webhook.knative.service_decision import COMPLETE, FAILED, RELEASED, REMOVED, STARTED
from webhook.loop.reverts import EFFECTS
from webhook.loop.rollout_figures import RolloutFigures
from webhook.loop.rollout_settings import ConfigMapSettings
from webhook.loop.routing import ROLLOUT, SPA
from webhook.loop.workers import RESULTS

_REFLECTED: Final = ("list", "watch", "event", "bookmark", "gone", "silence", "error")
_EVENTS: Final = ("sent", "quiet", "dropped", "failed")
LOOPS: Final = ("reflector", "worker", "resync", "events", "lease", "pages", "certificates", "start", "thread")
_STAGE_SECONDS: Final = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_PHASES: Final = ("held", "releasing")
OUTCOMES: Final[Mapping[str, str]] = {
    STARTED: "started",
    COMPLETE: "complete",
    FAILED: "failed",
    RELEASED: "released",
    REMOVED: "released",
} | dict.fromkeys(OBSTACLES, "not held")
"""The outcome that each Event of a Service is counted as, by its reason."""
_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """Counts what the loop does. Every series whose labels are known beforehand starts at zero."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.registry = registry = CollectorRegistry()
        self._reconciles = Counter(
            "stagegate_loop_reconciles", "Reconciles by kind of key and result", ["kind", "result"], registry=registry
        )
        self._seconds = Histogram(
            "stagegate_loop_reconcile_seconds", "Duration of a reconcile", ["kind"], buckets=_SECONDS, registry=registry
        )
        self._requests = Counter(
            "stagegate_loop_api_requests",
            "Requests to the API server; code 0 is no answer",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self._reflected = Counter(
            "stagegate_loop_reflector",
            "Lists, watches and events of the reflectors",
            ["resource", "what"],
            registry=registry,
        )
        self._events = Counter("stagegate_loop_events", "Events by what became of them", ["what"], registry=registry)
        self._reverted = Counter(
            "stagegate_loop_bounds_reverted",
            "Stage bounds set back after another client changed them, by what they would have done to the stage",
            ["effect"],
            registry=registry,
        )
        self._depth = Gauge("stagegate_loop_queue_depth", "Keys that are due", registry=registry)
        self._waited = Histogram(
            "stagegate_loop_queue_wait_seconds", "From being due to being taken", buckets=_SECONDS, registry=registry
        )
        self._retries = Counter("stagegate_loop_queue_retries", "Keys put back after a failure", registry=registry)
        self._leader = Gauge("stagegate_loop_leader", "1 while this process may write", registry=registry)
        self._unreadable = Gauge(
            "stagegate_loop_settings_unreadable",
            "1 while the ConfigMap cannot be read, so that the settings before it stay in force",
            registry=registry,
        )
        self._ignored = Gauge(
            "stagegate_loop_settings_ignored", "Entries of the ConfigMap that have no effect", registry=registry
        )
        self._objects = Gauge("stagegate_loop_cache_objects", "Objects in a cache", ["resource"], registry=registry)
        self._age = Gauge(
            "stagegate_loop_cache_age_seconds",
            "Time since the last response or event of the API server for a resource",
            ["resource"],
            registry=registry,
        )
        self._faults = Counter(
            "stagegate_loop_faults",
            "Exceptions that are not errors of requests, by the loop that raised them",
            ["loop"],
            registry=registry,
        )
        self._stages = Histogram(
            "stagegate_loop_stage_seconds",
            "Time from the begin of a stage to its end, of the stages that have ended",
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._outcomes = Counter(
            "stagegate_loop_service_rollouts",
            "Rollouts of Knative Services by what became of them",
            ["outcome"],
            registry=registry,
        )
        self._held = Gauge(
            "stagegate_loop_held_services", "Knative Services that are held", ["phase"], registry=registry
        )
        self._held_seconds = Gauge("stagegate_loop_held_oldest_seconds", "Age of the oldest hold", registry=registry)
        self._still_seconds = Gauge(
            "stagegate_loop_still_seconds",
            "The longest time for which no condition of a rollout under way has changed",
            registry=registry,
        )
        self._failed = Gauge(
            "stagegate_loop_failed_rollouts",
            "Rollouts that failed and stay so until their spec changes",
            registry=registry,
        )
        self._steered = Gauge(
            "stagegate_loop_steered_rollouts", "Rollouts that people paused or aborted", ["what"], registry=registry
        )
        for phase in _PHASES:
            self._held.labels(phase)
        for outcome in OUTCOMES.values():
            self._outcomes.labels(outcome)
        for kind in (ROLLOUT, SPA):
            self._seconds.labels(kind)
            for result in RESULTS:
                self._reconciles.labels(kind, result)
        for resource in resources:
            for what in _REFLECTED:
                self._reflected.labels(resource.full_name, what)
        for effect in EFFECTS:
            self._reverted.labels(effect)
        for what in _EVENTS:
            self._events.labels(what)
        for loop in LOOPS:
            self._faults.labels(loop)

    # Workers

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        self._reconciles.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    # Work queue

    def depth(self, keys: int) -> None:
        self._depth.set(keys)

    def waited(self, seconds: float) -> None:
        self._waited.observe(seconds)

    def worked(self, seconds: float) -> None:
        """Ignored: ``reconciled`` has the duration by kind."""

    def retried(self) -> None:
        self._retries.inc()

    # Client, reflectors, events

    def answered(self, call: Call, status: int) -> None:
        self._requests.labels(call.verb, call.resource if call.resource[:1] != "/" else "-", str(status)).inc()

    def reflected(self, resource: Resource, what: str) -> None:
        self._reflected.labels(resource.full_name, what).inc()

    def faulted(self, loop: str) -> None:
        self._faults.labels(loop).inc()

    def event(self, what: str) -> None:
        self._events.labels(what).inc()

    # Passes

    def reverted(self, effect: str) -> None:
        self._reverted.labels(effect).inc()

    def stage_took(self, seconds: float) -> None:
        self._stages.observe(seconds)

    def service_event(self, reason: str) -> None:
        """Count the rollout of a Service if an Event of this reason says what became of it."""
        if reason in OUTCOMES:
            self._outcomes.labels(OUTCOMES[reason]).inc()

    # Values that are read at each scrape

    def ask_leader(self, is_leader: Callable[[], bool]) -> None:
        self._leader.set_function(lambda: float(is_leader()))

    def ask_settings(self, settings: Callable[[], ConfigMapSettings]) -> None:
        self._unreadable.set_function(lambda: float(not settings().is_readable))
        self._ignored.set_function(lambda: float(len(settings().problems)))

    def ask_rollouts(self, figures: Callable[[], RolloutFigures]) -> None:
        self._held.labels("held").set_function(lambda: float(figures().held))
        self._held.labels("releasing").set_function(lambda: float(figures().releasing))
        self._held_seconds.set_function(lambda: figures().held_seconds)
        self._still_seconds.set_function(lambda: figures().still_seconds)
        self._failed.set_function(lambda: float(figures().failed))
        self._steered.labels("paused").set_function(lambda: float(figures().paused))
        self._steered.labels("aborted").set_function(lambda: float(figures().aborted))

    def ask_cache(self, resource: Resource, size: Callable[[], int], age: Callable[[], float]) -> None:
        self._objects.labels(resource.full_name).set_function(lambda: float(size()))
        self._age.labels(resource.full_name).set_function(age)
