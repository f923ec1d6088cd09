"""``stagegate certs`` for programs: what was made, what there is, and what clients would see; never a key."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes

from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER
from certs.context import LiveContext
from certs.directory import DirectoryStore
from certs.key_pair import read_certificate
from certs.secret_store import SecretStore
from tests.certs.adapted import adapted
from tests.certs.certificate_cluster import configuration
from tests.certs.tls_server import serving
from tests.cli.test_certs_secret import GOOD, HOST, OVERLAP
from tests.cluster.fake_api import FakeApi
from webhook.cli import certs_secret, main
from webhook.cluster.client import Client
from webhook.cluster.resource import LEASES, MUTATING_WEBHOOKS, PODS, SECRETS, VALIDATING_WEBHOOKS

Document = dict[str, Any]

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def answer(capsys: pytest.CaptureFixture[str], code: int, *words: str, talk: str = "") -> Document:
    """The document that a command prints, which has nothing of a key in it; ``talk`` is what stands on stderr."""
    capsys.readouterr()
    assert main(["certs", *words, "-o", "json"]) == code
    said = capsys.readouterr()
    assert "PRIVATE" not in said.out
    assert said.err == talk
    found: Document = json.loads(said.out)
    assert found["apiVersion"] == "stagegate.dev/v1alpha1"
    return found


def fingerprint(pem: bytes) -> str:
    return read_certificate(pem).fingerprint(hashes.SHA256()).hex()


def expiry(pem: bytes) -> str:
    return read_certificate(pem).not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_init_says_what_it_made_and_a_second_run_that_nothing_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = answer(capsys, 0, "init", str(tmp_path), "--host", "b", "a")
    assert (made["kind"], made["directory"], made["changed"]) == ("CertificateResult", str(tmp_path), True)
    assert [each["action"] for each in made["made"]] == ["new authority", "new leaf"]
    leaf = DirectoryStore(tmp_path).read()[0].certificate
    assert made["leaf"]["names"] == ["a", "b"]
    assert (made["leaf"]["sha256"], made["leaf"]["notAfter"]) == (fingerprint(leaf), expiry(leaf))
    assert TIME.fullmatch(made["next"]["at"])

    again = answer(capsys, 0, "init", str(tmp_path), "--host", "b", "a")
    assert (again["changed"], again["made"], again["leaf"]) == (False, [], made["leaf"])


@pytest.mark.parametrize(
    ("options", "made"), [([], ["new leaf"]), (["--ca"], ["new authority", "new leaf"])], ids=["leaf", "authority"]
)
def test_rotate_says_what_it_made(
    options: list[str], made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    found = answer(capsys, 0, "rotate", str(tmp_path), *options)
    assert (found["kind"], found["changed"]) == ("CertificateResult", True)
    assert [each["action"] for each in found["made"]] == made
    assert found["leaf"]["sha256"] == fingerprint(DirectoryStore(tmp_path).read()[0].certificate)


def test_status_has_the_chain_its_end_and_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    contents, _ = DirectoryStore(tmp_path).read()
    found = answer(capsys, 0, "status", str(tmp_path))
    assert (found["kind"], found["directory"]) == ("CertificateStatus", str(tmp_path))
    (authority,) = found["authorities"]
    assert authority["signs"] is True
    assert (authority["sha256"], authority["notAfter"]) == (
        fingerprint(contents.ca_certificates),
        expiry(contents.ca_certificates),
    )
    assert (found["leaf"]["notAfter"], found["leaf"]["names"]) == (expiry(contents.certificate), ["a"])
    assert (found["verifiable"], found["problems"], found["served"]) == (True, [], [])
    assert found["next"]["action"] == ""
    assert found["next"]["at"] < found["leaf"]["notAfter"]


def test_status_of_a_pair_that_does_not_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    found = answer(capsys, 1, "status", str(tmp_path))
    problem = "the private key does not belong to the certificate"
    assert found["leaf"] == {"problem": problem}
    assert (found["verifiable"], found["problems"]) == (False, [f"the leaf cannot be used: {problem}"])
    assert found["next"]["action"] == "new leaf"


def test_status_has_what_clients_of_a_server_would_see(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path / "ours"), "--host", "localhost"])
    main(["certs", "init", str(tmp_path / "theirs"), "--host", "localhost"])
    live = LiveContext()
    live.load(DirectoryStore(tmp_path / "theirs").read()[0].leaf, datetime.now(UTC))
    with serving(live) as server:
        address = f"127.0.0.1:{server}"
        found = answer(
            capsys,
            1,
            "status",
            str(tmp_path / "ours"),
            "--probe",
            address,
            "127.0.0.1:1",
        )
    theirs = DirectoryStore(tmp_path / "theirs").read()[0].certificate
    shown, absent = found["served"]
    assert (shown["server"], shown["answers"], shown["storedLeaf"]) == (address, True, False)
    assert shown["sha256"] == fingerprint(theirs)
    assert absent == {"server": "127.0.0.1:1", "answers": False}
    assert found["problems"] == [
        f"{address} serves a certificate that no trusted authority issued",
        "no TLS handshake with 127.0.0.1:1: Connection refused; check the address, and that the server runs",
    ]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """A cluster whose Secret has two authorities, one caBundle with both, and one with none."""
    api = FakeApi()
    api.serve(SECRETS, PODS, LEASES, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
    client = Client(api, field_manager=FIELD_MANAGER)
    bundle = {"caBundle": b64encode(OVERLAP.ca_certificates).decode()}
    url = {"url": f"https://{HOST}/mutate"}
    api.put(MUTATING_WEBHOOKS, dict(configuration(CONFIGURATIONS[0], url | bundle)))
    api.put(VALIDATING_WEBHOOKS, dict(configuration(CONFIGURATIONS[1], url)))
    monkeypatch.setattr(certs_secret, "_client", lambda arguments, limit: client)
    return api


def store_of(api: FakeApi) -> SecretStore:
    return SecretStore(adapted(Client(api, field_manager=FIELD_MANAGER)), "ours", "certs")


def test_status_of_a_cluster(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    store_of(api).write(OVERLAP, "")
    found = answer(capsys, 1, "status", "--secret", "ours/certs")
    assert (found["secret"], found["exists"]) == ("ours/certs", True)
    assert [each["signs"] for each in found["authorities"]] == [True, False]
    assert found["leaf"]["names"] == [HOST]
    both = [each["sha256"] for each in found["authorities"]]
    assert found["caBundles"] == [
        {"place": f"MutatingWebhookConfiguration {CONFIGURATIONS[0]}", "asStored": True, "sha256": both},
        {"place": f"ValidatingWebhookConfiguration {CONFIGURATIONS[1]}", "asStored": False, "sha256": []},
    ]
    assert found["problems"] == ["a caBundle does not contain the authority of the leaf"]
    assert found["next"]["action"] == "publication"
    assert found["leaders"] == ["none: nothing happens until a loop leads"]


def test_status_of_a_cluster_without_the_secret(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, 3, "status", "--secret", "ours/certs")
    assert (found["exists"], found["authorities"], found["leaf"]) == (False, [], None)
    assert found["next"]["action"] == "new authority"


@pytest.mark.parametrize(("options", "made"), [([], "new leaf"), (["--ca"], "new authority")])
def test_rotate_in_a_cluster(api: FakeApi, options: list[str], made: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(api)
    store.write(GOOD, "")
    found = answer(capsys, 0, "rotate", "--secret", "ours/certs", *options)
    assert (found["kind"], found["secret"], found["changed"]) == ("CertificateResult", "ours/certs", True)
    assert [each["action"] for each in found["made"]] == [made]
    assert found["leaf"]["sha256"] == fingerprint(store.read()[0].certificate)
    assert (found["leaf"]["sha256"] == fingerprint(GOOD.certificate)) == (made == "new authority")


def test_yaml_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "init", str(tmp_path), "--host", "a"])
    wanted = answer(capsys, 0, "status", str(tmp_path))
    assert main(["certs", "status", str(tmp_path), "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == wanted
    assert datetime.fromisoformat(wanted["leaf"]["notAfter"]) > datetime.now(UTC)
