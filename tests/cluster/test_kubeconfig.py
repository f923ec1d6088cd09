"""Kubeconfigs: which entries count, what each field does on the wire, and what is refused in one line."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api_server import VERSION, ApiServer, api_server, kubeconfig
from tests.cluster.kubeconfig_rows import ROWS, TOKEN, V1, Row, filled, prepare
from tests.controlplane.certificates import Authority
from webhook.cluster.connection import NoCluster, connect
from webhook.cluster.errors import Unreachable
from webhook.cluster.kubeconfig import files, load
from webhook.cluster.kubeconfig_fields import BadKubeconfig

IDENTIFYING = ("authorization", "impersonate-")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def servers(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, ApiServer]]:
    """By whether they are plain HTTP."""
    folder = tmp_path_factory.mktemp("servers")
    with api_server(authority, folder) as secure, api_server(None, folder) as plain:
        yield {False: secure, True: plain}


def written(row: Row, server: ApiServer, folder: Path, authority: Authority) -> str:
    """The kubeconfig of a row."""
    prepare(folder, authority)
    pair = {
        "clientCertificateData": (folder / "alice.crt").read_text(),
        "clientKeyData": (folder / "alice.key").read_text(),
    }
    (folder / "credential").write_text(json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": pair}))
    trust = {} if row.is_plain else {"certificate-authority": "ca.crt"}
    return kubeconfig(folder, {"server": server.url} | trust | filled(row.cluster, folder), filled(row.user, folder))


def identifying(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of who asks: names in lower case, sorted, values as UTF-8."""
    found = [(name.lower(), value) for name, value in headers if name.lower().startswith(IDENTIFYING)]
    return sorted(found)


def sent(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As a server reads them that takes headers for Latin-1."""
    return identifying([(name, value.encode().decode("latin-1")) for name, value in headers])


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_field_is_honoured_or_refused(
    row: Row, servers: dict[bool, ApiServer], tmp_path: Path, authority: Authority
) -> None:
    server = servers[row.is_plain]
    server.requests.clear()
    path = written(row, server, tmp_path, authority)
    if row.refused:
        with pytest.raises((NoCluster, Unreachable)) as raised:
            connect(path, user_agent="t").send(VERSION)
        assert row.refused.format(folder=tmp_path) in str(raised.value)
        assert "\n" not in str(raised.value)
        assert server.requests == []
        return
    connect(path, user_agent="t").send(VERSION)
    assert identifying(server.last.headers) == sent(row.arrives)
    assert server.last.certificate == row.certificate


def entry(name: str, **values: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}"}}],
        "users": [{"name": name, "user": TOKEN | values}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def test_of_several_files_the_first_to_name_something_counts(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "config", entry("one") | {"current-context": "two"})
    second = write(
        tmp_path / "b" / "config",
        {
            "clusters": [{"name": "one", "cluster": {"server": "https://other"}}, *entry("two")["clusters"]],
            "users": [{"name": "two", "user": {"tokenFile": "token"}}],
            "contexts": entry("two")["contexts"],
            "current-context": "one",
        },
    )
    write(tmp_path / "b" / "token", "t")
    context = load([first, second])
    assert (context.name, context.cluster.server) == ("two", "https://two")
    assert context.user.token_file == tmp_path / "b" / "token", "paths are seen from the file that names them"
    assert load([first, second], "one").cluster.server == "https://one"


@pytest.mark.parametrize(
    ("named", "listed", "expected"),
    [
        ("explicit", "a:b", ["explicit"]),
        (None, "a:none::b", ["a", "b"]),
        (None, "none", []),
        (None, "", [".kube/config"]),
        (None, None, [".kube/config"]),
    ],
)
def test_which_files_count(
    named: str | None, listed: str | None, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a", "b", ".kube/config"):
        write(tmp_path / name, "")
    paths = None if listed is None else ":".join(part and str(tmp_path / part) for part in listed.split(":"))
    environment = {} if paths is None else {"KUBECONFIG": paths}
    found = files(None if named is None else str(tmp_path / named), environment)
    assert found == [tmp_path / name for name in expected]


@pytest.mark.parametrize(
    ("document", "context", "problem"),
    [
        ("a: [", None, "not a kubeconfig: it is not YAML, line 1"),
        ("token: secret\n  b: c\n", None, "not a kubeconfig: it is not YAML, line 2"),
        ("just text", None, "not a kubeconfig: it is no mapping"),
        ("", None, "has no current-context; name one with --context"),
        (entry("one") | {"current-context": "two"}, None, "context two: does not exist; there are: one"),
        (entry("one"), "two", "context two: does not exist; there are: one"),
        (entry("one") | {"clusters": None}, "one", "context one: its cluster one does not exist"),
        (entry("one") | {"users": []}, "one", "context one: its user one does not exist"),
        (entry("one") | {"users": {}}, "one", "users: must be a list"),
        (entry("one") | {"users": ["one"]}, "one", "users: must be a list of mappings"),
        (entry("one") | {"current-context": ["one"]}, None, "current-context: must be a string"),
        (entry("one", **{"as-groups": "a"}), "one", "user one.as-groups: must be a list of strings"),
        (entry("one", **{"as-user-extra": {"a": "b"}}), "one", "user one.as-user-extra.a: must be a list of strings"),
        (entry("one", **{"as": "a", "as-user-extra": {1: ["b"]}}), "one", "user one.as-user-extra: a key is no string"),
        (
            entry("one") | {"clusters": [{"name": "one", "cluster": {"server": "https://me:secret@one"}}]},
            "one",
            "cluster one.server: has credentials in it; they belong into the user",
        ),
        (entry("one", exec="run"), "one", "user one.exec: must be a mapping"),
    ],
)
def test_what_cannot_be_read_is_named(document: Any, context: str | None, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / "config", document)
    with pytest.raises(BadKubeconfig) as raised:
        load([path], context)
    assert str(raised.value) == f"kubeconfig {path}: {problem}"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"token: \xff\xfe")
    with pytest.raises(BadKubeconfig) as raised:
        load([path], None)
    assert str(raised.value) == f"kubeconfig {path}: not a kubeconfig: it is not UTF-8 text"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    user = {"password": "secret", "username": "u", "client-certificate-data": "c2VjcmV0", "client-key-data": "c2VjcmV0"}
    exec_ = {"apiVersion": V1, "command": "p", "interactiveMode": "Never", "env": [{"name": "n", "value": "secret"}]}
    for each in ({"token": "secret"}, user | {"client-certificate-data": "Yw=="}, {"exec": exec_}):
        path = kubeconfig(tmp_path, {"server": "https://one"}, each)
        assert "secret" not in repr(load([Path(path)]))


def jwt(expires_at: datetime) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_at.timestamp()}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def oidc(token: str) -> dict[str, Any]:
    return {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}


def test_an_id_token_is_sent_until_it_ends(
    servers: dict[bool, ApiServer], tmp_path: Path, authority: Authority
) -> None:
    good, over = jwt(datetime(2100, 1, 1, tzinfo=UTC)), jwt(datetime(2020, 1, 1, tzinfo=UTC))
    server = servers[False]
    path = written(Row("", oidc(good)), server, tmp_path, authority)
    connect(path, user_agent="t").send(VERSION)
    assert server.last.values("Authorization") == [f"Bearer {good}"]
    path = written(Row("", oidc(over)), server, tmp_path, authority)
    with pytest.raises(NoCluster, match=r"its id-token ended at 2020-01-01T00:00:00Z; kubectl renews it"):
        connect(path, user_agent="t")


def test_a_plugin_gets_the_cluster_if_it_asks_for_it(tmp_path: Path, authority: Authority) -> None:
    prepare(tmp_path, authority)
    cluster = {
        "server": "https://one/",
        "certificate-authority": "ca.crt",
        "tls-server-name": "name",
        "proxy-url": "http://proxy",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}],
    }
    exec_ = {"apiVersion": V1, "command": "p", "interactiveMode": "Never", "provideClusterInfo": True}
    plugin = load([Path(kubeconfig(tmp_path, cluster, {"exec": exec_}))]).user.plugin
    assert plugin is not None
    assert plugin.cluster == {
        "server": "https://one",
        "tls-server-name": "name",
        "certificate-authority-data": base64.b64encode(authority.certificate).decode(),
        "proxy-url": "http://proxy",
        "config": {"audience": "a"},
    }
