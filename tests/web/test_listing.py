"""The list: rows of summaries and filters, and what is shown, counted and linked."""

import pytest

from webhook.diagnosis.summary import State, Summary
from webhook.web.listing import MOST_ROWS, Filters, listing


def summary(name: str, state: State, namespace: str = "team-a") -> Summary:
    return Summary(namespace, name, state, "availability")


SOME = [
    summary("shop", "Progressing"),
    summary("hello", "Stuck"),
    summary("paused", "Paused", "team-b"),
    summary("old", "Complete"),
    summary("other", "Complete", "team-b"),
]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param({}, ["hello", "paused", "shop", "old", "other"], id="what needs a person first"),
        pytest.param({"state": "Complete"}, ["old", "other"], id="a state"),
        pytest.param({"state": "person"}, ["hello", "paused"], id="all that need a person"),
        pytest.param({"namespace": "team-b"}, ["paused", "other"], id="a namespace"),
        pytest.param({"namespace": "team"}, [], id="a namespace is named whole"),
        pytest.param({"name": "o"}, ["hello", "shop", "old", "other"], id="a part of the name"),
        pytest.param({"name": " sh ", "namespace": "team-a"}, ["shop"], id="both, with blanks"),
        pytest.param({"state": "Nonsense"}, ["hello", "paused", "shop", "old", "other"], id="no such state"),
    ],
)
def test_filters(query: dict[str, str], names: list[str]) -> None:
    assert [one.name for one in listing(SOME, Filters.of(query)).rows] == names


def test_counts_are_links_that_keep_the_other_filters() -> None:
    shown = listing(SOME, Filters.of({"namespace": "team-b", "state": "Paused"}))

    assert [(one.label, one.number, one.address, one.is_current) for one in shown.counts] == [
        ("All", 2, "/?namespace=team-b", False),
        ("Need a person", 1, "/?state=person&namespace=team-b", False),
        ("Paused", 1, "/?state=Paused&namespace=team-b", True),
        ("Complete", 1, "/?state=Complete&namespace=team-b", False),
    ]


def test_words_of_a_filter_are_encoded() -> None:
    assert Filters(name="a&state=Failed").query("Stuck") == "/?state=Stuck&name=a%26state%3DFailed"


def test_the_sentence_for_those_who_cannot_see_the_page_change() -> None:
    assert listing(SOME, Filters()).says == "5 rollouts, 2 in need of a person"
    assert listing(SOME[:1], Filters()).says == "1 rollout, none in need of a person"


def test_very_many_are_not_all_shown() -> None:
    shown = listing([summary(f"r{number:04}", "Complete") for number in range(MOST_ROWS + 7)], Filters())

    assert (len(shown.rows), shown.left_out) == (MOST_ROWS, 7)
