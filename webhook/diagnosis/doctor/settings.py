"""The settings of the cluster: whether rollouts of Knative Services begin in stages at all."""

from collections.abc import Iterator
from typing import Final

from webhook.api.kinds import SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.diagnosis.doctor.installation import Installation, Unread, name_of
from webhook.diagnosis.doctor.registration import KNATIVE
from webhook.diagnosis.doctor.result import OK, UNKNOWN, WARNING, Result
from webhook.knative.settings import hold_settings
from webhook.planning.config import HOLD_NOTHING_NEW

_PLACE: Final = f"ConfigMap {SETTINGS_NAMESPACE}/{SETTINGS_NAME}"


def check(seen: Installation) -> Iterator[Result]:
    if isinstance(seen.settings, Unread):
        yield Result(HOLD_NOTHING_NEW, UNKNOWN, f"{_PLACE} cannot be read: {seen.settings.why}")
        return
    if not any(hold_settings(one).holds_nothing_new for one in seen.settings):
        yield Result(HOLD_NOTHING_NEW, OK, f"{HOLD_NOTHING_NEW} is not set in {_PLACE}")
    elif not isinstance(seen.registrations, Unread) and all(name_of(one) != KNATIVE for one in seen.registrations):
        yield Result(HOLD_NOTHING_NEW, OK, f"{_PLACE} has {HOLD_NOTHING_NEW}, and no rollout of a Service begins here")
    else:
        says = (
            f"{_PLACE} has {HOLD_NOTHING_NEW}, as an uninstallation leaves it: no rollout of a Service begins in stages"
        )
        remove = f"""-p '{{"data":{{"{HOLD_NOTHING_NEW}":null}}}}'"""
        way_out = f"kubectl -n {SETTINGS_NAMESPACE} patch configmap {SETTINGS_NAME} --type merge {remove}"
        yield Result(HOLD_NOTHING_NEW, WARNING, says, way_out)
