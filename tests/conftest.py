"""What all tests share: the API server that integration tests run against, and deadlines for a busy machine."""

import pytest
from hypothesis import HealthCheck, settings

# Laws are about answers, not about how long a shared machine took to find them. The examples are the same in every run,
# so that a red run is about the change at hand; ``pytest --hypothesis-profile=search`` looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("search"), derandomize=True)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--control-plane",
        choices=("sandbox", "real"),
        default="sandbox",
        help="the API server of the integration tests: the sandbox (default), or a real kube-apiserver with etcd",
    )
