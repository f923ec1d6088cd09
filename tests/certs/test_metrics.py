"""The metrics of the certificates: expiry, and the last error of each kind."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from certs.errors import CertificateError, ClusterError, Forbidden, StoreError
from certs.metrics import CertificateMetrics, CertificateState, kind_of
from tests.cluster.fake_clock import START

FORBIDDEN = Forbidden("get secrets ours/certs: no", "secrets", "Forbidden")
SILENT = ClusterError("timed out", "mutatingwebhookconfigurations", "OutcomeUnknown")


def store_error() -> StoreError:
    problem = StoreError("cannot read Secret ours/certs")
    problem.__cause__ = FORBIDDEN
    return problem


def page(*states: CertificateState | None) -> dict[str, float]:
    """Each sample after these states in turn, by name and labels."""
    registry = CollectorRegistry()
    metrics = CertificateMetrics(registry)
    for state in states:
        metrics.show(state)
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items(), reverse=True))]): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_a_process_that_does_not_lead_says_nothing() -> None:
    assert page() == page(None) == page(None, None) == {}


def test_one_that_stands_by_takes_its_metrics_away_until_it_leads_again() -> None:
    failed = CertificateState().failed(FORBIDDEN, START)
    assert page(failed, None) == {}
    assert page(failed, None, CertificateState(START)) == page(CertificateState(START))


def test_all_is_well() -> None:
    assert page(CertificateState(START, START + timedelta(days=1), 1)) == {
        "stagegate_certificates_not_after_seconds leaf": START.timestamp(),
        "stagegate_certificates_not_after_seconds authority": START.timestamp() + 86400,
        "stagegate_certificates_authorities": 1,
        "stagegate_certificates_error": 0,
    }


def test_errors_are_counted_by_kind_and_kept() -> None:
    state = CertificateState().failed(store_error(), START).failed(SILENT, START + timedelta(seconds=5))
    samples = page(state)
    assert samples["stagegate_certificates_error"] == 1
    assert samples["stagegate_certificates_not_after_seconds leaf"] == 0
    last = {name: value for name, value in samples.items() if "last_error" in name}
    assert last == {
        "stagegate_certificates_last_error_seconds secrets Forbidden": START.timestamp(),
        "stagegate_certificates_last_error_seconds mutatingwebhookconfigurations OutcomeUnknown": START.timestamp() + 5,
    }


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (FORBIDDEN, ("secrets", "Forbidden")),
        (store_error(), ("secrets", "Forbidden")),
        (CertificateError("not finished"), ("certificates", "CertificateError")),
        (ZeroDivisionError(), ("certificates", "ZeroDivisionError")),
    ],
    ids=["a call", "a store's call", "a certificate", "a bug"],
)
def test_the_kind_of_an_error(problem: Exception, kind: tuple[str, str]) -> None:
    assert kind_of(problem) == kind


def test_an_error_without_words_is_one_too() -> None:
    assert CertificateState().failed(ZeroDivisionError(), START).error == "ZeroDivisionError()"
