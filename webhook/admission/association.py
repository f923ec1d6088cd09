"""Which RO an SPA belongs to, and what that RO gives its revision."""

from typing import Final, NamedTuple

from webhook.admission.lookup import Entry, Lookup, Rollout
from webhook.admission.metadata import Metadata
from webhook.admission.rules.field_error import echo
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.owner_reference import named_rollout, owning_rollout

_LATER: Final = "the loop completes this object later"


class Association(NamedTuple):
    """The RO of an SPA and its entry for the revision, or None; ``missing`` says why no RO, and the way out."""

    rollout: Rollout | None
    entry: Entry | None
    missing: str = ""


def associate(metadata: Metadata, namespace: str, lookup: Lookup, max_age: float) -> Association:
    """Find the RO of an SPA by the rule of ``owning_rollout``; none in a view older than ``max_age`` seconds."""
    age = lookup.age()
    if age is None or age > max_age:
        return Association(None, None, f"the view of the rollouts is not current; {_LATER}")
    name, labels, references = metadata.name, metadata.labels, metadata.owner_references
    rollout = owning_rollout(
        labels,
        references,
        lambda service: lookup.rollout(namespace, service),
        lambda: lookup.rollouts_listing(namespace, name) if name else (),
    )
    if rollout is not None:
        return Association(rollout, rollout.entries.get(name))
    if service := named_rollout(labels, references):
        return Association(None, None, f"RolloutOrchestrator {echo(service)} is not there yet; {_LATER}")
    if not name:
        return Association(None, None, f"there is neither a name nor a service label yet; {_LATER}")
    is_listed = bool(lookup.rollouts_listing(namespace, name))
    some = "more than one RolloutOrchestrator lists" if is_listed else "no RolloutOrchestrator lists"
    return Association(None, None, f"{some} revision {echo(name)}; state the label {SERVICE_LABEL}")
