"""The files of the key pair: what is logged and when, and which pair is served."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import make_authority
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.leaf import make_leaf
from certs.served import ServedFiles

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CA = make_authority(NOW, timedelta(days=90))
FIRST, SECOND = (make_leaf(CA, ["a"], NOW, timedelta(days=30)) for _ in range(2))
TORN = KeyPair(SECOND.certificate, FIRST.key)


@pytest.fixture
def files(tmp_path: Path) -> ServedFiles:
    made = ServedFiles(tmp_path / "tls.crt", tmp_path / "tls.key", LiveContext(), lambda: NOW, lambda result: None)
    made.load(FIRST)
    return made


def test_a_new_key_pair_is_taken(files: ServedFiles) -> None:
    files.take(SECOND)
    assert (files.live.key_pair, files.last_error) == (SECOND, "")


def test_a_bad_key_pair_is_logged_once_and_replaced_silently(
    files: ServedFiles, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        files.take(TORN)
    assert files.live.key_pair == FIRST
    assert files.last_error.endswith("the private key does not belong to the certificate")
    assert len(caplog.records) == 1
    files.take(SECOND)
    assert (files.live.key_pair, files.last_error) == (SECOND, "")


def test_the_old_key_pair_put_back_ends_the_error(files: ServedFiles) -> None:
    files.take(TORN)
    files.take(FIRST)
    assert files.last_error == ""


def test_another_error_is_logged_too(files: ServedFiles, caplog: pytest.LogCaptureFixture) -> None:
    files.take(TORN)
    files.take(None, "cannot read tls.key: Permission denied")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert files.last_error == "cannot read tls.key: Permission denied"


def test_an_unreadable_file_is_named(files: ServedFiles, tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes(FIRST.certificate)
    with pytest.raises(CertificateError, match=r"cannot read .*tls\.key: No such file"):
        files.read()


def test_no_log_line_carries_the_key(files: ServedFiles, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    files.take(TORN)
    files.take(SECOND)
    assert "PRIVATE" not in caplog.text
