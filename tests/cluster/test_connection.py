"""Finding a cluster: from a kubeconfig, from the environment, or an error with the way out."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api_server import VERSION, ApiServer, api_server, trusting
from tests.controlplane.certificates import Authority
from webhook.cluster.connection import NoCluster, connect


def kubeconfig(path: Path, **clusters: dict[str, Any]) -> str:
    """One context for each cluster; the first is the current one."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": cluster} for name, cluster in clusters.items()],
                "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in clusters],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in clusters],
                "current-context": next(iter(clusters)),
            }
        )
    )
    return str(path)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("context", "name"), [(None, "one"), ("two", "two")])
@pytest.mark.parametrize("way", ["named", "$KUBECONFIG", "home"])
def test_a_kubeconfig_and_a_context(
    way: str, context: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    with ExitStack() as stack:
        servers: dict[str, ApiServer] = {
            each: stack.enter_context(api_server(authority, tmp_path)) for each in ("one", "two")
        }
        clusters = {each: trusting(server, authority, tmp_path) for each, server in servers.items()}
        path = tmp_path / ".kube" / "config"
        path.parent.mkdir()
        kubeconfig(path, **clusters)
        if way == "$KUBECONFIG":
            monkeypatch.setenv("HOME", "/nowhere")
            monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{path}")
        connect(str(path) if way == "named" else None, context, user_agent="stagegate/1 (test)").send(VERSION)
        asked = {each: len(server.requests) for each, server in servers.items()}
        assert asked == {"one": 0, "two": 0} | {name: 1}
        assert servers[name].last.values("Authorization") == [f"Bearer token-of-{name}"]
        assert servers[name].last.values("User-Agent") == ["stagegate/1 (test)"]


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        (None, None, "No such file"),
        ("", "three", "three"),
        ("clusters: [", None, "not a kubeconfig"),
        ("just text", None, "not a kubeconfig"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_one_line(
    tmp_path: Path, text: str | None, context: str | None, expected: str
) -> None:
    path = tmp_path / "config"
    if text == "":
        kubeconfig(path, one={"server": "https://one"})
    elif text is not None:
        path.write_text(text)
    with pytest.raises(NoCluster) as problem:
        connect(str(path), context, user_agent="t")
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_without_anything_it_says_what_to_do() -> None:
    with pytest.raises(NoCluster, match="name one with --kubeconfig"):
        connect(user_agent="t")
