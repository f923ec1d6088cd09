"""Laws of admission, for any object, any rollouts and any bytes."""

import copy
import json
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.reviews import (
    BOTH_LABELS,
    LOOP,
    OWNER,
    PERSON,
    UPSTREAM,
    Wire,
    cache,
    patch_in,
    patched,
    request_of,
    response_to,
    ro,
    spa,
    stored_ro,
    verdict_on,
)
from webhook.admission import RULE_IDS, RolloutCache, Settings, examine, judge, review
from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.planning import scale_bounds
from webhook.strategies import create_base_stage_pod_autoscaler

BOUNDS = st.none() | st.integers(0, 12) | st.sampled_from([-1, 2**31 - 1])
SOUND_BOUNDS = st.none() | st.integers(0, 12)
NAMES = st.sampled_from(["hello-00001", "hello-00002", "hello-00003"])
DIRECTIONS = st.sampled_from([None, "up", "down", "stay", " Up", "sideways"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=10), values, max_size=4),
    max_leaves=12,
)
USERS = st.sampled_from([PERSON, LOOP, UPSTREAM])
PATHS = st.sampled_from(["/mutate?timeout=3s", "/validate?timeout=3s"])


def without_none(members: Wire) -> Wire:
    return {key: value for key, value in members.items() if value is not None}


@st.composite
def entries(draw: st.DrawFn, bounds: st.SearchStrategy[int | None] = BOUNDS) -> Wire:
    return without_none(
        {
            "revisionName": draw(NAMES),
            "percent": draw(st.sampled_from([None, 0, 30, 70, 100, 120])),
            "direction": draw(DIRECTIONS),
            "minScale": draw(bounds),
            "maxScale": draw(bounds),
            "targetReplicas": draw(bounds),
        }
    )


@st.composite
def specs(draw: st.DrawFn) -> Wire:
    lists = ("initialRevisions", "targetRevisions", "stageTargetRevisions")
    spec = {key: draw(st.none() | st.lists(entries(), max_size=3)) for key in lists}
    return without_none({**spec, "rolloutStrategy": draw(st.sampled_from([None, "", "resourceutil", "fast"]))})


@st.composite
def caches(draw: st.DrawFn) -> RolloutCache:
    """No, one or two rollouts, received just now or too long ago."""
    rollouts = []
    for name in draw(st.sampled_from([(), ("hello",), ("hello", "other")])):
        spec = draw(specs())
        rollouts.append(ro(spec, name=name, uid=f"uid-of-{name}"))
    return cache(*rollouts, age=draw(st.sampled_from([0.0, 0.0, 61.0])))


@st.composite
def spas(draw: st.DrawFn, bounds: st.SearchStrategy[int | None] = BOUNDS) -> Wire:
    labels = draw(
        st.sampled_from(
            [
                None,
                {},
                BOTH_LABELS,
                {"serving.knative.dev/service": "hello"},
                {"serving.knative.dev/revision": "x"},
                {"a": "b"},
            ]
        )
    )
    owners = draw(st.sampled_from([None, [], [OWNER], [{**OWNER, "kind": "Other"}], [{**OWNER, "controller": False}]]))
    named: Wire = draw(st.sampled_from([{"name": "hello-00002"}, {"name": None, "generateName": "hello-"}]))
    minimum, maximum = draw(bounds), draw(bounds)
    spec: Any = without_none(
        {"stageMinScale": minimum, "stageMaxScale": maximum, "other": draw(st.none() | st.just(1))}
    )
    if draw(st.booleans()):
        spec = spec or None
    return copy.deepcopy(spa(spec, labels=labels, ownerReferences=owners, status=None, **named))


@st.composite
def rollouts(draw: st.DrawFn) -> Wire:
    labels = draw(st.sampled_from([None, {}, {"a": "b"}, {"serving.knative.dev/service": "other"}]))
    named: Wire = draw(st.sampled_from([{"name": "hello"}, {"name": None, "generateName": "hello-"}]))
    return ro(draw(st.none() | specs()), labels=labels, **named)


OBJECTS = spas() | rollouts()


@given(obj=OBJECTS, lookup=caches(), user=USERS)
def test_a_second_pass_gives_no_patch(obj: Wire, lookup: RolloutCache, user: str) -> None:
    first = response_to(obj, lookup=lookup, user=user)
    if first["allowed"]:
        second = response_to(patched(obj, first), lookup=lookup, user=user)
        assert second["allowed"]
        assert "patch" not in second


@given(obj=OBJECTS, old=st.none() | OBJECTS, lookup=caches(), user=USERS, path=PATHS)
def test_the_same_input_gives_the_same_bytes_and_is_not_changed(
    obj: Wire, old: Wire | None, lookup: RolloutCache, user: str, path: str
) -> None:
    request = request_of(obj, old=old, user=user)
    body = json.dumps(request).encode()
    assert review(body, path, lookup, Settings()) == review(body, path, lookup, Settings())
    judge(request, path, lookup, Settings())
    assert json.dumps(request).encode() == body


def stated_values(value: Any, pointer: str = "") -> dict[str, Any]:
    """Every value that is no object, by where it stands; null counts as absent. Lists count as their elements."""
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        found: dict[str, Any] = {}
        for key, member in members:
            found |= stated_values(member, f"{pointer}/{key}")
        return found
    return {} if value is None else {pointer: value}


@given(obj=OBJECTS, lookup=caches(), user=USERS)
def test_filling_in_never_changes_what_is_stated(obj: Wire, lookup: RolloutCache, user: str) -> None:
    response = response_to(obj, lookup=lookup, user=user)
    before, after = stated_values(obj), stated_values(patched(obj, response))
    assert before.items() <= after.items()
    for operation in patch_in(response):
        assert operation["op"] == "add"
        assert operation["path"].startswith(("/metadata/labels", "/metadata/ownerReferences", "/spec"))
    assert patch_in(response) == sorted(patch_in(response), key=lambda operation: operation["path"])


@given(obj=spas(SOUND_BOUNDS), own=entries(SOUND_BOUNDS))
def test_filling_in_never_changes_the_effective_bounds(obj: Wire, own: Wire) -> None:
    """The arithmetic of the pod autoscaler, with the entry's bounds as the revision's."""
    own["revisionName"] = "hello-00002"
    response = response_to(obj, lookup=cache(stored_ro(targetRevisions=[own])))
    after = patched(obj, response)

    def effective(of: Wire) -> tuple[int, int]:
        spec = of.get("spec") or {}
        stage = (spec.get("stageMinScale"), spec.get("stageMaxScale"))
        return scale_bounds(own.get("minScale"), own.get("maxScale"), *stage)

    assert effective(after) == effective(obj)


@given(obj=OBJECTS, lookup=caches())
def test_a_patch_never_brings_a_denial(obj: Wire, lookup: RolloutCache) -> None:
    """What the mutating call allows the validating one allows too, and it denies nothing else."""
    first = response_to(obj, lookup=lookup)
    final = patched(obj, first)
    assert response_to(final, path="/validate", lookup=lookup)["allowed"] == first["allowed"]


@given(obj=OBJECTS, old=st.none() | OBJECTS, lookup=caches(), path=PATHS)
def test_controllers_are_never_denied(obj: Wire, old: Wire | None, lookup: RolloutCache, path: str) -> None:
    assert response_to(obj, old=old, path=path, lookup=lookup, user=UPSTREAM)["allowed"]


@given(obj=OBJECTS, old=st.none() | OBJECTS, lookup=caches(), path=PATHS)
def test_warn_mode_denies_what_the_schema_refuses_and_nothing_else(
    obj: Wire, old: Wire | None, lookup: RolloutCache, path: str
) -> None:
    verdict = verdict_on(obj, old=old, path=path, lookup=lookup, settings=Settings(enforce="warn"))
    assert {finding.id for finding in verdict.denials} <= {"SPA001", "SPA002", "RO001", "RO002", "RO004", "RO009"}
    assert all(finding.schema_path for finding in verdict.denials)


@given(obj=OBJECTS, lookup=caches(), path=PATHS)
def test_an_update_to_what_was_there_is_never_denied(obj: Wire, lookup: RolloutCache, path: str) -> None:
    relabelled = copy.deepcopy(obj)
    relabelled["metadata"].setdefault("labels", {})["team"] = "search"
    assert response_to(relabelled, old=obj, path=path, lookup=lookup)["allowed"]


@given(obj=OBJECTS, lookup=caches(), path=PATHS)
def test_every_finding_is_one_short_printable_line_with_its_id(obj: Wire, lookup: RolloutCache, path: str) -> None:
    verdict = judge(request_of(obj), path, lookup, Settings())
    for finding, _ in verdict.findings:
        assert finding.id in RULE_IDS
        assert f"[{finding.id}]" in finding.text[:256]
        assert finding.text.isascii()
        assert finding.text.isprintable()
    order = [RULE_IDS.index(finding.id) for finding, _ in verdict.findings]
    assert order == sorted(order)


@given(uid=st.text(min_size=1, max_size=100), obj=OBJECTS | JSON, lookup=caches(), path=PATHS)
def test_every_answer_echoes_the_uid(uid: str, obj: Any, lookup: RolloutCache, path: str) -> None:
    request = request_of(spa(), uid=uid)
    request["request"]["object"] = obj
    status, answer = review(json.dumps(request).encode(), path, lookup, Settings())
    assert status == 200
    assert json.loads(answer)["response"]["uid"] == uid


def is_well_formed(body: bytes, path: str) -> None:
    answer = examine(body, path, cache(stored_ro()), Settings())
    if answer.verdict is None:
        assert 400 <= answer.status < 500
        line = answer.body.decode()
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        return
    assert answer.status == 200
    response = json.loads(answer.body)["response"]
    assert isinstance(response["uid"], str)
    assert response["allowed"] or response["status"]["code"] in (400, 403)
    assert all(len(text) <= 256 and text.isprintable() for text in response.get("warnings", []))


@given(body=st.binary(max_size=200), path=st.text(max_size=20) | PATHS)
def test_any_bytes_get_a_review_or_one_line(body: bytes, path: str) -> None:
    is_well_formed(body, path)


@given(value=JSON, path=PATHS)
def test_any_json_gets_a_review_or_one_line(value: Any, path: str) -> None:
    is_well_formed(json.dumps(value).encode(), path)


def pointers(value: Any, pointer: str = "") -> list[str]:
    """A JSON pointer to every member of a value."""
    if isinstance(value, dict):
        escaped = {key: key.replace("~", "~0").replace("/", "~1") for key in value}
        return [pointer, *(p for key, member in value.items() for p in pointers(member, f"{pointer}/{escaped[key]}"))]
    if isinstance(value, list):
        return [pointer, *(p for index, member in enumerate(value) for p in pointers(member, f"{pointer}/{index}"))]
    return [pointer]


@given(data=st.data(), obj=OBJECTS, old=st.none() | OBJECTS, path=PATHS)
def test_a_review_with_any_member_replaced_by_anything(
    data: st.DataObject, obj: Wire, old: Wire | None, path: str
) -> None:
    request = request_of(obj, old=old)
    for _ in range(data.draw(st.integers(1, 3))):
        pointer = data.draw(st.sampled_from(pointers(request)))
        request = jsonpatch.apply_patch(request, [{"op": "replace", "path": pointer, "value": data.draw(JSON)}])
    is_well_formed(json.dumps(request).encode(), path)


@given(own=entries(SOUND_BOUNDS))
def test_a_bare_object_becomes_what_the_controllers_would_create(own: Wire) -> None:
    own["revisionName"] = "hello-00002"
    known = stored_ro(stageTargetRevisions=[own])
    base = create_base_stage_pod_autoscaler(
        RolloutOrchestrator.from_dict(known), TargetRevision.from_dict(own)
    ).to_dict()
    after = patched(spa(), response_to(spa(), lookup=cache(known)))
    created = {key: base[key] for key in ("metadata", "spec") if key in base}
    if not fits(own):
        created.pop("spec")
    assert {key: after[key] for key in ("metadata", "spec") if key in after} == created


def fits(own: Wire) -> bool:
    low, high = own.get("minScale", 0), own.get("maxScale", 0)
    return not low > high > 0
