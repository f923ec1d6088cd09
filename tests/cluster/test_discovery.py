"""Discovery: what a cluster serves, in as few requests as can be."""

import pytest

from tests.cluster.fake_api import FakeApi
from webhook.cluster.client import Client
from webhook.cluster.discovery import plurals_of, served
from webhook.cluster.errors import Unavailable
from webhook.cluster.resource import DEPLOYMENTS, PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS


def test_one_request_for_each_group_and_version() -> None:
    api = FakeApi()
    api.serve(PODS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)
    asked = (PODS, DEPLOYMENTS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)
    assert served(Client(api, field_manager="t"), asked) == {PODS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS}
    assert [request.path for request in api.requests] == ["/api/v1", "/apis/apps/v1", "/apis/serving.knative.dev/v1"]


def test_a_server_that_is_ill_serves_nobody_knows_what() -> None:
    api = FakeApi()
    api.fail = lambda request: Unavailable(request.call, "503", status=503)
    with pytest.raises(Unavailable):
        served(Client(api, field_manager="t"), (PODS,))


def test_subresources_are_no_resources() -> None:
    assert plurals_of({"resources": [{"name": "pods"}, {"name": "pods/status"}, {}]}) == {"pods"}
    assert plurals_of({}) == set()
