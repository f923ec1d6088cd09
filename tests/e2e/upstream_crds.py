"""Upstream's two definitions as its releases install them: the same fields, without rules and without limits."""

import copy
from typing import Any, Final

from tests.e2e.cluster import documents

_LABELS: Final = {
    "app.kubernetes.io/name": "knative-serving",
    "app.kubernetes.io/version": "1.16.0",
    "knative.dev/crd-install": "true",
    "duck.knative.dev/podspecable": "true",
}
_OURS: Final = (
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "maxItems",
    "maxLength",
    "minLength",
    "minimum",
    "maximum",
    "pattern",
    "enum",
    "description",
)


def upstream_crds() -> list[dict[str, Any]]:
    """Both, with the two printer columns that upstream has."""
    return [_as_upstream(body) for body in documents("crds")]


def _as_upstream(ours: dict[str, Any]) -> dict[str, Any]:
    body = copy.deepcopy(ours)
    body["metadata"]["labels"] = dict(_LABELS)
    del body["spec"]["conversion"], body["spec"]["names"]["listKind"]
    (version,) = body["spec"]["versions"]
    version["additionalPrinterColumns"] = version["additionalPrinterColumns"][:2]
    version["schema"] = _bare(version["schema"])
    return body


def _bare(schema: Any) -> Any:
    """A schema without what upstream's does not have."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _bare(value) for key, value in schema.items() if key not in _OURS or isinstance(value, dict)}
    if kept.get("format") == "date-time":
        del kept["format"]
    if isinstance(kept.get("required"), list):
        del kept["required"]
    return kept
