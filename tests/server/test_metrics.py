"""What is counted for which verdict, and how it reads on the metrics page."""

import json
from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.admission.reviews import Wire, entry, request_of, stored_ro
from webhook.admission import Default, EmptyLookup, Finding, Judged, Response, Settings, Verdict, examine
from webhook.admission.verdict import Effect
from webhook.server.metrics import ServerMetrics, outcome_of

VERDICT = Verdict("uid", True, "/mutate", operation="CREATE", kind="StagePodAutoscaler")


def judged(effect: Effect, rule: str = "SPA002") -> Judged:
    return Judged(Finding(rule, "deny", "spec", "FieldValueInvalid", "text"), effect)


def samples(metrics: ServerMetrics) -> dict[tuple[str, ...], float]:
    page = generate_latest(metrics.registry).decode()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (VERDICT, "allowed"),
        (VERDICT._replace(defaults=(Default("/spec/x", 1),)), "allowed"),
        (VERDICT._replace(notices=("no RO yet",)), "warned"),
        (VERDICT._replace(findings=(judged("controller"),)), "warned"),
        (VERDICT._replace(skipped="being deleted"), "skipped"),
        (VERDICT._replace(allowed=False, findings=(judged("denied"), judged("warned"))), "denied"),
        (VERDICT._replace(allowed=False, malformed="spec is a list"), "malformed"),
        (VERDICT._replace(allowed=False, failed="KeyError"), "failed"),
        (VERDICT._replace(notices=("KeyError",), skipped="KeyError", failed="KeyError"), "failed"),
    ],
)
def test_outcome_of(verdict: Verdict, outcome: str) -> None:
    assert outcome_of(verdict) == outcome


def test_every_series_is_there_at_zero_from_the_start() -> None:
    seen = samples(ServerMetrics())
    review = ("stagegate_admission_reviews_total", "RolloutOrchestrator", "UPDATE", "/validate", "denied")
    assert seen[review] == 0
    for rule in ("SPA001", "SPA008", "RO001", "RO010"):
        for effect in ("denied", "warned", "overridden", "controller", "ratcheted", "unenforced"):
            assert seen["stagegate_admission_findings_total", effect, rule] == 0
    for status in ("400", "408", "413", "415"):
        assert seen["stagegate_http_refused_total", status] == 0
    for reason in ("handshake", "header", "body", "write", "idle", "crowded", "full"):
        assert seen["stagegate_connections_closed_total", reason] == 0
    assert seen["stagegate_admission_duration_seconds_count", "/mutate"] == 0
    assert seen["stagegate_admission_in_flight",] == 0
    assert seen["stagegate_certificate_pairs_total", "refused"] == 0


def test_one_denied_review() -> None:
    metrics = ServerMetrics()
    verdict = VERDICT._replace(allowed=False, findings=(judged("denied"), judged("ratcheted", "RO001")))
    metrics.answered("/mutate", Response(200, "application/json", b"", verdict), 0.0002)
    seen = samples(metrics)
    assert seen["stagegate_admission_reviews_total", "StagePodAutoscaler", "CREATE", "/mutate", "denied"] == 1
    assert seen["stagegate_admission_findings_total", "denied", "SPA002"] == 1
    assert seen["stagegate_admission_findings_total", "ratcheted", "RO001"] == 1
    assert seen["stagegate_admission_duration_seconds_bucket", "0.0001", "/mutate"] == 0
    assert seen["stagegate_admission_duration_seconds_bucket", "0.00025", "/mutate"] == 1
    assert seen["stagegate_admission_duration_seconds_bucket", "+Inf", "/mutate"] == 1
    assert seen["stagegate_admission_duration_seconds_sum", "/mutate"] == 0.0002


def test_a_filled_object_counts_as_a_patch() -> None:
    metrics = ServerMetrics()
    metrics.answered(
        "/mutate", Response(200, "application/json", b"", VERDICT._replace(defaults=(Default("/x", 1),))), 0.1
    )
    assert samples(metrics)["stagegate_admission_patches_total", "StagePodAutoscaler"] == 1


def test_a_call_that_is_no_review_counts_by_status() -> None:
    metrics = ServerMetrics()
    metrics.answered("/mutate", Response(400, "text/plain", b"", None), 0.1)
    seen = samples(metrics)
    assert seen["stagegate_http_refused_total", "400"] == 1
    assert all(value == 0 for name, value in seen.items() if name[0] == "stagegate_admission_reviews_total")


def test_a_client_cannot_invent_series() -> None:
    metrics = ServerMetrics()
    before = len(samples(metrics))
    for number in range(50):
        verdict = VERDICT._replace(kind=f"Kind{number}", operation=f"DO{number}")
        metrics.answered("/mutate", Response(200, "application/json", b"", verdict), 0.1)
    assert len(samples(metrics)) == before


def test_the_state_is_read_when_it_is_scraped() -> None:
    not_after, age = datetime(2030, 1, 1, tzinfo=UTC), 4.5
    metrics = ServerMetrics()
    metrics.ask_connections(lambda: 7, lambda: 3)
    metrics.ask_certificate(lambda: not_after, lambda: False)
    metrics.ask_cache(lambda: True, lambda: age)
    seen = samples(metrics)
    assert seen["stagegate_connections",] == 7
    assert seen["stagegate_admission_in_flight",] == 3
    assert seen["stagegate_certificate_not_after_seconds",] == not_after.timestamp()
    assert seen["stagegate_certificate_error",] == 1
    assert seen["stagegate_cache_synced",] == 1
    assert seen["stagegate_cache_age_seconds",] == 4.5
    not_after, age = datetime(2031, 1, 1, tzinfo=UTC), 0.5
    assert samples(metrics)["stagegate_certificate_not_after_seconds",] == not_after.timestamp()
    assert samples(metrics)["stagegate_cache_age_seconds",] == 0.5


STORED = stored_ro()
NINETY = stored_ro(targetRevisions=[entry("hello-00002", 90)])
SETTING = {"rollout.knative.dev/over-consumption-ratio": "fifty"}


@pytest.mark.parametrize(
    ("obj", "old", "calls", "counted"),
    [
        pytest.param(NINETY, None, ["/mutate"], {("denied", "RO008"): 1}, id="denied by the first call"),
        pytest.param(NINETY, None, ["/validate"], {("denied", "RO008"): 1}, id="only validated"),
        pytest.param(
            NINETY | {"metadata": NINETY["metadata"] | {"annotations": {"stagegate.dev/override": "RO008"}}},
            None,
            ["/mutate", "/validate"],
            {("overridden", "RO008"): 1},
            id="passed by both calls",
        ),
        pytest.param(
            NINETY | {"metadata": NINETY["metadata"] | {"annotations": {"stagegate.dev/override": "RO008"}}},
            None,
            ["/mutate", "/mutate", "/validate"],
            {("overridden", "RO008"): 1},
            id="mutated again",
        ),
        pytest.param(
            STORED | {"metadata": STORED["metadata"] | {"annotations": SETTING}},
            STORED,
            ["/mutate"],
            {("warned", "RO012"): 1},
            id="only an annotation changes, which is not validated",
        ),
    ],
)
def test_the_findings_of_a_write_count_once(
    obj: Wire, old: Wire | None, calls: list[str], counted: dict[tuple[str, str], int]
) -> None:
    metrics = ServerMetrics()
    body = json.dumps(request_of(obj, old=old)).encode()
    for path in calls:
        metrics.answered(path, examine(body, path, EmptyLookup(), Settings()), 0.0001)
    found = {
        name[1:]: value for name, value in samples(metrics).items() if name[0] == "stagegate_admission_findings_total"
    }
    assert {name: value for name, value in found.items() if value} == counted
