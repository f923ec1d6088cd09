"""Rollouts that Flux applies from Git: nothing drifts, refusals say all, health is honest, and Git leads back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.documents import section
from tests.e2e.cluster import ROS
from tests.e2e.gitops.app import BREAKING, NEW, NEWER, OLD, REFUSAL, target
from tests.e2e.gitops.conftest import install
from tests.e2e.gitops.flux import MANAGER, Flux
from tests.e2e.gitops.flux_app import FluxApp
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually

AT_ONCE = timedelta(seconds=5)
HARMLESS = {"stageMinScale": 4, "stageMaxScale": 20}
IGNORED = next(
    each["spec"]["ignore"] for each in section("GitOps", "OPERATIONS.md").yaml_documents if "ignore" in each["spec"]
)
"""As documented."""
NewApp = Callable[..., FluxApp]
BY = pytest.mark.parametrize("spec", [{}, {"healthCheckExprs": []}], ids=["expressions", "kstatus"])
"""How the health of rollouts is found: as documented, and by Flux alone."""

pytestmark = pytest.mark.usefixtures("flux")


def time_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def complete_app(running_flux: Flux, running_stand: Stand, new_app: NewApp) -> FluxApp:
    """Its rollout is done; tests have the same in Git at the end."""
    with running_stand.inside():
        install(running_flux, running_stand)
        app = new_app()
        app.has_revision()
        app.keeps(app.rollout())
        app.starts()
        app.await_complete()
        app.await_ready()
    return app


@pytest.fixture
def settled(complete_app: FluxApp) -> Iterator[FluxApp]:
    yield complete_app
    complete_app.keeps(complete_app.rollout(), complete_app.spa(), force=False, ignore=[])
    complete_app.await_ready()
    complete_app.await_bounds(4, 10)
    complete_app.await_rest()


@pytest.fixture
def without_loop(stand: Stand) -> Iterator[Stand]:
    """No loop runs until a test starts it."""
    assert stand.installation.loop is not None
    stand.installation.loop.stop(20)
    yield stand
    stand.installation.restore()


def test_what_has_no_defaults_does_not_drift(new_app: NewApp) -> None:
    """Over ten passes, some of them in the middle. The SPA is there before the rollout and its Revision.

    In the middle Flux may apply once more what it has read before and tried after a write of the loop.
    """
    app = new_app()
    app.keeps(app.spa())
    app.await_ready()
    app.has_revision()
    app.keeps(app.spa(), app.rollout())
    app.await_ready()

    app.passes(2)
    app.starts()
    app.passes(2)
    app.await_complete()
    before = app.writes()
    app.passes(6)

    spa = app.stand.get(app.spa_path(NEW))
    assert spa["metadata"]["ownerReferences"][0]["uid"] == app.stored()["metadata"]["uid"]
    assert spa["spec"] == {"stageMinScale": 4, "stageMaxScale": 10}
    assert app.writes() == before
    assert set(app.applied()) == {"hello", NEW}


@pytest.mark.parametrize("force", [False, True])
def test_a_refused_change_says_all_and_takes_nothing_away(settled: FluxApp, force: bool) -> None:
    before = settled.stored()
    beside = {**settled.rollout(), "metadata": {"name": f"beside-{force}".lower(), "namespace": settled.name}}

    settled.keeps(settled.refused_rollout(), beside, force=force)
    message = settled.await_failure()

    assert f"RolloutOrchestrator/{settled.name}/hello dry-run failed (Forbidden): " in message
    assert REFUSAL in message
    assert settled.stored() == before
    # Flux tries all objects of a revision before it applies any.
    assert settled.stand.get(settled.namespace.path(ROS, beside["metadata"]["name"])) == {}

    settled.keeps(settled.rollout(), beside)
    settled.await_ready()
    assert settled.stored() == before
    assert settled.stand.get(settled.namespace.path(ROS, beside["metadata"]["name"])) != {}


def test_kubectl_that_forces_says_all_and_takes_nothing_away(settled: FluxApp) -> None:
    before = settled.stored()

    printed = settled.stand.administrator.types("kubectl apply --force -f -", yaml.safe_dump(settled.refused_rollout()))

    assert printed.code == 1
    assert REFUSAL in printed.err
    assert settled.stored() == before


def test_bounds_in_git_that_break_the_stage_are_set_back_at_once(settled: FluxApp) -> None:
    says = f"{MANAGER} set the stage bounds of StagePodAutoscaler {NEW} to 0..1 again"

    settled.keeps(settled.rollout(), settled.spa(NEW, BREAKING))
    settled.await_ready()
    settled.passes(2)

    settled.await_bounds(4, 10)
    eventually(lambda: any(says in message for message in settled.reverts()), "the Event", settled.reverts)


def test_harmless_bounds_in_git_stay_for_a_while(settled: FluxApp) -> None:
    """From the second time within a minute on they are not set back, so there is nothing for Flux to correct."""
    settled.keeps(settled.rollout(), settled.spa(NEW, HARMLESS))
    settled.await_ready()
    settled.await_rest()
    settled.passes()
    settled.await_bounds(4, 20)
    before = settled.writes()

    settled.passes(3)

    assert settled.writes() == before


@pytest.mark.parametrize("cure", ["out of Git", "ignored"])
def test_each_cure_ends_the_writes(settled: FluxApp, cure: str) -> None:
    settled.keeps(settled.rollout(), settled.spa(NEW, BREAKING))
    settled.await_ready()
    settled.await_bounds(4, 10)

    if cure == "ignored":
        settled.keeps(settled.rollout(), settled.spa(NEW, BREAKING), ignore=IGNORED)
    else:
        settled.keeps(settled.rollout(), settled.spa(NEW))
    settled.passes()
    settled.await_bounds(4, 10)
    settled.await_rest()
    before = settled.writes()
    settled.passes(3)

    assert settled.writes() == before
    assert settled.bounds() == (4, 10)


@BY
def test_a_rollout_is_in_progress_from_its_first_second_until_it_is_complete(
    new_app: NewApp, without_loop: Stand, spec: dict[str, Any]
) -> None:
    """Also while no loop runs. Flux looks every five seconds."""
    app = new_app(wait=True, **spec)
    app.has_revision()
    app.keeps(app.rollout(), app.spa())
    eventually(lambda: app.reads() > 2, "Flux has looked at it again", app.reads)
    assert app.is_awaited()

    without_loop.installation.start_loop()
    app.starts(fails=True)
    app.await_stage(25)
    assert app.is_awaited()
    app.mends()
    app.await_ready()

    assert app.is_complete()


@BY
def test_a_failed_rollout_fails_at_once_and_its_fix_is_green(new_app: NewApp, spec: dict[str, Any]) -> None:
    app = new_app(wait=True, **spec)
    app.has_revision()
    body = app.rollout({key: value for key, value in target(NEW).items() if key != "percent"})
    body["metadata"]["annotations"]["stagegate.dev/override"] = "RO007,RO008"

    app.keeps(body)
    message = app.await_failure("health check failed")

    assert f"failed early due to stalled resources: [RolloutOrchestrator/{app.name}/hello status: 'Failed']" in message
    stalled = app.conditions()["Stalled"]
    assert "spec.targetRevisions[0].percent: missing" in stalled["message"]
    # Both are in whole seconds; a loaded machine takes a few more.
    assert time_of(stalled["lastTransitionTime"]) - time_of(app.stored()["metadata"]["creationTimestamp"]) < AT_ONCE

    app.keeps(app.rollout())
    app.starts()
    app.await_ready()
    assert app.is_complete()


def test_git_leads_back_in_the_middle(new_app: NewApp) -> None:
    """Flux does not wait for the end of what it applied before."""
    app = new_app(wait=True)
    app.has_revision()
    app.keeps(app.rollout())
    app.starts(fails=True)
    app.await_stage(25)
    eventually(app.is_awaited, "Flux waits")

    app.keeps(app.rollout(target(OLD)))
    app.await_ready()

    assert app.is_complete()
    assert app.shares()[OLD] == 100
    eventually(lambda: (app.replicas(OLD), app.replicas(NEW)) == (4, 0), "the new revision is gone")


def test_the_webhook_goes_in_the_middle_and_comes_back(new_app: NewApp, stand: Stand) -> None:
    app = new_app(wait=True, force=True)
    app.has_revision()
    app.keeps(app.rollout())
    app.starts(fails=True)
    app.await_stage(25)
    before = app.stored()["metadata"]
    assert stand.installation.webhook is not None
    stand.installation.webhook.stop(20)
    try:
        app.has_revision(NEWER)
        app.keeps(app.rollout(target(NEWER)))
        app.await_failure('failed calling webhook "validate.stagegate.dev"')
        assert app.stored()["metadata"]["uid"] == before["uid"]
    finally:
        stand.installation.start_webhook()

    app.starts(NEWER)
    app.await_ready()

    assert app.is_complete()
    assert app.shares()[NEWER] == 100
