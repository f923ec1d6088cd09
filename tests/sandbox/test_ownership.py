"""Field ownership and server-side apply, as pure functions and over HTTP."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.failures import ApiError
from sandbox.ownership.managed import APPLY, UPDATE, Manager, Scope, after_apply, after_update
from sandbox.ownership.merging import merge
from sandbox.ownership.paths import compare, from_fields, paths_of, shown, to_fields
from tests.sandbox.wire import SPAS, Api, Object, Place, spa

TEXT: Object = {"type": "string"}
ITEMS: Object = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": TEXT, "value": TEXT}},
}
SPEC: Object = {
    "type": "object",
    "properties": {
        "a": TEXT,
        "b": TEXT,
        "items": ITEMS,
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
        "whole": {"type": "array", "items": TEXT},
        "labels": {"type": "object", "additionalProperties": TEXT},
        "inner": {"type": "object", "properties": {"x": TEXT, "y": TEXT}},
    },
}
HEAD: Object = {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}}
SCHEMA: Object = {"type": "object", "properties": {**HEAD, "spec": SPEC, "status": SPEC}}
SCOPE = Scope(SCHEMA, frozenset({"status"}))
VERSION = "example.com/v1"

texts = st.sampled_from(["1", "2", "3"])
named = st.dictionaries(st.sampled_from("pqr"), st.fixed_dictionaries({}, optional={"value": texts}), max_size=3).map(
    lambda items: [{"name": name, **rest} for name, rest in items.items()]
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "a": texts,
        "b": texts,
        "items": named,
        "set": st.lists(texts, unique=True, max_size=3),
        "whole": st.lists(texts, max_size=2),
        "labels": st.dictionaries(st.sampled_from("uv"), texts, max_size=2),
        "inner": st.fixed_dictionaries({}, optional={"x": texts, "y": texts}),
    },
)


def obj(spec: Object, **metadata: Any) -> Object:
    return {"apiVersion": VERSION, "kind": "Thing", "metadata": metadata, "spec": spec}


def applied(live: Object, spec: Object | None, name: str, *, force: bool = False, now: str = "t") -> Object:
    stated = {k: v for k, v in obj(spec or {}).items() if k != "spec" or spec is not None}
    return after_apply(live, stated, Manager(name, APPLY, VERSION), SCOPE, now, force=force)


def fields_of(value: Object, name: str) -> Any:
    return next((e["fieldsV1"] for e in value["metadata"].get("managedFields", ()) if e["manager"] == name), None)


@given(specs)
def test_a_set_of_fields_survives_its_wire_form(spec: Object) -> None:
    paths = paths_of(obj(spec), SCHEMA)
    assert from_fields(to_fields(paths)) == paths


@given(specs, specs)
def test_a_comparison_turned_around_swaps_added_and_removed(left: Object, right: Object) -> None:
    there, back = compare(obj(left), obj(right), SCHEMA), compare(obj(right), obj(left), SCHEMA)
    assert (there.added, there.modified, there.removed) == (back.removed, back.modified, back.added)
    assert compare(obj(left), obj(left), SCHEMA) == type(there)(frozenset(), frozenset(), frozenset())


@given(specs, specs)
def test_what_is_merged_in_is_there_and_merging_again_changes_nothing(live: Object, stated: Object) -> None:
    once = merge(obj(live), obj(stated), SCHEMA)
    assert merge(once, obj(stated), SCHEMA) == once
    assert paths_of(obj(stated), SCHEMA) <= paths_of(once, SCHEMA) | compare({}, once, SCHEMA).added


@given(specs, specs)
def test_applying_twice_is_applying_once(first: Object, second: Object) -> None:
    live = applied(obj({}), first, "other")
    once = applied(live, second, "me", force=True, now="t1")
    assert applied(once, second, "me", now="t2") == once


@given(specs, specs)
def test_who_applies_nothing_any_more_leaves_what_the_others_made(theirs: Object, mine: Object) -> None:
    alone = applied(obj({}), theirs, "they")
    both = applied(alone, mine, "me", force=True)
    kept = from_fields(fields_of(both, "they") or {})
    after = applied(both, None, "me")
    assert from_fields(fields_of(after, "they") or {}) == kept
    assert fields_of(after, "me") is None


def test_updating_owns_what_changed_and_takes_it_from_others() -> None:
    live = applied(obj({}), {"a": "1", "b": "1"}, "applier")
    updated = after_update(live, obj({"a": "2", "b": "1"}), Manager("updater", UPDATE, VERSION), SCOPE, "t")
    assert fields_of(updated, "applier") == {"f:spec": {"f:b": {}}}
    assert fields_of(updated, "updater") == {"f:spec": {"f:a": {}}}


def test_the_status_is_nobodys_on_a_write_that_cannot_touch_it() -> None:
    new = obj({"a": "1"}) | {"status": {"a": "1"}}
    assert fields_of(after_update(None, new, Manager("m", UPDATE, VERSION), SCOPE, "t"), "m") == {
        "f:spec": {".": {}, "f:a": {}}
    }


CONFLICTS: list[tuple[Object, Object, str]] = [
    ({"a": "1"}, {"a": "2"}, 'Apply failed with 1 conflict: conflict with "they": .spec.a'),
    (
        {"items": [{"name": "p", "value": "1"}]},
        {"items": [{"name": "p", "value": "2"}]},
        'Apply failed with 1 conflict: conflict with "they": .spec.items[name="p"].value',
    ),
    (
        {"a": "1", "whole": ["1"]},
        {"a": "2", "whole": ["2"]},
        'Apply failed with 2 conflicts: conflicts with "they":\n- .spec.a\n- .spec.whole',
    ),
]


@pytest.mark.parametrize(("theirs", "mine", "text"), CONFLICTS)
def test_a_conflict_names_manager_and_field(theirs: Object, mine: Object, text: str) -> None:
    live = applied(obj({}), theirs, "they")
    with pytest.raises(ApiError) as problem:
        applied(live, mine, "me")
    assert (problem.value.code, problem.value.message) == (409, text)
    forced = applied(live, mine, "me", force=True)
    assert forced["spec"] == mine


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ({"a": "1"}, {"b": "2"}),
        ({"a": "1"}, {"a": "1"}),
        ({"set": ["1"]}, {"set": ["2"]}),
        ({"items": [{"name": "p"}]}, {"items": [{"name": "q"}]}),
        ({"labels": {"u": "1"}}, {"labels": {"v": "1"}}),
    ],
)
def test_different_fields_and_equal_values_are_no_conflict(theirs: Object, mine: Object) -> None:
    both = applied(applied(obj({}), theirs, "they"), mine, "me")
    assert from_fields(fields_of(both, "me")) == SCOPE.owned(paths_of(obj(mine), SCHEMA))


def test_what_is_no_longer_stated_goes_unless_somebody_else_owns_it() -> None:
    live = applied(obj({}), {"a": "1", "b": "1", "items": [{"name": "p"}, {"name": "q"}]}, "me")
    live = applied(live, {"b": "1", "items": [{"name": "q"}]}, "they")
    assert applied(live, {}, "me")["spec"] == {"b": "1", "items": [{"name": "q"}]}


def test_a_container_goes_with_its_last_owned_field() -> None:
    live = applied(obj({}), {"a": "1", "inner": {"x": "1"}, "labels": {"u": "1"}}, "me")
    live["spec"]["inner"]["y"] = "filled in, and nobody's"
    assert applied(live, {"a": "1"}, "me")["spec"] == {"a": "1"}


def test_paths_are_shown_as_messages_show_them() -> None:
    assert shown(("f:spec", 'k:{"name":"a","port":80}', 'v:"x"', "f:b")) == '.spec[name="a",port=80][="x"].b'


def test_two_appliers_over_http(api: Api, place: Place) -> None:
    path = place.path(SPAS, "a")
    assert api.apply(path, spa("a", {"stageMinScale": 1}), "one").code == 201
    assert api.apply(path, spa("a", {"stageMaxScale": 3}), "two").code == 200
    reply = api.apply(path, spa("a", {"stageMinScale": 2}), "two")
    assert reply.code == 409
    assert reply.causes == [(".spec.stageMinScale", 'conflict with "one"')]
    final = api.apply(path, spa("a", {"stageMinScale": 2}), "two", force="true").body
    assert final["spec"] == {"stageMinScale": 2}
    assert fields_of(final, "one") is None


def test_a_field_of_an_update_conflicts_in_kubectls_words(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1}), fieldManager="editor")
    reply = api.apply(place.path(SPAS, "a"), spa("a", {"stageMinScale": 2}), "me")
    assert reply.message == (
        'Apply failed with 1 conflict: conflict with "editor" using serving.knative.dev/v1: .spec.stageMinScale'
    )


def test_a_status_is_applied_apart(api: Api, place: Place) -> None:
    api.apply(place.path(SPAS, "a"), spa("a", {"stageMinScale": 1}), "me")
    change = spa("a", labels={"not": "mine"}) | {"status": {"actualScale": 2}, "spec": {"stageMinScale": 1}}
    written = api.apply(place.path(SPAS, "a", "status"), change, "me").body
    assert written["status"] == {"actualScale": 2}
    assert [(entry.get("subresource"), entry["fieldsV1"]) for entry in written["metadata"]["managedFields"]] == [
        (None, {"f:spec": {"f:stageMinScale": {}}}),
        ("status", {"f:status": {"f:actualScale": {}}}),
    ]


def test_an_object_from_before_any_manager_belongs_to_one_that_stands_for_all(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {"stageMinScale": 1}))
    api.patch(place.path(SPAS, "a"), {"metadata": {"managedFields": [{}]}})
    reply = api.apply(place.path(SPAS, "a"), spa("a", {"stageMinScale": 2}), "me")
    assert 'conflict with "before-first-apply" using serving.knative.dev/v1' in reply.message


def test_who_applies_says_a_name(api: Api, place: Place) -> None:
    reply = api.request("PATCH", place.path(SPAS, "a"), spa("a"), "application/apply-patch+yaml")
    assert reply.causes == [("fieldManager", "Required value: is required for apply patch")]


def test_defaults_belong_to_nobody(api: Api) -> None:
    hook = {"name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "defaulted"},
        "webhooks": [{**hook, "clientConfig": {"url": "https://localhost"}}],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/defaulted"
    written = api.apply(path, configuration, "me").body
    assert written["webhooks"][0]["failurePolicy"] == "Fail"
    (owned,) = fields_of(written, "me")["f:webhooks"].values()
    assert owned.keys() == {".", "f:clientConfig", *(f"f:{name}" for name in hook)}
    api.delete(path)
