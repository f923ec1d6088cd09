"""What Argo CD makes of changes that are refused, and of bounds in Git that the loop sets back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.documents import section
from tests.e2e.gitops.app import BREAKING, NEW, REFUSAL
from tests.e2e.gitops.argo_cd.argo_app import ArgoApp
from tests.e2e.gitops.argo_cd.argo_cd import APPLIES
from tests.e2e.gitops.argo_cd.files import BESIDE, with_option
from tests.e2e.standing import eventually

Wire = dict[str, Any]
NewApp = Callable[[str], ArgoApp]

CURE = next(
    each["spec"] for each in section("GitOps", "OPERATIONS.md").yaml_documents if "ignoreDifferences" in each["spec"]
)
"""As documented."""

sides = pytest.mark.parametrize("side", APPLIES)


@pytest.mark.parametrize(
    ("side", "option"),
    # Argo CD has no Force=true for server-side apply.
    [("client", ""), ("client", "Force=true"), ("client", "Replace=true"), ("server", ""), ("server", "Replace=true")],
)
def test_a_refused_change_says_all_and_takes_nothing_away(new_app: NewApp, side: str, option: str) -> None:
    """What stands beside it in Git is applied, and the fix is found without anybody's doing."""
    app = new_app(side)
    app.completes()
    before = app.stored()

    app.keeps(with_option(option, app.refused_rollout()), BESIDE)
    app.await_message(REFUSAL)

    assert app.stored() == before
    assert app.stand.get(app.beside)

    revision = app.keeps(app.rollout(), BESIDE)
    app.application.await_synced(revision)
    assert app.stored() == before


def test_a_refused_manifest_stops_a_server_side_diff(new_app: NewApp) -> None:
    """It is tried by a dry run in the comparison, so nothing of the Application is applied until it is mended."""
    app = new_app("server")
    app.completes()
    before = app.stored()
    app.application.patch({"metadata": {"annotations": {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}}})

    app.keeps(app.refused_rollout(), BESIDE)
    app.application.await_(lambda body: REFUSAL in app.application.conditions(), "it says why")

    assert app.application.sync == "Unknown"
    assert app.stored() == before
    assert not app.stand.get(app.beside)

    revision = app.keeps(app.rollout(), BESIDE)
    app.application.await_synced(revision)
    assert app.stand.get(app.beside)


@sides
def test_bounds_in_git_are_set_back_and_argo_cd_waits_longer_each_time(new_app: NewApp, side: str) -> None:
    app = new_app(side)
    app.completes()

    app.keeps(app.rollout(), app.spa(NEW, BREAKING))
    eventually(lambda: len(app.bounds_written_at()) >= 4, "it is healed three times", app.bounds_written_at)

    said = (
        "argocd-controller set the stage bounds of StagePodAutoscaler hello-00002 to 0..1 again, and the loop set them"
    )
    assert app.reverts()
    assert all(each.startswith(said) for each in app.reverts())
    times = app.bounds_written_at()
    assert times[3] - times[2] > timedelta(seconds=5)


@pytest.mark.parametrize("cure", ["out of Git", "ignored"])
@sides
def test_each_cure_ends_the_writes(new_app: NewApp, side: str, cure: str) -> None:
    app = new_app(side)
    app.completes()
    app.keeps(app.rollout(), app.spa(NEW, BREAKING))
    eventually(lambda: len(app.bounds_written_at()) >= 2, "it is healed", app.bounds_written_at)

    if cure == "ignored":
        options = CURE["syncPolicy"]["syncOptions"]
        ignored = CURE["ignoreDifferences"]
        app.keeps(app.rollout(), app.spa(NEW, BREAKING), options=options, ignoreDifferences=ignored)
    else:
        app.keeps(app.rollout(), app.spa(NEW))
    eventually(lambda: app.is_at_rest() and app.bounds() == (4, 10), "no more writes", app.writes)

    assert app.application.differing() == []
