"""The files of the pair: what is told when, and what stays served."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import make_authority
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.leaf import make_leaf
from webhook.server.metrics import ServerMetrics
from webhook.server.pair_files import PairFiles

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CA = make_authority(NOW, timedelta(days=90))
FIRST, SECOND = (make_leaf(CA, ["a"], NOW, timedelta(days=30)) for _ in range(2))
TORN = KeyPair(SECOND.certificate, FIRST.key)


@pytest.fixture
def files(tmp_path: Path) -> PairFiles:
    made = PairFiles(tmp_path / "tls.crt", tmp_path / "tls.key", LiveContext(), ServerMetrics(), lambda: NOW)
    made.load(FIRST)
    return made


def test_a_new_pair_is_taken(files: PairFiles) -> None:
    files.look(SECOND)
    assert (files.live.pair, files.trouble) == (SECOND, "")


def test_a_bad_pair_is_told_once_and_mended_silently(files: PairFiles, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        files.look(TORN)
    assert files.live.pair == FIRST
    assert files.trouble.endswith("the private key does not belong to the certificate")
    assert len(caplog.records) == 1
    files.look(SECOND)
    assert (files.live.pair, files.trouble) == (SECOND, "")


def test_the_old_pair_put_back_ends_the_trouble(files: PairFiles) -> None:
    files.look(TORN)
    files.look(FIRST)
    assert files.trouble == ""


def test_another_trouble_is_told_too(files: PairFiles, caplog: pytest.LogCaptureFixture) -> None:
    files.look(TORN)
    files.look(None, "cannot read tls.key: Permission denied")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert files.trouble == "cannot read tls.key: Permission denied"


def test_an_unreadable_file_is_named(files: PairFiles, tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes(FIRST.certificate)
    with pytest.raises(CertificateError, match=r"cannot read .*tls\.key: No such file"):
        files.read()


def test_no_log_line_carries_the_key(files: PairFiles, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    files.look(TORN)
    files.look(SECOND)
    assert "PRIVATE" not in caplog.text
