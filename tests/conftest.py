"""What all tests share: the choice of the API server that integration tests run against."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--control-plane",
        choices=("sandbox", "real"),
        default="sandbox",
        help="the API server of the integration tests: the sandbox (default), or a real kube-apiserver with etcd",
    )
