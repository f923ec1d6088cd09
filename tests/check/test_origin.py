"""The real file of rendered text: Helm's comments and kustomize's annotation on standard input."""

from tests.check.runs import SPA, findings_in
from webhook.check.run import Options

HELM = f"""---
# Source: shop/templates/first.yaml
{SPA}spec:
  stageMinScale: 1
---
# Source: shop/templates/spa.yaml
# a comment of the template
{SPA}spec:
  stageMinScale: -1
"""
BASE = f"# the base\n{SPA}spec:\n  stageMinScale: -1\n"
_ORIGIN = "hello-00002, annotations: {config.kubernetes.io/origin: 'path: base/spa.yaml'}}"
KUSTOMIZE = f"{SPA.replace('hello-00002}', _ORIGIN)}spec:\n  stageMinScale: -1\n"


def places(text: str, **given: object) -> list[tuple[str, int, int]]:
    return [(each.place.file, each.place.line, each.place.column) for each in findings_in(text, **given)]


def test_the_comment_of_helm_names_the_file_and_lines_count_from_it() -> None:
    assert places(HELM, rendered=True) == [("shop/templates/spa.yaml", 6, 18)]
    (finding,) = findings_in(HELM, rendered=True)
    assert finding.excerpt == ("  stageMinScale: -1", 6, 17, 19)


def test_a_comment_in_a_file_on_disk_names_nothing() -> None:
    assert places(HELM) == [("1.yaml", 15, 18)]


def test_a_template_that_is_at_hand_cannot_be_read_and_changes_nothing() -> None:
    template = {"shop/templates/spa.yaml": f"{SPA}spec:\n  stageMinScale: {{{{ .Values.low }}}}\n"}
    assert places(HELM, rendered=True, at_hand=template) == [("shop/templates/spa.yaml", 6, 18)]


def test_the_annotation_of_kustomize_names_the_file_and_the_place_in_it() -> None:
    assert places(KUSTOMIZE, rendered=True, at_hand={"base/spa.yaml": BASE}) == [("base/spa.yaml", 6, 18)]


def test_a_value_that_a_patch_set_is_at_the_name_of_the_object_in_the_file() -> None:
    base = {"base/spa.yaml": BASE.replace("-1", "1")}
    assert places(KUSTOMIZE, rendered=True, at_hand=base) == [("base/spa.yaml", 4, 18)]


def test_a_file_that_is_not_at_hand_is_named_at_its_beginning() -> None:
    assert places(KUSTOMIZE, rendered=True) == [("base/spa.yaml", 1, 1)]
    (finding,) = findings_in(KUSTOMIZE, rendered=True)
    assert finding.excerpt == ("  stageMinScale: -1", 0, 17, 19)


def test_a_file_of_another_repository_is_not_named() -> None:
    remote = KUSTOMIZE.replace("'path: base/spa.yaml'", '"path: base/spa.yaml\\nrepo: https://example.com/x"')
    assert places(remote, rendered=True) == [("1.yaml", 5, 18)]


def test_an_object_with_a_prefix_before_its_name_is_the_only_one_of_its_kind() -> None:
    prefixed = KUSTOMIZE.replace("name: hello", "name: staging-hello")
    assert places(prefixed, rendered=True, at_hand={"base/spa.yaml": BASE}) == [("base/spa.yaml", 6, 18)]
    two = {"base/spa.yaml": f"{BASE}---\n{BASE.replace('hello', 'other')}"}
    assert places(prefixed, rendered=True, at_hand=two) == [("base/spa.yaml", 1, 1)]


def test_an_unknown_field_is_found_in_the_file() -> None:
    rendered, base = (text.replace("stageMinScale: -1", "stageMin: 1") for text in (KUSTOMIZE, BASE))
    assert places(rendered, rendered=True, at_hand={"base/spa.yaml": base}) == [("base/spa.yaml", 6, 13)]


def test_paths_begin_in_the_root() -> None:
    options = Options(root="overlays/production")
    above = KUSTOMIZE.replace("base/spa.yaml", "../../base/spa.yaml")
    assert places(above, rendered=True, options=options, at_hand={"base/spa.yaml": BASE}) == [("base/spa.yaml", 6, 18)]
    assert places(HELM, rendered=True, options=options) == [("overlays/production/shop/templates/spa.yaml", 6, 18)]
