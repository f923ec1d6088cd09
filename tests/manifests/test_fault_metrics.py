"""Every counter that can count a fault has one alert, or a reason why none fires for it."""

import re
from typing import Final

import pytest

from tests.manifests.test_monitoring import alerts, samples_of, selects
from webhook.loop.caches import RESOURCES
from webhook.loop.metrics import Metrics
from webhook.server.metrics import ServerMetrics
from webhook.web.metrics import WebMetrics

NO_ALERT: Final = {
    'process_cpu_seconds_total': "it counts work, no fault",
    # The webhook
    'stagegate_admission_patches_total': "it counts work, no fault",
    'stagegate_admission_findings_total{effect!="controller"}': "people make mistakes, and are told",
    'stagegate_admission_reviews_total{verdict=~"allowed|skipped|warned|denied"}': "what people and controllers write",
    'stagegate_admission_reviews_total{verdict="malformed"}': "objects that no CRD takes; who writes them is told",
    'stagegate_certificate_pairs_total': "it has a gauge that lasts, with StagegateCertificateNotServed",
    'stagegate_connections_closed_total{reason=~"handshake|header|body|write|idle"}': "clients that are slow or leave",
    'stagegate_faults_total{loop="admission"}': "each is a failed review or pin too, and these have alerts",
    'stagegate_http_refused_total{status=~"4..|501"}': "faults of clients, which are told",
    'stagegate_http_refused_total{status="500"}': "each is a fault too, with StagegateWebhookFaults",
    'stagegate_pins_total{result=~"ignored|not asked|not held|pinned|repeated"}': "as it should be",
    'stagegate_reflector_events_total': "an error passes; if it lasts, StagegateCacheStale fires",
    'stagegate_route_reviews_total': "as it should be",
    # The loop
    'stagegate_loop_events_total': "a lost Event changes nothing; a missing right has StagegateLoopForbidden",
    'stagegate_loop_faults_total{loop="worker"}': "each is a crashed reconcile too, which has StagegateLoopCrashes",
    'stagegate_loop_queue_retries_total': "tried again; what does not get on has StagegateRolloutStandsStill",
    'stagegate_loop_reconciles_total{result=~"done|conflict|retry|refused"}': (
        "tried again; what stands still has StagegateRolloutStandsStill, a missing right StagegateLoopForbidden"
    ),
    'stagegate_loop_reflector_total': "an error passes; if it lasts, StagegateLoopViewStale fires",
    'stagegate_loop_service_rollouts_total': "it has a gauge that lasts, with StagegateRolloutFailed",
}  # fmt: skip
"""Selectors of counters, and why no alert fires when they increase."""

COUNTERS: Final = sorted(
    (name, tuple(sorted(labels)))
    for metrics in (ServerMetrics(), Metrics(RESOURCES), WebMetrics())
    for name, labels in samples_of(metrics.registry)
    if name.endswith("_total")
)


def matches(selector: str, name: str, labels: dict[str, str]) -> bool:
    family, _, tests = selector.partition("{")
    return family == name and selects(tests.rstrip("}"), labels)


def firing(name: str, labels: dict[str, str]) -> list[str]:
    """The alerts that ask for this counter, whatever they compare it with."""
    asked = {rule["alert"]: re.findall(r"(\w+_total(?:\{[^}]*\})?)\[", rule["expr"]) for rule in alerts()}
    return [alert for alert, selectors in asked.items() if any(matches(each, name, labels) for each in selectors)]


def reasons(name: str, labels: dict[str, str]) -> list[str]:
    return [selector for selector in NO_ALERT if matches(selector, name, labels)]


@pytest.mark.parametrize("name", sorted({name for name, _ in COUNTERS}))
def test_each_counter_has_one_alert_or_one_reason(name: str) -> None:
    for labels in (dict(labels) for found, labels in COUNTERS if found == name):
        found = firing(name, labels) + reasons(name, labels)
        assert len(found) == 1, (labels, found)


def test_a_counter_that_begins_with_the_first_fault_is_known_too() -> None:
    """Its labels come from requests, so it has no series at the start."""
    call = {"verb": "get", "resource": "leases"}
    name = "stagegate_loop_api_requests_total"
    assert firing(name, call | {"code": "403"}) == ["StagegateLoopForbidden"]
    for code in ("200", "0", "409", "500"):
        assert firing(name, call | {"code": code}) == [], "it passes, or StagegateLoopViewStale or NoLeader fires"


def test_each_alert_that_a_reason_names_is_one() -> None:
    named = set(re.findall(r"Stagegate\w+", " ".join(NO_ALERT.values())))
    assert named
    assert named <= {rule["alert"] for rule in alerts()}


def test_each_reason_is_one_of_a_counter() -> None:
    for selector in NO_ALERT:
        assert any(matches(selector, name, dict(labels)) for name, labels in COUNTERS), selector
