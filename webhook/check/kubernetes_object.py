"""The Kubernetes objects in a document, also those in a List, with the file that each comes from."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from webhook.check.document import Document
from webhook.check.node import Node
from webhook.check.source_text import SourceText

ORIGIN_ANNOTATION: Final = "config.kubernetes.io/origin"
"""The annotation by which kustomize names the file of an object, if ``buildMetadata`` asks for it."""

_SOURCE: Final = re.compile(r"^# Source: (\S.*?)[ \t]*$", re.MULTILINE)
_ORIGIN: Final = re.compile(r"^(?:path|configuredIn): (\S.*?)[ \t]*$", re.MULTILINE)
_REPOSITORY: Final = re.compile(r"^repo: \S", re.MULTILINE)


Identity = tuple[str, str, str, str]
"""apiVersion, kind, namespace and name."""


class Origin(NamedTuple):
    """The file that rendered text comes from. ``line`` is that of the text where the file begins, 0 if not known."""

    file: str
    line: int


class KubernetesObject(NamedTuple):
    """An object in wire form with its places. Members of a wrong type count as absent."""

    node: Node
    api_version: str
    kind: str
    namespace: str
    name: str
    origin: Origin | None = None

    @property
    def wire(self) -> Any:
        return self.node.value

    @property
    def identity(self) -> Identity:
        """What is the same in two versions of a file."""
        return self.api_version, self.kind, self.namespace, self.name


def objects_of(document: Document, source: SourceText, *, is_rendered: bool) -> Iterator[KubernetesObject]:
    """The objects of a document, in order; those of Lists in their place. Texts and empty documents have none."""
    origin = _commented(document, source) if is_rendered else None
    for one in _objects(document.root):
        yield one._replace(origin=(_annotated(one) or origin) if is_rendered else None)


def _objects(node: Node, kind: str = "", api_version: str = "") -> Iterator[KubernetesObject]:
    if not isinstance(node.value, dict):
        return
    own_kind, own_version = _text(node, "kind") or kind, _text(node, "apiVersion") or api_version
    items = node.member("items")
    if own_kind.endswith("List") and items is not None and isinstance(items.value, list):
        typed = own_kind.removesuffix("List")
        for item in items.items:
            yield from _objects(item, typed, own_version if typed else "")
        return
    namespace, name = _text(node, "metadata", "namespace"), _text(node, "metadata", "name")
    yield KubernetesObject(node, own_version, own_kind, namespace, name)


def _text(node: Node, *keys: str) -> str:
    found = node.member(*keys)
    return found.value if found is not None and isinstance(found.value, str) else ""


def _commented(document: Document, source: SourceText) -> Origin | None:
    """The file in Helm's comment before the document."""
    found = None
    for found in _SOURCE.finditer(source.text, document.begin, document.root.span.start):  # noqa: B007
        pass
    return None if found is None else Origin(found[1], source.position(found.start()).line)


def _annotated(one: KubernetesObject) -> Origin | None:
    """The file in kustomize's annotation; that of another repository does not count."""
    text = _text(one.node, "metadata", "annotations", ORIGIN_ANNOTATION)
    found = _ORIGIN.search(text)
    return None if found is None or _REPOSITORY.search(text) else Origin(found[1], 0)
