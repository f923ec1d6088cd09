"""Schemas: pruning, defaults, validation and rules as pure functions; definitions over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.expressions import CompilationFailed, EvaluationFailed, compiled
from sandbox.objects import copy_of
from sandbox.schema.pruning import fill_defaults, prune
from sandbox.schema.rules import check_rules
from sandbox.schema.validation import validate
from tests.sandbox.wire import Api, Object, Place

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEXT: Object = {"type": "string"}


def spec_of(**properties: Object) -> Object:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


PRUNED: list[tuple[Object, Object, Object, list[str]]] = [
    (spec_of(a=TEXT), {"a": "x", "b": 1}, {"a": "x"}, ["spec.b"]),
    (
        spec_of(a={"type": "array", "items": {"type": "object", "properties": {"b": TEXT}}}),
        {"a": [{"b": "x", "c": 1}, {"d": 2}]},
        {"a": [{"b": "x"}, {}]},
        ["spec.a[0].c", "spec.a[1].d"],
    ),
    (
        spec_of(
            a={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"b": {"type": "object"}}}
        ),
        {"a": {"b": {"c": 1}, "free": {"d": 1}}},
        {"a": {"b": {}, "free": {"d": 1}}},
        ["spec.a.b.c"],
    ),
    (spec_of(a={"type": "object", "additionalProperties": TEXT}), {"a": {"x": "y"}}, {"a": {"x": "y"}}, []),
]


@pytest.mark.parametrize(("schema", "spec", "left", "unknown"), PRUNED)
def test_unknown_fields_go(schema: Object, spec: Object, left: Object, unknown: list[str]) -> None:
    assert prune({"kind": "A", "spec": spec}, schema) == ({"kind": "A", "spec": left}, unknown)


DEFAULTED: list[tuple[Object, Object, Object]] = [
    (spec_of(a={**TEXT, "default": "x"}), {}, {"a": "x"}),
    (spec_of(a={**TEXT, "default": "x"}), {"a": "y"}, {"a": "y"}),
    (spec_of(a={**TEXT, "default": "x"}), {"a": None}, {"a": "x"}),
    (spec_of(a={**TEXT, "default": "x", "nullable": True}), {"a": None}, {"a": None}),
    (spec_of(a=TEXT), {"a": None}, {}),
    (
        spec_of(a={"type": "array", "items": {"type": "object", "properties": {"b": {**TEXT, "default": "x"}}}}),
        {"a": [{}, {"b": "y"}]},
        {"a": [{"b": "x"}, {"b": "y"}]},
    ),
    (
        spec_of(a={"type": "object", "default": {}, "properties": {"b": {**TEXT, "default": "x"}}}),
        {},
        {"a": {"b": "x"}},
    ),
]


@pytest.mark.parametrize(("schema", "spec", "filled"), DEFAULTED)
def test_defaults_come_and_nulls_go(schema: Object, spec: Object, filled: Object) -> None:
    value = {"spec": copy_of(spec)}
    fill_defaults(value, schema)
    assert value == {"spec": filled}


VALID: list[tuple[Object, Any, str]] = [
    (TEXT, 1, 'Invalid value: "integer": spec.a in body must be of type string: "integer"'),
    (TEXT, None, 'Invalid value: "null": spec.a in body must be of type string: "null"'),
    ({**TEXT, "nullable": True}, None, ""),
    ({"type": "integer"}, 1.0, ""),
    ({"type": "integer"}, True, 'Invalid value: "boolean": spec.a in body must be of type integer: "boolean"'),
    ({"type": "number"}, 1, ""),
    (
        {"type": "integer", "format": "int32"},
        2**31,
        "Checked value must be of type integer with format int32 in spec.a",
    ),
    ({"type": "integer", "minimum": 1}, 0, "Invalid value: 0: spec.a in body should be greater than or equal to 1"),
    ({**TEXT, "maxLength": 2}, "abc", "Too long: may not be more than 2 bytes"),
    ({**TEXT, "minLength": 2}, "a", 'Invalid value: "a": spec.a in body should be at least 2 chars long'),
    ({**TEXT, "pattern": "^b"}, "a", "Invalid value: \"a\": spec.a in body should match '^b'"),
    ({**TEXT, "enum": ["b", "c"]}, "a", 'Unsupported value: "a": supported values: "b", "c"'),
    ({**TEXT, "format": "date-time"}, "2020-01-01T00:00:00.5+01:00", ""),
    ({**TEXT, "format": "date-time"}, "now", 'spec.a in body must be of type date-time: "now"'),
    ({**TEXT, "format": "unheard-of"}, "x", ""),
    ({"type": "array", "items": TEXT, "maxItems": 1}, ["a", "b"], "Too many: 2: must have at most 1 items"),
    (
        {"type": "array", "items": TEXT, "minItems": 1},
        [],
        "Invalid value: 0: spec.a in body should have at least 1 items",
    ),
    ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}, ["a", "a"], 'Duplicate value: "a"'),
    (
        {
            "type": "array",
            "items": {"type": "object"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["n"],
        },
        [{"n": 1}, {"n": 2}, {"n": 1}],
        'Duplicate value: {"n":1}',
    ),
    ({"type": "object", "required": ["b"]}, {}, "Required value"),
    ({"x-kubernetes-int-or-string": True}, "1", ""),
    ({"x-kubernetes-int-or-string": True}, [], "must be of type integer,string"),
]


@pytest.mark.parametrize(("schema", "value", "words"), VALID)
def test_values_against_a_schema(schema: Object, value: Any, words: str) -> None:
    found = [error.body for error in validate({"a": value}, {"type": "object", "properties": {"a": schema}}, "spec")]
    assert any(words in body for body in found) if words else not found


def test_a_field_of_the_status_is_named_from_there() -> None:
    (error,) = validate({"status": {"a": 1}}, {"properties": {"status": {"properties": {"a": TEXT}}}})
    assert (error.field, error.detail) == ("status.a", 'a in body must be of type string: "integer"')


def test_what_an_update_leaves_as_it_was_is_not_checked_again() -> None:
    low = {"type": "integer", "maximum": 1}
    schema = {"properties": {"list": {"type": "array", "items": low}, "plain": low}}
    old = {"list": [9], "plain": 9}
    assert [error.field for error in validate(old, schema, "", old)] == []
    assert [error.field for error in validate({"list": [9, 0], "plain": 9}, schema, "", old)] == ["list[0]"]


def rules(*stated: Object, **schema: Any) -> Object:
    return {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-validations": list(stated), **schema}},
    }


def found(schema: Object, spec: Any, *old: Any) -> list[tuple[str, str]]:
    errors = check_rules({"spec": spec}, schema, *({"spec": o} for o in old))
    return [(error.field, error.body) for error in errors]


def test_a_rule_in_its_own_words() -> None:
    schema = rules(
        {"rule": "self.n > 1", "message": "too low", "fieldPath": ".n"},
        {"rule": "self.n > 2"},
        {"rule": "self.n > 3", "messageExpression": "'at ' + self.t", "reason": "FieldValueForbidden"},
        properties={"n": {"type": "integer"}, "t": TEXT},
    )
    assert found(schema, {"n": 1, "t": "x"}) == [
        ("spec.n", "Invalid value: too low"),
        ("spec", "Invalid value: failed rule: self.n > 2"),
        ("spec", "Forbidden: at x"),
    ]


def test_a_rule_about_the_change_waits_for_one() -> None:
    schema = rules({"rule": "self.n >= oldSelf.n", "message": "only up"}, properties={"n": {"type": "integer"}})
    assert found(schema, {"n": 1}) == []
    assert found(schema, {"n": 1}, {"n": 2}) == [("spec", "Invalid value: only up")]


def test_a_rule_is_not_asked_about_what_did_not_change() -> None:
    schema = rules({"rule": "false", "message": "never"}, properties={"n": {"type": "integer"}})
    assert found(schema, {"n": 1}, {"n": 1}) == []
    assert found(schema, {"n": 2}, {"n": 1}) == [("spec", "Invalid value: never")]


def test_a_rule_sees_name_but_no_labels() -> None:
    schema = {
        "type": "object",
        "x-kubernetes-validations": [{"rule": "self.metadata.name == 'a' && !has(self.metadata.labels)"}],
    }
    assert list(check_rules({"metadata": {"name": "a", "labels": {"x": "y"}}}, schema)) == []


def test_a_number_is_no_whole_number_to_a_rule() -> None:
    schema = rules({"rule": "self.n / 2.0 == 0.5"}, properties={"n": {"type": "number"}})
    assert found(schema, {"n": 1}) == []


def test_a_rule_that_has_no_value_is_broken() -> None:
    schema = rules({"rule": "self.n > 1"}, properties={"n": {"type": "integer"}})
    ((_, body),) = found(schema, {})
    assert "no such key: n" in body


EXPRESSIONS: list[tuple[str, Any]] = [
    ("self.a.trim().lowerAscii()", "x"),
    ("self.l.exists(i, i == 2) && self.l.all(i, i > 0)", True),
    ("has(self.none) || self.a.matches('^ X')", True),
    ("self.a.split('X').size()", 2),
    ("'b' in {'b': 1} ? 1 : 2", 1),
]


@pytest.mark.parametrize(("source", "value"), EXPRESSIONS)
def test_expressions(source: str, value: Any) -> None:
    assert compiled(source, frozenset({"self"})).evaluate({"self": {"a": " X ", "l": [1, 2]}}) == value


@pytest.mark.parametrize("source", ["1 +", "self.?a", "other.a", "foo(1)", "[1].sum()", "quantity('1')", "x" * 20_000])
def test_expressions_that_cannot_be_evaluated_are_refused(source: str) -> None:
    with pytest.raises(CompilationFailed):
        compiled(source, frozenset({"self"}))


def test_an_expression_without_a_value() -> None:
    with pytest.raises(EvaluationFailed, match="no such key: none"):
        compiled("self.none", frozenset({"self"})).evaluate({"self": {}})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_there_is_valid_where_nothing_is_asked(value: Any) -> None:
    schema = spec_of(a={"x-kubernetes-preserve-unknown-fields": True})
    assert list(validate({"spec": {"a": value}}, schema)) == []
    assert prune({"spec": {"a": value}}, schema) == ({"spec": {"a": value}}, [])


def definition(schema: Any, group: str = "example.com", **version: Any) -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
            ],
        },
    }


REFUSED: list[tuple[Object, str, str]] = [
    (definition(None), "spec.versions[0].schema.openAPIV3Schema", "schemas are required"),
    (
        definition({"type": "object", "x-kubernetes-validations": [{"rule": "foo(1)"}]}),
        "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule",
        "the sandbox has no function foo",
    ),
    (
        definition({"type": "object", "properties": {"a": {"anyOf": []}}}),
        "spec.validation.openAPIV3Schema.properties[a].anyOf",
        "the sandbox does not know this part",
    ),
    (definition({"type": "object"}, subresources={"scale": {}}), "spec.versions[0].subresources.scale", "no scale"),
    (definition({"type": "object"}) | {"metadata": {"name": "x"}}, "metadata.name", 'must be spec.names.plural+"."+'),
]


@pytest.mark.parametrize(("value", "field", "words"), REFUSED)
def test_a_definition_that_cannot_be_served_is_refused(api: Api, value: Object, field: str, words: str) -> None:
    reply = api.create(DEFINITIONS, value)
    assert reply.code == 422
    assert any(where == field and words in told for where, told in reply.causes)


@pytest.fixture
def thing(api: Api, place: Place) -> Iterator[Object]:
    """A definition of things in a group of the test's own, and a thing."""
    group = f"{place.name}.example.com"
    spec = {"type": "object", "properties": {"a": {**TEXT, "default": "x"}, "n": {"type": "integer"}}}
    value = definition({"type": "object", "properties": {"spec": spec}}, group, additionalPrinterColumns=[
        {"name": "A", "type": "string", "jsonPath": ".spec.a"}
    ])  # fmt: skip
    created = api.create(DEFINITIONS, value).body
    assert created["spec"]["names"]["listKind"] == "ThingList"
    yield {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {}}
    api.delete(f"{DEFINITIONS}/things.{group}")


def test_what_is_defined_is_served_at_once(api: Api, place: Place, thing: Object) -> None:
    path = place.path(f"{thing['apiVersion']}/things")
    assert api.create(path, thing).body["spec"] == {"a": "x"}
    changed = api.patch(f"{path}/t", {"status": {"free": 1}, "spec": {"n": 1}})
    assert changed.body["metadata"]["generation"] == 2
    assert "status" not in changed.body
    assert api.get(f"{path}/t/status").code == 404
