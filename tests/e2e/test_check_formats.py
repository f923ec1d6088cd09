"""Reports of ``stagegate check`` as others read them: SARIF by the schema of OASIS; and the workflow of the docs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.check.runs import RO, SPA, report_on
from tests.documents import section
from webhook.check.formats.sarif import sarif

OVERRIDDEN = RO.replace("hello}", "hello, annotations: {stagegate.dev/override: 'RO008, RO099'}}")
REPORTS = {
    "clean": [f"{SPA}spec: {{}}\n"],
    "nothing": [],
    "a finding of every level": [
        f"{SPA}spec: {{stageMinScale: 5, stageMaxScale: 3}}\n",
        f"{RO}spec: {{rolloutStrategy: availability}}\n",
        f"{OVERRIDDEN}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n",
    ],
    "files that cannot be read": ["[", "a: \0", b"\xff", ""],
    "an absent object": ["kind: StagePodAutoscaler\n"],
}


@pytest.mark.parametrize("files", REPORTS.values(), ids=REPORTS)
def test_a_report_is_valid_by_the_schema_of_oasis(sarif_schema: dict[str, Any], files: list[Any]) -> None:
    jsonschema.Draft4Validator.check_schema(sarif_schema)
    jsonschema.Draft4Validator(sarif_schema).validate(json.loads(sarif(report_on(*files))))


def test_the_schema_refuses_what_is_no_report(sarif_schema: dict[str, Any]) -> None:
    report = json.loads(sarif(report_on("[")))
    report["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError, match="less than the minimum"):
        jsonschema.Draft4Validator(sarif_schema).validate(report)


def test_actionlint_finds_nothing_in_the_workflow_of_the_document(
    program: Callable[[str], Path], tmp_path: Path
) -> None:
    workflow = tmp_path / "workflow.yaml"
    text = section("GitHub", "CHECKS.md").text
    workflow.write_text(text.split("```yaml\n")[1].split("```")[0])
    done = subprocess.run(
        [program("actionlint"), "-no-color", str(workflow)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
