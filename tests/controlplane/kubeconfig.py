"""A kubeconfig file with everything embedded."""

import base64
from pathlib import Path

import yaml

from tests.controlplane.certificates import Pair


def write(path: Path, url: str, authority: bytes, user: str, pair: Pair) -> Path:
    """Write a kubeconfig with one context, named ``controlplane``, readable by its owner only."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "controlplane", "cluster": {"server": url, "certificate-authority-data": _b64(authority)}}
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _b64(pair.certificate), "client-key-data": _b64(pair.key)},
            }
        ],
        "contexts": [
            {"name": "controlplane", "context": {"cluster": "controlplane", "user": user, "namespace": "default"}}
        ],
        "current-context": "controlplane",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
