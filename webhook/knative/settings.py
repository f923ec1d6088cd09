"""Settings of the whole cluster for held Services: those of Stagegate, and the bounds that Knative defaults to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.knative.annotations import INITIAL_SCALE, MAX_SCALE, MIN_SCALE, texts
from webhook.knative.bounds import Defaults
from webhook.planning.config import (
    GIVE_FAILED_SHARES_BACK,
    HOLD_NOTHING_NEW,
    KEEP_REPLICAS_FOR_SHARES,
    KEEP_SERVICE_WAITING,
    parse_boolean,
    parse_integer,
)


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """``holds_nothing_new``: no rollout begins in stages; those under way go on.

    ``keeps_service_waiting``: a Service is not Ready before its rollout is over, so that ``kubectl wait`` waits for it.
    ``keeps_floor``: a revision that traffic drives keeps the replicas of its stage, as ``floor_of`` says.
    ``gives_failed_shares_back``: a rollout is aborted once its new revision has failed although it has a share.
    """

    holds_nothing_new: bool = False
    keeps_service_waiting: bool = True
    keeps_floor: bool = True
    gives_failed_shares_back: bool = False


def hold_settings(config_map: Mapping[str, Any] | None) -> HoldSettings:
    """The settings in the ConfigMap ``config-rolloutorchestrator`` on the wire, None for none.

    A value that cannot be read keeps its default, but of ``hold-nothing-new`` it counts as true, the safe side.
    """
    data = texts(config_map, "data")
    return HoldSettings(
        holds_nothing_new=parse_boolean(data.get(HOLD_NOTHING_NEW, "false")) is not False,
        keeps_service_waiting=parse_boolean(data.get(KEEP_SERVICE_WAITING, "true")) is not False,
        keeps_floor=parse_boolean(data.get(KEEP_REPLICAS_FOR_SHARES, "true")) is not False,
        gives_failed_shares_back=parse_boolean(data.get(GIVE_FAILED_SHARES_BACK, "false")) is True,
    )


def default_bounds(config_map: Mapping[str, Any] | None) -> Defaults:
    """The bounds in Knative's ConfigMap ``config-autoscaler`` on the wire, None for none; Knative refuses bad ones."""
    data, default = texts(config_map, "data"), Defaults()

    def number(key: str, otherwise: int) -> int:
        found = parse_integer(data.get(key, ""), bits=32)
        return otherwise if found is None else found

    return Defaults(
        min_scale=number(MIN_SCALE, default.min_scale),
        max_scale=number(MAX_SCALE, default.max_scale),
        initial_scale=number(INITIAL_SCALE, default.initial_scale),
    )
