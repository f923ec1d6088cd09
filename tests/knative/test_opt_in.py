"""Which Services roll out in stages, and why others do not."""

from typing import Any

import pytest

from webhook.knative.opt_in import is_opted_in, obstacle

PROGRESSIVE = "stagegate.dev/progressive"
ENABLED = "rollout.knative.dev/progressive-rollout-enabled"
CLASS = "autoscaling.knative.dev/class"


def service(
    annotations: dict[str, str] | None = None,
    traffic: list[dict[str, Any]] | None = None,
    template: dict[str, str] | None = None,
) -> dict[str, Any]:
    spec: dict[str, Any] = {"template": {"metadata": {"annotations": template or {}}}}
    if traffic is not None:
        spec["traffic"] = traffic
    return {"metadata": {"name": "hello", "annotations": annotations or {}}, "spec": spec}


@pytest.mark.parametrize(
    ("annotation", "label", "default", "opted_in"),
    [
        (None, None, False, False),
        (None, None, True, True),
        (None, "true", False, True),
        (None, "false", True, False),
        ("true", "false", False, True),
        ("false", "true", True, False),
        ("yes", "true", True, False),
        (None, "yes", True, False),
    ],
)
def test_the_service_decides_then_its_namespace_then_the_cluster(
    annotation: str | None, label: str | None, default: bool, opted_in: bool
) -> None:
    annotations = {} if annotation is None else {PROGRESSIVE: annotation}
    labels = {} if label is None else {PROGRESSIVE: label}
    assert is_opted_in(service(annotations), labels, default) is opted_in


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (service(), None),
        (service(traffic=[]), None),
        (service(traffic=[{"latestRevision": True, "percent": 100}]), None),
        (service(traffic=[{"percent": 100}]), None),
        (service(template={CLASS: "kpa.autoscaling.knative.dev"}), None),
        (service(template={CLASS: "hpa.autoscaling.knative.dev"}), "OtherAutoscaler"),
        (service({ENABLED: "false"}), "OptedOut"),
        (service(template={ENABLED: "false"}), "OptedOut"),
        (service(template={ENABLED: "true"}), None),
        (service({PROGRESSIVE: "yes"}), "OptInUnreadable"),
        (service({PROGRESSIVE: "false"}, template={ENABLED: "false"}), None),
        (service(traffic=[{"revisionName": "hello-00001", "percent": 100}]), "TrafficNamesRevision"),
        (service(traffic=[{"latestRevision": True, "percent": 100, "tag": "new"}]), "TrafficHasTags"),
        (
            service(traffic=[{"latestRevision": True, "percent": 50}, {"revisionName": "a", "percent": 50}]),
            "TrafficIsSplit",
        ),
    ],
)
def test_what_keeps_a_service_from_being_held(one: dict[str, Any], reason: str | None) -> None:
    found = obstacle(one, {PROGRESSIVE: "true"}, False)
    assert (found and found.reason) == reason


def test_a_service_that_does_not_ask_for_stages_is_not_told_why_it_gets_none() -> None:
    assert obstacle(service(template={CLASS: "hpa.autoscaling.knative.dev"}), {}, False) is None
