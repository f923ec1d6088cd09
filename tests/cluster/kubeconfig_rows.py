"""Kubeconfigs for a server, with what has to arrive there, or with the refusal.

``{folder}`` stands for the folder of the kubeconfig; it holds ``token`` (from-file), ``empty``, ``ca.crt``,
``alice.crt``, ``alice.key`` and the plugin ``plugin`` (its token is from-plugin).
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.controlplane.certificates import Authority

V1 = "client.authentication.k8s.io/v1"
TOKEN = {"token": "t"}
BEARER = [("Authorization", "Bearer t")]
EXEC = {"apiVersion": V1, "command": "./plugin", "interactiveMode": "Never"}


def printing(status: Any) -> dict[str, Any]:
    """A plugin that prints this."""
    body = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
    return EXEC | {"command": "echo", "args": [json.dumps(body)]}


@dataclass
class Row:
    """``arrives`` are the headers of identification and impersonation; ``refused`` the end of the one line we say.

    ``kubectl`` says where kubectl differs, and why; empty where it does the same.
    """

    id: str
    user: dict[str, Any]
    arrives: list[tuple[str, str]] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    certificate: str = ""
    refused: str = ""
    is_plain: bool = False
    kubectl: str = ""

    def __str__(self) -> str:
        return self.id


def prepare(folder: Path, authority: Authority) -> None:
    """The files that the rows name."""
    (folder / "ca.crt").write_bytes(authority.certificate)
    alice = authority.client("alice", ["a"])
    (folder / "alice.crt").write_bytes(alice.certificate)
    (folder / "alice.key").write_bytes(alice.key)
    (folder / "token").write_text("from-file\n")
    (folder / "empty").write_text("")
    body = {"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "from-plugin"}}
    (folder / "plugin").write_text(f"#!/bin/sh\necho '{json.dumps(body)}'\n")
    (folder / "plugin").chmod(0o755)


def filled(value: Any, folder: Path) -> Any:
    """A part of a row, with this folder, and ``base64:FILE`` replaced by what the file holds."""
    if isinstance(value, dict):
        return {key: filled(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, folder) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith("base64:"):
        return base64.b64encode((folder / value.removeprefix("base64:")).read_bytes()).decode()
    return value.replace("{folder}", str(folder))


CERTIFICATE = {"client-certificate": "alice.crt", "client-key": "alice.key"}
ROWS = [
    Row("token", TOKEN, BEARER),
    Row("token file", {"tokenFile": "token"}, [("Authorization", "Bearer from-file")]),
    Row("token file by its whole path", {"tokenFile": "{folder}/token"}, [("Authorization", "Bearer from-file")]),
    Row("token file before token", TOKEN | {"tokenFile": "token"}, [("Authorization", "Bearer from-file")]),
    Row("token file that is missing", {"tokenFile": "none"}, refused="user u.tokenFile: cannot read {folder}/none: "),
    Row("password", {"username": "me", "password": "p:wü"}, [("Authorization", "Basic bWU6cDp3w7w=")]),
    Row("user name alone", {"username": "me"}, [("Authorization", "Basic bWU6")]),
    Row("token and password", TOKEN | {"username": "me"}, refused="user u: has a token, and username and password"),
    Row("certificate", CERTIFICATE, certificate="alice"),
    Row(
        "certificate as data",
        {"client-certificate-data": "base64:alice.crt", "client-key-data": "base64:alice.key"},
        certificate="alice",
    ),
    Row("certificate and token", TOKEN | CERTIFICATE, BEARER, certificate="alice"),
    Row("certificate without a key", {"client-certificate": "alice.crt"}, refused="no client-key or client-key-data"),
    Row(
        "certificate twice",
        CERTIFICATE | {"client-certificate-data": "base64:alice.crt"},
        refused="client-certificate and client-certificate-data are both there",
    ),
    Row(
        "certificate and another key",
        {"client-certificate": "alice.crt", "client-key": "token"},
        refused="client-certificate and client-key: client certificate and key are not PEM that fits together",
    ),
    Row(
        "all of impersonation",
        TOKEN
        | {
            "as": "bob",
            "as-uid": "7",
            "as-groups": ["a", "b,c"],
            "as-user-extra": {"Scopes": ["one", "two"], "a/b%c": ["ü"]},
        },
        [
            *BEARER,
            ("Impersonate-User", "bob"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b,c"),
            ("Impersonate-Extra-Scopes", "one"),
            ("Impersonate-Extra-Scopes", "two"),
            ("Impersonate-Extra-A%2fb%25c", "ü"),
        ],
    ),
    Row("impersonation over a certificate", CERTIFICATE | {"as": "bob"}, [("Impersonate-User", "bob")],
        certificate="alice"),
    Row("impersonation over a plugin", {"exec": EXEC, "as": "bob"},
        [("Authorization", "Bearer from-plugin"), ("Impersonate-User", "bob")]),
    Row("groups of nobody", TOKEN | {"as-groups": ["a"]}, refused="has as-uid, as-groups or as-user-extra, and no as"),
    Row("a uid of nobody", TOKEN | {"as-uid": "7"}, refused="has as-uid, as-groups or as-user-extra, and no as"),
    Row("impersonation with a line break", TOKEN | {"as": "a\nb"}, refused="as: has characters that no HTTP header"),
    Row("impersonation without credentials", {"as": "bob"}, refused="context x: its user u has no credentials"),
    Row("no credentials", {}, refused="context x: its user u has no credentials"),
    Row("impersonation without TLS", TOKEN | {"as": "bob"}, [("Impersonate-User", "bob")], is_plain=True),
    Row("nothing secret without TLS", {"exec": EXEC | {"command": "false"}}, is_plain=True),
    Row("insecure", TOKEN, BEARER, {"insecure-skip-tls-verify": True, "certificate-authority": ""}),
    Row("insecure with an authority", TOKEN, cluster={"insecure-skip-tls-verify": True},
        refused="cluster c: has a certificate-authority, and insecure-skip-tls-verify, which ignores it"),
    Row("authority as data", TOKEN, BEARER,
        {"certificate-authority": "", "certificate-authority-data": "base64:ca.crt"}),
    Row("authority twice", TOKEN, cluster={"certificate-authority-data": "base64:ca.crt"},
        refused="certificate-authority and certificate-authority-data are both there"),
    Row("authority that is missing", TOKEN, cluster={"certificate-authority": "none"},
        refused="cluster c.certificate-authority: cannot read {folder}/none: "),
    Row("authority that is none", TOKEN, cluster={"certificate-authority": "token"},
        refused="certificate-authority: holds no certificate in PEM that can be read"),
    Row("authority that is not base64", TOKEN,
        cluster={"certificate-authority": "", "certificate-authority-data": "?"}, refused="-data: is not base64"),
    Row("server name", TOKEN, BEARER, {"tls-server-name": "localhost"}),
    Row("another server name", TOKEN, cluster={"tls-server-name": "other"}, refused="CERTIFICATE_VERIFY_FAILED"),
    Row("no compression", TOKEN, BEARER, {"disable-compression": True}),
    Row("proxy without a scheme", TOKEN, cluster={"proxy-url": "proxy.test:3128"}, refused="proxy-url: no scheme"),
    Row("socks", TOKEN, cluster={"proxy-url": "socks5://127.0.0.1:9"}, refused="proxy-url: socks5: only http:// and"),
    Row("no server", TOKEN, cluster={"server": ""}, refused="cluster c.server: is missing",
        kubectl="tries localhost:8080"),
    Row("server with a blank", TOKEN, cluster={"server": "https://a b"}, refused="'https://a b': must be https://HOST"),
    Row("token that is a number", {"token": 1}, refused="user u.token: must be a string"),
    Row("gcp", {"auth-provider": {"name": "gcp"}}, refused="use gke-gcloud-auth-plugin, a plugin for exec"),
    Row("azure", {"auth-provider": {"name": "azure"}}, refused="use kubelogin, a plugin for exec"),
    Row("plugin", {"exec": EXEC}, [("Authorization", "Bearer from-plugin")]),
    Row("plugin by its whole path", {"exec": EXEC | {"command": "{folder}/plugin"}},
        [("Authorization", "Bearer from-plugin")]),
    Row("plugin beside a token", TOKEN | {"exec": EXEC | {"command": "false"}}, BEARER),
    Row("plugin beside a password", {"username": "me", "exec": EXEC | {"command": "false"}},
        [("Authorization", "Basic bWU6")]),
    Row("plugin beside a certificate", CERTIFICATE | {"exec": EXEC | {"command": "false"}}, certificate="alice"),
    Row("plugin beside a provider", {"exec": EXEC, "auth-provider": {"name": "oidc"}},
        refused="user u: has exec and auth-provider"),
    Row("plugin with a certificate",
        {"exec": EXEC | {"command": "sh", "args": ["-c", "cat {folder}/credential"]}}, certificate="alice"),
    Row("plugin that fails", {"exec": EXEC | {"command": "sh", "args": ["-c", "echo log in first >&2; exit 3"]}},
        refused="context x: credential plugin sh failed with exit code 3: log in first"),
    Row("plugin that is missing", {"exec": EXEC | {"command": "no-such-plugin", "installHint": "get it"}},
        refused="credential plugin no-such-plugin: not found; get it"),
    Row("plugin that prints no JSON", {"exec": EXEC | {"command": "echo", "args": ["hello"]}},
        refused="credential plugin echo: its output is not JSON"),
    Row("plugin that gives nothing", {"exec": printing({})},
        refused="credential plugin echo: it gave neither a token nor a client certificate"),
    Row("plugin that gives a broken certificate",
        {"exec": printing({"clientCertificateData": "a", "clientKeyData": "b"})},
        refused="credential plugin echo: client certificate and key are not PEM that fits together"),
    Row("plugin that gives what has ended",
        {"exec": printing({"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"})}, BEARER),
    Row("plugin without a command", {"exec": EXEC | {"command": ""}}, refused="user u.exec.command: is missing"),
    Row("plugin of an old version", {"exec": EXEC | {"apiVersion": "client.authentication.k8s.io/v1alpha1"}},
        refused="exec.apiVersion: client.authentication.k8s.io/v1alpha1: must be"),
    Row("plugin without a mode", {"exec": EXEC | {"interactiveMode": ""}}, refused="interactiveMode: (none): must"),
    Row("plugin of another mode", {"exec": EXEC | {"interactiveMode": "Maybe"}}, refused="interactiveMode: Maybe:"),
    Row("plugin that has to ask", {"exec": EXEC | {"interactiveMode": "Always"}},
        refused="it has to ask a person, and standard input is not a terminal"),
    Row("plugin with a nameless variable", {"exec": EXEC | {"env": [{"value": "v"}]}},
        refused="user u.exec.env: an entry has no name"),
]  # fmt: skip
