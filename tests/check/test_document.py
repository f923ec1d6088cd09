"""From text to values: what Kubernetes makes of YAML, and texts that are bounded or refused in one line."""

import json
from typing import Any

import pytest

from webhook.check.document import documents_of
from webhook.check.source_text import MAX_BYTES, SourceText, Unreadable, decoded
from webhook.value_bounds import MAX_DEPTH

VALUES: dict[str, Any] = {
    "5": 5,
    "-5": -5,
    "+5": 5,
    "1_000": 1000,
    "0x1F": 31,
    "0b101": 5,
    "0o17": 15,
    "017": 15,
    "089": 89.0,
    "1.5": 1.5,
    "1e3": 1000.0,
    ".5": 0.5,
    "1.": 1.0,
    "yes": True,
    "Off": False,
    "y": True,
    "n": False,
    "true": True,
    "tRue": "tRue",
    "~": None,
    "": None,
    "1:30": "1:30",
    "2030-01-01": "2030-01-01",
    "2030-01-01T00:00:00Z": "2030-01-01T00:00:00Z",
    "'5'": "5",
    '"yes"': "yes",
    "!!str 5": "5",
    "!!int '5'": 5,
    "!Ref x": "x",
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": float(2**63),
    "-9223372036854775808": -(2**63),
    "18446744073709551616": float(2**64),
    "9" * 400: "9" * 400,
    "1e400": "1e400",
    "0o8": "0o8",
    "0x": "0x",
    "0b2": "0b2",
    "-0x1F": -31,
    "-0b11": -3,
    "0B11": 3,
    "0X1f": 31,
    "0O17": 15,
    "1__0": 10,
    "_1": "_1",
    "+": "+",
    "-1": -1,
    ".": ".",
    "1e": "1e",
    "1.2.3": "1.2.3",
    "-0": 0,
    "00": 0,
    "0.1e-5": 0.1e-5,
    "+.5": 0.5,
    "1_0.5": 10.5,
    "-1e3": -1000.0,
    "NaN": "NaN",
    "TRUE": True,
    "nULL": "nULL",
    "NULL": None,
    "2001-12-14 21:59:43.10 -5": "2001-12-14 21:59:43.10 -5",
    "9e9999": "9e9999",
    "0xFFFFFFFFFFFFFFFFFF": "0xFFFFFFFFFFFFFFFFFF",
    "hello-00002": "hello-00002",
    "=": "=",
}


def values_of(text: str, *, is_json: bool = False) -> list[Any]:
    return [document.root.value for document in documents_of(SourceText(text), is_json=is_json)]


def refusal_of(text: str, *, is_json: bool = False) -> tuple[str, int]:
    """Why a text is refused, and the index of the place."""
    with pytest.raises(Unreadable) as caught:
        values_of(text, is_json=is_json)
    return caught.value.problem, caught.value.index


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_a_scalar_has_the_value_that_kubernetes_reads(text: str, value: Any) -> None:
    (document,) = values_of(f"key: {text}\n")
    assert document == {"key": value}
    assert type(document["key"]) is type(value)


def test_keys_are_text() -> None:
    assert values_of("1: a\ntrue: b\non: c\n1.5: d\n") == [{"1": "a", "true": "c", "1.5": "d"}]


def test_documents_are_read_in_order_and_empty_ones_are_null() -> None:
    assert values_of("---\na: 1\n---\n# nothing\n---\n- b\n...\n---\nc\n") == [{"a": 1}, None, ["b"], "c"]


def test_no_text_has_no_document() -> None:
    assert values_of("") == []
    assert values_of("# a comment\n") == []


MERGES = {
    "an own member wins before the merge": ("<<: *base\n  a: 9", {"a": 9, "b": 2}),
    "a merge wins after an own member, for kubectl": ("a: 9\n  <<: *base", {"a": 1, "b": 2}),
    "the last of two merges wins": ("<<: *base\n  <<: *other", {"a": 1, "b": 3, "c": 4}),
    "the first of several wins": ("<<: [*base, *other]", {"a": 1, "b": 2, "c": 4}),
    "an object in place": ("<<: {c: 5}", {"c": 5}),
    "in quotes it is a key like any other": ("'<<': x", {"<<": "x"}),
}


@pytest.mark.parametrize(("spec", "value"), MERGES.values(), ids=MERGES)
def test_merge_keys(spec: str, value: Any) -> None:
    (document,) = values_of(f"base: &base {{a: 1, b: 2}}\nother: &other {{b: 3, c: 4}}\nspec:\n  {spec}\n")
    assert document["spec"] == value


@pytest.mark.parametrize(
    "value", [{}, [], [[], {}], {"a": {"b": [1, -2.5, True, None, 'ü\n"\\/\u2028']}}, "x", 0, [{"a": 1}, {"b": []}]]
)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_json_has_the_values_of_json(value: Any, indent: Any, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert values_of(text, is_json=True) == [value]


def test_json_values_may_stand_one_after_another() -> None:
    assert values_of('{"a": 1}\n{"a": 2}', is_json=True) == [{"a": 1}, {"a": 2}]


def test_yaml_in_braces_need_not_be_json() -> None:
    assert values_of("{a: 1}") == [{"a": 1}]


REFUSALS = {
    "a tab": ("a:\n\tb: 1\n", "a tab cannot indent YAML", 3),
    "two colons": ("a: b: c\n", "is not YAML: mapping values are not allowed in this context", 4),
    "a list as a key": ("? [a]\n: 1\n", "a key must be text", 2),
    "null as a key": ("~: 1\n", "a key must be text", 0),
    "an anchor that is not there": ("a: *b\n", "has the alias *b without an anchor &b before it", 3),
    "an anchor in itself": ("a: &b [*b]\n", "has the alias *b inside what it stands for", 7),
    "a merge of a number": ("a:\n  <<: 1\n", "the key << merges objects only", 9),
    "a NUL": ("a: b\0\n", "has the control character U+0000", 4),
    "an escape": ("a: \x1b[31m\n", "has the control character U+001B", 3),
    "deep flow": ("[" * 100_000, f"is nested more than {MAX_DEPTH} deep", MAX_DEPTH),
    "deep aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1300)),
        f"is nested more than {MAX_DEPTH} deep",
        3659,
    ),
    "deep blocks": ("- " * 100_000 + "a", f"is nested more than {MAX_DEPTH} deep", 2 * MAX_DEPTH),
}


@pytest.mark.parametrize(("text", "problem", "index"), REFUSALS.values(), ids=REFUSALS)
def test_a_text_is_refused_in_one_line_at_its_place(text: str, problem: str, index: int) -> None:
    assert refusal_of(text) == (problem, index)


JSON_REFUSALS = {
    "deep": ("[" * 100_000, f"is nested more than {MAX_DEPTH} deep", MAX_DEPTH),
    "no end": ('{"a": [1', 'is not JSON: "," or "]" is missing', 8),
    "a comma at the end": ('{"a": 1,}', "is not JSON: a key in double quotes is missing", 8),
    "single quotes": ("{'a': 1}", "is not JSON: a key in double quotes is missing", 1),
    "a word": ('{"a": yes}', "is not JSON: yes is no value", 6),
    "an escape": (r'{"a": "\x"}', "is not JSON: an escape in this string is not valid", 6),
    "nothing after a colon": ('{"a": ', "is not JSON: a value is missing", 6),
}


@pytest.mark.parametrize(("text", "problem", "index"), JSON_REFUSALS.values(), ids=JSON_REFUSALS)
def test_json_is_refused_in_one_line_at_its_place(text: str, problem: str, index: int) -> None:
    assert refusal_of(text, is_json=True) == (problem, index)


def test_anchors_cannot_stand_for_more_values_than_fit_into_memory() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 30)]
    problem, _ = refusal_of("\n".join(levels))
    assert problem == "has aliases that stand for more than 1,000,000 values"


def test_merged_anchors_are_counted_too() -> None:
    levels = ["l0: &l0 {a: x, b: x}"]
    levels += [f"l{n}: &l{n} {{a: {{<<: *l{n - 1}}}, b: {{<<: *l{n - 1}}}}}" for n in range(1, 40)]
    problem, _ = refusal_of("\n".join(levels))
    assert problem == "has aliases that stand for more than 1,000,000 values"


MANY = {
    "a list": ("a: [1, 2, 3, 4]\n", False, 13),
    "an object": ("a: 1\nb: 2\nc: 3\nd: 4\n", False, 13),
    "JSON": ('{"a": [1, 2, 3, 4]}', True, 16),
    "JSON in YAML": ('{"a": [1, 2, 3, 4]}', False, 16),
    "JSON until then": (f"[1, 2, 3, 4, 5, 6, {'7, ' * 14}a: 1]", False, 16),
    "in a second document": ("a: 1\n---\nb: [1, 2]\n", False, 13),
}


@pytest.mark.parametrize(("text", "is_json", "index"), MANY.values(), ids=MANY)
def test_values_of_a_file_are_bounded(text: str, is_json: bool, index: int) -> None:
    with pytest.raises(Unreadable) as caught:
        list(documents_of(SourceText(text), is_json=is_json, most_values=6))
    assert caught.value.problem == "has more than 6 values, which no API server takes"
    assert (caught.value.index, caught.value.way_out) == (index, "split it")


def test_a_file_has_a_million_values_at_most() -> None:
    problem, _ = refusal_of(f"[{'1,' * 1_000_000}", is_json=True)
    assert problem == "has more than 1,000,000 values, which no API server takes"


BYTES = {
    "not UTF-8": (b"a: \xc3\xbc\nb: \xff\n", "is not UTF-8: byte 0xff", 8),
    "not UTF-8 after a byte order mark": (b"\xef\xbb\xbfa: \xff", "is not UTF-8: byte 0xff", 3),
    "UTF-16": ("a: 1".encode("utf-16"), "is in UTF-16", 0),
    "too long": (b"#" * (MAX_BYTES + 1), "is longer than 16 MiB", 0),
}


@pytest.mark.parametrize(("data", "problem", "index"), BYTES.values(), ids=BYTES)
def test_bytes_are_refused_in_one_line(data: bytes, problem: str, index: int) -> None:
    with pytest.raises(Unreadable) as caught:
        decoded(data)
    assert (caught.value.problem, caught.value.index) == (problem, index)


WAYS_OUT = {
    "a: b: c\n": 'indent this line as the keys around it; a text with ": " in it needs quotes',
    "a:\n  b: 1\n c: 2\n": "indent this line as the keys around it, or close the quote or bracket before it",
    "- a\nb: 1\n": 'begin this line with "-", or indent it below the entry before it',
    "a: - b\n": "begin the list on a line of its own",
    "a: [1, 2\n": "put a comma between the values, or close the bracket",
    "a: 'x\n": "close the quote",
    "a: @x\n": "put the value in quotes",
    "a: *x\n": "put &x before the value that is meant, or quotes around a text that begins with *",
    "a: &x [*x]\n": "write the value in its place",
    'a: "\\q"\n': "double the backslash, or use single quotes",
    "a: 1\nb\n": 'write "key: value", or indent the line as the text before it',
    "a: | x\n": "begin the text on the next line, indented",
    "a: }\n": "write a value, or put this one in quotes",
    "a: 1\n...\nb\nc: 1\n": 'begin the next document with a line "---"',
    "a:\n\tb: 1\n": "indent with spaces",
    "? [a]\n: b\n": "put the key in quotes",
    "%FOO\n---\na: 1\n": "look at this line and the one before it: the indentation, a colon, a quote or a bracket",
}
JSON_WAYS_OUT = {
    '{"a": 1': "add it",
    '{"a": 1,}': "quote the key, and end the last entry without a comma",
    '{"a" 1}': "add it between the key and its value",
    "[1,]": "add one, or remove the comma before it",
    '{"a": yes}': "put a text in double quotes",
    '{"a": "\\q"}': "double the backslash",
}


@pytest.mark.parametrize(
    ("text", "is_json", "way_out"),
    [
        *((text, False, way_out) for text, way_out in WAYS_OUT.items()),
        *((text, True, way_out) for text, way_out in JSON_WAYS_OUT.items()),
    ],
)
def test_what_to_do_about_a_text_that_cannot_be_read(text: str, is_json: bool, way_out: str) -> None:
    with pytest.raises(Unreadable) as refused:
        list(documents_of(decoded(text.encode()), is_json=is_json))
    assert refused.value.way_out == way_out
