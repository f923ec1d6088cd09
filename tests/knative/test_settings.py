"""The settings of the cluster: which ConfigMaps they come from, and what a bad value means."""

from typing import Any

import pytest

from webhook.knative.bounds import Defaults
from webhook.knative.settings import HoldSettings, default_bounds, hold_settings


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, HoldSettings()),
        ({"hold-nothing-new": "true"}, HoldSettings(holds_nothing_new=True)),
        ({"hold-nothing-new": "false"}, HoldSettings()),
        ({"hold-nothing-new": "yes!"}, HoldSettings(holds_nothing_new=True)),
        ({"hold-nothing-new": True}, HoldSettings()),
        ({"keep-service-waiting": "false"}, HoldSettings(keeps_service_waiting=False)),
        ({"keep-service-waiting": "nein"}, HoldSettings()),
        ({"keep-replicas-for-shares": "false"}, HoldSettings(keeps_floor=False)),
        ({"keep-replicas-for-shares": "no!"}, HoldSettings()),
        ({"give-failed-shares-back": "true"}, HoldSettings(gives_failed_shares_back=True)),
        ({"give-failed-shares-back": "yes!"}, HoldSettings()),
    ],
)
def test_settings_come_from_the_config_map_of_rollouts(data: dict[str, Any], expected: HoldSettings) -> None:
    assert hold_settings({"data": data}) == expected


@pytest.mark.parametrize("config_map", [None, {}, {"data": None}])
def test_without_config_maps_the_defaults_hold(config_map: dict[str, Any] | None) -> None:
    assert hold_settings(config_map) == HoldSettings()
    assert default_bounds(config_map) == Defaults()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"min-scale": "2", "max-scale": "8", "initial-scale": "3"}, Defaults(2, 8, 3)),
        ({"min-scale": "two", "initial-scale": "99999999999"}, Defaults()),
        ({"initial-scale": "0"}, Defaults(initial_scale=0)),
    ],
)
def test_default_bounds_are_those_of_knatives_autoscaler(data: dict[str, str], expected: Defaults) -> None:
    assert default_bounds({"data": data}) == expected
