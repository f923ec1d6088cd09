"""Problems in settings: values that cannot be read, unknown keys, and what was probably meant."""

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any, Final, NamedTuple

from webhook.api.kinds import ENFORCE_LABEL, OVERRIDE_ANNOTATION
from webhook.api.steering import GROUPS, STEERING_KEYS
from webhook.api.word import word_of
from webhook.planning.config import (
    GIVE_FAILED_SHARES_BACK,
    HOLD_NOTHING_NEW,
    KEEP_REPLICAS_FOR_SHARES,
    KEEP_SERVICE_WAITING,
    OVER_CONSUMPTION_RATIO,
    PROGRESSIVE_ROLLOUT_ENABLED,
    PROGRESSIVE_ROLLOUT_STRATEGY,
    ROLLOUT_ANNOTATIONS,
    STAGE_ROLLOUT_TIMEOUT_MINUTES,
    parse_boolean,
    parse_integer,
)
from webhook.strategies.table import RESOURCE_UTIL_STRATEGY, STRATEGIES

STAGEGATE_PREFIX: Final = "stagegate.dev/"
PREFIXES: Final = (ROLLOUT_ANNOTATIONS, STAGEGATE_PREFIX)
"""The prefixes under which a key of an object is a setting of ours, or a mistake."""

MOST_PROBLEMS: Final = 10
"""As many are looked for in one set of keys: comparing a key with the known ones takes some 0.1 ms."""

_MOST_SORTED: Final = 1000
_LONGEST_COMPARED: Final = 64
"""Characters of a key; the time of a comparison grows with their square."""


class Setting(NamedTuple):
    """What a value must be, and an example."""

    is_readable: Callable[[str], bool]
    wanted: str
    example: str


class SettingProblem(NamedTuple):
    """A key that has no effect: its value cannot be read, or the key is not read there. ``way_out`` may be empty."""

    key: str
    value: Any
    problem: str
    way_out: str
    is_unknown: bool
    is_label: bool = False

    @property
    def text(self) -> str:
        """One line, whole by itself."""
        shown = f"{self.value[:64]!r}" if isinstance(self.value, str) else "its value"
        problem = self.problem if self.is_unknown else f"{shown} {self.problem}"
        return f"{self.key}: {problem}; {self.way_out}" if self.way_out else f"{self.key}: {problem}"


def _is_boolean(text: str) -> bool:
    return parse_boolean(text) is not None


def _is_strategy(text: str) -> bool:
    # A blank word states nothing, and that is not a mistake.
    return word_of(text) in ("", *STRATEGIES)


SETTINGS: Final[Mapping[str, Setting]] = {
    OVER_CONSUMPTION_RATIO: Setting(lambda text: parse_integer(text) is not None, "a whole number", "10"),
    PROGRESSIVE_ROLLOUT_ENABLED: Setting(_is_boolean, "true or false", "false"),
    STAGE_ROLLOUT_TIMEOUT_MINUTES: Setting(
        lambda text: parse_integer(text) is not None, "a whole number of minutes without a unit", "5"
    ),
    PROGRESSIVE_ROLLOUT_STRATEGY: Setting(_is_strategy, " or ".join(STRATEGIES), RESOURCE_UTIL_STRATEGY),
}
"""Every setting of a rollout: a key of the ConfigMap, and under the prefix ``rollout.knative.dev/`` an annotation."""

CLUSTER_SETTINGS: Final[Mapping[str, Setting]] = {
    HOLD_NOTHING_NEW: Setting(_is_boolean, "true or false", "true"),
    KEEP_SERVICE_WAITING: Setting(_is_boolean, "true or false", "false"),
    KEEP_REPLICAS_FOR_SHARES: Setting(_is_boolean, "true or false", "false"),
    GIVE_FAILED_SHARES_BACK: Setting(_is_boolean, "true or false", "true"),
}
"""Every setting of the whole cluster: a key of the ConfigMap, and no annotation."""

_OF_THE_CONFIG_MAP: Final = {**SETTINGS, **CLUSTER_SETTINGS}
_NO_SETTINGS: Final = (OVERRIDE_ANNOTATION, *STEERING_KEYS)
"""Annotations of ours whose values are no settings; other rules read them."""
_MINOR: Final = frozenset(STEERING_KEYS) - {group.main for group in GROUPS}
"""Annotations that mean something beside another one only."""
_ANNOTATIONS: Final = (*(ROLLOUT_ANNOTATIONS + key for key in SETTINGS), *_NO_SETTINGS)


def config_map_problems(data: Mapping[str, str]) -> list[SettingProblem]:
    """What is wrong with the data of the ConfigMap; keys that begin with ``_`` hold text for people, as in Knative."""
    return _first(
        _problem(key, value, key, _OF_THE_CONFIG_MAP, _OF_THE_CONFIG_MAP)
        for key, value in _known_first(data)
        if not key.startswith("_")
    )


def template_problems(annotations: Mapping[str, Any]) -> list[SettingProblem]:
    """What is wrong with the settings among the annotations on the template of a Knative Service."""
    return _first(
        _problem(key, value, key.removeprefix(ROLLOUT_ANNOTATIONS), _ANNOTATIONS)
        for key, value in _known_first(annotations)
        if key.startswith(ROLLOUT_ANNOTATIONS)
    )


def misplaced_on_service(annotations: Mapping[str, Any]) -> list[str]:
    """The settings of a rollout among the annotations of a Knative Service itself, sorted; its template has theirs."""
    return sorted(
        key
        for key in annotations
        if key.startswith(ROLLOUT_ANNOTATIONS) and key.removeprefix(ROLLOUT_ANNOTATIONS) in SETTINGS
    )


def rollout_problems(annotations: Mapping[str, Any], labels: Mapping[str, Any]) -> list[SettingProblem]:
    """What is wrong with the keys under our prefixes on an RO."""
    ours = ((key, value) for key, value in _known_first(annotations) if key.startswith(PREFIXES))
    found = (
        None if key in _NO_SETTINGS else _problem(key, value, key.removeprefix(ROLLOUT_ANNOTATIONS), _ANNOTATIONS)
        for key, value in ours
    )
    return _first(chain(found, _label_problems(labels)))


def spa_problems(annotations: Mapping[str, Any], labels: Mapping[str, Any]) -> list[SettingProblem]:
    """What is wrong with the keys under our prefixes on an SPA; the settings of a rollout have no effect there."""
    ours = ((key, value) for key, value in _known_first(annotations) if key.startswith(PREFIXES))
    found = (
        None
        if key == OVERRIDE_ANNOTATION
        else _misplaced(key, value)
        if key in _ANNOTATIONS
        else unknown_setting(key, value, _ANNOTATIONS)
        for key, value in ours
    )
    return _first(chain(found, _label_problems(labels)))


def _problem(
    key: str, value: Any, name: str, known: Collection[str], settings: Mapping[str, Setting] = SETTINGS
) -> SettingProblem | None:
    setting = settings.get(name)
    if setting is None:
        return unknown_setting(key, value, known)
    if isinstance(value, str) and setting.is_readable(value):
        return None
    return SettingProblem(key, value, f"is not {setting.wanted}", f'write for example "{setting.example}"', False)


def unknown_setting(key: str, value: Any, known: Collection[str]) -> SettingProblem:
    if key == ENFORCE_LABEL:
        return SettingProblem(key, value, "has no effect here", "label the namespace with it", True)
    # The prefix is the same for all, and would make everything look alike.
    by_name = {each.rpartition("/")[2]: each for each in known}
    close = get_close_matches(key.rpartition("/")[2][:_LONGEST_COMPARED].lower(), list(by_name), n=1)
    if close:
        way_out = f"did you mean {by_name[close[0]]}?"
    else:
        prefix = key.rpartition("/")[0]
        listed = (name for name, each in by_name.items() if each.rpartition("/")[0] == prefix and each not in _MINOR)
        way_out = f"known: {', '.join(listed)}"
    return SettingProblem(key, value, "is not a setting", way_out, True)


def _misplaced(key: str, value: Any) -> SettingProblem:
    return SettingProblem(key, value, "has no effect on a StagePodAutoscaler", "set it on the rollout", True)


def _label_problems(labels: Mapping[str, Any]) -> Iterable[SettingProblem]:
    for key, value in _known_first(labels):
        if key.startswith(PREFIXES):
            if key in _ANNOTATIONS:
                yield SettingProblem(key, value, "has no effect as a label", "make it an annotation", True, True)
            else:
                yield unknown_setting(key, value, _ANNOTATIONS)._replace(is_label=True)


def _known_first(members: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Those first whose values count, for what is wrong with them must not be cut off; then the others by key.

    Too many to be sorted come in their own order.
    """
    known = [key for key in (*_OF_THE_CONFIG_MAP, *_ANNOTATIONS) if key in members]
    others = members if len(members) > _MOST_SORTED else sorted(members)
    yield from ((key, members[key]) for key in sorted(known))
    yield from ((key, members[key]) for key in others if key not in known)


def _first(problems: Iterable[SettingProblem | None]) -> list[SettingProblem]:
    """The first problems, at most MOST_PROBLEMS; the iterator is not read further."""
    found: list[SettingProblem] = []
    for problem in problems:
        if problem is not None:
            found.append(problem)
            if len(found) == MOST_PROBLEMS:
                break
    return found
