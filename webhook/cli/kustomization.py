"""Renders a kustomize folder without kustomize, as far as Stagegate's manifests need it.

Supported are ``resources`` (files and folders), ``components``, and ``patches`` that are JSON patches with a target by
kind and name, or that delete one object. Anything else is an error.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonpatch
import yaml

from webhook.api.wire import Wire
from webhook.cli.errors import CommandError

_FILES: Final = ("kustomization.yaml", "Kustomization")
_KINDS: Final = ("Kustomization", "Component")
_FIELDS: Final = {"apiVersion", "kind", "resources", "components", "patches"}
_FIRST: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Service",
    "PriorityClass",
    "Deployment",
    "PodDisruptionBudget",
)
_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class Unsupported(CommandError):
    """A kustomization uses something that this renderer does not support."""


def render(base: Path, components: list[Path]) -> list[Wire]:
    """The objects of a kustomize folder with these components, in an order in which they can be applied.

    Raises Unsupported.
    """
    objects = _build(base, [])
    for component in components:
        objects = _build(component, objects)
    return sorted(objects, key=_place)


def _place(wire: Wire) -> tuple[int, str, str, str]:
    """Sort key in kustomize's order: what others need comes first, webhook configurations last, the rest by group."""
    kind = wire["kind"]
    first, last = (places.index(kind) + 1 if kind in places else 0 for places in (_FIRST, _LAST))
    rank = last or first - len(_FIRST) - 1 if first or last else 0
    return rank, wire["apiVersion"], kind, wire["metadata"]["name"]


def _build(folder: Path, objects: list[Wire]) -> list[Wire]:
    """The objects after the folder's kustomization, applied in kustomize's order."""
    path, kustomization = _read(folder)
    for name in kustomization.get("resources", ()):
        found = folder / name
        objects = [*objects, *(_build(found, []) if found.is_dir() else _documents(found))]
    for name in kustomization.get("components", ()):
        objects = _build(folder / name, objects)
    for patch in kustomization.get("patches", ()):
        objects = _patched(objects, patch, path)
    return objects


def _read(folder: Path) -> tuple[Path, Wire]:
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise Unsupported(f"{folder}: no {' or '.join(_FILES)}")
    kustomization = yaml.safe_load(path.read_text())
    unknown = sorted(set(kustomization) - _FIELDS)
    if unknown or kustomization.get("kind") not in _KINDS:
        raise Unsupported(f"{path}: cannot render {', '.join(unknown) or 'this kind'}; use kubectl kustomize instead")
    return path, kustomization


def _documents(path: Path) -> Iterator[Wire]:
    yield from (document for document in yaml.safe_load_all(path.read_text()) if document)


def _patched(objects: list[Wire], patch: Wire, path: Path) -> list[Wire]:
    body = yaml.safe_load(patch["patch"])
    deletes = isinstance(body, dict) and set(body) == {"apiVersion", "kind", "metadata", "$patch"}
    if set(patch) == {"patch"} and deletes and body["$patch"] == "delete":
        index = _index(objects, body["kind"], body["metadata"]["name"], path)
        return objects[:index] + objects[index + 1 :]
    target = patch.get("target", {})
    if set(patch) != {"patch", "target"} or set(target) != {"kind", "name"} or not isinstance(body, list):
        raise Unsupported(f"{path}: cannot render the patch {patch}; use kubectl kustomize instead")
    index = _index(objects, target["kind"], target["name"], path)
    return [*objects[:index], _apply(objects[index], body, path), *objects[index + 1 :]]


def _index(objects: list[Wire], kind: str, name: str, path: Path) -> int:
    found = [n for n, wire in enumerate(objects) if (wire["kind"], wire["metadata"]["name"]) == (kind, name)]
    if len(found) != 1:
        raise Unsupported(f"{path}: {len(found)} objects are {kind} {name}; a patch is for exactly one")
    return found[0]


def _apply(wire: Wire, operations: list[dict[str, Any]], path: Path) -> Wire:
    try:
        patched: Wire = jsonpatch.apply_patch(wire, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
        name = f"{wire['kind']} {wire['metadata']['name']}"
        raise Unsupported(f"{path}: a patch does not fit {name}: {problem}") from None
    return patched
