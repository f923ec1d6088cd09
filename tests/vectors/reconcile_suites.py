"""The recorded rows of the pass: ReconcileKind called directly, and through the generated controller."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from typing import Final

from tests.vectors import upstream_pass, upstream_run
from tests.vectors.fake_cluster import NOON, FakeCluster, failing, pod_from
from tests.vectors.suite import Difference, Json, Suite, Vector
from webhook.api import RolloutOrchestrator
from webhook.api.conditions import Condition
from webhook.api.kinds import SPA_PLURAL
from webhook.loop.result import Result
from webhook.loop.spa_cleanup import SPA_DELETED, SPA_EARLY
from webhook.loop.stage_pass import StagePass
from webhook.strategies import RevisionConditions, strategy_named
from webhook.strategies.scale_down import POD_REMOVED

_HOUR: Final = timedelta(hours=1)
_TIMES: Final = {"past": NOON - _HOUR, "future": NOON + _HOUR}
_SILENT_UPSTREAM: Final = (POD_REMOVED, SPA_EARLY, SPA_DELETED)
"""Reasons of Events of ours for what upstream does, or does not do, in silence: the rows have none of them."""
_CREATED: Final = ("namespace", "labels", "ownerReferences")


def world_of(given: dict[str, Json]) -> FakeCluster:
    """The cluster that a row describes."""
    metadata = given["ro"]["metadata"]
    world = FakeCluster(
        pods=[pod_from(pod, _TIMES) for pod in given.get("pods", [])],
        revisions={(metadata["namespace"], metadata["name"]): frozenset(given.get("revisions", []))},
        failing=failing(given.get("apiErrors", [])),
        seen={name: _seen(statuses) for name, statuses in given.get("conditions", {}).items()},
    )
    world.add(*given.get("spas", []))
    return world


def _seen(statuses: dict[str, str]) -> RevisionConditions:
    initialized, ready = (
        Condition(type_, statuses[type_]) if type_ in statuses else None
        for type_ in ("ScaleTargetInitialized", "Ready")
    )
    return RevisionConditions(scale_target_initialized=initialized, revision_ready=ready)


def reconciled(world: FakeCluster, ro: RolloutOrchestrator, *, wrapped: bool = True) -> Result:
    """One pass over the RO by the strategy that it states, as ReconcileKind alone or as the controller calls it."""
    stage_pass = StagePass(
        spas=world,
        lister=world,
        pods=world,
        revisions=world,
        deleter=world,
        events=world,
        clock=world.clock,
        conditions=world,
    )
    strategy = strategy_named(ro.spec.rollout_strategy)
    return stage_pass.reconcile(ro, strategy) if wrapped else stage_pass.reconcile_kind(ro, strategy)


def _pass(given: dict[str, Json]) -> Json:
    ro, world = RolloutOrchestrator.from_dict(given["ro"]), world_of(given)
    before = dict(world.spas)
    result = reconciled(world, ro, wrapped=False)
    return _recorded_part(ro, world, before, result)


def _wrapped_pass(given: dict[str, Json]) -> Json:
    ro, world = RolloutOrchestrator.from_dict(given["ro"]), world_of(given)
    before = dict(world.spas)
    result = reconciled(world, ro)
    recorded = _recorded_part(ro, world, before, result)
    recorded["status"]["observedGeneration"] = ro.status.observed_generation
    recorded["statusWritten"] = result.status_changed
    recorded["events"] = [f"{type_} {reason}" for type_, reason in world.events if reason not in _SILENT_UPSTREAM]
    return recorded


def _recorded_part(ro: RolloutOrchestrator, world: FakeCluster, before: Json, result: Result) -> Json:
    conditions = [condition.to_dict() for condition in ro.status.conditions]
    recorded = {
        "error": result.error is not None,
        "status": {
            "conditions": [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in conditions],
            "stageRevisionStatus": [revision.to_dict() for revision in ro.status.stage_revision_status],
        },
        "spas": {name: spa.spec_dict() for (_, name), spa in world.spas.items()},
        "createdSPAs": _requested(world, "create", SPA_PLURAL),
        "updatedSPAs": _requested(world, "update", SPA_PLURAL),
        "deletedSPAs": _requested(world, "delete", SPA_PLURAL),
        "deletedPods": _requested(world, "delete", "pods"),
        "changedSPAs": sorted(
            spa.name for key, spa in world.spas.items() if key in before and before[key].spec_dict() != spa.spec_dict()
        ),
        "enqueueAfter": list(result.requeue_after),
        "actions": world.writes(),
    }
    created = {spa.name: spa.metadata.wire for key, spa in world.spas.items() if key not in before}
    if created:
        recorded["createdMeta"] = {name: {key: wire[key] for key in _CREATED} for name, wire in created.items()}
    return recorded


def _requested(world: FakeCluster, verb: str, resource: str) -> list[str]:
    return sorted({r.name for r in world.requests if (r.verb, r.resource) == (verb, resource)})


def equal_but_for_needless_updates(expected: Json, answer: Json) -> bool:
    """Equality of two results, where the second may leave out updates that changed nothing.

    ``changedSPAs`` is compared instead of ``updatedSPAs``. The actions of the answer are those expected, in their
    order, without some of the updates; what is left updates every SPA that changed, and none but those, new ones, ones
    deleted afterwards, ones that were changed there and back, and the one whose update ended the pass with an error.
    """
    loose = {"updatedSPAs", "actions"}
    if {k: v for k, v in expected.items() if k not in loose} != {k: v for k, v in answer.items() if k not in loose}:
        return False
    changed, updated = set(answer["changedSPAs"]), set(answer["updatedSPAs"])
    restored = {name for name in updated if answer["actions"].count(f"update {SPA_PLURAL} {name}") > 1}
    needless = updated - changed - restored - {*answer["createdSPAs"], *answer["deletedSPAs"]}
    if not changed <= updated <= set(expected["updatedSPAs"]) or len(needless) > answer["error"]:
        return False
    return "actions" not in expected or _leaves_out_updates_only(expected["actions"], answer["actions"])


def _leaves_out_updates_only(all_of_them: list[str], some: list[str]) -> bool:
    rest: Iterator[str] = iter(all_of_them)
    for action in some:
        for candidate in rest:
            if candidate == action:
                break
            if not candidate.startswith(f"update {SPA_PLURAL} "):
                return False
        else:
            return False
    return all(candidate.startswith(f"update {SPA_PLURAL} ") for candidate in rest)


def _differences(wrapped: bool) -> tuple[Difference, ...]:
    """Every difference of the pass: it holds where it decides something in the model of the pass, and the answer has
    its property where it is the model's with all that hold applied."""

    def met(name: str) -> Callable[[Vector], bool]:
        return lambda vector: name in upstream_pass.differences_met(vector.input, wrapped)

    def objection(vector: Vector, answer: Json) -> str | None:
        wanted = upstream_pass.answer(vector.input, upstream_pass.OURS, wrapped)
        got = _with_field_only(answer)
        unlike = [key for key in sorted({*wanted, *got}) if wanted.get(key) != got.get(key)]
        if not unlike:
            return None
        return "; ".join(f"{key} is {got.get(key)}, should be {wanted.get(key)}" for key in unlike)

    names = [rule.name.replace("_", "-") for rule in fields(upstream_run.Rules)]
    return tuple(Difference(name, met(name), objection) for name in names)


def _with_field_only(answer: Json) -> Json:
    """The answer with the message of a failure cut after the field it names."""
    pattern = re.compile(f"({re.escape(upstream_pass.FAILED)}[^:]+): .+\\.")
    conditions = [
        {**condition, "message": pattern.sub(r"\1", condition["message"])} if "message" in condition else condition
        for condition in answer["status"]["conditions"]
    ]
    return {**answer, "status": {**answer["status"], "conditions": conditions}}


SUITES: tuple[Suite, ...] = (
    Suite("rollout_reconcile", _pass, _differences(wrapped=False), equal_but_for_needless_updates),
    Suite("rollout_reconcile_wrapped", _wrapped_pass, _differences(wrapped=True), equal_but_for_needless_updates),
)
