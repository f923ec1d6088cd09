"""The pair on disk changes under constant calls: none is dropped, and a pair that does not match is never served."""

import ssl
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.contents import Contents
from certs.directory import DirectoryStore
from certs.key_pair import KeyPair, to_key_pair
from certs.probe import probe
from certs.renewal import carry_out
from certs.rotation import MakeLeaf, RotationPolicy
from tests.server.conftest import make_certificates
from tests.server.live import JSON, Live, eventually, reply_of, running
from tests.server.reviews import GOOD

HOSTS = ["localhost", "127.0.0.1"]
HOUR = timedelta(hours=1)


def renewed(contents: Contents) -> Contents:
    return carry_out(MakeLeaf("asked for"), contents, HOSTS, datetime.now(UTC), RotationPolicy())


def shown(live: Live) -> bytes:
    return probe("localhost", live.port, 5)


class Caller(threading.Thread):
    """Calls without end, some over a kept connection and some over a new one each; every failure is kept."""

    def __init__(self, live: Live, stop: threading.Event, keep: bool) -> None:
        super().__init__(daemon=True)
        self._live, self._stop_calls, self._keep = live, stop, keep
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []

    def run(self) -> None:
        connection = self._live.connect()
        try:
            while not self._stop_calls.is_set():
                connection.request("POST", "/validate", GOOD, JSON)
                self.statuses[reply_of(connection.getresponse()).status] += 1
                if not self._keep:
                    connection.close()
        except Exception as problem:
            self.failures.append(repr(problem))
        finally:
            connection.close()


def test_a_thousand_calls_while_the_pair_changes(tmp_path: Path) -> None:
    store = DirectoryStore(make_certificates(tmp_path / "certs"))
    with running(store.path, tmp_path) as live:
        stop = threading.Event()
        callers = [Caller(live, stop, keep) for keep in (True, True, False, False)]
        for caller in callers:
            caller.start()
        seen = {shown(live)}
        while len(seen) < 4 or sum(sum(caller.statuses.values()) for caller in callers) < 1000:
            contents, version = store.read()
            store.write(renewed(contents), version)
            expected = store.read()[0].certificate
            eventually(lambda expected=expected: shown(live) == expected, "the new leaf is shown")  # type: ignore[misc]
            seen.add(expected)
        stop.set()
        for caller in callers:
            caller.join(10)
        assert [caller.failures for caller in callers] == [[], [], [], []]
        assert all(set(caller.statuses) == {200} for caller in callers)
        assert live.metric('stagegate_certificate_pairs_total{result="loaded"}') == len(seen)


def test_a_pair_that_does_not_match_leaves_the_last_good_one(tmp_path: Path) -> None:
    store = DirectoryStore(make_certificates(tmp_path / "certs"))
    with running(store.path, tmp_path) as live:
        good = store.read()[0]
        new = renewed(good)
        (store.path / "tls.crt").write_bytes(new.certificate)
        eventually(lambda: live.metric("stagegate_certificate_error") == 1, "the bad pair is seen")
        assert shown(live) == good.certificate
        ready = live.get("/readyz")
        assert ready.status == 200
        assert b"the private key does not belong to the certificate" in ready.body
        assert live.metric('stagegate_certificate_pairs_total{result="refused"}') == 1
        (store.path / "tls.key").write_bytes(new.key)
        eventually(lambda: shown(live) == new.certificate, "the completed pair is shown")
        eventually(lambda: live.metric("stagegate_certificate_error") == 0, "the stored pair is served again")
        warnings = [line["message"] for line in live.log_lines() if line["level"] == "warning"]
        assert len(warnings) == 1
        assert warnings[0].startswith("the last good certificate is still served: ")


def on_secp256k1() -> KeyPair:
    """OpenSSL loads it, and no client can use it."""
    key = ec.generate_private_key(ec.SECP256K1())
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - HOUR, now + HOUR)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    return to_key_pair(builder.add_extension(names, critical=True).sign(key, hashes.SHA256()), key)


def of_another_version() -> KeyPair:
    """A certificate whose version number is damaged, which its reader does not take for a ValueError."""
    pair = on_secp256k1()
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.decode()).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03")
    return KeyPair(ssl.DER_cert_to_PEM_cert(der).encode(), pair.key)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(on_secp256k1(), b"the key is on the curve secp256k1"), (of_another_version(), b"is not readable PEM")],
    ids=["curve", "damaged"],
)
def test_a_pair_that_no_client_can_use_leaves_the_last_good_one(bad: KeyPair, reason: bytes, tmp_path: Path) -> None:
    store = DirectoryStore(make_certificates(tmp_path / "certs"))
    with running(store.path, tmp_path) as live:
        good, version = store.read()
        store.write(replace(good, certificate=bad.certificate, key=bad.key), version)
        eventually(lambda: reason in live.get("/readyz").body, "the bad pair is refused, with the reason")
        assert live.get("/readyz").status == 200
        assert shown(live) == good.certificate
        assert live.metric('stagegate_certificate_pairs_total{result="loaded"}') == 1


def test_deleted_files_leave_the_last_good_pair(tmp_path: Path) -> None:
    store = DirectoryStore(make_certificates(tmp_path / "certs"))
    with running(store.path, tmp_path) as live:
        good = store.read()[0]
        (store.path / "tls.key").unlink()
        eventually(lambda: live.metric("stagegate_certificate_error") == 1, "the missing file is seen")
        assert b"No such file" in live.get("/readyz").body
        assert shown(live) == good.certificate


def test_a_folder_that_is_swapped_by_a_link_is_followed(tmp_path: Path) -> None:
    """A mounted Secret changes by one link that is moved to a new folder."""
    first, second = make_certificates(tmp_path / "1"), make_certificates(tmp_path / "2")
    link = tmp_path / "mounted"
    link.symlink_to(first)
    with running(first, tmp_path, "--cert-dir", str(link)) as live:
        new = tmp_path / "new"
        new.symlink_to(second)
        new.replace(link)
        expected = DirectoryStore(second).read()[0].certificate
        eventually(lambda: shown(live) == expected, "the pair of the new folder is shown")


def test_the_pair_is_served_by_its_file_names(tmp_path: Path) -> None:
    contents = DirectoryStore(make_certificates(tmp_path / "certs")).read()[0]
    pair = contents.leaf
    certificate, key = tmp_path / "a.pem", tmp_path / "b.pem"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    with running(tmp_path / "certs", tmp_path, "--tls-cert", str(certificate), "--tls-key", str(key)) as live:
        assert shown(live) == pair.certificate
