"""Definitions, and what their schemas make of objects."""

from typing import Final

from tests.e2e.conformance.steps import (
    DEFINITIONS,
    THINGS,
    Object,
    definition,
    get,
    patch,
    post,
    thing,
    wrong_definition,
)

TEXT: Final[Object] = {"type": "string"}
NUMBER: Final[Object] = {"type": "integer"}
ITEM: Final[Object] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": TEXT, "w": TEXT, "v": {**NUMBER, "default": 7}},
}
THING: Final[Object] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["a"],
            "x-kubernetes-validations": [
                {"rule": "!has(self.n) || self.n > 1", "message": "n must be above 1"},
                {"rule": "self.a != 'bad'"},
                {"rule": "!has(oldSelf.n) || has(self.n)", "message": "n stays"},
            ],
            "properties": {
                "a": {
                    **TEXT,
                    "maxLength": 5,
                    "minLength": 2,
                    "pattern": "^[a-z]*$",
                    "x-kubernetes-validations": [
                        {"rule": "self != 'aaa'", "message": "not aaa", "reason": "FieldValueForbidden"},
                        {"rule": "self == oldSelf", "message": "fixed"},
                    ],
                },
                "n": {**NUMBER, "maximum": 10},
                "e": {**TEXT, "enum": ["x", "y"], "default": "x"},
                "nul": {**TEXT, "nullable": True},
                "b": {"type": "boolean"},
                "ios": {"x-kubernetes-int-or-string": True},
                "set": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set", "maxItems": 3},
                "m": {
                    "type": "array",
                    "items": ITEM,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "at": {"type": "array", "items": NUMBER, "minItems": 2},
                "mp": {"type": "object", "additionalProperties": TEXT},
                "am": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"p": TEXT, "q": TEXT}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "d": {**TEXT, "format": "date-time"},
                "scalar": {**TEXT, "x-kubernetes-validations": [{"rule": "self != 'z'", "message": "no z"}]},
            },
        }
    },
}

SCHEMAS: Final = [
    post(DEFINITIONS, definition(THING)),
    get(THINGS, until=200),
    *(
        post(THINGS, thing("a", spec))
        for spec in (
            {},
            {"a": "abcdef", "n": 1},
            {"a": "a", "n": 1},
            {"a": "aaa", "n": 1},
            {"a": "bad"},
            {"a": "AB", "n": 11},
            {"a": "ab", "e": "z"},
            {"a": "ab", "b": "true"},
            {"a": "ab", "b": 1, "ios": 1.5},
            {"a": "ab", "set": ["a", "a"]},
            {"a": "ab", "set": ["a", "b", "c", "d"]},
            {"a": "ab", "m": [{"name": "x"}, {"name": "x"}]},
            {"a": "ab", "m": [{"v": 1}]},
            {"a": "ab", "at": [1]},
            {"a": "ab", "at": [1, "x", None]},
            {"a": "ab", "mp": {"a": None}},
            {"a": "ab", "d": "x"},
            {"a": "ab", "scalar": "z"},
            {"a": None},
        )
    ),
    post(
        THINGS,
        thing("ok", {"a": "ab", "n": 5, "e": None, "nul": None, "b": None, "m": [{"name": "x"}], "free": {"k": [1]}}),
    ),
    patch(f"{THINGS}/ok", {"spec": {"a": "abc"}}),
    patch(f"{THINGS}/ok", {"spec": {"n": None}}),
    wrong_definition({"type": "object", "x-kubernetes-validations": [{"rule": "1 +"}]}),
    wrong_definition({"type": "object", "x-kubernetes-validations": [{"rule": "foo(1)"}]}),
]
