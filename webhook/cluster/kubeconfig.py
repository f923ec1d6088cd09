"""Kubeconfig files: merged, resolved and checked as kubectl does; an error is one line that names the field.

The loader of the official client is not used: it ignores impersonation and failures of plugins, turns a user that does
not exist into an anonymous one, and takes the current context of the last file.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from webhook.cluster.exec_plugin import API_VERSIONS, IF_AVAILABLE, INTERACTIVE_MODES, Plugin, bearer
from webhook.cluster.impersonation import Impersonation
from webhook.cluster.kubeconfig_fields import BadKubeconfig, Fields, Pem, readable

_EXEC_EXTENSION: Final = "client.authentication.k8s.io/exec"
_REPLACED_BY: Final = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server and its CA; ``authority`` is None for the system's CAs."""

    server: str
    authority: Pem | None = None
    tls_server_name: str = ""
    is_insecure: bool = False
    proxy_url: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """The credentials of a user. ``token_file`` takes precedence over ``token``."""

    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    certificate: Pem | None = None
    key: Pem | None = field(default=None, repr=False)
    id_token: str = field(default="", repr=False)
    plugin: Plugin | None = None
    impersonation: Impersonation | None = None

    @property
    def is_anonymous(self) -> bool:
        return not (self.token or self.token_file or self.username or self.certificate or self.id_token or self.plugin)


@dataclass(frozen=True, slots=True)
class Context:
    """A context of a kubeconfig, with its cluster and user; ``namespace`` is empty if it names none."""

    name: str
    cluster: Cluster
    user: User
    namespace: str = ""


def files(kubeconfig: str | None, environment: Mapping[str, str]) -> list[Path]:
    """The files to read: the one given, else those of $KUBECONFIG that exist, else ~/.kube/config if it exists."""
    if kubeconfig:
        return [Path(kubeconfig)]
    listed = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    paths = [Path(part) for part in listed] or [Path("~/.kube/config").expanduser()]
    return [path for path in paths if path.exists()]


def load(paths: Sequence[Path], context: str | None = None) -> Context:
    """A context of the merged files, by default the current one. Raises BadKubeconfig."""
    documents: list[Fields] = []
    shown = ", ".join(map(str, paths))
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text())
        except OSError as problem:
            raise BadKubeconfig(f"cannot read the kubeconfig {path}: {problem.strerror}") from problem
        except UnicodeDecodeError as problem:
            raise BadKubeconfig(f"kubeconfig {path}: not a kubeconfig: it is not UTF-8 text") from problem
        except yaml.YAMLError as problem:
            # The text at that place may be a secret.
            mark = getattr(problem, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark is not None else ""
            raise BadKubeconfig(f"kubeconfig {path}: not a kubeconfig: it is not YAML{where}") from problem
        if not isinstance(document, dict | None):
            raise BadKubeconfig(f"kubeconfig {path}: not a kubeconfig: it is no mapping")
        documents.append(Fields("", document or {}, path.absolute().parent))
    try:
        return _context(documents, context)
    except BadKubeconfig as problem:
        raise BadKubeconfig(f"kubeconfig {shown}: {problem}") from problem


def _context(documents: list[Fields], wanted: str | None) -> Context:
    """The first current-context counts, and the first entry of each name."""
    name = wanted or next((current for each in documents if (current := each.text("current-context"))), "")
    if not name:
        raise BadKubeconfig("has no current-context; name one with --context")
    context = _named(documents, "context", name)
    if context is None:
        known = ", ".join(dict.fromkeys(each.text("name") for one in documents for each in one.entries("contexts")))
        raise BadKubeconfig(f"context {name}: does not exist; there are: {known or 'none'}")
    cluster_name, user_name = context.text("cluster"), context.text("user")
    cluster = _named(documents, "cluster", cluster_name) if cluster_name else None
    if cluster is None:
        raise BadKubeconfig(f"context {name}: its cluster {cluster_name or '(none)'} does not exist")
    user = _named(documents, "user", user_name) if user_name else None
    if user_name and user is None:
        raise BadKubeconfig(f"context {name}: its user {user_name} does not exist")
    read_cluster = _cluster(cluster)
    read_user = User() if user is None else _user(user, cluster, read_cluster)
    if read_user.is_anonymous and read_cluster.server.startswith("https:"):
        raise BadKubeconfig(f"context {name}: its user {user_name or '(none)'} has no credentials")
    return Context(name, read_cluster, read_user, context.text("namespace"))


def _named(documents: list[Fields], kind: str, name: str) -> Fields | None:
    """The content of the first entry of that name, with a readable ``where``."""
    for document in documents:
        for entry in document.entries(f"{kind}s"):
            if entry.text("name") == name:
                found = entry.fields(kind) or Fields("", {}, document.folder)
                return Fields(f"{kind} {name}", found.values, document.folder)
    return None


def _cluster(cluster: Fields) -> Cluster:
    authority = cluster.pem("certificate-authority")
    is_insecure = cluster.flag("insecure-skip-tls-verify")
    if is_insecure and authority is not None:
        raise cluster.bad(
            ": has a certificate-authority, and insecure-skip-tls-verify, which ignores it; leave one out"
        )
    server = _server(cluster, "https" if authority is not None or is_insecure else "http")
    cluster.flag("disable-compression")  # The client never requests compression.
    return Cluster(server, authority, cluster.text("tls-server-name"), is_insecure, cluster.text("proxy-url"))


def _server(cluster: Fields, scheme: str) -> str:
    """The URL without a trailing slash; ``scheme`` is the default scheme."""
    text = cluster.text("server").rstrip("/")
    if not text:
        raise cluster.bad(".server: is missing")
    url = text if "://" in text else f"{scheme}://{text}"
    if "@" in url:
        raise cluster.bad(".server: has credentials in it; they belong into the user")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isascii() or not url.isprintable() or " " in url:
        raise cluster.bad(f".server: {text!r}: must be https://HOST, with a port and a path if need be")
    return url


def _user(user: Fields, cluster: Fields, read_cluster: Cluster) -> User:
    impersonation = _impersonation(user)
    if read_cluster.server.startswith("http:"):
        # As kubectl does, send no secrets without TLS.
        return User(impersonation=impersonation)
    token = user.text("token")
    username, password = user.text("username"), user.text("password")
    if token and (username or password):
        raise user.bad(": has a token, and username and password; leave one out")
    if token:
        _checked_token(token, user)
    certificate, key = user.pem("client-certificate"), user.pem("client-key")
    if certificate is not None and key is None:
        raise user.bad(": has a client-certificate, and no client-key or client-key-data")
    plugin, provider = user.fields("exec"), user.fields("auth-provider")
    if plugin is not None and provider is not None:
        raise user.bad(": has exec and auth-provider; leave one out")
    token_file = user.path("tokenFile")
    return User(
        token=token,
        token_file=readable(token_file, f"{user.where}.tokenFile") if token_file and not token else token_file,
        username=username,
        password=password,
        certificate=certificate,
        key=key,
        id_token="" if provider is None else _id_token(provider),
        plugin=None if plugin is None else _plugin(plugin, cluster, read_cluster),
        impersonation=impersonation,
    )


def _checked_token(token: str, user: Fields) -> None:
    try:
        bearer(token)
    except ValueError as problem:
        raise user.bad(f".token: {problem}") from problem


def _impersonation(user: Fields) -> Impersonation | None:
    name, uid, groups = user.header("as"), user.header("as-uid"), user.texts("as-groups")
    extra = user.fields("as-user-extra")
    if extra is not None and not all(isinstance(key, str) for key in extra.values):
        raise extra.bad(": a key is no string")
    values = {} if extra is None else {key: extra.texts(key) for key in extra.values}
    if not all(text.isprintable() for text in (*groups, *(value for each in values.values() for value in each))):
        raise user.bad(": as-groups or as-user-extra have characters that no HTTP header can hold")
    if not name and (uid or groups or values):
        raise user.bad(": has as-uid, as-groups or as-user-extra, and no as")
    return Impersonation(name, uid, groups, values) if name else None


def _id_token(provider: Fields) -> str:
    name = provider.text("name")
    if name != "oidc":
        instead = f"{_REPLACED_BY[name]}, a plugin for exec" if name in _REPLACED_BY else "a plugin for exec"
        raise provider.bad(f": {name or '(none)'} is not supported; use {instead}")
    config = provider.fields("config")
    token = "" if config is None else config.header("id-token")
    if not token:
        raise provider.bad(".config.id-token: is missing; use kubelogin, a plugin for exec")
    return token


def _plugin(plugin: Fields, cluster: Fields, read_cluster: Cluster) -> Plugin:
    command, api_version = plugin.text("command"), plugin.text("apiVersion")
    if not command:
        raise plugin.bad(".command: is missing")
    if api_version not in API_VERSIONS:
        raise plugin.bad(f".apiVersion: {api_version or '(none)'}: must be {' or '.join(API_VERSIONS)}")
    # Only v1 requires it.
    mode = plugin.text("interactiveMode") or (IF_AVAILABLE if api_version.endswith("/v1beta1") else "")
    if mode not in INTERACTIVE_MODES:
        raise plugin.bad(f".interactiveMode: {mode or '(none)'}: must be {', '.join(INTERACTIVE_MODES)}")
    environment = [(each.text("name"), each.text("value")) for each in plugin.entries("env")]
    if not all(name for name, _ in environment):
        raise plugin.bad(".env: an entry has no name")
    return Plugin(
        command=str(plugin.folder / command) if os.sep in command else command,
        api_version=api_version,
        arguments=plugin.texts("args"),
        environment=tuple(environment),
        install_hint=plugin.text("installHint"),
        interactive_mode=mode,
        cluster=_cluster_info(cluster, read_cluster) if plugin.flag("provideClusterInfo") else None,
    )


def _cluster_info(cluster: Fields, read: Cluster) -> dict[str, Any]:
    """The cluster as passed to a plugin."""
    authority = read.authority.read_bytes() if isinstance(read.authority, Path) else read.authority
    found = {
        "server": read.server,
        "tls-server-name": read.tls_server_name,
        "insecure-skip-tls-verify": read.is_insecure,
        "certificate-authority-data": base64.b64encode(authority or b"").decode(),
        "proxy-url": read.proxy_url,
        "disable-compression": cluster.flag("disable-compression"),
        "config": next(
            (
                each.values.get("extension")
                for each in cluster.entries("extensions")
                if each.text("name") == _EXEC_EXTENSION
            ),
            None,
        ),
    }
    return {name: value for name, value in found.items() if value}
