"""The runner finds what is wrong, refuses what is falsely called deliberate, and tells it by its exit code."""

import json
import lzma
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.__main__ import EXIT_MISSING, EXIT_USAGE, EXIT_WRONG, main
from tests.vectors.catalogue import suites
from tests.vectors.ceilings import breaches, limit
from tests.vectors.comparison import ABSENT, differences
from tests.vectors.judgement import judge
from tests.vectors.rows import recorded_rows
from tests.vectors.runner import judge_rows
from tests.vectors.suite import Difference, Suite

DOUBLED = Difference(
    name="doubled",
    holds=lambda vector: vector.input["number"] > 10,
    objection=lambda vector, answer: None if answer == {"number": 2 * vector.input["number"]} else "it is not doubled",
)


def suite_that_answers(factor: int) -> Suite:
    return Suite("numbers", lambda given: {"number": factor * given["number"]}, (DOUBLED,))


def row(number: int, expected: Any = None) -> dict[str, Any]:
    return {"id": f"n-{number}", "input": {"number": number}, "expected": expected or {"number": number}}


def sample(stem: str, count: int, deliberate: str | None = None) -> list[dict[str, Any]]:
    """The first recorded rows that count for a difference, or that are the same."""
    wanted = (deliberate,) if deliberate else ()
    fitting = (dict(row) for row in recorded_rows(stem) if judge(suites()[stem], row).deliberate == wanted)
    return list(islice(fitting, count))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# One row


def test_an_equal_answer_is_the_same() -> None:
    assert judge(suite_that_answers(1), row(20)).is_same


def test_a_difference_counts_where_it_holds_and_has_its_property() -> None:
    assert judge(suite_that_answers(2), row(20)).deliberate == ("doubled",)


def test_an_unlike_answer_is_wrong_where_no_difference_holds() -> None:
    wrong = judge(suite_that_answers(2), row(5)).wrong
    assert wrong is not None
    assert wrong.splitlines() == [
        "n-5",
        "  input.number: 5",
        "  no difference allows this",
        "  number: expected 5, answered 10",
    ]


def test_a_difference_that_holds_is_refused_without_its_property() -> None:
    wrong = judge(suite_that_answers(3), row(20)).wrong
    assert wrong is not None
    assert "doubled holds, but it is not doubled" in wrong


def test_every_difference_that_holds_has_to_have_its_property() -> None:
    even = Difference("even", lambda vector: True, lambda vector, answer: "it is odd" if answer["number"] % 2 else None)
    suite = Suite("numbers", lambda given: {"number": given["number"] + 1}, (even, DOUBLED))
    assert judge(suite, row(5)).deliberate == ("even",)
    assert "doubled holds" in (judge(suite, row(13)).wrong or "")


def test_an_exception_is_wrong_and_shown() -> None:
    def answer(given: Any) -> Any:
        raise KeyError(given["number"])

    assert "KeyError: 7" in (judge(Suite("numbers", answer), row(7)).wrong or "")


def test_paths_of_a_difference_distinguish_absent_from_null_and_false_from_0() -> None:
    found = list(differences({"a": [1, {"b": 0}], "c": None}, {"a": [1, {"b": False}, 3]}))
    assert found == [("a[1].b", 0, False), ("a[2]", ABSENT, 3), ("c", None, ABSENT)]


# One file


def test_a_file_is_one_line_with_the_first_three_wrong_rows() -> None:
    result = judge_rows("numbers_1", suite_that_answers(2), [row(n) for n in (0, 1, 2, 3, 4, 20, 30)])
    lines = result.report().splitlines()
    assert lines[0] == "numbers_1: 1 same, 2 deliberate (by difference: doubled 2), 4 wrong"
    assert [line for line in lines if line.startswith("n-")] == ["n-1", "n-2", "n-3"]


def test_a_file_without_deliberate_rows_says_so() -> None:
    assert judge_rows("numbers", suite_that_answers(1), [row(3)]).line() == (
        "numbers: 1 same, 0 deliberate (by difference: none), 0 wrong"
    )


# Ceilings


@pytest.mark.parametrize(
    ("rows", "most"),
    [(0, 3), (10, 7), (100, 22), (1500, 189), (100_000, 10_303)],
)
def test_a_ceiling_leaves_room_for_chance_and_less_of_it_in_larger_sets(rows: int, most: int) -> None:
    assert limit(0.1, rows) == most


def test_a_count_above_the_ceiling_and_a_difference_without_one_are_breaches() -> None:
    ceilings = {"numbers": {"doubled": 0.1}}
    assert breaches(ceilings, "numbers", 100, Counter(doubled=22)) == []
    assert breaches(ceilings, "numbers", 100, Counter(doubled=23)) == [
        "numbers: doubled counts 23 of 100 rows, above the ceiling of 22"
    ]
    assert breaches(ceilings, "numbers", 100, Counter(halved=1)) == ["numbers: halved counts 1 rows and has no ceiling"]


# The command


def test_exit_0_when_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "scale_bounds.jsonl", sample("scale_bounds", 5))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "scale_bounds: 5 same, 0 deliberate (by difference: none), 0 wrong\n"


def test_exit_1_and_a_diff_when_a_row_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sample("scale_bounds", 3)
    right = rows[1]["expected"]["max"]
    rows[1]["expected"]["max"] = right + 1
    write(tmp_path / "scale_bounds_2.jsonl", rows)
    assert main([str(tmp_path)]) == EXIT_WRONG
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scale_bounds_2: 2 same, 0 deliberate (by difference: none), 1 wrong"
    assert lines[1] == rows[1]["id"]
    assert lines[-1] == f"  max: expected {right + 1}, answered {right}"


def test_exit_1_when_a_difference_counts_too_often(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "initial_final_targets.jsonl", 20 * sample("initial_final_targets", 1, "no-panic"))
    assert main([str(tmp_path)]) == EXIT_WRONG
    out = capsys.readouterr().out
    assert "20 deliberate (by difference: no-panic 20), 0 wrong" in out
    assert "no-panic counts 20 of 20 rows, above the ceiling" in out


def test_exit_2_when_no_suite_knows_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "scale_bounds.jsonl", sample("scale_bounds", 1))
    write(tmp_path / "weather.jsonl", [row(1)])
    assert main([str(tmp_path)]) == EXIT_USAGE
    printed = capsys.readouterr()
    assert "scale_bounds: 1 same" in printed.out
    assert "weather.jsonl: no suite of that name" in printed.err


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "a", "input": {}}'])
def test_exit_2_when_a_row_cannot_be_read(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scale_bounds.jsonl").write_text(f"\n{text}\n")
    assert main([str(tmp_path)]) == EXIT_USAGE
    assert "scale_bounds.jsonl:2: " in capsys.readouterr().err


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "plain.jsonl", sample("scale_bounds", 5))
    packed = lzma.compress((tmp_path / "plain.jsonl").read_bytes())
    (tmp_path / "plain.jsonl").unlink()
    (tmp_path / "scale_bounds.jsonl.xz").write_bytes(packed)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "scale_bounds: 5 same, 0 deliberate (by difference: none), 0 wrong\n"


def test_exit_2_when_a_compressed_file_is_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = lzma.compress(json.dumps(sample("scale_bounds", 1)[0]).encode())
    (tmp_path / "scale_bounds.jsonl.xz").write_bytes(packed[:-8])
    assert main([str(tmp_path)]) == EXIT_USAGE
    assert "scale_bounds.jsonl.xz: " in capsys.readouterr().err


def test_exit_2_when_there_are_no_vectors(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == EXIT_USAGE


def test_exit_3_when_the_directory_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == EXIT_MISSING
    assert "nowhere: no such directory" in capsys.readouterr().err


@pytest.mark.parametrize("deliberate", ["same-revision", "rollback-found", "down-never-up", "no-panic"])
def test_a_row_is_not_deliberate_when_the_model_of_upstream_does_not_give_what_was_recorded(deliberate: str) -> None:
    (row,) = sample("plan_stages", 1, deliberate)
    row["expected"] = {"error": False, "spec": {"rolloutStrategy": "availability"}, "targetFinishTimeSet": True}
    assert "is not upstream on this row" in (judge(suites()["plan_stages"], row).wrong or "")
