"""The members of an object's metadata that admission reads, checked for their types."""

from typing import Any, NamedTuple

from webhook.api import wire
from webhook.api.errors import MalformedObject
from webhook.api.kinds import OVERRIDE_ANNOTATION, REVISION_LABEL, SERVICE_LABEL


class Metadata(NamedTuple):
    """Names are empty; labels, annotations and owner references None where absent.

    ``managed_fields`` is whatever came.
    """

    name: str
    namespace: str
    labels: dict[str, str] | None
    annotations: dict[str, Any] | None
    owner_references: list[dict[str, Any]] | None
    override: str
    is_deleting: bool
    managed_fields: Any

    def label(self, key: str) -> str | None:
        return None if self.labels is None else self.labels.get(key)


def read_metadata(obj: Any) -> Metadata:
    """Read the metadata of an object in wire form. Raises MalformedObject where an API server never lets it come so."""
    if not isinstance(obj, dict):
        raise MalformedObject("object", f"must be an object, not {wire.kind_of(obj)}")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise MalformedObject("metadata", f"must be an object, not {wire.kind_of(metadata)}")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    labels, owner_references = metadata.get("labels"), metadata.get("ownerReferences")
    if labels is not None:
        _check_labels(wire.mapping(metadata, "labels", "metadata"))
    if owner_references is not None:
        _check_owner_references(metadata)
    override, annotations = "", None
    if metadata.get("annotations"):
        annotations = wire.mapping(metadata, "annotations", "metadata")
        override = wire.text(annotations, OVERRIDE_ANNOTATION, "metadata.annotations")
    return Metadata(
        name=name if type(name) is str else wire.text(metadata, "name", "metadata"),
        namespace=namespace if type(namespace) is str else wire.text(metadata, "namespace", "metadata"),
        labels=labels,
        annotations=annotations,
        owner_references=owner_references,
        override=override,
        is_deleting=metadata.get("deletionTimestamp") is not None,
        managed_fields=metadata.get("managedFields"),
    )


def _check_labels(labels: dict[str, Any]) -> None:
    for key in (REVISION_LABEL, SERVICE_LABEL):
        if key in labels and type(labels[key]) is not str:
            wire.text(labels, key, "metadata.labels")


def _check_owner_references(metadata: dict[str, Any]) -> None:
    for index, reference in enumerate(wire.sequence(metadata, "ownerReferences", "metadata")):
        if not isinstance(reference, dict):
            problem = f"must be an object, not {wire.kind_of(reference)}"
            raise MalformedObject(f"metadata.ownerReferences[{index}]", problem)
