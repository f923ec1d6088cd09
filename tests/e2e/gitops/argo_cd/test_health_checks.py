"""The health checks for Argo CD, by its own engine: those of the ConfigMap, and what is offered to Argo CD."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.documents import REPOSITORY
from tests.kstatus import CURRENT, FAILED, IN_PROGRESS, kstatus
from tests.loop.world import World, autoscale, entry, two_revisions

Wire = dict[str, Any]
Assess = Callable[..., list[Wire]]

CHECKS: Final = yaml.safe_load((REPOSITORY / "manifests/gitops/argocd-cm.yaml").read_text())["data"]
KEY: Final = "resource.customizations.health."
HEALTH: Final = {IN_PROGRESS: "Progressing", CURRENT: "Healthy", FAILED: "Degraded"}
OFFER: Final = REPOSITORY / "docs/argo-cd/resource_customizations/serving.knative.dev"
ROWS: Final = [
    (folder / row["inputPath"], row["healthStatus"])
    for folder in sorted(OFFER.iterdir())
    for row in yaml.safe_load((folder / "health_test.yaml").read_text())["tests"]
]


@pytest.fixture(scope="module")
def assess(program: Callable[[str], Path]) -> Assess:
    """The health that Argo CD computes for objects with the checks of the ConfigMap."""
    engine = program("argo-cd")

    def assess(*objects: Wire) -> list[Wire]:
        checks = {key.removeprefix(KEY).replace("_", "/"): check for key, check in CHECKS.items()}
        asked = "\n".join(json.dumps({"checks": checks, "object": one}) for one in objects)
        done = subprocess.run([engine, "health"], input=asked, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return assess


@pytest.mark.parametrize(("path", "health"), ROWS, ids=lambda value: getattr(value, "stem", ""))
def test_health(assess: Assess, path: Path, health: Wire) -> None:
    assert assess(yaml.safe_load(path.read_text())) == [health]


def test_an_object_that_is_being_deleted_is_progressing(assess: Assess) -> None:
    one = yaml.safe_load((OFFER / "RolloutOrchestrator/testdata/healthy_complete.yaml").read_text())
    one["metadata"]["deletionTimestamp"] = "2030-01-01T12:00:00Z"

    assert [each["status"] for each in assess(one)] == ["Progressing"]


def test_health_agrees_with_kstatus_at_every_point_of_a_rollout(assess: Assess) -> None:
    """Complete, then on its way to targets without percents, which it cannot reach, and failed."""
    world = two_revisions(World(), status={"observedGeneration": -1})
    seen = [world.ro()]
    while kstatus(world.ro()) != CURRENT:
        seen.append(world.settle().ro())
        autoscale(world, 4)
        world.clock.advance(1)
    seen.append(world.edit(targetRevisions=[entry("hello-00002")]))
    seen.append(world.settle().ro())

    expected = [HEALTH[kstatus(each)] for each in seen]
    named = [{"apiVersion": "serving.knative.dev/v1", "kind": "RolloutOrchestrator", **each} for each in seen]
    assert [each["status"] for each in assess(*named)] == expected
    assert set(expected) == set(HEALTH.values())


def test_the_offer_has_the_checks_of_the_configmap_and_a_row_for_every_file() -> None:
    offered = {f"{KEY}serving.knative.dev_{path.parent.name}": path.read_text() for path in OFFER.glob("*/health.lua")}

    assert offered == CHECKS
    assert sorted(path for path, _ in ROWS) == sorted(OFFER.glob("*/testdata/*.yaml"))
