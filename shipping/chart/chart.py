"""The templates of the chart: what the manifests are, with the options of values.yaml filled in."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from shipping.chart.nodes import Condition, Entry, Expression, List, Map, Node, place, plain, scalars, tree
from shipping.chart.options import (
    ADDITIONS,
    API_SERVER_PORTS,
    IMAGE,
    KEPT,
    KINDS,
    KNATIVE,
    NAMESPACE,
    NOT_JUDGED,
    OPTIONS,
    REPLACED,
    SWITCHES,
    Option,
)
from shipping.chart.source import Object, Unsupported, add_component, base_objects
from shipping.chart.templates import Template

HEADER: Final = "{{{{- /* Made from manifests/{source} by make chart: change it there. */ -}}}}\n"

_NAMESPACE_WORD: Final = re.compile(rf"(?<![a-z0-9-]){NAMESPACE}(?![a-z0-9-])")
_CONTROLLERS: Final = '\0include "stagegate.controllers" $\0'


def templates(manifests: Path, values: dict[str, Any]) -> dict[str, str]:
    """Each generated template by its file name. Raises Unsupported, also if a default is not the manifests' value."""
    objects = base_objects(manifests)
    _check_components(manifests)
    optional = [*OPTIONS, *REPLACED, API_SERVER_PORTS]
    used = _set_options(objects, values)
    for component in SWITCHES:
        before = len(objects)
        add_component(objects, manifests / "components" / component)
        used |= _set_options(objects[before:], values)
    if unused := [option for option in optional if option not in used]:
        raise Unsupported(f"no object has {unused[0].pointer} of {unused[0].kind} {unused[0].name}")
    for each in objects:
        _add_fields(each)
        _add_excluded(each.root)
        _set_words(each.root)
        if kind := KINDS.get(each.kind):
            each.when += (Condition(kind),)
    return _files(manifests.resolve(), objects)


def _check_components(manifests: Path) -> None:
    found = {path.name for path in (manifests / "overlays").iterdir()}
    if found != set(SWITCHES):
        raise Unsupported(f"overlays without a switch, or the reverse: {', '.join(sorted(found ^ set(SWITCHES)))}")


def _set_options(objects: list[Object], values: dict[str, Any]) -> set[Option]:
    """Make fields expressions; the options whose field was found."""
    by_name = {(each.kind, each.name): each for each in objects}
    found = {option for option in [*OPTIONS, API_SERVER_PORTS] if (option.kind, option.name) in by_name}
    for option in found:
        _set_option(by_name[option.kind, option.name], option, values)
    replaced = {option for option in REPLACED if (option.kind, option.name) in by_name}
    for option in replaced:
        _let_replace(by_name[option.kind, option.name], option)
    for each in objects:
        if each.kind == "Deployment":
            _set_image(each, values)
    return found | replaced


def _set_option(wire: Object, option: Option, values: dict[str, Any]) -> None:
    entry = place(wire.root, option.pointer).entry
    default: Any = values
    for part in option.value.split("."):
        default = default[part]
    if option == API_SERVER_PORTS:
        ports = List([Entry(Map([Entry(Expression("int ."), "port"), Entry("TCP", "protocol")]))])
        if plain(entry.value) != [{"port": port, "protocol": "TCP"} for port in default]:
            raise Unsupported(f"values.yaml: {option.value} is {default}, in the manifests {plain(entry.value)}")
        ports.entries[0].action = f"range .Values.{option.value}"
        entry.value = ports
        return
    if plain(entry.value) != default:
        raise Unsupported(f"values.yaml: {option.value} is {default!r}, in the manifests {plain(entry.value)!r}")
    value = f".Values.{option.value}"
    if option.block:
        entry.value = Expression(f"toYaml {value} | nindent {{indent}}", block=True)
    else:
        entry.value = Expression(f"{value} | {option.filter}" if option.filter else value)


def _let_replace(wire: Object, option: Option) -> None:
    found = place(wire.root, option.pointer)
    value = f".Values.{option.value}"
    found.entry.when += (Condition(f'kindIs "invalid" {value}'),)
    theirs = Entry(Expression("toYaml . | nindent {indent}", block=True), found.key, action=f"with {value}")
    found.inside.entries.insert(found.position + 1, theirs)


def _set_image(deployment: Object, values: dict[str, Any]) -> None:
    entry = place(deployment.root, "/spec/template/spec/containers/0/image").entry
    if str(entry.value).partition(":")[0] != IMAGE or values["image"]["repository"] != IMAGE:
        raise Unsupported(
            f"values.yaml: image.repository is {values['image']['repository']}, in the manifests {entry.value}"
        )
    entry.value = Expression('include "stagegate.image" . | quote')


def _add_fields(wire: Object) -> None:
    """Fields that the manifests do not have: of the namespace, of pods, and arguments beside those of components."""
    if wire.kind == "Namespace":
        place(wire.root, "/metadata/annotations").inside.entries.append(Entry(tree(KEPT), "annotations"))
    if wire.kind != "Deployment":
        return
    for addition in ADDITIONS:
        _, _, key = addition.pointer.rpartition("/")
        found = place(wire.root, addition.pointer)
        value = Expression("toYaml . | nindent {indent}", block=True)
        found.inside.entries.append(Entry(value, key, action=f"with .Values.{addition.value}"))
    labels = place(wire.root, "/spec/template/metadata/labels").entry.value
    if isinstance(labels, Map):
        spread = Expression("toYaml . | nindent {indent}", block=True)
        labels.entries.append(Entry(spread, action="with .Values.pod.labels"))
    arguments = place(wire.root, "/spec/template/spec/containers/0/args").entry.value
    if isinstance(arguments, List):
        workload = wire.name.removeprefix("stagegate-")
        arguments.entries.append(Entry(Expression(". | quote"), action=f"range .Values.{workload}.extraArgs"))


def _add_excluded(node: Node) -> None:
    """Further namespaces beside those that the selectors leave out."""
    if not isinstance(node, Map | List):
        return
    for entry in node.entries:
        _add_excluded(entry.value)
    if isinstance(node, List) and {entry.value for entry in node.entries if isinstance(entry.value, str)} == NOT_JUDGED:
        node.entries.append(Entry(Expression(". | quote"), action="range .Values.excludedNamespaces"))


def _set_words(root: Map) -> None:
    """The namespace and the exempt accounts, wherever they are in a text."""
    for entry, text in scalars(root):
        if text == NAMESPACE:
            # A namespace such as 25921e5 would be a number without quotes.
            entry.value = Expression(".Release.Namespace | quote")
        elif text == f"--controller={KNATIVE}":
            entry.action = "range .Values.controllers"
            entry.value = Expression('printf "--controller=%s" . | quote')
        else:
            with_accounts = text.replace(f"'{KNATIVE}', ", _CONTROLLERS)
            entry.value = _NAMESPACE_WORD.sub("\0$.Release.Namespace\0", with_accounts)


def _files(manifests: Path, objects: list[Object]) -> dict[str, str]:
    """The text of each template; one for each file of the manifests."""
    by_source: dict[Path, list[Object]] = {}
    for each in objects:
        by_source.setdefault(each.file.relative_to(manifests), []).append(each)
    files = {}
    for source, found in by_source.items():
        name = "-".join(part for part in source.parts if part not in ("base", "components"))
        files[name] = HEADER.format(source=source) + Template().text(found)
    return files


def read_values(chart: Path) -> dict[str, Any]:
    """The default values of the chart."""
    values: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return values
