"""What all tests share: the API server that integration tests run against, and patience with a busy machine."""

import pytest
from hypothesis import HealthCheck, settings

# Laws are about answers, not about how long a shared machine took to find them.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--control-plane",
        choices=("sandbox", "real"),
        default="sandbox",
        help="the API server of the integration tests: the sandbox (default), or a real kube-apiserver with etcd",
    )
