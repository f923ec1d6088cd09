"""Certificates and one server that all tests of a module share; those that change a server start their own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.directory import DirectoryStore
from certs.renewal import renew
from certs.rotation import RotationPolicy
from tests.server.live import Live, running


def make_certificates(path: Path) -> Path:
    renew(DirectoryStore(path), ["localhost", "127.0.0.1"], datetime.now(UTC), RotationPolicy())
    return path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def live(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(certificates, tmp_path_factory.mktemp("live")) as server:
        yield server
