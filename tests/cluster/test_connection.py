"""Finding a cluster: from a kubeconfig, from the surroundings, or a line that says what to do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.cluster.connection import NoCluster, connect


def kubeconfig(path: Path, *contexts: str) -> str:
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": False}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": name, "cluster": {**cluster, "server": f"https://{name}:6443"}} for name in contexts
                ],
                "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in contexts],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
                "current-context": contexts[0],
            }
        )
    )
    return str(path)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def configuration_of(transport: Any) -> Any:
    return transport._api_client.configuration


@pytest.mark.parametrize(("context", "host"), [(None, "https://one:6443"), ("two", "https://two:6443")])
def test_a_kubeconfig_and_a_context(tmp_path: Path, context: str | None, host: str) -> None:
    path = kubeconfig(tmp_path / "config", "one", "two")
    transport: Any = connect(path, context, user_agent="stagegate/1 (test)", pool_size=7)
    assert configuration_of(transport).host == host
    assert configuration_of(transport).connection_pool_maxsize == 7
    assert configuration_of(transport).retries is False
    assert configuration_of(transport).verify_ssl
    assert transport._api_client.user_agent == "stagegate/1 (test)"


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        (None, None, "no such file"),
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
        kubeconfig(path, "one")
    elif text is not None:
        path.write_text(text)
    with pytest.raises(NoCluster) as problem:
        connect(str(path), context, user_agent="t")
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_without_anything_it_says_what_to_do() -> None:
    with pytest.raises(NoCluster, match="name one with --kubeconfig"):
        connect(user_agent="t")
