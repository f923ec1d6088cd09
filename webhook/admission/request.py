"""What admission reads of an AdmissionReview, checked for types but not copied: the request, its object's metadata."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.api import wire
from webhook.api.errors import MalformedObject
from webhook.api.kinds import (
    GROUP,
    OVERRIDE_ANNOTATION,
    REVISION_LABEL,
    RO_KIND,
    RO_PLURAL,
    SERVICE_LABEL,
    SPA_KIND,
    SPA_PLURAL,
    VERSION,
)

REVIEW_API_VERSION: Final = "admission.k8s.io/v1"
REVIEW_KIND: Final = "AdmissionReview"
MUTATE: Final = "mutate"
VALIDATE: Final = "validate"
KNATIVE: Final = "knative"
"""The path of Knative's own objects; the other two are for those of Stagegate."""

REVISION: Final = "Revision"
ROUTE: Final = "Route"

_PATHS: Final = {"/mutate": MUTATE, "/validate": VALIDATE}
Kinds = tuple[tuple[dict[str, str], str], ...]
"""The resource of a request and the kind of its object, for each that is judged at a path."""

_OWN: Final[Kinds] = (
    ({"group": GROUP, "version": VERSION, "resource": SPA_PLURAL}, SPA_KIND),
    ({"group": GROUP, "version": VERSION, "resource": RO_PLURAL}, RO_KIND),
)
_KNATIVES: Final[Kinds] = (
    ({"group": GROUP, "version": VERSION, "resource": "revisions"}, REVISION),
    ({"group": GROUP, "version": VERSION, "resource": "routes"}, ROUTE),
)
_JUDGED: Final = ("CREATE", "UPDATE")
_OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
_MAX_UID: Final = 1024
MAX_MEMBERS: Final = 10_000
"""The most labels, and the most annotations, of an object that are read."""
MAX_OWNERS: Final = 1000


class UnknownPath(ValueError):
    """The path is neither /mutate nor /validate."""


class MalformedReview(ValueError):
    """The body is not an AdmissionReview that can be answered: it is not JSON, has no uid, or another version."""


class Request(NamedTuple):
    """The request of a review. If it is not one that is judged, ``kind`` is empty and ``not_judged`` says why.

    ``object`` and ``old`` are JSON values as received, not yet checked to be objects.
    """

    path: str
    uid: str
    operation: str
    kind: str
    not_judged: str
    namespace: str
    username: str
    object: Any
    old: Any
    is_dry_run: bool = False


def read_path(path: str) -> str:
    """``mutate`` or ``validate``; a query is ignored. Raises UnknownPath."""
    name = _PATHS.get(path) or _PATHS.get(path.partition("?")[0])
    if name is None:
        raise UnknownPath("the paths here are /mutate and /validate")
    return name


def read_request(review: Any, path: str) -> Request:
    """Read a review in wire form; ``path`` is that of the call, without a slash.

    Raises MalformedReview if it cannot be answered.
    """
    if not isinstance(review, dict):
        raise MalformedReview(f"the body must be an AdmissionReview, not {wire.kind_of(review)}")
    if review.get("kind") != REVIEW_KIND or review.get("apiVersion") != REVIEW_API_VERSION:
        raise MalformedReview(f"kind and apiVersion must be {REVIEW_KIND} and {REVIEW_API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReview(f"request: must be an object, not {wire.kind_of(request)}")
    uid = request.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= _MAX_UID:
        raise MalformedReview(f"request.uid: must be a string of 1 to {_MAX_UID} characters")
    operation = request.get("operation")
    if operation not in _OPERATIONS:
        raise MalformedReview(f"request.operation: must be one of {', '.join(_OPERATIONS)}")
    namespace = request.get("namespace")
    user = request.get("userInfo")
    username = user.get("username") if isinstance(user, dict) else None
    kind, not_judged = _kind_of(request, operation, _KNATIVES if path == KNATIVE else _OWN)
    return Request(
        path=path,
        uid=uid,
        operation=operation,
        kind=kind,
        not_judged=not_judged,
        namespace=namespace if isinstance(namespace, str) else "",
        username=username if isinstance(username, str) else "",
        object=request.get("object"),
        old=request.get("oldObject"),
        is_dry_run=request.get("dryRun") is True,
    )


def _kind_of(request: Mapping[str, Any], operation: str, kinds: Kinds) -> tuple[str, str]:
    """The kind of the object and an empty reason, or an empty kind and the reason why it is not judged."""
    if operation not in _JUDGED:
        return "", f"{operation} is not judged"
    if request.get("subResource"):
        return "", "subresources are not judged"
    resource = request.get("resource")
    for known, kind in kinds:
        if resource == known:
            return kind, ""
    plurals = " and ".join(known["resource"] for known, _ in kinds)
    return "", f"only {plurals} of {GROUP}/{VERSION} are judged"


class Metadata(NamedTuple):
    """The metadata of an object. Absent names are empty; absent labels, annotations and owner references are None.

    ``managed_fields`` is the JSON value as received.
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


def read_metadata(obj: Any, *, is_old: bool = False) -> Metadata:
    """Read the metadata of an object in wire form. Raises MalformedObject for types that no API server sends.

    Also raised for more labels, annotations or owners than are read, except in an old object, where these count as
    absent: an update can take them away.
    """
    if not isinstance(obj, dict):
        raise MalformedObject("object", f"must be an object, not {wire.kind_of(obj)}")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        raise MalformedObject("metadata", f"must be an object, not {wire.kind_of(metadata)}")
    metadata = _within_bounds(metadata, is_old=is_old)
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


def _within_bounds(metadata: dict[str, Any], *, is_old: bool) -> dict[str, Any]:
    """The metadata, of an old object without what has too many members. Raises MalformedObject for any other."""
    for key, most in (("labels", MAX_MEMBERS), ("annotations", MAX_MEMBERS), ("ownerReferences", MAX_OWNERS)):
        value = metadata.get(key)
        if isinstance(value, dict | list) and len(value) > most:
            if not is_old:
                raise MalformedObject(f"metadata.{key}", f"must have at most {most} entries, not {len(value)}")
            metadata = {**metadata, key: None}
    return metadata


def _check_labels(labels: dict[str, Any]) -> None:
    for key in (REVISION_LABEL, SERVICE_LABEL):
        if key in labels and type(labels[key]) is not str:
            wire.text(labels, key, "metadata.labels")


def _check_owner_references(metadata: dict[str, Any]) -> None:
    for index, reference in enumerate(wire.sequence(metadata, "ownerReferences", "metadata")):
        if not isinstance(reference, dict):
            problem = f"must be an object, not {wire.kind_of(reference)}"
            raise MalformedObject(f"metadata.ownerReferences[{index}]", problem)
