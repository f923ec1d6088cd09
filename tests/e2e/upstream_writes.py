"""What upstream wrote in the recorded rows, as far as the input of the row kept the rules."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.vectors.rows import name_of, read_rows
from webhook.admission.rules import rollout_orchestrator

Json = Any

_MAX: Final = 2**31 - 1


class Write(NamedTuple):
    """A spec that upstream sent to the API server, and the row it comes from."""

    row: str
    plural: str
    spec: dict[str, Json]


def writes_of(path: Path) -> Iterator[Write]:
    """The specs that the rows of a file hold; none for a file whose function writes nothing."""
    extract = _EXTRACTS.get(stem_of(path))
    for row in read_rows(path) if extract is not None else ():
        if extract is not None and not row["expected"].get("panic"):
            yield from (Write(row["id"], plural, spec) for plural, spec in extract(row["input"], row["expected"]))


def statuses_of(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    """The row and the status of each RO whose status upstream wrote, in the rows of a pass."""
    for row in read_rows(path):
        status = row["expected"].get("status")
        if status and status.get("conditions"):
            yield row["id"], status


def stem_of(path: Path) -> str:
    """The name of a file of rows, without its number where the rows take two files."""
    return name_of(path).rstrip("_12")


_Specs = Iterator[tuple[str, dict[str, Json]]]


def _created(given: Json, expected: Json) -> _Specs:
    if _sound([given["revision"]]):
        yield "stagepodautoscalers", expected["spa"].get("spec", {})


def _updated(given: Json, expected: Json) -> _Specs:
    if _sound([given["revision"]]) and _sound_bounds(given["spa"].get("spec", {})):
        yield "stagepodautoscalers", expected["spec"]


def _planned(given: Json, expected: Json) -> _Specs:
    ro = given["ro"]
    # After an error upstream writes nothing.
    if not expected.get("error") and _sound_rollout(ro):
        yield "rolloutorchestrators", expected["spec"]


def _shifted(given: Json, expected: Json) -> _Specs:
    stage = given["revisionTarget"]
    if not expected.get("error") and not expected.get("undefined") and _sound(stage):
        yield "rolloutorchestrators", {"stageTargetRevisions": expected["revisionTarget"]}


def _retargeted(given: Json, expected: Json) -> _Specs:
    update = expected.get("update", {})
    if not update.get("panic") and _sound_rollout(given["ro"]):
        yield "rolloutorchestrators", update["spec"]


def _reconciled(given: Json, expected: Json) -> _Specs:
    if not _sound_rollout(given["ro"]):
        return
    before = {spa["metadata"]["name"]: spa.get("spec", {}) for spa in given["spas"]}
    for name, spec in expected["spas"].items():
        if name not in before or (before[name] != spec and _sound_bounds(before[name])):
            yield "stagepodautoscalers", spec


def _traced(given: Json, expected: Json) -> _Specs:
    for stage in expected["stages"]:
        yield "rolloutorchestrators", {"stageTargetRevisions": stage["stageTargetRevisions"]}
        for bounds in stage["spas"].values():
            yield "stagepodautoscalers", {f"stage{key.title()}Scale": value for key, value in bounds.items()}


_EXTRACTS: Final[dict[str, Callable[[Json, Json], _Specs]]] = {
    "create_base_spa": _created,
    "update_spa_for_rev_up": _updated,
    "update_spa_for_rev_down": _updated,
    "plan_stages": _planned,
    "shift_traffic_next_stage": _shifted,
    "initial_final_targets": _retargeted,
    "rollout_reconcile": _reconciled,
    "rollout_reconcile_wrapped": _reconciled,
    "rollout_traces": _traced,
}


def _sound_rollout(ro: Json) -> bool:
    recorded = ro.get("status", {}).get("stageRevisionStatus", [])
    return _keeps_rules(ro.get("spec", {})) and _sound(recorded)


def _sound(revisions: list[Json]) -> bool:
    return _keeps_rules({"initialRevisions": revisions})


def _keeps_rules(spec: Json) -> bool:
    return all(finding.severity != "deny" for finding in rollout_orchestrator.findings_of(spec))


def _sound_bounds(spec: Json) -> bool:
    low: int = spec.get("stageMinScale", 0)
    high: int = spec.get("stageMaxScale", 0)
    return 0 <= low <= _MAX and 0 <= high <= _MAX and (high == 0 or low <= high)
