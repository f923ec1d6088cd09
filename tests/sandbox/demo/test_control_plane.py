"""A cluster that is named: what is taken of its kubeconfig."""

from pathlib import Path

import pytest
import yaml

from sandbox.demo.control_plane import NamedCluster
from webhook.cli.errors import CommandError

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "production",
    "clusters": [
        {"name": "here", "cluster": {"server": "https://here:6443", "certificate-authority": "pki/ca.crt"}},
        {"name": "there", "cluster": {"server": "https://there:6443"}},
    ],
    "users": [
        {"name": "me", "user": {"client-certificate": "me.crt", "client-key": "/keys/me.key"}},
        {"name": "root", "user": {"token": "secret"}},
    ],
    "contexts": [
        {"name": "production", "context": {"cluster": "there", "user": "root"}},
        {"name": "mine", "context": {"cluster": "here", "user": "me"}},
    ],
}


@pytest.fixture
def cluster(tmp_path: Path) -> NamedCluster:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config").write_text(yaml.safe_dump(KUBECONFIG))
    return NamedCluster(tmp_path, tmp_path / "home" / "config", "mine")


def test_nothing_but_the_named_context_is_taken(cluster: NamedCluster, tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert cluster.url == "https://here:6443"
    assert yaml.safe_load(cluster.kubeconfig.read_text()) == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "contexts": [{"name": "mine", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [
            {
                "name": "here",
                "cluster": {"server": "https://here:6443", "certificate-authority": str(home / "pki" / "ca.crt")},
            }
        ],
        "users": [
            {"name": "me", "user": {"client-certificate": str(home / "me.crt"), "client-key": "/keys/me.key"}},
        ],
    }


def test_what_is_written_is_for_its_owner_alone(cluster: NamedCluster) -> None:
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("user", ["jane", "system:serviceaccount:lonely"])
def test_only_service_accounts_can_be_had(user: str, cluster: NamedCluster) -> None:
    with pytest.raises(CommandError, match=f"{user}: only service accounts can be had in a named cluster"):
        cluster.kubeconfig_for(user)
