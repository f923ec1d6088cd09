"""The namespace of Stagegate: the one that is given, the registered one, or that of the manifests."""

from typing import Any

import pytest

from tests.diagnosis.test_reading import Cluster, registration
from webhook.cluster.errors import Forbidden
from webhook.cluster.resource import VALIDATING_WEBHOOKS
from webhook.diagnosis.installed_in import installed_in

WITH_URL: dict[str, Any] = {
    "metadata": {"name": "validate.stagegate.dev"},
    "webhooks": [{"name": "validate.stagegate.dev", "clientConfig": {"url": "https://localhost:8443/validate"}}],
}


@pytest.mark.parametrize(
    ("given", "registered", "namespace"),
    [
        pytest.param("ops", [registration("rollouts")], "ops", id="given"),
        pytest.param("", [registration("rollouts")], "rollouts", id="registered"),
        pytest.param("", [WITH_URL], "stagegate-system", id="registered without a Service"),
        pytest.param("", [{"metadata": WITH_URL["metadata"]}], "stagegate-system", id="registered without webhooks"),
        pytest.param("", [], "stagegate-system", id="not registered"),
    ],
)
def test_the_namespace(given: str, registered: list[dict[str, Any]], namespace: str) -> None:
    cluster = Cluster()
    cluster.objects[VALIDATING_WEBHOOKS] = registered
    assert installed_in(cluster, given) == namespace


def test_a_registration_that_may_not_be_read_names_none() -> None:
    cluster = Cluster((VALIDATING_WEBHOOKS, None, Forbidden, "no"))
    cluster.objects[VALIDATING_WEBHOOKS] = [registration("rollouts")]
    assert installed_in(cluster) == "stagegate-system"
