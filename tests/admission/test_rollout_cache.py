"""The cache of ROs: its updates, and what it returns afterwards."""

from typing import Any

import pytest

from tests.admission.reviews import entry, stored_ro
from webhook.admission import RevisionBounds, RolloutCache
from webhook.admission.rollout_cache import rollout_from

A = [entry("hello-00001", 100, minScale=1)]
B = [entry("hello-00002", 100, maxScale=5)]


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> RolloutCache:
    return RolloutCache(clock)


def names(cache: RolloutCache, revision: str) -> list[str]:
    return [rollout.name for rollout in cache.rollouts_listing("default", revision)]


def test_it_has_no_age_before_it_heard_anything(cache: RolloutCache) -> None:
    assert cache.age() is None


def test_its_age_counts_from_the_last_sign_of_life(cache: RolloutCache, clock: Clock) -> None:
    signs: list[Any] = [
        lambda: cache.replace_all([]),
        lambda: cache.put(stored_ro()),
        lambda: cache.remove("default", "hello"),
        cache.confirm,
    ]
    for sign in signs:
        clock.now += 45.0
        sign()
        assert cache.age() == 0.0
        clock.now += 7.0
        assert cache.age() == 7.0


def test_an_rollout_is_found_by_name_and_by_what_it_lists(cache: RolloutCache) -> None:
    cache.put(stored_ro(initialRevisions=A, targetRevisions=B))
    found = cache.rollout("default", "hello")
    assert found is not None
    assert (found.uid, found.bounds) == (
        "uid-of-hello",
        {"hello-00001": RevisionBounds(1, None), "hello-00002": RevisionBounds(None, 5)},
    )
    assert cache.rollout("other", "hello") is None
    assert names(cache, "hello-00001") == names(cache, "hello-00002") == ["hello"]
    assert names(cache, "hello-00003") == []
    assert cache.rollouts_listing("other", "hello-00001") == ()


def test_the_entries_of_one_revision_are_one_and_come_from_the_first_list_that_names_it(cache: RolloutCache) -> None:
    tagged = [*B, entry("hello-00002", 0, tag="next", minScale=2), entry("hello-00002", 0, maxScale=7)]
    cache.put(stored_ro(initialRevisions=[*A, entry("hello-00002", 0, minScale=9)], targetRevisions=tagged))
    found = cache.rollout("default", "hello")
    assert found is not None
    assert found.bounds == {"hello-00001": RevisionBounds(1, None), "hello-00002": RevisionBounds(2, 7)}


def test_several_that_list_a_revision_are_sorted(cache: RolloutCache) -> None:
    for name in ("b", "c", "a"):
        cache.put(stored_ro(name, targetRevisions=A))
    assert names(cache, "hello-00001") == ["a", "b", "c"]
    cache.put(stored_ro("b", targetRevisions=B))
    assert names(cache, "hello-00001") == ["a", "c"]
    assert names(cache, "hello-00002") == ["b"]
    cache.remove("default", "a")
    cache.remove("default", "unknown")
    assert names(cache, "hello-00001") == ["c"]


def test_a_list_replaces_everything(cache: RolloutCache) -> None:
    cache.put(stored_ro("old", targetRevisions=A))
    cache.put(stored_ro("kept", targetRevisions=A))
    cache.replace_all([stored_ro("kept", targetRevisions=B), stored_ro("new", targetRevisions=A)])
    assert cache.rollout("default", "old") is None
    assert names(cache, "hello-00001") == ["new"]
    assert names(cache, "hello-00002") == ["kept"]


def test_a_rollout_that_is_being_deleted_is_gone(cache: RolloutCache) -> None:
    cache.put(stored_ro(targetRevisions=A))
    dying = stored_ro(targetRevisions=A)
    dying["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cache.put(dying)
    assert cache.rollout("default", "hello") is None
    assert names(cache, "hello-00001") == []


@pytest.mark.parametrize(
    ("annotation", "specified", "strategy"),
    [
        (None, None, "availability"),
        (None, " ResourceUtil ", "resourceutil"),
        (None, "unknown", "availability"),
        ("resourceutil", "availability", "resourceutil"),
        (" ", "resourceutil", "resourceutil"),
        (5, ["resourceutil"], "availability"),
    ],
)
def test_the_strategy_is_the_annotation_s_or_else_that_of_the_spec(
    annotation: Any, specified: Any, strategy: str
) -> None:
    ro = stored_ro()
    ro["spec"]["rolloutStrategy"] = specified
    ro["metadata"]["annotations"] = {"rollout.knative.dev/progressive-rollout-strategy": annotation}
    rollout = rollout_from(ro)
    assert rollout is not None
    assert rollout.strategy == strategy


def test_of_one_name_in_one_list_the_last_entry_counts() -> None:
    rollout = rollout_from(stored_ro(targetRevisions=[entry("a", 100, minScale=1), entry("a", 0, minScale=2, tag="t")]))
    assert rollout is not None
    assert rollout.bounds == {"a": RevisionBounds(2, None)}


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"targetRevisions": "a"},
        {"targetRevisions": [None, 5, "a", {}, {"revisionName": 5}, {"revisionName": ""}]},
    ],
)
def test_whatever_was_stored_can_be_held(spec: Any) -> None:
    rollout = rollout_from({"metadata": {"name": "hello", "namespace": "default", "uid": "u"}, "spec": spec})
    assert rollout is not None
    assert rollout.bounds == {}


@pytest.mark.parametrize("value", ["5", True, 1.5, 2**31, -(2**31), [], float("inf")])
def test_bounds_that_are_none_are_absent(value: Any) -> None:
    rollout = rollout_from(stored_ro(targetRevisions=[entry("a", 100, minScale=value, maxScale=3.0)]))
    assert rollout is not None
    assert rollout.bounds == {"a": RevisionBounds(None, 3)}


@pytest.mark.parametrize("ro", [{}, {"metadata": []}, {"metadata": {"name": 5}}])
def test_an_object_without_a_name_is_not_held(ro: dict[str, Any], cache: RolloutCache) -> None:
    cache.put(ro)
    assert rollout_from(ro) is None


def test_namespaces_choose_their_enforcement(cache: RolloutCache) -> None:
    assert cache.enforcement("default") is None
    for word, chosen in (("warn", "warn"), ("deny", "deny"), ("off", None), ("warn", "warn")):
        cache.put_namespace("default", {"stagegate.dev/enforce": word})
        assert cache.enforcement("default") == chosen
    cache.put_namespace("default", {})
    assert cache.enforcement("default") is None
    cache.put_namespace("default", {"stagegate.dev/enforce": "warn"})
    cache.remove_namespace("default")
    assert cache.enforcement("default") is None


def test_a_list_beyond_the_bound_of_the_crd_is_not_held() -> None:
    held = rollout_from(stored_ro(initialRevisions=A, targetRevisions=[entry(f"r-{n}", 0) for n in range(201)]))
    assert held is not None
    assert list(held.bounds) == ["hello-00001"]
