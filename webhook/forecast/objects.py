"""Objects: what a forecast is made from, by kind and name: of files, or of a cluster."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from webhook.api.kinds import GROUP, REVISION_LABEL, RO_KIND, SETTINGS_NAME, SPA_KIND
from webhook.api.wire import Wire
from webhook.knative.annotations import labels_of

_GROUPS: Final = {
    RO_KIND: GROUP,
    SPA_KIND: GROUP,
    "Service": GROUP,
    "Revision": GROUP,
    "Route": GROUP,
    "PodAutoscaler": "autoscaling.internal.knative.dev",
    "Deployment": "apps",
    "ResourceQuota": "",
    "ConfigMap": "",
    "Namespace": "",
}


class Objects:
    """Objects on the wire. Kinds that no forecast reads are left out, as a Service of Kubernetes."""

    def __init__(self, objects: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_kind: dict[str, list[Wire]] = {kind: [] for kind in _GROUPS}
        for one in objects:
            kind, version, metadata = one.get("kind"), one.get("apiVersion"), one.get("metadata")
            group = str(version).rpartition("/")[0]
            if isinstance(kind, str) and _GROUPS.get(kind) == group and isinstance(metadata, Mapping):
                self._by_kind[kind].append(dict(one))

    def all(self, kind: str) -> list[Wire]:
        return self._by_kind[kind]

    def named(self, kind: str, name: str) -> Wire | None:
        return next((one for one in self._by_kind[kind] if one["metadata"].get("name") == name), None)

    def by_name(self, kind: str) -> dict[str, Wire]:
        return {str(one["metadata"].get("name")): one for one in self._by_kind[kind]}

    def deployment_of(self, revision: str) -> Wire | None:
        return next((one for one in self.all("Deployment") if labels_of(one).get(REVISION_LABEL) == revision), None)

    @property
    def settings(self) -> Wire | None:
        """The ConfigMap with the settings of rollouts."""
        return self.named("ConfigMap", SETTINGS_NAME)

    @property
    def autoscaler(self) -> Wire | None:
        """Knative's ConfigMap for its autoscaler."""
        return self.named("ConfigMap", "config-autoscaler")
