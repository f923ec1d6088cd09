"""Release: why a held Service is given back to Knative, which revisions get its traffic then, and which bounds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from webhook.api.wire import Wire
from webhook.knative.annotations import annotations_of, labels_of
from webhook.knative.bounds import has_record, restored_bounds
from webhook.knative.revision import newest_of
from webhook.knative.service_writes import PatchRevision
from webhook.knative.stage_traffic import is_ready
from webhook.knative.traffic import shares, stock_traffic

ROUTING_STATE: Final = "serving.knative.dev/routingState"
RESERVE: Final = "reserve"
"""The routing state of a Revision that no Route leads to. Its minimum does not count then."""


@dataclass(frozen=True, slots=True)
class Release:
    """Why a Service is given back: reason and message of an Event.

    ``at_once`` does not wait until the revisions that get the traffic run their own minimum.
    """

    reason: str
    message: str
    at_once: bool = False


def stock_shares(service: Wire, revisions: Mapping[str, Wire]) -> dict[str, int]:
    """The percents by revision that Knative would give by itself.

    What floats goes to the newest Revision that is Ready, or to the newest if none is.
    """
    ready = {name: one for name, one in revisions.items() if is_ready(one)}
    latest = newest_of(ready) or newest_of(revisions)
    floating = [{"revisionName": latest} | entry for entry in stock_traffic(service)]
    return {name: percent for name, percent in shares(floating).items() if name}


def given_back(service: Wire, revisions: Mapping[str, Wire]) -> set[str]:
    """The Revisions that Knative keeps reachable by itself: those of an entry, whatever its percent.

    The newest one, while traffic floats to it, never goes to reserve, even if it never becomes Ready.
    """
    named = {str(entry.get("revisionName") or "") for entry in stock_traffic(service)}
    return (named | floating_to(service, revisions) | stock_shares(service, revisions).keys()) - {""}


def floating_to(service: Wire, revisions: Mapping[str, Wire]) -> set[str]:
    """The newest Revision, whether it is Ready or not, if Knative would let traffic float to it; empty otherwise."""
    floats = any(not entry.get("revisionName") for entry in stock_traffic(service))
    return {newest_of(revisions)} - {""} if floats else set()


def restored(revisions: Mapping[str, Wire], given: Collection[str]) -> list[PatchRevision]:
    """The writes that give Revisions their own bounds back.

    Those in ``given`` get them at once. The others have to wait until no Route leads to them: before, their own minimum
    would start pods again.
    """
    return [
        PatchRevision(one, restored_bounds(annotations_of(one)))
        for name, one in sorted(revisions.items())
        if has_record(annotations_of(one)) and (name in given or labels_of(one).get(ROUTING_STATE) == RESERVE)
    ]


def with_record(revisions: Mapping[str, Wire]) -> list[str]:
    """The Revisions in which bounds of a stage may stand in place of their own."""
    return sorted(name for name, one in revisions.items() if has_record(annotations_of(one)))
