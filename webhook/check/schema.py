"""The structure of objects: unknown fields, repeated keys, and values that are not text."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from webhook.admission.rules import Rule
from webhook.admission.rules.field_error import MAX_FINDINGS, echo
from webhook.api.kinds import API_VERSION, GROUP, RO_KIND, SPA_KIND
from webhook.api.names import is_key, is_label, is_subdomain, is_value
from webhook.check.kubernetes_object import KubernetesObject
from webhook.check.node import Node, Span, joined
from webhook.check.rules import DOC002, DOC003, DOC004, DOC005, DOC006

CRDS: Final = Path(__file__).resolve().parents[2] / "manifests" / "crds"

SERVICE: Final = "Service"
_FILES: Final = {SPA_KIND: "stagepodautoscalers.yaml", RO_KIND: "rolloutorchestrators.yaml"}
_KINDS_OF_GROUP: Final = (SPA_KIND, RO_KIND, SERVICE, "Route", "Configuration", "Revision", "DomainMapping")
_METADATA: Final = (
    *("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers", "managedFields"),
    *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    "selfLink",
)
_WORDS: Final = "letters, digits, '-', '_' and '.', at most 63, with a letter or digit at both ends"


class Problem(NamedTuple):
    """A broken rule of files at a field. ``place`` is given if it is not that of the field's value."""

    rule: Rule
    field: str
    problem: str
    way_out: str
    place: Span | None = None


def structural_problems(one: KubernetesObject) -> list[Problem]:
    """What is wrong with the structure of an object of ours or a Knative Service; the first ones if there are many."""
    found: list[Problem] = []
    for problem in _problems(one):
        found.append(problem)
        if len(found) >= MAX_FINDINGS:
            break
    return found


def spelling_problem(one: KubernetesObject) -> Problem | None:
    """A kind or an apiVersion that is nearly one of ours; such an object is not judged."""
    group = one.api_version.partition("/")[0]
    if group == GROUP and one.kind not in _KINDS_OF_GROUP:
        if close := _closest(one.kind, _KINDS_OF_GROUP):
            return Problem(DOC005, "kind", f"Unsupported value: {echo(one.kind)}", f"did you mean {close}?")
    elif one.kind in (SPA_KIND, RO_KIND) and one.api_version != API_VERSION:
        field = "apiVersion"
        if not one.api_version:
            return Problem(DOC005, field, f"Required value: {one.kind} needs it", f"write {API_VERSION}")
        return Problem(DOC005, field, f"Unsupported value: {echo(one.api_version)}", f"write {API_VERSION}")
    return None


def text_problems(node: Node | None, path: str) -> Iterator[Problem]:
    """The members of an object that should be text but are not."""
    if node is None or node.value is None:
        return
    if not isinstance(node.value, dict):
        yield Problem(
            DOC004, path, f"Invalid value: {echo(node.value)}: must be an object", "write KEY: VALUE below it"
        )
        return
    for key, (_, member) in node.members.items():
        if not isinstance(member.value, str) and member.value is not None:
            quoted = f"put it in quotes: {_quoted(member.value)}"
            yield Problem(DOC004, joined(path, key), f"Invalid value: {echo(member.value)}: must be text", quoted)


def _problems(one: KubernetesObject) -> Iterator[Problem]:
    yield from _duplicates(one.node)
    if one.kind in _FILES:
        yield from _unknown(one.node, _schema(one.kind), "")
        yield from _in_metadata(one.node.member("metadata"))


def _in_metadata(metadata: Node | None) -> Iterator[Problem]:
    members = {} if metadata is None else metadata.value
    if not members or (isinstance(members, dict) and not members.get("name") and not members.get("generateName")):
        yield Problem(DOC006, "metadata.name", "Required value: an object needs a name", "write metadata.name")
    if metadata is not None:
        yield from _bad_names(metadata)
        yield from _misspelled(metadata, _METADATA, "metadata")
        yield from text_problems(metadata.member("labels"), "metadata.labels")
        yield from text_problems(metadata.member("annotations"), "metadata.annotations")
        yield from _bad_keys(metadata, "labels")
        yield from _bad_keys(metadata, "annotations")


def _bad_names(metadata: Node) -> Iterator[Problem]:
    """Names that the API server refuses. The rules find those that are not text."""
    subdomain = "a DNS subdomain: lower-case letters, digits, '-' and '.', at most 253 characters"
    label = "a DNS label: lower-case letters, digits and '-', at most 63 characters"
    for key, is_good, wanted, way_out in (
        ("name", is_subdomain, subdomain, "an SPA is named as its Revision, an RO as its Service"),
        ("namespace", is_label, label, "kubectl get namespaces lists those that there are"),
    ):
        member = metadata.member(key)
        if member is not None and isinstance(member.value, str) and member.value and not is_good(member.value):
            problem = f"Invalid value: {echo(member.value)}: must be {wanted}"
            yield Problem(DOC006, f"metadata.{key}", problem, way_out)


def _bad_keys(metadata: Node, key: str) -> Iterator[Problem]:
    """Keys of labels and annotations, and values of labels, that the API server refuses."""
    member = metadata.member(key)
    for name, (place, value) in () if member is None else member.members.items():
        field = joined(f"metadata.{key}", name)
        # Kubernetes reads the key of an annotation in lower case.
        if not is_key(name if key == "labels" else name.lower()):
            problem = f"Invalid value: {echo(name)}: must be a key such as app or example.com/app"
            yield Problem(DOC004, field, problem, _WORDS, place)
        elif key == "labels" and isinstance(value.value, str) and not is_value(value.value):
            problem = f"Invalid value: {echo(value.value)}: must be the value of a label"
            yield Problem(DOC004, field, problem, f"{_WORDS}; longer texts go into annotations")


def _duplicates(root: Node) -> Iterator[Problem]:
    for path, node in root.parts():
        for key, place, is_merged in node.duplicates:
            problem = "the merge after it has it too" if is_merged else "appears twice in this object"
            way_out = "move << to the front" if is_merged else "keep one of them"
            text = f"{way_out}: kubectl takes the last, others the first or neither"
            yield Problem(DOC002, joined(path, key), f"Duplicate key: {problem}", text, place)


def _unknown(node: Node, schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """The fields of a node that the schema would drop. The status is left out: no person writes it."""
    properties = schema.get("properties")
    if isinstance(node.value, dict) and properties:
        yield from _misspelled(node, properties, path)
        for key, (_, member) in node.members.items():
            if key in properties and (path or key != "status"):
                yield from _unknown(member, properties[key], joined(path, key))
    elif isinstance(node.value, list) and "items" in schema:
        for index, item in enumerate(node.items):
            yield from _unknown(item, schema["items"], f"{path}[{index}]")


def _misspelled(node: Node, known: Iterable[str], path: str) -> Iterator[Problem]:
    for key, (place, _) in node.members.items():
        if key not in known:
            close = _closest(key, known)
            way_out = f"did you mean {close}?" if close else f"known: {', '.join(known)}"
            yield Problem(DOC003, joined(path, key), "Unknown field: not in the schema", way_out, place)


def _closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if there is none."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word[:64].lower(), list(by_lower), n=1)
    return by_lower[close[0]] if close else ""


@cache
def _schema(kind: str) -> Mapping[str, Any]:
    """The schema in the CRD of a kind."""
    with (CRDS / _FILES[kind]).open(encoding="utf-8") as file:
        definition = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    schema: Mapping[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _quoted(value: Any) -> str:
    return f'"{echo(value)}"' if isinstance(value, bool | int | float) else '"..."'
