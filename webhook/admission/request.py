"""The request inside an AdmissionReview, read where it stands: nothing is copied."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.admission.errors import MalformedReview, UnknownPath
from webhook.api.kinds import GROUP, RO_KIND, RO_PLURAL, SPA_KIND, SPA_PLURAL, VERSION
from webhook.api.wire import kind_of

REVIEW_API_VERSION: Final = "admission.k8s.io/v1"
REVIEW_KIND: Final = "AdmissionReview"
MUTATE: Final = "mutate"
VALIDATE: Final = "validate"

_PATHS: Final = {"/mutate": MUTATE, "/validate": VALIDATE}
_KINDS: Final = {SPA_PLURAL: SPA_KIND, RO_PLURAL: RO_KIND}
_JUDGED: Final = ("CREATE", "UPDATE")
_OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
_MAX_UID: Final = 1024


class Request(NamedTuple):
    """What is asked. ``kind`` is empty, and ``foreign`` says why, where it is nothing that is judged here.

    ``object`` and ``old`` are the JSON values as they came, not yet known to be objects.
    """

    path: str
    uid: str
    operation: str
    kind: str
    foreign: str
    namespace: str
    username: str
    object: Any
    old: Any


def read_path(path: str) -> str:
    """``mutate`` or ``validate``; a query is ignored. Raises UnknownPath."""
    name = _PATHS.get(path) or _PATHS.get(path.partition("?")[0])
    if name is None:
        raise UnknownPath("the paths here are /mutate and /validate")
    return name


def read_request(review: Any, path: str) -> Request:
    """Read a review in wire form. Raises MalformedReview where it could not even be answered."""
    if not isinstance(review, dict):
        raise MalformedReview(f"the body must be an AdmissionReview, not {kind_of(review)}")
    if review.get("kind") != REVIEW_KIND or review.get("apiVersion") != REVIEW_API_VERSION:
        raise MalformedReview(f"kind and apiVersion must be {REVIEW_KIND} and {REVIEW_API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReview(f"request: must be an object, not {kind_of(request)}")
    uid = request.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= _MAX_UID:
        raise MalformedReview(f"request.uid: must be a string of 1 to {_MAX_UID} characters")
    operation = request.get("operation")
    if operation not in _OPERATIONS:
        raise MalformedReview(f"request.operation: must be one of {', '.join(_OPERATIONS)}")
    namespace = request.get("namespace")
    user = request.get("userInfo")
    username = user.get("username") if isinstance(user, dict) else None
    kind, foreign = _kind_of(request, operation)
    return Request(
        path=path,
        uid=uid,
        operation=operation,
        kind=kind,
        foreign=foreign,
        namespace=namespace if isinstance(namespace, str) else "",
        username=username if isinstance(username, str) else "",
        object=request.get("object"),
        old=request.get("oldObject"),
    )


def _kind_of(request: Mapping[str, Any], operation: str) -> tuple[str, str]:
    """The kind that is judged, or an empty one and the reason."""
    if operation not in _JUDGED:
        return "", f"{operation} is not judged"
    if request.get("subResource"):
        return "", "subresources are not judged"
    resource = request.get("resource")
    if isinstance(resource, dict) and resource.get("group") == GROUP and resource.get("version") == VERSION:
        plural = resource.get("resource")
        if isinstance(plural, str) and plural in _KINDS:
            return _KINDS[plural], ""
    return "", f"only {SPA_PLURAL} and {RO_PLURAL} of {GROUP}/{VERSION} are judged"
