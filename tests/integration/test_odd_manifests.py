"""Odd manifests: ``stagegate check`` and an API server with the webhook say the same of each."""

import subprocess
from pathlib import Path

import pytest

from tests.check.runs import HEAD
from tests.integration.place import Place
from tests.integration.user import User
from webhook.cli import main

NAMED = f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{name: odd-00001}}\n"
SPEC = f"{NAMED}spec: "
RO = f"{HEAD}kind: RolloutOrchestrator\nmetadata: {{name: odd}}\nspec: "
TARGET = "targetRevisions: [{revisionName: odd-00001, percent: 100"

TAKEN = {
    "a whole number with a point": f"{SPEC}{{stageMinScale: 2.0}}\n",
    "an exponent": f"{SPEC}{{stageMinScale: 1e1}}\n",
    "an octal number": f"{SPEC}{{stageMinScale: 010}}\n",
    "a hexadecimal number": f"{SPEC}{{stageMinScale: 0x10}}\n",
    "no spec": NAMED,
    "a spec of null": f"{SPEC}null\n",
    "bounds of null": f"{SPEC}{{stageMinScale: null, stageMaxScale: ~}}\n",
    "an anchor": f"{SPEC}{{stageMinScale: &n 7, stageMaxScale: *n}}\n",
    "an annotation of null": NAMED.replace("00001", "00001, annotations: {a: null}"),
    "a status of a wrong type": f"{SPEC}{{}}\nstatus: {{desiredScale: x}}\n",
    "quotes around keys": f'{NAMED}"spec": {{"stageMinScale": 1e0}}\n',
    "lists without entries": f"{RO}{{initialRevisions: [], targetRevisions: []}}\n",
    "a direction in upper case": f"{RO}{{{TARGET}, direction: UP}}]}}\n",
    "a strategy in upper case with a blank": f"{RO}{{rolloutStrategy: 'Availability ', {TARGET}}}]}}\n",
    "CR LF": f"{SPEC}{{stageMinScale: 1}}\n".replace("\n", "\r\n"),
    "a byte order mark": f"\ufeff{SPEC}{{stageMinScale: 1}}\n",
    "documents without content": f"---\n{NAMED}---\n---\n# nothing\n",
}
REFUSED = {
    "an unknown field": f"{SPEC}{{stageMinScael: 2}}\n",
    "an unknown field beside the spec": f"{NAMED}sepc: {{}}\n",
    "text for a number": f"{SPEC}{{stageMinScale: '1'}}\n",
    "a huge number": f"{SPEC}{{stageMinScale: 99999999999999999999}}\n",
    "a number beyond 32 bits": f"{SPEC}{{stageMinScale: 4294967296}}\n",
    "half a replica": f"{SPEC}{{stageMinScale: 1.5}}\n",
    "a negative number": f"{SPEC}{{stageMinScale: -1}}\n",
    "a word that is true": f"{SPEC}{{stageMinScale: yes}}\n",
    "a list as the spec": f"{SPEC}[]\n",
    "a name of another script": NAMED.replace("odd-", "\u00e4-"),
    "a name in upper case": NAMED.replace("odd-", "Odd_"),
    "no name": f"{HEAD}kind: StagePodAutoscaler\nmetadata: {{}}\n",
    "no metadata": f"{HEAD}kind: StagePodAutoscaler\n",
    "another version": NAMED.replace("/v1\n", "/v1alpha1\n"),
    "another kind": NAMED.replace("Autoscaler", "Autoscalar"),
    "a number as a label": NAMED.replace("00001", "00001, labels: {a: 1}"),
    "text as an owner reference": NAMED.replace("00001", "00001, ownerReferences: [x]"),
    "a merge key": f"{NAMED}spec:\n  <<: {{stageMinScale: 9}}\n  stageMaxScale: 3\n",
    "CR LF with bad bounds": f"{SPEC}{{stageMinScale: 5, stageMaxScale: 3}}\n".replace("\n", "\r\n"),
    "a byte order mark before bad bounds": f"\ufeff{SPEC}{{stageMinScale: 5, stageMaxScale: 3}}\n",
    "bad bounds in the second document": f"{NAMED}---\n{SPEC}{{stageMinScale: 5, stageMaxScale: 3}}\n",
    "bad bounds in a List": (
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: serving.knative.dev/v1, kind: StagePodAutoscaler,"
        " metadata: {name: odd-00001}, spec: {stageMinScale: 5, stageMaxScale: 3}}\n"
    ),
    "an entry of null": f"{RO}{{initialRevisions: [null], {TARGET}}}]}}\n",
    "a percent as text": f"{RO}{{targetRevisions: [{{revisionName: odd-00001, percent: '100'}}]}}\n",
    "a percent above 100": f"{RO}{{targetRevisions: [{{revisionName: odd-00001, percent: 101}}]}}\n",
    "percents below 100": f"{RO}{{targetRevisions: [{{revisionName: odd-00001, percent: 90}}]}}\n",
    "an unknown strategy": f"{RO}{{rolloutStrategy: fast, {TARGET}}}]}}\n",
    "a revision of another script": f"{RO}{{targetRevisions: [{{revisionName: \u00e9, percent: 100}}]}}\n",
    "a tab": f"{HEAD}kind: StagePodAutoscaler\nmetadata:\n\tname: odd-00001\n",
}


@pytest.mark.usefixtures("needs_kubectl")
@pytest.mark.parametrize(
    ("text", "is_taken"),
    [*((text, True) for text in TAKEN.values()), *((text, False) for text in REFUSED.values())],
    ids=[*TAKEN, *REFUSED],
)
def test_check_says_what_the_api_server_says(
    text: str, is_taken: bool, kubectl: str, person: User, place: Place, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "odd.yaml").write_text(text, newline="")
    command = [kubectl, "--kubeconfig", str(person.kubeconfig), "-n", place.namespace]
    command += ["apply", "--dry-run=server", "-f", str(tmp_path / "odd.yaml")]
    applied = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (applied.returncode == 0) == is_taken, applied.stderr
    assert main(["check", "-n", place.namespace, str(tmp_path / "odd.yaml")]) == (0 if is_taken else 1)
    printed = capsys.readouterr()
    assert (" deny " in printed.out) != is_taken
    assert max(map(len, printed.out.splitlines()), default=0) < 400
