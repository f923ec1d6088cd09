"""The HTTP front: who may ask, how much, and what a client that misbehaves gets."""

import http.client
import json
import socket
import ssl
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sandbox import Sandbox
from sandbox.front import LARGEST_BODY
from tests.sandbox.wire import SPAS, Api, Place, config_map, spa

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def whoami(api: Api, **headers: str) -> tuple[str, list[str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    info = api.send("POST", WHOAMI, REVIEW, sent).body["status"]["userInfo"]
    return info["username"], info["groups"]


def anonymous(sandbox: Sandbox) -> http.client.HTTPSConnection:
    bundle = yaml.safe_load(sandbox.kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority"]
    context = ssl.create_default_context(cafile=bundle)
    return http.client.HTTPSConnection(sandbox.url.removeprefix("https://"), context=context, timeout=10)


@pytest.mark.parametrize(
    ("user", "groups", "seen"),
    [
        ("jane", ["devs", "ops"], ["devs", "ops", "system:authenticated"]),
        (
            "system:serviceaccount:here:loop",
            [],
            ["system:serviceaccounts", "system:serviceaccounts:here", "system:authenticated"],
        ),
    ],
)
def test_a_token_says_who_asks(sandbox: Sandbox, user: str, groups: list[str], seen: list[str]) -> None:
    with Api(sandbox.kubeconfig_for(user, groups)) as api:
        assert whoami(api) == (user, seen)


def test_an_administrator_speaks_for_others(sandbox: Sandbox, api: Api) -> None:
    assert whoami(api, Impersonate_User="jane", Impersonate_Group="devs") == ("jane", ["devs", "system:authenticated"])
    with Api(sandbox.kubeconfig_for("jane")) as jane:
        refused = jane.send("POST", WHOAMI, REVIEW, {"Impersonate-User": "joe"})
    assert refused.message == (
        'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    assert api.send("POST", WHOAMI, REVIEW, {"Impersonate-Group": "devs"}).code == 400
    assert api.send("POST", WHOAMI, REVIEW, {"Impersonate-User": "a", "Impersonate-Extra-x": "b"}).code == 501


def test_without_a_token_only_health_is_told(sandbox: Sandbox) -> None:
    connection = anonymous(sandbox)
    for path, code in (("/healthz", 200), ("/readyz", 200), ("/livez", 200), ("/version", 200), ("/api", 403)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert (path, response.status) == (path, code)
    connection.close()


def test_a_token_of_another_server_is_worth_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    with Sandbox(tmp_path, manifests=False, knative=False) as other:
        token = yaml.safe_load(other.kubeconfig.read_text())["users"][0]["user"]["token"]
    connection = anonymous(sandbox)
    connection.request("GET", "/api", headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 401
    connection.close()


def test_a_body_has_a_limit(api: Api, place: Place) -> None:
    reply = api.request("POST", place.path("configmaps"), b"x" * (LARGEST_BODY + 1))
    assert (reply.code, reply.body["reason"]) == (413, "RequestEntityTooLarge")
    assert api.get(place.path("configmaps")).code == 200


def test_a_chunked_body_is_refused(api: Api, place: Place) -> None:
    chunks = iter([json.dumps(config_map("a", {"k": "v"})).encode()])
    headers = {**api._headers, "Content-Type": "application/json"}
    reply = api._pool.request("POST", api.url + place.path("configmaps"), body=chunks, headers=headers)
    assert reply.status == 411
    assert api.get("/readyz").body == "ok"


def test_silent_clients_hold_up_nobody(sandbox: Sandbox, api: Api) -> None:
    host, port = sandbox.url.removeprefix("https://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(100)]
    for connection in silent:
        connection.sendall(b"\x16\x03\x01")
    assert api.get("/readyz").body == "ok"
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/apis/serving.knative.dev/v2/x", 404),
        ("GET", "/apis/serving.knative.dev/v1/nothings", 404),
        ("POST", "/api/v1/namespaces/default/pods/x", 405),
        ("PUT", "/api/v1/namespaces/default/pods", 405),
        ("DELETE", "/api/v1/namespaces/default/pods/x/status", 405),
        ("OPTIONS", "/api/v1/namespaces/default/pods/x", 405),
        ("POST", "/api/v1/pods", 405),
        ("GET", WHOAMI, 405),
    ],
)
def test_paths_and_methods_that_are_not_served(api: Api, method: str, path: str, code: int) -> None:
    assert api.request(method, path).code == code


def test_requests_are_counted_by_what_they_were(tmp_path: Path) -> None:
    place = Place("default")
    with Sandbox(tmp_path, knative=False) as sandbox:
        with Api(sandbox.kubeconfig_for("loop")) as api:
            api.create(place.path(SPAS), spa("a"))
            api.apply(place.path(SPAS, "a"), spa("a"), "m")
            api.patch(place.path(SPAS, "a", "status"), {"status": {}}, dryRun="All")
            api.get(place.path(SPAS))
            api.get(place.path(SPAS, "none"))
            with api.watch(place.path(SPAS)) as events:
                next(events)
            metrics = api.get("/metrics").body
        records = list(sandbox.request_log)
        assert Counter((record.verb, record.subresource, record.code) for record in records) == {
            ("create", "", 201): 1,
            ("apply", "", 200): 1,
            ("patch", "status", 200): 1,
            ("list", "", 200): 1,
            ("get", "", 404): 1,
            ("watch", "", 200): 1,
            ("get", "", 200): 1,
        }
        assert {(record.user, record.user_agent) for record in records} == {("loop", "test/1")}
        assert [record.verb for record in records if record.dry_run] == ["patch"]
    line = (
        'apiserver_request_total{component="apiserver",code="200",dry_run="",group="serving.knative.dev",'
        'resource="stagepodautoscalers",scope="resource",subresource="",verb="APPLY",version="v1"} 1'
    )
    assert line in metrics.splitlines()


def test_a_sandbox_leaves_nothing_behind(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, manifests=False, knative=False)
    sandbox.stop()
    with sandbox:
        url = sandbox.url
        sandbox.kubeconfig_for("jane")
        assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    with pytest.raises(RuntimeError, match="not running"):
        sandbox.kubeconfig_for("jane")


def test_a_sandbox_can_start_again(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, manifests=False, knative=False)
    for _ in range(2):
        with sandbox, Api(sandbox.kubeconfig) as api:
            assert api.get("/readyz").body == "ok"
