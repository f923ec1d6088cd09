"""The metrics page: the tally and the state of the server in the exposition format."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from webhook.server.state import State
from webhook.server.tally import BUCKETS, Tally


class ServerCollector(Collector):
    """Reads the numbers when they are asked for; nothing is kept here."""

    def __init__(self, tally: Tally, state: Callable[[], State]) -> None:
        self._tally = tally
        self._state = state

    def collect(self) -> Iterator[Metric]:
        yield from _admission(self._tally)
        yield from _connections(self._tally)
        yield from _certificate(self._tally, self._state())
        yield from _cache(self._tally, self._state())

    def describe(self) -> Iterable[Metric]:
        return ()


def make_registry(tally: Tally, state: Callable[[], State]) -> CollectorRegistry:
    """Our numbers and those of the process."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(tally, state))
    ProcessCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The page, in the text format that every scraper reads."""
    return generate_latest(registry)


def _admission(tally: Tally) -> Iterator[Metric]:
    yield _counter(
        "stagegate_admission_reviews",
        "Answered reviews by path, kind, operation and verdict.",
        ("path", "kind", "operation", "verdict"),
        tally.reviews.items(),
    )
    yield _counter(
        "stagegate_admission_findings",
        "Broken rules by id and by what became of them: denied, or why only warned about.",
        ("id", "effect"),
        tally.findings.items(),
    )
    yield _counter(
        "stagegate_admission_patches",
        "Objects that were filled in, by kind.",
        ("kind",),
        (((kind,), count) for kind, count in tally.patches.items()),
    )
    yield _counter(
        "stagegate_http_refused",
        "Calls that were no admission review, or were refused unread, by status.",
        ("status",),
        (((str(status),), count) for status, count in tally.refused.items()),
    )
    latency = HistogramMetricFamily(
        "stagegate_admission_duration_seconds", "Time from the whole body to the whole answer.", labels=("path",)
    )
    for path, counts in tally.latency.items():
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
            total += count
            buckets.append((bound, total))
        latency.add_metric((path,), buckets, sum_value=tally.seconds[path])
    yield latency
    yield _gauge("stagegate_admission_in_flight", "Calls whose answer is not written yet.", tally.in_flight)


def _connections(tally: Tally) -> Iterator[Metric]:
    yield _gauge("stagegate_connections", "Open connections, those in their handshake too.", tally.connections)
    yield _counter(
        "stagegate_connections_closed",
        "Connections that the server closed: at which deadline, or for want of room.",
        ("reason",),
        (((reason,), count) for reason, count in tally.closed.items()),
    )


def _certificate(tally: Tally, state: State) -> Iterator[Metric]:
    not_after = state.certificate_not_after.timestamp() if state.certificate_not_after else 0.0
    yield _gauge("stagegate_certificate_not_after_seconds", "Unix time at which the served leaf ends.", not_after)
    yield _counter(
        "stagegate_certificate_pairs",
        "Pairs that were found: loaded, or refused while the last good one stays.",
        ("result",),
        (((result,), count) for result, count in tally.pairs.items()),
    )
    yield _gauge(
        "stagegate_certificate_trouble", "1 while the stored pair is not the served one.", float(bool(state.trouble))
    )


def _cache(tally: Tally, state: State) -> Iterator[Metric]:
    yield _gauge("stagegate_cache_synced", "1 when the cache holds the cluster's objects.", float(not state.unsynced))
    if state.cache_age is not None:
        yield _gauge("stagegate_cache_age_seconds", "Time since the API server last said anything.", state.cache_age)
    yield _counter(
        "stagegate_reflector_events",
        "What the reflectors did and heard, by resource.",
        ("resource", "what"),
        tally.reflected.items(),
    )


def _counter(
    name: str, text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in list(rows):
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
