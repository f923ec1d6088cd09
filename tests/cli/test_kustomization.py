"""The renderer: what it does, and what it refuses to pass over."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.cli.kustomization import Unsupported, render

FIRST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}, "data": {"a": "1"}}
SECOND = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "second"}}
TARGET = {"kind": "ConfigMap", "name": "first"}
SET = '[{"op": "replace", "path": "/data/a", "value": "2"}]'
DELETE = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}, "$patch": "delete"}'


def write(folder: Path, kind: str = "Kustomization", **fields: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"kind": kind, **fields}))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "maps.yaml").write_text(yaml.safe_dump_all([SECOND, FIRST]))
    return write(tmp_path / "base", resources=["maps.yaml"])


def test_files_and_folders_are_read_and_put_in_order(tmp_path: Path, base: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "z"}}
    (tmp_path / "namespace.yaml").write_text(yaml.safe_dump(namespace))

    assert render(write(tmp_path, resources=["base", "namespace.yaml"]), []) == [namespace, FIRST, SECOND]


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({"target": TARGET, "patch": SET}, [{**FIRST, "data": {"a": "2"}}, SECOND]),
        ({"patch": DELETE}, [SECOND]),
    ],
    ids=["a JSON patch", "a deletion"],
)
def test_a_patch_is_for_one_object(base: Path, tmp_path: Path, patch: dict[str, Any], left: list[Any]) -> None:
    assert render(write(tmp_path / "top", resources=["../base"], patches=[patch]), []) == left


def test_a_component_patches_what_is_there_and_the_folder_patches_last(base: Path, tmp_path: Path) -> None:
    write(tmp_path / "component", "Component", patches=[{"target": TARGET, "patch": SET}])
    last = '[{"op": "test", "path": "/data/a", "value": "2"}, {"op": "remove", "path": "/data"}]'
    top = write(
        tmp_path / "top",
        resources=["../base"],
        components=["../component"],
        patches=[{"target": TARGET, "patch": last}],
    )

    assert render(top, []) == [{key: FIRST[key] for key in FIRST if key != "data"}, SECOND]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"namePrefix": "my-"}, "cannot render namePrefix"),
        ({"images": [{"name": "stagegate"}]}, "cannot render images"),
        ({"kind": "Sum"}, "cannot render this kind"),
        ({"patches": [{"target": {"kind": "ConfigMap"}, "patch": SET}]}, "cannot render the patch"),
        (
            {"patches": [{"target": TARGET, "patch": SET, "options": {"allowNameChange": True}}]},
            "cannot render the patch",
        ),
        ({"patches": [{"target": TARGET, "patch": '{"data": {"a": "2"}}'}]}, "cannot render the patch"),
        ({"patches": [{"patch": SET}]}, "cannot render the patch"),
        ({"patches": [{"patch": DELETE.replace('"delete"', '"replace"')}]}, "cannot render the patch"),
        ({"patches": [{"patch": DELETE.replace("first", "third")}]}, "0 objects are ConfigMap third"),
        ({"patches": [{"target": {"kind": "ConfigMap", "name": "f.*"}, "patch": SET}]}, "0 objects are ConfigMap f.*"),
        (
            {"patches": [{"target": TARGET, "patch": '[{"op": "test", "path": "/data/a", "value": "3"}]'}]},
            "a patch does not fit ConfigMap first",
        ),
        (
            {"patches": [{"target": TARGET, "patch": '[{"op": "remove", "path": "/data/b"}]'}]},
            "a patch does not fit ConfigMap first",
        ),
    ],
)
def test_what_it_does_not_know_is_refused(base: Path, tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    top = write(tmp_path / "top", **{"kind": "Kustomization", "resources": ["../base"], **fields})

    with pytest.raises(Unsupported, match=rf"top/kustomization.yaml.*{problem.replace('*', '[*]')}"):
        render(top, [])


def test_a_folder_without_a_kustomization_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"no kustomization.yaml or Kustomization"):
        render(tmp_path, [])


def test_a_patch_for_two_objects_is_refused(base: Path, tmp_path: Path) -> None:
    top = write(tmp_path / "top", resources=["../base", "../base"], patches=[{"target": TARGET, "patch": SET}])

    with pytest.raises(Unsupported, match="2 objects are ConfigMap first"):
        render(top, [])
