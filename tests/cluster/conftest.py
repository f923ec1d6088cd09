"""What several files of this folder begin with."""

import pytest

from tests.cluster.fake_api import FakeApi
from webhook.cluster.resource import LEASES, PODS


@pytest.fixture
def api() -> FakeApi:
    """An API server with Leases, and pods to write."""
    api = FakeApi()
    api.serve(LEASES, PODS)
    return api
