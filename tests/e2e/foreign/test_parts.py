"""Parts of others: a part that is missing is not confused with one that differs from its pin."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controlplane.binaries import cache_folder
from tests.controlplane.build import BuildFailed, installed_go
from tests.e2e.foreign import NotFetched, Parts, parts

pytestmark = pytest.mark.skipif(installed_go(cache_folder()) is None, reason="Go is not installed")

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A machine whose caches are empty, and whose proxy does not answer."""
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", NOBODY)
    return {"XDG_CACHE_HOME": str(tmp_path)}


@pytest.mark.parametrize(
    "name",
    [
        "actionlint",
        "argo-cd",
        "cert-manager",
        "helm",
        "kn",
        "kserve",
        "kustomize-controller",
        "promtool",
        "validate-krew-manifest",
    ],
)
@pytest.mark.parametrize(("fetch", "why"), [(False, "not built yet"), (True, "dial tcp 127.0.0.1:9")])
def test_a_program_that_is_not_to_be_had(nothing_fetched: dict[str, str], name: str, fetch: bool, why: str) -> None:
    with pytest.raises(NotFetched, match=f"{name}: .*{why}"):
        Parts(fetch=fetch, environ=nothing_fetched).program(name)


@pytest.mark.parametrize(
    "name", ["argo-cd", "cert-manager", "kserve", "kustomize-controller", "prometheus-operator", "source-controller"]
)
@pytest.mark.parametrize(("fetch", "why"), [(False, "GOPROXY=off"), (True, "dial tcp 127.0.0.1:9")])
def test_definitions_that_are_not_to_be_had(nothing_fetched: dict[str, str], name: str, fetch: bool, why: str) -> None:
    with pytest.raises(NotFetched, match=f"{name}: .*{why}"):
        Parts(fetch=fetch, environ=nothing_fetched).definitions(name)


def test_what_is_not_what_was_pinned_is_no_reason_to_skip(
    definitions: Callable[[str], list[Path]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    definitions("prometheus-operator")
    pinned = tmp_path / "prometheus-operator"
    shutil.copytree(Path(parts.__file__).parent / "prometheus-operator", pinned)
    sums = (pinned / "go.sum").read_text()
    (pinned / "go.sum").write_text(sums.replace("h1:", "h1:AAAA", 1))
    monkeypatch.setattr(parts, "_HERE", tmp_path)

    with pytest.raises(BuildFailed, match="checksum mismatch"):
        Parts(fetch=False).definitions("prometheus-operator")
