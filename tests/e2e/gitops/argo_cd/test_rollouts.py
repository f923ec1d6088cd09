"""Rollouts that Argo CD applies from Git: nothing drifts, health is honest, and Git leads back."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.gitops.app import NEW, NEWER, OLD, target
from tests.e2e.gitops.argo_cd.argo_app import ArgoApp
from tests.e2e.gitops.argo_cd.argo_cd import APPLIES
from tests.e2e.gitops.argo_cd.files import BESIDE, in_wave
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually

NewApp = Callable[[str], ArgoApp]


sides = pytest.mark.parametrize("side", APPLIES)


@pytest.fixture
def without_loop(stand: Stand) -> Iterator[Stand]:
    assert stand.installation.loop is not None
    stand.installation.loop.stop(20)
    yield stand
    stand.installation.restore()


@sides
def test_what_has_no_defaults_does_not_drift(new_app: NewApp, side: str) -> None:
    """The SPA is there before the rollout, which a wave holds back until the SPA is healthy."""
    app = new_app(side)
    app.has_revision()
    revision = app.keeps(in_wave(-1, app.spa()), app.rollout())
    eventually(lambda: bool(app.stand.get(app.spa_path(NEW))), "the SPA is there")
    assert not app.stored()

    app.starts()
    app.application.await_synced(revision)
    before = app.writes()
    drift = []
    for _ in range(5):
        app.application.refreshes()
        drift += app.application.differing()
    app.await_complete()
    for _ in range(5):
        app.application.refreshes()
        drift += app.application.differing()

    assert (drift, app.application.sync) == ([], "Synced")
    assert app.writes() == before
    spa = app.stand.get(app.spa_path(NEW))
    assert spa["metadata"]["ownerReferences"][0]["uid"] == app.stored()["metadata"]["uid"]
    assert spa["spec"] == {"stageMinScale": 4, "stageMaxScale": 10}


@sides
def test_a_rollout_is_progressing_from_its_first_second_until_it_is_complete(
    new_app: NewApp, without_loop: Stand, side: str
) -> None:
    """Also while no loop runs."""
    app = new_app(side)
    app.has_revision()
    revision = app.keeps(app.rollout(), app.spa())
    app.application.await_synced(revision)
    assert app.application.health == "Progressing"
    assert app.health_of("RolloutOrchestrator", "hello")["message"] == "No controller has seen this spec yet."
    assert app.health_of("StagePodAutoscaler", NEW)["status"] == "Progressing"

    without_loop.installation.start_loop()
    app.starts(fails=True)
    app.await_stage(25)
    app.application.refreshes()
    assert app.application.health == "Progressing"

    app.mends()
    app.await_complete()
    app.application.await_health("Healthy")


@sides
def test_a_paused_rollout_is_suspended_and_a_failed_one_degraded_with_the_reason(new_app: NewApp, side: str) -> None:
    """At once: Argo CD compares by itself only every two minutes or more."""
    app = new_app(side)
    app.has_revision()
    app.keeps(app.rollout())
    app.starts(fails=True)
    app.await_stage(25)
    app.stand.administrator.does(f"stagegate pause hello -n {app.name} --reason 'load test'")
    app.application.await_health("Suspended")
    assert "load test" in app.health_of("RolloutOrchestrator", "hello")["message"]
    app.stand.administrator.does(f"stagegate resume hello -n {app.name}")
    app.application.await_health("Progressing")

    body = app.rollout({key: value for key, value in target(NEW).items() if key != "percent"})
    body["metadata"]["annotations"]["stagegate.dev/override"] = "RO006,RO007,RO008"
    app.keeps(body)
    eventually(lambda: app.conditions().get("Stalled", {}).get("status") == "True", "it has failed", app.conditions)
    failed = time.monotonic()
    app.application.await_health("Degraded")
    assert time.monotonic() - failed < 60
    assert "spec.targetRevisions[0].percent" in app.health_of("RolloutOrchestrator", "hello")["message"]

    app.mends()
    app.keeps(app.rollout())
    app.await_complete()
    app.application.await_health("Healthy")


def test_a_wave_that_is_not_the_last_waits_for_its_rollout_and_newer_commits_wait_with_it(new_app: NewApp) -> None:
    app = new_app("server")
    app.has_revision()
    first = app.keeps(app.rollout(), in_wave(1, BESIDE))
    app.starts(fails=True)
    app.await_stage(25)
    app.await_message("waiting for healthy state of serving.knative.dev/RolloutOrchestrator/hello")

    newer = app.keeps(app.rollout(target(OLD)), in_wave(1, BESIDE))
    assert app.application.operation["syncResult"]["revision"] == first
    assert not app.stand.get(app.beside)
    assert app.stored()["spec"]["targetRevisions"][0]["revisionName"] == NEW

    app.mends()
    app.application.await_synced(newer)
    assert app.stand.get(app.beside)


@sides
def test_git_leads_back_in_the_middle(new_app: NewApp, side: str) -> None:
    """A pause keeps the rollout there until the commit is synced."""
    app = new_app(side)
    app.has_revision()
    app.keeps(app.rollout())
    eventually(lambda: bool(app.stored()), "the rollout is there")
    app.stand.administrator.does(f"stagegate pause hello -n {app.name} --reason look --after-stage 1")
    app.starts()
    app.application.await_health("Suspended")
    assert app.replicas(NEW) > 0

    revision = app.keeps(app.rollout(target(OLD)))
    app.application.await_synced(revision)
    app.stand.administrator.does(f"stagegate resume hello -n {app.name}")
    app.await_complete()
    app.application.await_health("Healthy")

    assert (app.shares()[OLD], app.shares().get(NEW, 0)) == (100, 0)
    assert (app.replicas(OLD), app.replicas(NEW)) == (4, 0)


@sides
def test_the_webhook_goes_in_the_middle_and_comes_back(new_app: NewApp, stand: Stand, side: str) -> None:
    app = new_app(side)
    app.has_revision()
    app.keeps(app.rollout())
    app.starts(fails=True)
    app.await_stage(25)
    before = app.stored()["metadata"]
    assert stand.installation.webhook is not None
    stand.installation.webhook.stop(20)
    try:
        app.has_revision(NEWER)
        revision = app.keeps(app.rollout(target(NEWER)))
        app.await_message("failed calling webhook")
        assert app.stored()["metadata"]["uid"] == before["uid"]
    finally:
        stand.installation.start_webhook()

    app.application.await_synced(revision)
    app.starts(NEWER)
    app.await_complete()
    app.application.await_health("Healthy")

    assert app.shares()[NEWER] == 100
    assert app.stored()["metadata"]["uid"] == before["uid"]
