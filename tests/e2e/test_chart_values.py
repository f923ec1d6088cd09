"""Values that the chart refuses, each by its name, and those that it takes from a parent chart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipping.chart.chart import read_values
from tests.controlplane import Binaries
from tests.e2e.chart import CHART, NAMESPACE, Helm

MAY_BE_NULL = {"controllers", "nodeSelector", "resources", "securityContext"}
"""Values with a default that null takes away. Null says of other ones that the default is to be none, too."""


@pytest.fixture
def helm(program: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> Helm:
    return Helm(program("helm"), binaries.kubectl, tmp_path)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("enforce=off", "'/enforce': value must be one of 'deny', 'warn'"),
        ("replicas=3", "additional properties 'replicas' not allowed"),
        ("loop.replicas=0", "'/loop/replicas': minimum: got 0, want 1"),
        ("controllers={x' in ['x}", "'/controllers/0'"),
        ("image.tag=1", "'/image/tag': got number, want string"),
        ("image.repository=a b", "'/image/repository'"),
        ("image.repository=r.example.com/stagegate:0.1.0", "'/image/repository'"),
        ("image.repository=r.example.com/", "'/image/repository'"),
        ("image.registry=https://r.example.com", "'/image/registry'"),
        ("image.registry=r.example.com/", "'/image/registry'"),
        ("image.pullSecrets[0].key=registry", "'/image/pullSecrets/0': missing property 'name'"),
        ("priorityClass.name=", "'/priorityClass/name'"),
        ("priorityClass.name=High", "'/priorityClass/name'"),
        ("priorityClass.value=-3000000000", "'/priorityClass/value': minimum"),
        ("pod.labels.app\\.kubernetes\\.io/name=shop", "'/pod/labels/app.kubernetes.io~1name'"),
        ("pod.labels.app\\.kubernetes\\.io/part-of=shop", "'/pod/labels/app.kubernetes.io~1part-of'"),
        ("excludedNamespaces={a/b}", "'/excludedNamespaces/0'"),
        ("loop.topologySpreadConstraints=1", "'/loop/topologySpreadConstraints': got number"),
        ("networkPolicy.apiServerPorts={https}", "'/networkPolicy/apiServerPorts/0': got string, want integer"),
        ("stockKnative.strict=yes", "'/stockKnative/strict': got string, want boolean"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, value: str, problem: str) -> None:
    done = helm.run("template", "stagegate", CHART, "--set", value)

    assert done.returncode != 0
    assert problem in done.stderr


def test_a_tag_beside_a_digest_is_refused_with_the_way_out(helm: Helm, tmp_path: Path) -> None:
    """As with a packed chart, whose values have the digest of its image."""
    packed = tmp_path / "packed.yaml"
    packed.write_text(yaml.safe_dump({"image": {"digest": f"sha256:{64 * '0'}"}}))
    words = ("template", "stagegate", CHART, "--values", packed, "--set", "image.tag=0.2.0")

    refused = helm.run(*words)
    assert refused.returncode != 0
    assert "image.tag (0.2.0) and image.digest (sha256:000" in refused.stderr
    assert 'leave image.tag out, or set image.digest to ""' in refused.stderr

    assert 'image: "stagegate:0.2.0"' in helm.does(*words, "--set", "image.digest=")


@pytest.mark.parametrize("account", ["a\x00b", "a\x1bb", "a\x85b", "a\xa0b", "a\u2028b", "a\ufeffb"], ids=ascii)
def test_an_account_has_no_character_that_yaml_reads_as_another(helm: Helm, account: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"controllers": [account]}))

    done = helm.run("template", "stagegate", CHART, "--values", values)

    assert "'/controllers/0'" in done.stderr


def with_defaults(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The path of each value that has a default, and that of the values around it."""
    for key, value in values.items():
        if key not in MAY_BE_NULL and value not in (None, "", [], {}):
            yield f"{path}/{key}", path
        if isinstance(value, dict) and key not in MAY_BE_NULL:
            yield from with_defaults(value, f"{path}/{key}")


def test_no_default_is_taken_away_by_null(helm: Helm) -> None:
    """Zero replicas that refuse every write, or a switch that is turned over, for a line that was left empty."""
    paths = dict(with_defaults(read_values(CHART)))
    sections = {around for around in paths.values() if around}
    assert {"/webhook", "/networkPolicy"} < sections

    for nulls in (paths.keys() - sections, sections):
        sets = [word for path in nulls for word in ("--set", path[1:].replace("/", ".") + "=null")]
        done = helm.run("template", "stagegate", CHART, *sets)
        missing = {
            (line.partition("'")[2].partition("'")[0], name)
            for line in done.stderr.splitlines()
            if ": missing propert" in line
            for name in line.partition(": missing propert")[2].split("'")[1::2]
        }
        assert {f"{around}/{name}" for around, name in missing} == nulls


def test_a_parent_chart_may_switch_it_and_have_globals(helm: Helm, tmp_path: Path) -> None:
    """As charts do that put several into one release."""
    chart = {
        "apiVersion": "v2",
        "name": "parent",
        "version": "1.0.0",
        "dependencies": [{"name": "stagegate", "version": "0.1.0", "condition": "stagegate.enabled"}],
    }
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "stagegate").symlink_to(CHART)
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))

    def rendered(enabled: bool) -> str:
        values = {"global": {"team": "shop"}, "stagegate": {"enabled": enabled}}
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
        return helm.does("template", "stagegate", tmp_path, "-n", NAMESPACE)

    assert helm.read(rendered(True)) == helm.rendered()
    assert helm.read(rendered(False)) == {}
