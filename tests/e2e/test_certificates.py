"""The certificates of a cluster: made, rotated and mended while people write, and no write fails."""

import json
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from certs.authority import make_authority
from certs.bundle import read_bundle
from certs.ca_injection import FIELD_MANAGER
from certs.contents import signing_authority
from certs.key_pair import prove
from certs.leaf import hosts_of, make_leaf
from sandbox.demo.process import Process
from sandbox.demo.stack import LOOP, WEBHOOK
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.balancer import Backend
from tests.e2e.certified import AUTHORITY, CONFIGURATIONS, SECRET, SERVED, Certified, Wire
from tests.e2e.cluster import documents, eventually
from webhook.cli import main

DAY = timedelta(days=1)


class FirstStart:
    """Two loops at once, neither aware of the other, where there are replicas and no certificate yet."""

    def __init__(self, cluster: Certified) -> None:
        self.cluster = cluster
        for replica in cluster.replicas:
            eventually(lambda backend=replica.backend: handshake(backend) == "refused", 30)  # type: ignore[misc]
        self.configurations = cluster.configurations()
        self.rivals = [cluster.start_loop("--no-leader-elect") for _ in range(2)]
        self.contents = cluster.await_rest()
        self.configurations_after = cluster.configurations()
        self.logs = [replica.process.log.read_text() for replica in cluster.replicas]
        for rival in self.rivals:
            eventually(lambda rival=rival: "nothing to do before" in rival.log.read_text(), 30)  # type: ignore[misc]
            rival.terminate()


def handshake(backend: Backend) -> str:
    """What becomes of a handshake: done, refused for want of a certificate, or no server is there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(backend, 5) as connection, context.wrap_socket(connection):
            return "done"
    except ssl.SSLError:
        return "refused"
    except OSError:
        return "nobody"


@pytest.fixture(scope="module")
def first(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstStart]:
    with ControlPlane.start(binaries=binaries) as plane:
        cluster = Certified(plane, tmp_path_factory.mktemp("certified"))
        try:
            yield FirstStart(cluster)
        finally:
            cluster.close()


@pytest.fixture(scope="module")
def loop(first: FirstStart) -> Process:
    """The loop that leads from now on."""
    return first.cluster.start_loop("--pages-port", "0", "--log-format", "text")


@pytest.fixture
def cluster(first: FirstStart, loop: Process) -> Certified:
    """At rest, with a loop that leads."""
    first.cluster.await_rest()
    return first.cluster


def test_the_first_certificates_are_for_whom_the_api_server_asks(first: FirstStart) -> None:
    assert hosts_of(prove(first.contents.leaf)) == {"127.0.0.1"}


def test_of_two_loops_at_once_one_wins_and_the_other_takes_what_won(first: FirstStart) -> None:
    created = [
        event["objectRef"].get("name")
        for event in first.cluster.plane.audit_events()
        if (event["verb"], event.get("objectRef", {}).get("resource")) == ("create", "secrets")
        and event["responseStatus"]["code"] == HTTPStatus.CREATED
    ]
    assert sorted(created) == ["stagegate-certs", "stagegate-certs-authority"]
    assert len(read_bundle(first.contents.ca_certificates)) == 1


def test_of_the_configurations_only_ca_bundle_is_written(first: FirstStart) -> None:
    for before, after in zip(first.configurations, first.configurations_after, strict=True):
        fields = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
        assert fields.pop(FIELD_MANAGER) == {
            "f:webhooks": {
                f'k:{{"name":"{webhook["name"]}"}}': {".": {}, "f:name": {}, "f:clientConfig": {"f:caBundle": {}}}
                for webhook in after["webhooks"]
            }
        }
        assert fields == {entry["manager"]: entry["fieldsV1"] for entry in before["metadata"]["managedFields"]}
        for webhook in after["webhooks"]:
            del webhook["clientConfig"]["caBundle"]
        assert after["webhooks"] == before["webhooks"]
        assert labelled(after) == labelled(before)


def labelled(configuration: Wire) -> Wire:
    """Its metadata, but for what every write changes."""
    written = ("managedFields", "resourceVersion", "generation")
    return {key: value for key, value in configuration["metadata"].items() if key not in written}


def test_a_server_that_waits_for_its_certificate_says_so_once(first: FirstStart) -> None:
    """Probes have failed several times a second meanwhile; on a busy machine waitress says that they queue."""
    for log in first.logs:
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert sum("does not exist" in line["message"] for line in lines) == 1
        assert {line["logger"] for line in lines} - {"waitress.queue"} == {"stagegate.certificate"}


def test_a_thousand_writes_while_leaf_and_authority_rotate(cluster: Certified) -> None:
    before = cluster.stored()
    with cluster.writes() as writers:
        rotate(cluster)
        renewed = cluster.await_rest()
        rotate(cluster, "--ca")
        eventually(lambda: len(read_bundle(cluster.stored().ca_certificates)) == 2, 5)
        replaced = cluster.await_rest()
        eventually(lambda: writers.done >= 1000, 60)

    assert (renewed.ca_key, renewed.certificate == before.certificate) == (before.ca_key, False)
    assert replaced.ca_key != before.ca_key
    assert not set(read_bundle(replaced.ca_certificates)) & set(read_bundle(before.ca_certificates))


def rotate(cluster: Certified, *options: str) -> None:
    """With the account of the loop, which has all rights that it takes."""
    kubeconfig = cluster.plane.kubeconfig_for(LOOP)
    assert main(["certs", "rotate", "--secret", SECRET, "--kubeconfig", str(kubeconfig), *options]) == 0


def test_a_rolling_restart_of_both_replicas(cluster: Certified) -> None:
    """A new one is ready before an old one is stopped; one that turns unready gets no more connections."""
    old = list(cluster.replicas)
    with cluster.writes():
        for replica, address in zip(old, ("127.0.0.4", "127.0.0.5"), strict=True):
            new = cluster.start_replica(address)
            cluster.replicas.append(new)
            cluster.balancer.add(new.backend)
            eventually(lambda new=new: new.backend in cluster.balancer.admitted, 30)  # type: ignore[misc]
            replica.process.terminate()
            eventually(lambda replica=replica: not replica.process.running, 30)  # type: ignore[misc]
            assert replica.backend not in cluster.balancer.admitted
            replica.stop()
            cluster.replicas.remove(replica)
        assert sorted(cluster.balancer.admitted) == sorted(each.backend for each in cluster.replicas)


def deleted(cluster: Certified) -> None:
    cluster.plane.admin.delete(SERVED)


def cut_short(cluster: Certified) -> None:
    stored = cluster.stored()
    cluster.store(tls_crt=stored.certificate[:200], tls_key=stored.key[:50])


def swapped(cluster: Certified) -> None:
    stored = cluster.stored()
    cluster.store(tls_key=stored.ca_key)
    cluster.store(AUTHORITY, ca_key=stored.key)


def expired(cluster: Certified) -> None:
    """The leaf only."""
    authority = signing_authority(cluster.stored())
    assert authority is not None
    leaf = make_leaf(authority, ["127.0.0.1"], datetime.now(UTC), timedelta(minutes=-1))
    cluster.store(tls_crt=leaf.certificate, tls_key=leaf.key)


def put_back(cluster: Certified) -> None:
    """A copy from long ago, in which all has expired."""
    then = datetime.now(UTC) - 400 * DAY
    authority = make_authority(then, 300 * DAY)
    leaf = make_leaf(authority, ["127.0.0.1"], then, 90 * DAY)
    cluster.store(ca_crt=authority.certificate, tls_crt=leaf.certificate, tls_key=leaf.key)
    cluster.store(AUTHORITY, ca_crt=authority.certificate, ca_key=authority.key)


def authority_deleted(cluster: Certified) -> None:
    cluster.plane.admin.delete(AUTHORITY)


def authority_cut_short(cluster: Certified) -> None:
    stored = cluster.stored()
    cluster.store(AUTHORITY, ca_crt=stored.ca_certificates[:200], ca_key=stored.ca_key[:50])


def authority_of_another(cluster: Certified) -> None:
    another = make_authority(datetime.now(UTC), 300 * DAY)
    cluster.store(AUTHORITY, ca_crt=another.certificate, ca_key=another.key)


def both_deleted(cluster: Certified) -> None:
    authority_deleted(cluster)
    deleted(cluster)


DAMAGES = [
    deleted, cut_short, swapped, expired, put_back,
    authority_deleted, authority_cut_short, authority_of_another, both_deleted,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
def test_a_damaged_secret_is_mended_and_no_write_fails(cluster: Certified, damage: Callable[[Certified], None]) -> None:
    before = cluster.stored()
    with cluster.writes():
        damage(cluster)
        mended = cluster.await_rest()

    assert mended.certificate != before.certificate
    assert hosts_of(prove(mended.leaf)) == {"127.0.0.1"}


def test_a_lost_leaf_costs_no_authority(cluster: Certified) -> None:
    before = cluster.stored()
    deleted(cluster)
    mended = cluster.await_rest()
    assert (mended.ca_certificates, mended.ca_key) == (before.ca_certificates, before.ca_key)


def test_a_ca_bundle_that_a_git_sync_takes_away_comes_back(cluster: Certified) -> None:
    stored = cluster.stored()

    cluster.apply_configurations(caBundle="")

    assert cluster.await_rest() == stored


def test_a_configuration_that_was_deleted_gets_its_ca_bundle_again(cluster: Certified) -> None:
    stored = cluster.stored()
    for path in CONFIGURATIONS:
        cluster.plane.admin.delete(path)

    cluster.apply_configurations()

    assert cluster.await_rest() == stored


def test_status_shows_the_chain_and_who_serves_what(cluster: Certified, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = cluster.plane.kubeconfig_for(LOOP)
    options = ["--kubeconfig", str(kubeconfig), "--webhook-port", str(cluster.port)]

    assert main(["certs", "status", "--secret", SECRET, *options]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines.pop(1) == "ca.key     Secret stagegate-system/stagegate-certs-authority"
    names = ["stored", "authority", "leaf", *["caBundle"] * 4, "served", "served", "next", "leader"]
    assert [line.split()[0] for line in lines] == names
    assert lines[3] == "caBundle   MutatingWebhookConfiguration mutate.stagegate.dev: the stored authorities"
    assert lines[7].startswith(f"served     {cluster.replicas[0].pod} (127.0.0.")
    assert lines[7].endswith("the stored leaf")


def test_the_metrics_of_the_leader_say_when_they_end(cluster: Certified, loop: Process) -> None:
    port = loop.log.read_text().partition("pages at http://127.0.0.1:")[2].partition("/")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        samples = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    not_after = float(samples['stagegate_certificates_not_after_seconds{what="leaf"}'])
    assert datetime.fromtimestamp(not_after, UTC) == prove(cluster.stored().leaf).not_valid_after_utc
    assert samples["stagegate_certificates_authorities"] == "1.0"
    assert samples["stagegate_certificates_error"] == "0.0"


def test_every_right_is_used_and_none_is_missing(cluster: Certified) -> None:
    used: dict[str, set[tuple[str, str]]] = {LOOP: set(), WEBHOOK: set()}
    for event in cluster.plane.audit_events():
        account, where = event["user"]["username"], event.get("objectRef", {})
        if account in used and where.get("resource") in ("secrets", *resources_of_certificates()):
            assert event["responseStatus"]["code"] != HTTPStatus.FORBIDDEN, event
            used[account].add((event["verb"], where["resource"]))

    granted = {LOOP: rights_of("stagegate-certificates"), WEBHOOK: rights_of("stagegate-certificates-reader")}
    assert used == granted


def rights_of(name: str) -> set[tuple[str, str]]:
    roles = [body for body in documents("rbac") if body["metadata"]["name"] == name and "rules" in body]
    return {
        (verb, resource)
        for role in roles
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def resources_of_certificates() -> list[str]:
    return ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]
