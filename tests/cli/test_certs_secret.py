"""``stagegate certs --secret``: what is shown and rotated in a cluster, and what is refused."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import is_issued_by, make_authority
from certs.bundle import read_bundle
from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER
from certs.contents import Contents, signing_authority
from certs.context import LiveContext
from certs.key_pair import prove, read_certificate
from certs.leaf import hosts_of, make_leaf
from certs.secret_store import SecretStore
from sandbox import Sandbox
from sandbox.demo.control_plane import client_of
from tests.certs.adapted import adapted
from tests.certs.certificate_cluster import configuration
from tests.certs.tls_server import serving
from tests.cluster.fake_api import FakeApi, status_error
from webhook.api.wire import Wire
from webhook.cli import certs_secret, main
from webhook.cluster.client import Client
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import LEASES, MUTATING_WEBHOOKS, NAMESPACES, PODS, SECRETS, VALIDATING_WEBHOOKS, Resource

SECRET = "ours/certs"
HOST = "hook.ours.svc"
NOW = datetime.now(UTC)
OLD, NEW = (make_authority(NOW, timedelta(days=900)) for _ in range(2))
LEAF = make_leaf(OLD, [HOST], NOW, timedelta(days=90))
GOOD = Contents(OLD.certificate, OLD.key, LEAF.certificate, LEAF.key)
OVERLAP = Contents(NEW.certificate + OLD.certificate, NEW.key, LEAF.certificate, LEAF.key)
Run = Callable[..., int]

ABSENT = (
    "Secret ours/certs does not exist; check its name, or run what makes it: stagegate loop --cert-secret ours/certs"
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), manifests=False, knative=False) as running:
        client_of(running.kubeconfig).create(NAMESPACES, None, {"metadata": {"name": "ours"}})
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    client = client_of(sandbox.kubeconfig)
    for resource, name in (
        (SECRETS, "certs"),
        (SECRETS, "certs-authority"),
        (LEASES, "stagegate-loop"),
        (MUTATING_WEBHOOKS, CONFIGURATIONS[0]),
        (VALIDATING_WEBHOOKS, CONFIGURATIONS[1]),
    ):
        remove(client, resource, name)
    return client


def remove(client: Client, resource: Resource, name: str) -> None:
    try:
        client.delete(resource, "ours", name, uid=client.get(resource, "ours", name)["metadata"]["uid"])
    except NotFound:
        return


@pytest.fixture
def store(client: Client) -> SecretStore:
    return SecretStore(adapted(client), "ours", "certs")


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    return lambda task, *options: main(
        ["certs", task, "--secret", SECRET, "--kubeconfig", str(sandbox.kubeconfig), *options]
    )


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("stagegate certs: ")
    assert error.count("\n") == 1
    return error


def test_rotate_makes_a_leaf_of_the_same_authority(
    store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(GOOD, "")
    assert run("rotate") == 0
    after, _ = store.read()
    assert (after.ca_certificates, after.ca_key) == (GOOD.ca_certificates, GOOD.ca_key)
    leaf = prove(after.leaf)
    assert leaf != prove(GOOD.leaf)
    assert hosts_of(leaf) == {HOST}
    assert is_issued_by(leaf, read_certificate(OLD.certificate))
    assert capsys.readouterr().out.startswith("Secret ours/certs: new leaf")


def test_rotate_ca_leaves_the_old_one_trusted_and_the_leaf_to_the_leader(
    store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(GOOD, "")
    assert run("rotate", "--ca") == 0
    after, _ = store.read()
    assert after.leaf == GOOD.leaf
    signer = signing_authority(after)
    assert signer is not None
    assert read_bundle(after.ca_certificates) == (
        read_certificate(signer.certificate),
        read_certificate(OLD.certificate),
    )
    assert signer.certificate != OLD.certificate
    assert f"stagegate certs status --secret {SECRET}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stored", "options", "code", "line"),
    [
        (None, [], 3, ABSENT),
        (None, ["--ca"], 3, "Secret ours/certs does not exist"),
        (Contents(OLD.certificate, b"", LEAF.certificate, LEAF.key), [], 1, "no authority in it whose key is stored"),
        (Contents(OLD.certificate, b"", LEAF.certificate, LEAF.key), ["--ca"], 1, "cert-manager"),
        (OVERLAP, [], 1, "the authority is being rotated; the leading loop makes a new leaf"),
        (Contents(OLD.certificate, OLD.key), [], 1, "Secret ours/certs: the certificate is not readable PEM"),
    ],
    ids=["no Secret", "no Secret, --ca", "no key", "no key, --ca", "under way", "no leaf"],
)
def test_what_would_break_trust_is_refused_in_one_line(
    stored: Contents | None,
    options: list[str],
    code: int,
    line: str,
    store: SecretStore,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if stored is not None:
        store.write(stored, "")
    before = store.read()
    assert run("rotate", *options) == code
    assert line in refused(capsys)
    assert store.read() == before


def test_status_of_all_there_is(
    client: Client, store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(OVERLAP, "")
    url = {"url": "https://hook.ours.svc/mutate"}
    bundle = {"caBundle": b64encode(OVERLAP.ca_certificates).decode()}
    register(client, MUTATING_WEBHOOKS, CONFIGURATIONS[0], url | bundle)
    register(client, VALIDATING_WEBHOOKS, CONFIGURATIONS[1], url)
    holder = {"holderIdentity": "stagegate-loop-1", "renewTime": "2030-01-01T00:00:00.000000Z"}
    client.create(LEASES, "ours", {"metadata": {"name": "stagegate-loop"}, "spec": holder})

    assert run("status") == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines.pop(1) == "ca.key     Secret ours/certs-authority"
    assert lines[0] == "stored     Secret ours/certs"
    assert [line.split()[0] for line in lines] == [
        "stored", "authority", "authority", "leaf", "caBundle", "caBundle", "next", "leader", "problem",
    ]  # fmt: skip
    assert lines[1].endswith(", signs")
    assert lines[2].endswith(", trusted only")
    assert lines[4] == "caBundle   MutatingWebhookConfiguration mutate.stagegate.dev: the stored authorities"
    assert lines[5] == "caBundle   ValidatingWebhookConfiguration validate.stagegate.dev: not as stored: empty"
    assert lines[6] == "next       now: publication: clients do not read the stored bundle"
    assert lines[7] == "leader     stagegate-loop-1, renewed 2030-01-01T00:00:00.000000Z (lease ours/stagegate-loop)"
    assert lines[8] == "problem    a caBundle does not contain the authority of the leaf"


def register(client: Client, resource: Resource, name: str, to: dict[str, str]) -> None:
    body = configuration(name, to)
    del body["metadata"]["uid"]
    body["webhooks"][0] |= {"admissionReviewVersions": ["v1"], "sideEffects": "None"}
    client.create(resource, None, {"apiVersion": resource.api_version, "kind": resource.kind, **body})


def test_status_of_nothing_yet(client: Client, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 3
    assert capsys.readouterr().out.splitlines() == [
        f"stored     {ABSENT}",
        "ca.key     Secret ours/certs-authority: does not exist",
        "authority  none",
        "leaf       none",
        "next       now: new authority: there is no authority whose key is stored",
        "leader     none: nothing happens until a loop leads",
    ]


FORMER = {name: b64encode(value).decode() for name, value in GOOD.files().items()}


def test_status_of_a_former_install_says_where_the_key_is_and_will_be(
    client: Client, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    client.create(SECRETS, "ours", {"metadata": {"name": "certs"}, "data": FORMER})
    assert run("status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "ca.key     Secret ours/certs, as a former release kept it; "
        "the leading loop moves it to Secret ours/certs-authority"
    )
    assert lines[2].endswith(", signs")


def test_rotate_ca_makes_one_authority_though_somebody_else_wrote_between_its_two_writes(
    store: SecretStore, client: Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(GOOD, "")
    put = SecretStore._put
    written: list[str] = []

    def raced(self: SecretStore, name: str, data: Wire, version: str) -> None:
        if name == "certs" and name not in written:
            client.patch(SECRETS, "ours", name, {"metadata": {"annotations": {"written": "in between"}}})
        written.append(name)
        put(self, name, data, version)

    monkeypatch.setattr(SecretStore, "_put", raced)
    assert run("rotate", "--ca") == 0
    assert written == ["certs-authority", "certs", "certs"]
    assert len(read_bundle(store.read()[0].ca_certificates)) == 2
    assert store.read_secrets().is_complete


def test_rotate_of_a_former_install_keeps_the_authority_and_moves_its_key(
    client: Client, store: SecretStore, run: Run
) -> None:
    client.create(SECRETS, "ours", {"metadata": {"name": "certs"}, "data": FORMER})
    assert run("rotate") == 0
    assert "ca.key" not in client.get(SECRETS, "ours", "certs")["data"]
    assert client.get(SECRETS, "ours", "certs-authority")["data"]["ca.key"] == FORMER["ca.key"]
    assert store.read()[0].certificate != GOOD.certificate


@pytest.fixture
def without_a_right_to_the_key(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API server that lets somebody read everything else."""
    api = FakeApi()
    api.serve(SECRETS, PODS, LEASES, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
    client = Client(api, field_manager=FIELD_MANAGER)
    SecretStore(adapted(client), "ours", "certs").write(GOOD, "")
    api.writes.clear()
    message = 'User "jane" cannot get resource "secrets"'
    api.fail = lambda request: (
        status_error(request, 403, "Forbidden", message) if request.call.name == "certs-authority" else None
    )
    monkeypatch.setattr(certs_secret, "_client", lambda arguments, limit: client)
    return api


@pytest.mark.usefixtures("without_a_right_to_the_key")
def test_status_without_a_right_to_the_key_shows_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", "status", "--secret", SECRET]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["stored", "ca.key", "authority", "leaf", "next", "leader"]
    assert lines[1] == "ca.key     Secret ours/certs-authority: not readable by you"
    assert lines[4] == "next       not known without the authority's key"


@pytest.mark.parametrize("options", [[], ["--ca"]])
def test_rotate_without_a_right_to_the_key_says_what_it_takes(
    without_a_right_to_the_key: FakeApi, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["certs", "rotate", "--secret", SECRET, *options]) == 3
    assert refused(capsys) == (
        "stagegate certs: cannot read Secret ours/certs-authority: get secrets ours/certs-authority: "
        'User "jane" cannot get resource "secrets"; to rotate, this account needs get and patch on both Secrets\n'
    )
    assert without_a_right_to_the_key.writes == []


@pytest.fixture
def pod(client: Client) -> Iterator[None]:
    """At this machine's own address."""
    container = {"name": "hook", "image": "hook"}
    metadata = {"name": "hook-1", "labels": {"app": "hook"}}
    client.create(PODS, "ours", {"metadata": metadata, "spec": {"containers": [container]}})
    client.patch(PODS, "ours", "hook-1", {"status": {"phase": "Running", "podIP": "127.0.0.1"}}, "status")
    yield
    remove(client, PODS, "hook-1")


@pytest.mark.usefixtures("pod")
def test_the_pods_are_probed(store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(GOOD, "")
    live = LiveContext()
    live.load(LEAF, NOW)
    with serving(live) as port:
        assert run("status", "--webhook-pods", "app=hook", "--webhook-port", str(port)) == 0
    assert re.search(r"(?m)^served     hook-1 \(127\.0\.0\.1\): .*, the stored leaf$", capsys.readouterr().out)


@pytest.mark.usefixtures("pod")
def test_a_pod_that_cannot_be_probed_from_here_is_not_taken_for_one_behind(
    store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf = make_leaf(NEW, ["stagegate-webhook.ours.svc"], NOW, timedelta(days=90))
    store.write(Contents(OVERLAP.ca_certificates, NEW.key, leaf.certificate, leaf.key), "")

    assert run("status", "--webhook-pods", "app=hook", "--webhook-port", "1") == 0

    lines = capsys.readouterr().out.splitlines()
    assert "served     hook-1 (127.0.0.1): no answer" in lines
    assert "no leaf of the new authority yet" not in "".join(lines)


def test_a_probe_stands_for_the_pods(
    sandbox: Sandbox, store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(GOOD, "")
    address = sandbox.url.removeprefix("https://")
    assert run("status", "--probe", address) == 1
    printed = capsys.readouterr().out
    assert re.search(rf"^served     {address}: [0-9a-f]{{16}} .*, another leaf$", printed, re.MULTILINE)
    assert printed.splitlines()[-1] == f"problem    {address} serves a certificate that no trusted authority issued"


def test_a_server_that_was_named_has_to_answer(
    store: SecretStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(GOOD, "")
    assert run("status", "--probe", "127.0.0.1:1") == 1
    says = "no TLS handshake with 127.0.0.1:1: Connection refused; check the address, and that the server runs"
    assert capsys.readouterr().out.splitlines()[-1] == f"problem    {says}"


def test_who_writes_is_on_record(client: Client, store: SecretStore, run: Run) -> None:
    store.write(GOOD, "")
    assert run("rotate") == 0
    entries = client.get(SECRETS, "ours", "certs")["metadata"]["managedFields"]
    assert FIELD_MANAGER in {entry["manager"] for entry in entries}


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["status"], 2, "status: give either a directory or --secret NAMESPACE/NAME"),
        (["rotate", "dir", "--secret", "a/b"], 2, "rotate: give either a directory or --secret NAMESPACE/NAME"),
        (
            ["status", "--secret", "certs"],
            2,
            "--secret: must be NAMESPACE/NAME, such as stagegate-system/stagegate-certs",
        ),
        (["status", "--secret", "a/b/c"], 2, "--secret: must be NAMESPACE/NAME"),
        (["status", "--secret", "A_/b"], 2, "--secret: must be NAMESPACE/NAME"),
        (["status", "--secret", ""], 2, "--secret: must be NAMESPACE/NAME"),
        (["status", "--secret", "a/b", "--webhook-port", "0"], 2, "--webhook-port: must be a whole number from 1"),
        (["status", "--secret", "a/b", "--lease-namespace", ""], 2, "--lease-namespace: must be a namespace"),
        (
            ["status", "--secret", "a/b", "--kubeconfig", "/no/such"],
            3,
            "cannot read the kubeconfig /no/such: No such file",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", *arguments]) == code
    assert line in refused(capsys)


def test_an_api_server_that_is_not_there_is_one_line(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(re.sub(r"127\.0\.0\.1:\d+|localhost:\d+", "127.0.0.1:1", sandbox.kubeconfig.read_text()))
    assert main(["certs", "status", "--secret", SECRET, "--kubeconfig", str(kubeconfig)]) == 3
    assert "cannot read Secret ours/certs: get secrets ours/certs: " in refused(capsys)


@pytest.mark.parametrize("task", ["status", "rotate"])
def test_help_has_examples_of_a_cluster(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", task, "--help"]) == 0
    assert f"stagegate certs {task} --secret stagegate-system/stagegate-certs" in capsys.readouterr().out
