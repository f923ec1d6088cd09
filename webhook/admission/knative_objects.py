"""Reviews of Knative's own objects: a Revision that is about to be created, and an update of a Route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.admission.defaulting import add_members
from webhook.admission.envelope import read_review
from webhook.admission.request import KNATIVE, REVISION, ROUTE, Request, read_request
from webhook.admission.settings import KNATIVE_CONTROLLER, LOOP_ACCOUNT, WEBHOOK_ACCOUNT
from webhook.admission.verdict import Default, Verdict
from webhook.api.kinds import SERVICE_LABEL
from webhook.knative.annotations import HOLD, annotations_of, labels_of
from webhook.knative.guard import guard
from webhook.knative.pin import NewRevision

SERVICE_UID_LABEL: Final = "serving.knative.dev/serviceUID"

OWN_ACCOUNTS: Final = frozenset({LOOP_ACCOUNT, WEBHOOK_ACCOUNT})


@dataclass(frozen=True, slots=True)
class KnativeSettings:
    """``controller`` is the user that creates Revisions; ``own_accounts`` are those that may write held Routes.

    ``by_default``: Services that say nothing, in namespaces that say nothing, are opted in.
    """

    controller: str = KNATIVE_CONTROLLER
    own_accounts: frozenset[str] = OWN_ACCOUNTS
    by_default: bool = False


def read_knative_request(body: bytes) -> Request:
    """Read the bytes of a review. Raises MalformedReview if it cannot be answered."""
    request = read_request(read_review(body), KNATIVE)
    is_handled = (request.kind, request.operation) in ((REVISION, "CREATE"), (ROUTE, "UPDATE"))
    if request.kind and not is_handled:
        return request._replace(kind="", not_judged=f"{request.operation} of a {request.kind} is not judged")
    return request


def new_revision_of(request: Request, settings: KnativeSettings) -> NewRevision | str:
    """The Revision of a request to create one, or why it is left as it is."""
    labels, name = labels_of(_object(request.object)), _metadata(request.object).get("name")
    service = labels.get(SERVICE_LABEL)
    if not service or not isinstance(name, str) or not name or not request.namespace:
        return "the Revision belongs to no Service"
    if request.username != settings.controller:
        return f"the Revision is not created by {settings.controller}"
    if request.is_dry_run:
        return "the request is a dry run"
    return NewRevision(request.namespace, name, service, labels.get(SERVICE_UID_LABEL, ""))


def allowed(request: Request, *, skipped: str = "", defaults: tuple[Default, ...] = ()) -> Verdict:
    """The verdict on a review of this path, which denies nothing. ``skipped`` says why the object is left as it is."""
    name = _metadata(request.object).get("name")
    return Verdict(
        uid=request.uid,
        allowed=True,
        path=KNATIVE,
        operation=request.operation,
        kind=request.kind,
        namespace=request.namespace,
        name=name if isinstance(name, str) else "",
        writer="controller",
        defaults=defaults,
        skipped=skipped or request.not_judged,
    )


def revision_verdict(request: Request, annotations: Mapping[str, str]) -> Verdict:
    """The verdict on a Revision whose Route is pinned: it gets these annotations."""
    return allowed(request, defaults=_annotated(request.object, annotations))


def route_verdict(request: Request, settings: KnativeSettings) -> Verdict:
    """The verdict on an update of a Route: what a held one keeps is put back."""
    if request.username in settings.own_accounts:
        return allowed(request, skipped="the write is Stagegate's own")
    back = guard(_object(request.old), _object(request.object))
    if not back or not _metadata(request.object):
        return allowed(request, skipped="the Route keeps nothing that this write changes")
    defaults: list[Default] = []
    if back.hold is not None:
        defaults += _annotated(request.object, {HOLD: back.hold})
    if back.traffic is not None:
        spec = request.object.get("spec")
        add_members("/spec", spec if isinstance(spec, dict) else None, {"traffic": back.traffic}, defaults)
    return allowed(request, defaults=tuple(defaults))


def annotations_of_request(request: Request) -> dict[str, str]:
    """The annotations of the object in a request."""
    return annotations_of(_object(request.object))


def _annotated(one: Any, annotations: Mapping[str, str]) -> tuple[Default, ...]:
    present = _metadata(one).get("annotations")
    defaults: list[Default] = []
    members = dict(sorted(annotations.items()))
    add_members("/metadata/annotations", present if isinstance(present, dict) else None, members, defaults)
    return tuple(defaults)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _metadata(value: Any) -> Mapping[str, Any]:
    metadata = _object(value).get("metadata")
    return metadata if isinstance(metadata, dict) else {}
