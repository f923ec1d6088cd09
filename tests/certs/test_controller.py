"""The controller: the cluster before, one reconcile, what was written, and what is logged."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from certs.bundle import read_bundle
from certs.contents import Contents
from certs.key_pair import KeyPair, prove
from certs.leaf import hosts_of
from certs.rotation import renewal_time
from tests.certs.certificate_cluster import (
    CREATE,
    CREATE_OWN,
    GOOD,
    HOST,
    MUTATE,
    OLD,
    OLD_LEAF,
    PATCH,
    PATCH_OWN,
    PUBLISH,
    VALIDATE,
    CertificateCluster,
)
from tests.cluster.fake_api import status_error
from tests.cluster.fake_clock import START
from webhook.cluster.resource import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from webhook.cluster.transport import Request


def test_the_first_start_ends_with_a_leaf_at_once() -> None:
    cluster = CertificateCluster(stored=None, published=b"")
    assert cluster.step() == [CREATE_OWN, CREATE, *PUBLISH, PATCH]
    assert cluster.published == cluster.stored.ca_certificates
    assert hosts_of(prove(cluster.stored.leaf)) == {HOST}
    assert (cluster.wait, cluster.error) == (600.0, "")


def test_at_rest_nothing_is_written() -> None:
    cluster = CertificateCluster()
    assert (cluster.step(), cluster.wait, cluster.error) == ([], 600.0, "")


def test_a_leaf_that_is_due_is_made() -> None:
    cluster = CertificateCluster()
    assert cluster.step(61 * 86400) == [PATCH]
    assert cluster.stored.ca_key == OLD.key


def test_a_wait_is_over_when_it_says_and_not_before() -> None:
    cluster = CertificateCluster()
    due = renewal_time(prove(OLD_LEAF))
    cluster.step((due - START).total_seconds() - 100)
    assert cluster.wait == 100


def test_an_authority_is_rotated_without_a_gap() -> None:
    """The new one is published beside the old; a leaf of it after the time to settle; then the old one goes."""
    cluster = CertificateCluster()
    assert cluster.step(601 * 86400) == [PATCH_OWN, PATCH, *PUBLISH]
    assert [read_bundle(cluster.published)[1:], cluster.wait] == [read_bundle(OLD.certificate), 30.0]
    assert cluster.step(29) == []
    assert cluster.step(1) == [PATCH]
    assert (len(read_bundle(cluster.published)), cluster.wait) == (2, 3.0)
    cluster.shown["a"] = cluster.stored.certificate
    assert cluster.step(3) == []
    cluster.shown["b"] = cluster.stored.certificate
    assert cluster.step(3) == [PATCH_OWN, PATCH, *PUBLISH]
    assert (len(read_bundle(cluster.published)), cluster.published) == (1, cluster.stored.ca_certificates)


@pytest.mark.parametrize("skew", [-1800, 86400])
def test_a_clock_that_is_set_does_not_shorten_the_time_to_settle(skew: float) -> None:
    cluster = CertificateCluster()
    cluster.step(601 * 86400)
    cluster.clock.skew = skew
    assert cluster.step(10) == []
    assert cluster.wait == 20.0
    assert cluster.step(20) == [PATCH]


def test_a_clock_that_is_set_back_during_a_reconcile_does_not_prolong_the_wait_after_it() -> None:
    cluster = CertificateCluster()
    cluster.step(601 * 86400)

    def set_back() -> Any:
        cluster.clock.skew = -3 * 86400
        return cluster.shown

    assert cluster.step(30) == [PATCH]
    cluster.controller = cluster.new_controller(set_back)
    assert cluster.step() == []
    assert cluster.clock.skew < 0
    assert cluster.wait < 60.0


def test_a_leader_that_takes_over_waits_as_long_once_more() -> None:
    """The time since clients received a bundle is not computed from another machine's clock."""
    cluster = CertificateCluster()
    cluster.step(601 * 86400)
    cluster.controller = cluster.new_controller()
    assert cluster.step(29) == []
    assert cluster.step(30) == [PATCH]


def test_a_deleted_secret_is_made_anew_and_what_is_served_stays_trusted() -> None:
    cluster = CertificateCluster(stored=None)
    assert cluster.step() == [CREATE_OWN, CREATE, *PUBLISH]
    assert read_bundle(OLD.certificate)[0] in read_bundle(cluster.published)
    assert cluster.stored.certificate == b""
    assert cluster.step(30) == [PATCH]
    cluster.serve_what_is_stored()
    assert cluster.step(5) == [PATCH_OWN, PATCH, *PUBLISH]
    assert len(read_bundle(cluster.published)) == 1


def test_a_bundle_that_was_taken_away_is_published_again() -> None:
    cluster = CertificateCluster(published=b"")
    assert cluster.step() == PUBLISH
    assert cluster.published == GOOD.ca_certificates


def test_without_any_configuration_the_leaf_stays_for_whom_it_is() -> None:
    cluster = CertificateCluster()
    for resource, name in ((MUTATING_WEBHOOKS, MUTATE), (VALIDATING_WEBHOOKS, VALIDATE)):
        cluster.api.remove(resource, "", name)
    assert cluster.step() == []


def test_without_configurations_and_leaf_it_is_for_the_service_of_a_plain_install() -> None:
    cluster = CertificateCluster(stored=None)
    for resource, name in ((MUTATING_WEBHOOKS, MUTATE), (VALIDATING_WEBHOOKS, VALIDATE)):
        cluster.api.remove(resource, "", name)
    assert cluster.step() == [CREATE_OWN, CREATE, PATCH]
    assert hosts_of(prove(cluster.stored.leaf)) == {"stagegate-webhook.ours.svc"}


def test_a_pair_of_another_kind_that_somebody_put_there_is_kept_trusted() -> None:
    """As cert-manager leaves it: a leaf, its authority, and no key of that."""
    cluster = CertificateCluster(stored=Contents(OLD.certificate, b"", OLD_LEAF.certificate, OLD_LEAF.key))
    assert cluster.step() == [CREATE_OWN, PATCH, *PUBLISH]
    assert cluster.stored.leaf == KeyPair(OLD_LEAF.certificate, OLD_LEAF.key)
    assert read_bundle(OLD.certificate)[0] in read_bundle(cluster.published)


# Errors and the log


def forbid(*plurals: str) -> Callable[[Request], Any]:
    """Refuse what concerns these resources."""

    def fail(request: Request) -> Any:
        verb, plural = request.call.verb, request.call.resource
        message = f'User "loop" cannot {verb} resource "{plural}"'
        return status_error(request, 403, "Forbidden", message) if plural in plurals else None

    return fail


@pytest.mark.parametrize(
    ("plural", "message"),
    [
        ("secrets", 'cannot read Secret ours/certs: get secrets ours/certs: User "loop" cannot get resource "secrets"'),
        (
            "mutatingwebhookconfigurations",
            f'get mutatingwebhookconfigurations {MUTATE}: User "loop" cannot get resource "{MUTATING_WEBHOOKS.plural}"',
        ),
    ],
)
def test_what_is_forbidden_is_named_reported_once_and_tried_again(
    plural: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = CertificateCluster()
    cluster.api.fail = forbid(plural)
    for _ in range(3):
        cluster.step(5)
    assert (cluster.error, cluster.wait) == (message, 5.0)
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot reconcile the certificates in Secret ours/certs: {message}"
    ]

    cluster.api.fail = lambda request: None
    cluster.step(5)
    assert cluster.error == ""
    assert cluster.controller.state is not None
    assert cluster.controller.state.last_errors == {(plural, "Forbidden"): START + timedelta(seconds=15)}


def test_an_error_leaves_the_ends_that_were_known() -> None:
    cluster = CertificateCluster()
    cluster.step()
    before = cluster.controller.state
    cluster.api.fail = forbid("secrets")
    cluster.step()
    assert before is not None
    assert cluster.controller.state is not None
    assert cluster.controller.state.leaf_not_after == before.leaf_not_after == prove(OLD_LEAF).not_valid_after_utc


def test_while_there_is_no_leaf_its_end_is_not_known() -> None:
    cluster = CertificateCluster(stored=None)
    cluster.step()
    assert cluster.controller.state is not None
    assert (cluster.controller.state.leaf_not_after, cluster.controller.state.authorities, cluster.error) == (
        None,
        2,
        "",
    )


def test_what_is_waited_for_is_reported_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cluster = CertificateCluster()
    for _ in range(3):
        cluster.step()
    assert len(caplog.records) == 1
    cluster.step(601 * 86400)
    assert [record.getMessage() for record in caplog.records][1:3] == [
        "new authority: the authority is past two thirds of its life",
        "publication: clients do not read the stored bundle",
    ]
    assert "PRIVATE" not in caplog.text
