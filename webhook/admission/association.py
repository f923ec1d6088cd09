"""Which RO an SPA belongs to, and what that RO gives its revision."""

from typing import Final, NamedTuple

from webhook.admission.lookup import Entry, Lookup, Rollout
from webhook.admission.metadata import Metadata
from webhook.admission.rules.field_error import echo
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.owner_reference import controller_of, is_rollout

_LATER: Final = "the loop completes this object later"


class Association(NamedTuple):
    """The RO of an SPA and its entry for the revision, or None; ``missing`` says why no RO, and the way out."""

    rollout: Rollout | None
    entry: Entry | None
    missing: str = ""


def associate(metadata: Metadata, namespace: str, lookup: Lookup, max_age: float) -> Association:
    """Find the RO of an SPA by its service label, else its controller owner reference, else its revision name.

    The first of these that names an RO decides, also when that RO is not there yet: otherwise the answer would depend
    on the order in which a rollout and its SPAs are applied. The revision name decides if exactly one RO lists it.
    """
    age = lookup.age()
    if age is None or age > max_age:
        return Association(None, None, f"the view of the rollouts is not current; {_LATER}")
    service = metadata.label(SERVICE_LABEL) or controlling_rollout(metadata)
    if service:
        rollout = lookup.rollout(namespace, service)
        if rollout is None:
            return Association(None, None, f"RolloutOrchestrator {echo(service)} is not there yet; {_LATER}")
        return Association(rollout, rollout.entries.get(metadata.name))
    if not metadata.name:
        return Association(None, None, f"there is neither a name nor a service label yet; {_LATER}")
    listing = lookup.rollouts_listing(namespace, metadata.name)
    if len(listing) == 1:
        return Association(listing[0], listing[0].entries.get(metadata.name))
    some = "more than one RolloutOrchestrator lists" if listing else "no RolloutOrchestrator lists"
    return Association(None, None, f"{some} revision {echo(metadata.name)}; state the label {SERVICE_LABEL}")


def controlling_rollout(metadata: Metadata) -> str:
    """The name of the RO that is an SPA's controller; empty if none is."""
    if not metadata.owner_references:
        return ""
    controller = controller_of(metadata.owner_references)
    name = controller.get("name") if controller is not None and is_rollout(controller) else ""
    return name if isinstance(name, str) else ""
