"""The webhook's metrics, in a registry of their own; every series that can be known beforehand starts at zero."""

from collections.abc import Callable
from datetime import datetime
from itertools import product
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from webhook.admission import EFFECTS, RULE_IDS, Response, Verdict
from webhook.admission.request import REVISION, ROUTE
from webhook.api.kinds import RO_KIND, SPA_KIND
from webhook.cluster.resource import (
    CONFIG_MAPS,
    KNATIVE_SERVICES,
    NAMESPACES,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
)
from webhook.server.head import ADMISSION_PATHS, KNATIVE_PATH

Outcome = Literal["allowed", "warned", "denied", "skipped", "malformed", "failed"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
KINDS: Final = (SPA_KIND, RO_KIND, "other")
KNATIVE_KINDS: Final = (REVISION, ROUTE, "other")
OPERATIONS: Final = ("CREATE", "UPDATE", "other")
REFUSED: Final = (400, 403, 404, 405, 408, 413, 414, 415, 431, 500, 501, 503)
CLOSED: Final = ("handshake", "header", "body", "write", "idle", "crowded", "full")
BUCKETS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0)
PIN_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0)
PinResult = Literal[
    "pinned", "repeated", "not held", "conflict", "failed", "late", "rate", "busy", "not read", "not asked", "ignored"
]
PIN_RESULTS: Final[tuple[PinResult, ...]] = get_args(PinResult)
RESOURCES: Final = (ROLLOUT_ORCHESTRATORS, NAMESPACES, KNATIVE_SERVICES, ROUTES, REVISIONS, CONFIG_MAPS)
LOOPS: Final = (
    "admission",
    "metrics",
    "reflector",
    "certificate",
    "connections",
    "ready",
    "pages",
    "event loop",
    "thread",
    "worker",
)
"""The parts of the webhook in which an unexpected exception can occur."""
REFLECTED: Final = ("list", "watch", "event", "bookmark", "gone", "silence", "error")


class ServerMetrics:
    """What the webhook counts. A client cannot invent series: unknown kinds and operations count as ``other``."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        reviews = Counter(
            "stagegate_admission_reviews",
            "Answered reviews by path, kind, operation and verdict.",
            ["path", "kind", "operation", "verdict"],
            registry=registry,
        )
        findings = Counter(
            "stagegate_admission_findings",
            "Findings of each write, counted once, by id and effect: denied, or why it is only a warning.",
            ["id", "effect"],
            registry=registry,
        )
        patches = Counter(
            "stagegate_admission_patches", "Objects that got defaults, by kind.", ["kind"], registry=registry
        )
        refused = Counter(
            "stagegate_http_refused",
            "Requests that were not admission reviews, or were refused unread, by status.",
            ["status"],
            registry=registry,
        )
        duration = Histogram(
            "stagegate_admission_duration_seconds",
            "Time from the last byte of the review to the answer.",
            ["path"],
            buckets=BUCKETS,
            registry=registry,
        )
        closed = Counter(
            "stagegate_connections_closed",
            "Connections that the server closed, by reason: a deadline, too many connections, stalled large bodies.",
            ["reason"],
            registry=registry,
        )
        key_pairs = Counter(
            "stagegate_certificate_pairs",
            "New key pairs: loaded, or refused, so that the last good one is still served.",
            ["result"],
            registry=registry,
        )
        reflected = Counter(
            "stagegate_reflector_events",
            "What the reflectors did and received, by resource.",
            ["resource", "what"],
            registry=registry,
        )
        faults = Counter(
            "stagegate_faults",
            "Unexpected exceptions by the part of the webhook that raised them.",
            ["loop"],
            registry=registry,
        )
        pins = Counter(
            "stagegate_pins",
            "Reviews of a new Revision by what became of the pin of its Route.",
            ["result"],
            registry=registry,
        )
        guarded = Counter(
            "stagegate_route_reviews",
            "Reviews of a Route by whether a held one had something put back.",
            ["result"],
            registry=registry,
        )
        # ``labels`` takes a lock and looks its arguments up; what is counted on every call is looked up here, once.
        self._reviews = {
            (path, *key): reviews.labels(path, *key)
            for path in ADMISSION_PATHS
            for key in product(kinds_at(path), OPERATIONS, OUTCOMES)
        }
        self._findings = {key: findings.labels(*key) for key in product(RULE_IDS, EFFECTS)}
        self._patches = {kind: patches.labels(kind) for kind in (*KINDS, *KNATIVE_KINDS)}
        self._refused = {status: refused.labels(str(status)) for status in REFUSED}
        self._refused_other = refused
        self._duration = {path: duration.labels(path) for path in ADMISSION_PATHS}
        self._closed = {reason: closed.labels(reason) for reason in CLOSED}
        self._key_pairs = {result: key_pairs.labels(result) for result in ("loaded", "refused")}
        self._faults = {loop: faults.labels(loop) for loop in LOOPS}
        self._reflected = {
            key: reflected.labels(*key) for key in product((each.plural for each in RESOURCES), REFLECTED)
        }
        self._pins = {result: pins.labels(result) for result in PIN_RESULTS}
        self._guarded = {put_back: guarded.labels("put back" if put_back else "passed") for put_back in (True, False)}
        self._pin_duration = Histogram(
            "stagegate_pin_duration_seconds",
            "Time from the review of a new Revision to the answer, where its Route was to be pinned.",
            buckets=PIN_BUCKETS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "stagegate_admission_in_flight", "Reviews that are still being received.", registry=registry
        )
        self._connections = Gauge(
            "stagegate_connections", "Open connections, including those in the TLS handshake.", registry=registry
        )
        self._not_after = Gauge(
            "stagegate_certificate_not_after_seconds",
            "Unix time at which the served certificate expires.",
            registry=registry,
        )
        self._not_served = Gauge(
            "stagegate_certificate_error", "1 while the stored key pair is not the served one.", registry=registry
        )
        self._synced = Gauge(
            "stagegate_cache_synced", "1 when the cache holds the cluster's objects.", registry=registry
        )
        self._knative_synced = Gauge(
            "stagegate_knative_synced",
            "1 when all that a pin is decided on has been read; Routes are pinned only then.",
            registry=registry,
        )
        self._age = Gauge(
            "stagegate_cache_age_seconds",
            "Time since the API server last sent anything; NaN before it has.",
            registry=registry,
        )

    def answered(self, path: str, response: Response, seconds: float) -> None:
        """Count one answered admission call.

        The findings of a write count once: in the validating call, unless the mutating call denies the write or is the
        only one, as for a change of our annotations alone.
        """
        self._duration[path].observe(seconds)
        verdict = response.verdict
        if verdict is None:
            self.refused(response.status)
            return
        kind = verdict.kind if verdict.kind in kinds_at(path) else "other"
        operation = verdict.operation if verdict.operation in OPERATIONS else "other"
        self._reviews[path, kind, operation, outcome_of(verdict)].inc()
        if verdict.defaults:
            self._patches[kind].inc()
        if not verdict.precedes_validation:
            for finding, effect in verdict.findings:
                self._findings[finding.id, effect].inc()

    def pinned(self, result: PinResult, seconds: float | None = None) -> None:
        """What became of one pin; with the time that it took, if it was carried out."""
        self._pins[result].inc()
        if seconds is not None:
            self._pin_duration.observe(seconds)

    def guarded(self, *, put_back: bool) -> None:
        """One review of a Route."""
        self._guarded[put_back].inc()

    def refused(self, status: int) -> None:
        (self._refused.get(status) or self._refused_other.labels(str(status))).inc()

    def closed(self, reason: str) -> None:
        self._closed[reason].inc()

    def read_key_pair(self, result: Literal["loaded", "refused"]) -> None:
        self._key_pairs[result].inc()

    def reflected(self, resource: str, what: str) -> None:
        self._reflected[resource, what].inc()

    def faulted(self, loop: str) -> None:
        """One exception that nothing a client or the cluster did explains."""
        self._faults[loop].inc()

    # State, read at each scrape

    def ask_connections(self, count: Callable[[], int], in_flight: Callable[[], int]) -> None:
        self._connections.set_function(lambda: float(count()))
        self._in_flight.set_function(lambda: float(in_flight()))

    def ask_certificate(self, not_after: Callable[[], datetime | None], is_served: Callable[[], bool]) -> None:
        def seconds() -> float:
            found = not_after()
            return found.timestamp() if found else 0.0

        self._not_after.set_function(seconds)
        self._not_served.set_function(lambda: float(not is_served()))

    def ask_knative(self, is_synced: Callable[[], bool]) -> None:
        self._knative_synced.set_function(lambda: float(is_synced()))

    def ask_cache(self, is_synced: Callable[[], bool], age: Callable[[], float | None]) -> None:
        def seconds() -> float:
            found = age()
            return float("nan") if found is None else found

        self._synced.set_function(lambda: float(is_synced()))
        self._age.set_function(seconds)


def kinds_at(path: str) -> tuple[str, ...]:
    """The kinds of the objects that are reviewed at a path."""
    return KNATIVE_KINDS if path == KNATIVE_PATH else KINDS


def outcome_of(verdict: Verdict) -> Outcome:
    """The outcome of a verdict: the most severe that applies."""
    if verdict.failed:
        return "failed"
    if verdict.malformed:
        return "malformed"
    if not verdict.allowed:
        return "denied"
    if verdict.skipped:
        return "skipped"
    return "warned" if verdict.findings or verdict.notices else "allowed"
