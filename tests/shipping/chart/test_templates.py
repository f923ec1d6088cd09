"""The chart's templates: made from the manifests as they are now, and each kind of change as a condition."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipping.chart.__main__ import CHART, MANIFESTS, MARK
from shipping.chart.chart import read_values, templates
from shipping.chart.nodes import Map, tree
from shipping.chart.source import Object, Unsupported, add_component
from shipping.chart.templates import Template

ON = ".Values.progressive"


def test_the_templates_are_made_from_the_manifests_as_they_are() -> None:
    made = templates(MANIFESTS, read_values(CHART))
    there = {path.name: path.read_text() for path in (CHART / "templates").glob("*.yaml")}
    older = {name: text for name, text in there.items() if text.startswith(MARK)}.items() ^ made.items()

    assert sorted({name for name, _ in older}) == [], "the manifests have changed: run make chart, and commit it"


def test_the_chart_is_of_this_release() -> None:
    project = tomllib.loads((MANIFESTS.parent / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


def changed(tmp_path: Path, spec: Any, *operations: dict[str, Any], delete: bool = False, add: bool = False) -> str:
    """The template of an object with this spec, of which the component ``progressive`` changes something."""
    folder = tmp_path / "progressive"
    folder.mkdir()
    target = {"kind": "Thing", "name": "one"}
    patch: dict[str, Any] = {"target": target, "patch": yaml.safe_dump(list(operations))}
    if delete:
        patch = {"patch": "{apiVersion: v1, kind: Thing, metadata: {name: one}, $patch: delete}"}
    component: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    component |= {"patches": [patch]} if operations or delete else {}
    if add:
        component["resources"] = ["other.yaml"]
        (folder / "other.yaml").write_text("{kind: Thing, metadata: {name: other}}")
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(component))
    root = tree({"kind": "Thing", "metadata": {"name": "one"}, "spec": spec})
    assert isinstance(root, Map)
    objects = [Object(root, tmp_path)]
    add_component(objects, folder)
    return Template().text(objects)


def spec_of(text: str) -> list[str]:
    """The lines behind ``spec:``."""
    lines = text.splitlines()
    return lines[lines.index("spec:") + 1 :]


@pytest.mark.parametrize(
    ("spec", "operations", "lines"),
    [
        pytest.param(
            {"a": "x", "b": "y"},
            [{"op": "test", "path": "/spec/a", "value": "x"}, {"op": "replace", "path": "/spec/a", "value": "z"}],
            [f"{{{{- if not {ON} }}}}", "  a: x", "{{- else }}", "  a: z", "{{- end }}", "  b: y"],
            id="replace",
        ),
        pytest.param(
            {"a": "x", "b": "y"},
            [{"op": "remove", "path": "/spec/a"}],
            [f"{{{{- if not {ON} }}}}", "  a: x", "{{- end }}", "  b: y"],
            id="remove",
        ),
        pytest.param(
            {"a": "x"},
            [{"op": "add", "path": "/spec/b", "value": {"c": ["d"]}}],
            ["  a: x", f"{{{{- if {ON} }}}}", "  b:", "    c:", "      - d", "{{- end }}"],
            id="add a field",
        ),
        pytest.param(
            {"a": ["x"]},
            [
                {"op": "add", "path": "/spec/a/-", "value": "y"},
                {"op": "test", "path": "/spec/a/1", "value": "y"},
                {"op": "add", "path": "/spec/a/-", "value": "z"},
            ],
            ["  a:", "    - x", f"{{{{- if {ON} }}}}", "    - y", "    - z", "{{- end }}"],
            id="append entries",
        ),
        pytest.param(
            {"a": ["x", "y", "z"]},
            [{"op": "remove", "path": "/spec/a/0"}, {"op": "replace", "path": "/spec/a/0", "value": "w"}],
            [
                "  a:",
                f"{{{{- if not {ON} }}}}",
                "    - x",
                "    - y",
                "{{- else }}",
                "    - w",
                "{{- end }}",
                "    - z",
            ],
            id="positions count what is left",
        ),
    ],
)
def test_a_patch_becomes_conditions(
    tmp_path: Path, spec: Any, operations: list[dict[str, Any]], lines: list[str]
) -> None:
    assert spec_of(changed(tmp_path, spec, *operations)) == lines


def test_what_a_component_deletes_is_there_without_its_switch(tmp_path: Path) -> None:
    first, *_, last = changed(tmp_path, {}, delete=True).splitlines()

    assert (first, last) == (f"{{{{- if not {ON} }}}}", "{{- end }}")


def test_what_a_component_adds_is_there_with_its_switch(tmp_path: Path) -> None:
    text = changed(tmp_path, {}, add=True)

    assert text.endswith(f"{{{{- if {ON} }}}}\n---\nkind: Thing\nmetadata:\n  name: other\n{{{{- end }}}}\n")


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ({"op": "test", "path": "/spec/a", "value": "y"}, "the value is 'x'"),
        ({"op": "remove", "path": "/spec/b"}, "does not fit Thing one"),
        ({"op": "remove", "path": "/spec/c/5"}, "there are 1 entries"),
        ({"op": "move", "path": "/spec/a", "from": "/spec/c"}, "the operation move is not supported"),
    ],
)
def test_a_patch_that_does_not_fit_is_an_error(tmp_path: Path, operation: dict[str, Any], problem: str) -> None:
    with pytest.raises(Unsupported, match=problem):
        changed(tmp_path, {"a": "x", "c": ["d"]}, operation)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("{{kind}} of {{name}}", '  a: {{ "{{" }}kind}} of {{ "{{" }}name}}', id="braces of others"),
        pytest.param("25921e5", "  a: '25921e5'", id="a text that Helm would read as a number"),
        pytest.param("true", "  a: 'true'", id="a text that is a boolean"),
        pytest.param("it's \0.Values.name\0", "    it's {{ .Values.name }}", id="an action may give quotes"),
    ],
)
def test_texts_stay_what_they_are(tmp_path: Path, value: str, line: str) -> None:
    assert spec_of(changed(tmp_path, {"a": value}))[-1] == line


def test_a_default_that_is_not_that_of_the_manifests_is_an_error() -> None:
    values = read_values(CHART)
    values["loop"]["replicas"] = 3

    with pytest.raises(Unsupported, match=r"values.yaml: loop.replicas is 3, in the manifests 2"):
        templates(MANIFESTS, values)
