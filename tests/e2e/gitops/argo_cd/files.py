"""Files of a repository that Argo CD renders with kustomize."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.rig.installation import REPOSITORY

Wire = dict[str, Any]
Files = dict[str, str | Path]

BESIDE: Final = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside"}}
"""Stands beside rollouts in Git."""

_KUSTOMIZATION: Final = "kustomization.yaml"


def stagegate(*patches: Wire, **others: Wire) -> Files:
    """Our own manifests as they are, with these patches of kustomize, and further objects by the name of their file."""
    files: Files = {f"{name}.yaml": yaml.safe_dump(each) for name, each in others.items()}
    kustomization = {"resources": ["manifests", *files], "patches": list(patches)}
    return {"manifests": REPOSITORY / "manifests", **files, _KUSTOMIZATION: yaml.safe_dump(kustomization)}


def objects(*wires: Wire) -> Files:
    """A repository with these objects, each in a file of its own."""
    return {f"{each['kind'].lower()}-{each['metadata']['name']}.yaml": yaml.safe_dump(each) for each in wires}


def without(kind: str, name: str = "") -> Wire:
    """A patch that leaves objects out."""
    deletion = {"$patch": "delete", "apiVersion": "any/v1", "kind": kind, "metadata": {"name": "any"}}
    target = {"kind": kind, **({"name": name} if name else {})}
    return {"target": target, "patch": yaml.safe_dump(deletion)}


def in_wave(wave: int, wire: Wire) -> Wire:
    """The object in a wave of its own."""
    return _annotated(wire, "sync-wave", str(wave))


def with_option(option: str, wire: Wire) -> Wire:
    """The object with a sync option of its own, if one is given."""
    return _annotated(wire, "sync-options", option) if option else wire


def _annotated(wire: Wire, name: str, value: str) -> Wire:
    metadata = wire["metadata"]
    annotations = {**metadata.get("annotations", {}), f"argocd.argoproj.io/{name}": value}
    return {**wire, "metadata": {**metadata, "annotations": annotations}}
