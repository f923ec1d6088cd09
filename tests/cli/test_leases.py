"""Leaders: the Leases in all namespaces or in one, and the way out if there is none."""

from collections.abc import Iterable

import pytest

from tests.cluster.fake_api import FakeApi, status_error
from tests.diagnosis.test_reading import registration
from webhook.cli.leases import leaders
from webhook.cluster.client import Client
from webhook.cluster.resource import LEASES, VALIDATING_WEBHOOKS

HELD = "{0}-1, renewed 2030-01-01T00:00:00.000000Z (lease {0}/stagegate-loop)"


def cluster(
    held: Iterable[str], *, given_up: Iterable[str] = (), refused: Iterable[str] = (), registered: str = ""
) -> Client:
    """Leases of loops in these namespaces. ``refused`` are verbs, or a verb and a namespace, that are forbidden."""
    api = FakeApi()
    api.serve(LEASES)
    api.serve(VALIDATING_WEBHOOKS)
    client = Client(api, field_manager="test")
    if registered:
        client.create(VALIDATING_WEBHOOKS, None, registration(registered))
    for namespace in (*held, *given_up):
        holder = f"{namespace}-1" if namespace in held else ""
        spec = {"holderIdentity": holder, "renewTime": "2030-01-01T00:00:00.000000Z"}
        client.create(LEASES, namespace, {"metadata": {"name": "stagegate-loop", "namespace": namespace}, "spec": spec})
    other = {"metadata": {"name": "another", "namespace": "ours"}, "spec": {"holderIdentity": "somebody-else"}}
    client.create(LEASES, "ours", other)
    api.fail = lambda request: (
        status_error(request, 403, "Forbidden", f"cannot {request.call.verb} leases")
        if request.call.resource == LEASES.plural
        and {request.call.verb, f"{request.call.verb} {request.call.namespace}"} & set(refused)
        else None
    )
    return client


@pytest.fixture(autouse=True)
def _no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)


ROWS = [
    ("beside the Secret", cluster(["ours"]), None, [HELD.format("ours")]),
    ("in another namespace", cluster(["ops"]), None, [HELD.format("ops")]),
    ("two loops", cluster(["ops", "ours"]), None, [HELD.format("ops"), HELD.format("ours")]),
    ("given up", cluster([], given_up=["ops"]), None, ["none: nothing happens until a loop leads"]),
    ("no lease", cluster([]), None, ["none: nothing happens until a loop leads"]),
    ("named", cluster(["ops", "ours"]), "ops", [HELD.format("ops")]),
    ("named, by one who may not list", cluster(["ops"], refused=["list"]), "ops", [HELD.format("ops")]),
    ("named, not there", cluster(["ours"]), "ops", ["none in ops: nothing happens until a loop leads"]),
    ("beside, by one who may not list", cluster(["ours"], refused=["list"]), None, [HELD.format("ours")]),
    ("default", cluster(["stagegate-system"], refused=["list"]), None, [HELD.format("stagegate-system")]),
    (
        "elsewhere, by one who may not list",
        cluster(["ops"], refused=["list"]),
        None,
        ["none in ours and stagegate-system; --lease-namespace names another namespace to look in"],
    ),
    (
        "one namespace allowed",
        cluster(["stagegate-system"], refused=["list", "get ours"]),
        None,
        [HELD.format("stagegate-system")],
    ),
    (
        "named, not allowed",
        cluster(["ops"], refused=["list", "get"]),
        "ops",
        ["not known: get leases ops/stagegate-loop: cannot get leases"],
    ),
    (
        "nothing allowed",
        cluster(["ours"], refused=["list", "get"]),
        None,
        [
            "not known: get leases ours/stagegate-loop: cannot get leases",
            "not known: get leases stagegate-system/stagegate-loop: cannot get leases",
        ],
    ),
]


@pytest.mark.parametrize(("client", "namespace", "lines"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_who_leads(client: Client, namespace: str | None, lines: list[str]) -> None:
    assert leaders(client, namespace, "ours") == lines


def test_one_who_may_not_list_looks_where_stagegate_is_registered() -> None:
    client = cluster(["rollouts"], refused=["list"], registered="rollouts")
    assert leaders(client, None, "ours") == [HELD.format("rollouts")]


def test_a_pod_looks_in_its_own_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "pods")
    assert leaders(cluster(["pods"], refused=["list"]), None, "ours") == [HELD.format("pods")]
