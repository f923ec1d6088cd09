"""The share of a new revision that has failed in the middle of its rollout: it is given back by an abort."""

import unicodedata

from webhook.api.conditions import FALSE, READY
from webhook.api.steering import ABORT, ABORT_BY, ABORT_REASON, MAX_REASON, steering_of, targets_text
from webhook.knative.service_seen import ServiceSeen
from webhook.knative.service_writes import PatchRollout
from webhook.knative.stage_traffic import condition_of, is_ready, quoted
from webhook.knative.traffic import shares_in


def abort_of_failed(seen: ServiceSeen, newest: str) -> PatchRollout | None:
    """The abort of a rollout whose new revision has a share and has failed; None if there is nothing to give back.

    There has to be an older revision that is Ready and still has a share. A rollout that a person has paused or aborted
    is left to that person.
    """
    ro, ready = seen.ro, condition_of(seen.revisions.get(newest), READY)
    if ro is None or ro.has_failed or ready is None or ready.status != FALSE:
        return None
    steering, served = steering_of(ro.metadata.annotations), shares_in(seen.route or {}, "status")
    if steering.pause is not None or (steering.abort is not None and steering.abort.is_for(ro.spec.target_revisions)):
        return None
    others = [name for name in served if name != newest and is_ready(seen.revisions.get(name))]
    if newest not in served or not others:
        return None
    text = f"{newest} is not Ready{quoted(ready)}: its {served[newest]}% of the traffic are given back"
    reason = "".join(" " if unicodedata.category(one) == "Cc" else one for one in text)[:MAX_REASON]
    annotations: dict[str, str | None] = {ABORT: targets_text(ro.spec.target_revisions), ABORT_REASON: reason}
    if ABORT_BY in ro.metadata.annotations:
        # That of an abort of other targets: whoever asked for it did not ask for this one.
        annotations[ABORT_BY] = None
    return PatchRollout({"metadata": {"annotations": annotations}})
