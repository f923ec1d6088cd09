"""The metadata of an object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.api import wire as json


@dataclass(slots=True)
class ObjectMeta:
    """Metadata in wire form, with properties for the members that are read."""

    wire: json.Wire = field(default_factory=dict)

    @property
    def name(self) -> str:
        return json.text(self.wire, "name", "metadata")

    @property
    def namespace(self) -> str:
        return json.text(self.wire, "namespace", "metadata")

    @property
    def uid(self) -> str:
        return json.text(self.wire, "uid", "metadata")

    @property
    def resource_version(self) -> str:
        return json.text(self.wire, "resourceVersion", "metadata")

    @property
    def generation(self) -> int:
        return json.integer(self.wire, "generation", "metadata", 64) or 0

    @property
    def deletion_timestamp(self) -> str:
        return json.text(self.wire, "deletionTimestamp", "metadata")

    @property
    def labels(self) -> Mapping[str, str]:
        return json.mapping(self.wire, "labels", "metadata")

    @property
    def annotations(self) -> Mapping[str, str]:
        return json.mapping(self.wire, "annotations", "metadata")

    @property
    def owner_references(self) -> list[json.Wire]:
        return json.sequence(self.wire, "ownerReferences", "metadata")


def rest_of(data: Mapping[str, Any], *known: str) -> json.Wire:
    """A copy of the members that are not ``known``."""
    return {key: json.copy_of(value) for key, value in data.items() if key not in known}
