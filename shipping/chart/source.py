"""Reads the kustomize manifests: the objects, and the patches of every component as conditions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from shipping.chart.nodes import Condition, Entry, Expression, Map, Place, place, plain, tree
from shipping.chart.options import SWITCHES

_FILES: Final = ("kustomization.yaml", "Kustomization")
_FIELDS: Final = {"apiVersion", "kind", "resources", "components", "patches"}


class Unsupported(ValueError):
    """A kustomization has something that the chart cannot express."""


@dataclass
class Object:
    """An object, the file that it comes from, and the conditions under which it is installed."""

    root: Map
    file: Path
    when: tuple[Condition, ...] = ()

    @property
    def kind(self) -> str:
        return str(place(self.root, "/kind").entry.value)

    @property
    def name(self) -> str:
        return str(place(self.root, "/metadata/name").entry.value)


def base_objects(manifests: Path) -> list[Object]:
    """The objects of the default install, in the order of the files."""
    return list(_resources(manifests / "base"))


def _resources(folder: Path) -> Iterator[Object]:
    path, kustomization = _read(folder)
    if kustomization.get("patches"):
        raise Unsupported(f"{path}: patches outside of components are not supported")
    for name in kustomization.get("resources", ()):
        found = folder / name
        yield from _resources(found) if found.is_dir() else _documents(found)
    for name in kustomization.get("components", ()):
        yield from _resources(folder / name)


def _documents(path: Path) -> Iterator[Object]:
    for document in yaml.safe_load_all(path.read_text()):
        root = tree(document)
        if not isinstance(root, Map):
            raise Unsupported(f"{path}: a document is no object")
        yield Object(root, path.resolve())


def _read(folder: Path) -> tuple[Path, dict[str, Any]]:
    path = next(folder / name for name in _FILES if (folder / name).is_file())
    kustomization: dict[str, Any] = yaml.safe_load(path.read_text())
    if unknown := set(kustomization) - _FIELDS:
        raise Unsupported(f"{path}: {', '.join(sorted(unknown))} cannot become part of the chart")
    return path, kustomization


def add_component(objects: list[Object], folder: Path) -> None:
    """Add what a component adds, and make what it changes or removes depend on its switch. Raises Unsupported.

    Components that it contains are not applied again: their switches must be on wherever its own is.
    """
    path, kustomization = _read(folder)
    component = folder.name
    components = {component, *(Path(name).name for name in kustomization.get("components", ()))}
    for name in kustomization.get("resources", ()):
        for added in _documents(folder / name):
            added.when = (condition(component, added.name),)
            objects.append(added)
    for patch in kustomization.get("patches", ()):
        body = yaml.safe_load(patch["patch"])
        target = patch.get("target") or {"kind": body["kind"], "name": body["metadata"]["name"]}
        (found,) = (each for each in objects if (each.kind, each.name) == (target["kind"], target["name"]))
        on = condition(component, found.name)
        if isinstance(body, dict):
            if set(body) != {"apiVersion", "kind", "metadata", "$patch"} or body["$patch"] != "delete":
                raise Unsupported(
                    f"{path}: the patch of {found.kind} {found.name} is neither a JSON patch nor a deletion"
                )
            found.when += (on.negated(),)
            continue
        for operation in body:
            try:
                _apply(found.root, operation, on, components)
            except (KeyError, AssertionError) as problem:
                raise Unsupported(f"{path}: {operation} does not fit {found.kind} {found.name}: {problem}") from problem


def condition(component: str, name: str) -> Condition:
    """The switch of a component, for an object of this name."""
    return Condition(SWITCHES[component].format(workload=name.removeprefix("stagegate-")), component)


def _apply(root: Map, operation: dict[str, Any], on: Condition, components: set[str]) -> None:
    found = place(root, operation["path"], components)
    match operation["op"]:
        case "test":
            if plain(found.entry.value) != operation["value"]:
                raise KeyError(f"the value is {plain(found.entry.value)!r}")
        case "remove":
            found.entry.when += (on.negated(),)
        case "replace":
            # What values.yaml sets is set there.
            if not isinstance(found.entry.value, Expression):
                found.entry.when += (on.negated(),)
                _insert(found, found.position + 1, operation["value"], on)
        case "add":
            _insert(found, found.position, operation["value"], on)
        case other:
            raise KeyError(f"the operation {other} is not supported")


def _insert(found: Place, position: int, value: Any, on: Condition) -> None:
    found.inside.entries.insert(position, Entry(tree(value), found.key, (on,)))
