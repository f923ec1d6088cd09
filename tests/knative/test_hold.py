"""The hold on a Route, as text and back."""

import pytest

from webhook.knative.hold import HELD, RELEASING, Hold, UnreadableHold, hold_of


def test_a_hold_is_compact_json_with_sorted_keys() -> None:
    hold = Hold(HELD, {"hello-00001": 100}, "hello-00002", "4f2e")
    text = '{"initial":{"hello-00001":100},"new":"hello-00002","phase":"held","since":"4f2e"}'
    assert hold.to_annotation() == text
    assert hold_of({"metadata": {"annotations": {"stagegate.dev/hold": text}}}) == hold


@pytest.mark.parametrize("route", [None, {}, {"metadata": {}}, {"metadata": {"annotations": {"other": "x"}}}])
def test_a_route_without_the_annotation_has_no_hold(route: dict[str, object] | None) -> None:
    assert hold_of(route) is None


def test_what_a_later_release_adds_is_ignored() -> None:
    hold = hold_of({"metadata": {"annotations": {"stagegate.dev/hold": '{"phase":"releasing","later":1}'}}})
    assert hold == Hold(RELEASING)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("held", "not JSON"),
        ("[" * 6000, "not JSON"),
        ("[]", "no phase"),
        ('{"phase":"stopped"}', "no phase"),
        ('{"phase":"held","initial":[]}', "initial must map"),
        ('{"phase":"held","initial":{"a":101}}', "initial must map"),
        ('{"phase":"held","initial":{"a":true}}', "initial must map"),
        ('{"phase":"held","new":1}', "must be text"),
        ('{"phase":"held","new":"' + "a" * 20_000 + '"}', "characters"),
    ],
)
def test_another_annotation_says_what_is_wrong_with_it(text: str, problem: str) -> None:
    with pytest.raises(UnreadableHold, match=problem):
        hold_of({"metadata": {"annotations": {"stagegate.dev/hold": text}}})
