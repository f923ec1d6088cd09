"""The reason for which a held Service is given back before its rollout is over, if there is one."""

from collections.abc import Mapping
from typing import Final

from webhook.api.conditions import READY
from webhook.api.wire import Wire
from webhook.knative.annotations import ENABLED, PROGRESSIVE, annotations_of, template_annotations_of
from webhook.knative.hold import Hold
from webhook.knative.opt_in import is_opted_in, obstacle
from webhook.knative.release import Release
from webhook.knative.revision import newest_of
from webhook.knative.service_rollout import RELEASE, other_controller
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.stage_traffic import condition_of, is_ready, quoted
from webhook.knative.traffic import live_shares
from webhook.planning.config import parse_boolean

OPTED_OUT: Final = "OptedOut"
ASKED: Final = "ReleaseRequested"
MISSING: Final = "RevisionMissing"
FOREIGN: Final = "OtherControllers"
NOT_OURS: Final = "RolloutNotOwned"
REFUSED: Final = "RolloutRefused"
BROKEN: Final = "OldRevisionFailed"


def release_of(seen: ServiceSeen, service: Wire, hold: Hold, options: ServiceOptions) -> Release | None:
    """Why a held Service is to be given back, None if it is not."""
    if seen.foreign:
        return Release(FOREIGN, f"{seen.foreign} roll out the Services of this cluster", at_once=True)
    labels = seen.namespace_labels or {}
    says = annotations_of(service).get(PROGRESSIVE) is not None or seen.namespace_labels is not None
    if says and not is_opted_in(service, labels, options.default_opt_in):
        return Release(OPTED_OUT, f"{PROGRESSIVE} does not ask for stages any more")
    if any(parse_boolean(found.get(ENABLED, "")) is False for found in _settings_of(service)):
        return Release(OPTED_OUT, f'{ENABLED} is "false"')
    found = obstacle(service, {PROGRESSIVE: "true"}, True)
    if found is not None:
        return Release(found.reason, found.message, at_once=True)
    if annotations_of(service).get(RELEASE) in (hold.new, newest_of(seen.revisions)):
        return Release(ASKED, f"{RELEASE} of the Service names {annotations_of(service)[RELEASE]}")
    if seen.ro is not None:
        if RELEASE in seen.ro.metadata.annotations:
            asked = seen.ro.metadata.annotations[RELEASE]
            return Release(ASKED, f"{RELEASE} was set{f': {asked[:100]}' if asked else ''}")
        owner = other_controller(seen.ro, service)
        if owner is not None:
            return Release(NOT_OURS, f"RolloutOrchestrator {seen.ro.name} belongs to {owner}", at_once=True)
    if hold.new not in seen.revisions and seen.missing_for >= options.missing_after and not seen.is_underway:
        message = f"Revision {hold.new} did not appear within {options.missing_after:.0f} s"
        return Release(MISSING, message, at_once=True)
    # With a release the new revision would get all of the traffic, which is what people stopped.
    if seen.refusal and seen.refused_for >= options.refused_after and not seen.is_stopped:
        refused = f"what the rollout writes has been refused for {options.refused_after:.0f} s: {seen.refusal}"
        return Release(REFUSED, refused)
    return _release_from_broken(seen, hold)


def _release_from_broken(seen: ServiceSeen, hold: Hold) -> Release | None:
    """A revision with traffic that has failed, or is gone, blocks its Route: the new one is the way out, and gets all.

    The Revisions are those of one watch, so that none is missing which is older than the new one.
    """
    if seen.is_steered:
        # People said that the new revision gets no more traffic; they can release the Service.
        return None
    newest = newest_of(seen.revisions)
    if seen.route is None or not is_ready(seen.revisions.get(newest)):
        return None
    for name in live_shares(seen.route) or hold.initial:
        if name not in seen.revisions:
            return Release(BROKEN, f"Revision {name}, which has traffic, does not exist")
        ready = condition_of(seen.revisions[name], READY)
        if name != newest and ready is not None and ready.status == "False":
            return Release(BROKEN, f"Revision {name}, which has traffic, is not Ready{quoted(ready)}")
    return None


def _settings_of(service: Wire) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return annotations_of(service), template_annotations_of(service)
