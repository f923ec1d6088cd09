"""Forged reviews of new Revisions beside Knative's own programs: nothing moves, and what is held is released."""

import http.client
import json
import ssl
from typing import Any

import pytest

from tests.admission.test_knative_objects import review, revision
from tests.e2e.progressive import NEW, OLD, STAGES, complete, deployed, faults, hello, traces, under_way
from tests.e2e.tenant import Tenant
from tests.rig.stagegate import Stagegate
from webhook.knative.annotations import HOLD

FORGED = "hello-99999"


def forge(tenant: Tenant, name: str = FORGED) -> dict[str, Any]:
    """Send the webhook a review of a Revision that is never created; its response."""
    uid = tenant.get("services", "hello")["metadata"]["uid"]
    labels = {"serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": uid}
    body = review(revision(name=name, namespace=tenant.name, labels=labels), namespace=tenant.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", 443, timeout=10, context=context)
    try:
        connection.request("POST", "/knative", body, {"Content-Type": "application/json"})
        return dict(json.loads(connection.getresponse().read())["response"])
    finally:
        connection.close()


@pytest.mark.usefixtures("stagegate")
def test_at_rest_the_traffic_stays_and_the_hold_is_given_back(tenant: Tenant) -> None:
    since = deployed(tenant)

    assert forge(tenant)["allowed"] is True

    tenant.eventually(lambda state: state.annotation("routes", "hello", HOLD) is not None)
    tenant.eventually(lambda state: traces(state) == [] and state.is_ready("hello"), within=90)
    record = tenant.record()
    assert record.path("hello", since) == [{OLD: 100}]
    assert not record.created(since) + record.deleted(since)
    assert tenant.get("routes", "hello")["spec"]["traffic"] == [
        {"configurationName": "hello", "latestRevision": True, "percent": 100}
    ]


def test_a_rollout_under_way_goes_on(stagegate: Stagegate, tenant: Tenant) -> None:
    since = deployed(tenant)
    tenant.apply(hello("2"))
    under_way(tenant, {OLD: 75, NEW: 25})

    for number in range(3):
        assert forge(tenant, f"hello-9999{number}")["allowed"] is True

    record = complete(tenant)
    assert record.path("hello", since) == STAGES
    assert faults(record, since) == []
