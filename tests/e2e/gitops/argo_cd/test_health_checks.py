"""The health checks for Argo CD, by its own engine: those of the ConfigMap, and what is offered to Argo CD."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.documents import REPOSITORY

Wire = dict[str, Any]
Assess = Callable[[Wire], Wire]

CHECKS: Final = yaml.safe_load((REPOSITORY / "manifests/gitops/argocd-cm.yaml").read_text())["data"]
KEY: Final = "resource.customizations.health."
OFFER: Final = REPOSITORY / "docs/argo-cd/resource_customizations/serving.knative.dev"
ROWS: Final = [
    (folder / row["inputPath"], row["healthStatus"])
    for folder in sorted(OFFER.iterdir())
    for row in yaml.safe_load((folder / "health_test.yaml").read_text())["tests"]
]


@pytest.fixture(scope="module")
def assess(program: Callable[[str], Path]) -> Assess:
    """The health that Argo CD computes for an object with the checks of the ConfigMap."""
    engine = program("argo-cd")

    def assess(one: Wire) -> Wire:
        checks = {key.removeprefix(KEY).replace("_", "/"): check for key, check in CHECKS.items()}
        asked = json.dumps({"checks": checks, "object": one})
        done = subprocess.run([engine, "health"], input=asked, capture_output=True, text=True, check=True)
        found: Wire = json.loads(done.stdout)
        return found

    return assess


@pytest.mark.parametrize(("path", "health"), ROWS, ids=lambda value: getattr(value, "stem", ""))
def test_health(assess: Assess, path: Path, health: Wire) -> None:
    assert assess(yaml.safe_load(path.read_text())) == health


def test_an_object_that_is_being_deleted_is_progressing(assess: Assess) -> None:
    one = yaml.safe_load((OFFER / "RolloutOrchestrator/testdata/healthy_complete.yaml").read_text())
    one["metadata"]["deletionTimestamp"] = "2030-01-01T12:00:00Z"

    assert assess(one)["status"] == "Progressing"


def test_the_offer_has_the_checks_of_the_configmap_and_a_row_for_every_file() -> None:
    offered = {f"{KEY}serving.knative.dev_{path.parent.name}": path.read_text() for path in OFFER.glob("*/health.lua")}

    assert offered == CHECKS
    assert sorted(path for path, _ in ROWS) == sorted(OFFER.glob("*/testdata/*.yaml"))
