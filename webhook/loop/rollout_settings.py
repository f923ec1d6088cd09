"""Settings of one rollout: the ConfigMap, and annotations over it; which are in force, and which are ignored."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from webhook.api import RolloutOrchestrator
from webhook.api.kinds import SETTINGS_NAME
from webhook.api.wire import Wire
from webhook.api.word import word_of
from webhook.cluster.indexer import Indexer
from webhook.planning import Note, RolloutConfig, UnreadableSettings, rollout_config, strategy_in_force
from webhook.planning.config import PROGRESSIVE_ROLLOUT_STRATEGY, ROLLOUT_ANNOTATIONS, STRATEGY_ANNOTATION
from webhook.planning.setting_problems import (
    SETTINGS,
    SettingProblem,
    config_map_problems,
    misplaced_on_service,
    rollout_problems,
    template_problems,
)
from webhook.strategies.table import normalise_strategy

_LOG: Final = logging.getLogger(__name__)

SETTINGS_UNREADABLE: Final = "SettingsUnreadable"
"""Reason of the Event for a ConfigMap that cannot be read, so that the settings before it stay in force."""
SETTING_IGNORED: Final = "SettingIgnored"
"""Reason of the Event for a value or a key that has no effect."""

_TEMPLATE: Final = "spec.template.metadata.annotations"


@dataclass(frozen=True, slots=True)
class ConfigMapSettings:
    """The settings in force: ``data`` is that of an earlier ConfigMap if the present one cannot be read."""

    data: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[SettingProblem, ...] = ()
    is_readable: bool = True
    name: str = SETTINGS_NAME

    @property
    def events(self) -> list[Note]:
        """One Event for all problems; none if there is no problem."""
        if not self.problems:
            return []
        subject, problems = f"ConfigMap {self.name}", "; ".join(problem.text for problem in self.problems)
        if self.is_readable:
            return [Note(SETTING_IGNORED, f"{subject}: {problems}")]
        in_force = "the settings read before" if self.data else "the defaults"
        return [Note(SETTINGS_UNREADABLE, f"{subject} is not used, {in_force} stay in force: {problems}")]


def settings_after(before: ConfigMapSettings, config_map: Mapping[str, Any] | None) -> ConfigMapSettings:
    """The settings in force after a ConfigMap on the wire, None for none, was read. An unreadable one changes none.

    An unknown strategy does not make it unreadable: it is read as availability, everywhere.
    """
    if config_map is None:
        return ConfigMapSettings()
    metadata, data = config_map.get("metadata") or {}, _texts(config_map.get("data"))
    name = "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
    problems = tuple(config_map_problems(data))
    try:
        rollout_config(data, {}, {}, {})
    except UnreadableSettings:
        return ConfigMapSettings(before.data, problems, False, name)
    return ConfigMapSettings(data, problems, True, name)


class ClusterSettings:
    """The settings of the ConfigMap in an indexer. The last readable ones are kept in memory, and nowhere else."""

    def __init__(self, store: Indexer) -> None:
        self._store = store
        self._lock = Lock()
        self._seen: Wire | None = None
        self._current = ConfigMapSettings()

    def config_map(self) -> Wire | None:
        """The ConfigMap as the cache has it."""
        return next((one for one in self._store.objects() if one["metadata"]["name"] == SETTINGS_NAME), None)

    def current(self) -> ConfigMapSettings:
        """The settings in force. Call it on every change, or a ConfigMap that was readable for a moment is missed."""
        with self._lock:
            found = self.config_map()
            if found is not self._seen:
                before, self._seen = self._current, found
                self._current = settings_after(before, found)
                self._log(before, self._current)
            return self._current

    @staticmethod
    def _log(before: ConfigMapSettings, after: ConfigMapSettings) -> None:
        for event in after.events:
            _LOG.warning("%s: %s", event.reason, event.message)
        if before.problems and not after.problems:
            _LOG.info("ConfigMap %s: all of its settings are in force again", after.name)


def ignored_annotations(
    ro: RolloutOrchestrator, config: RolloutConfig, service: Mapping[str, Any] | None
) -> list[Note]:
    """The annotations without effect on the RO, and on its Knative Service if there is one."""
    own, labels = _annotations(ro.metadata.wire), _texts(ro.metadata.wire.get("labels"))
    messages = [problem.text for problem in rollout_problems(own, labels)]
    if service is not None:
        on_template = _annotations(_template(service))
        subject = f"Knative Service {ro.name}"
        messages += [f"{subject}, {_TEMPLATE}: {problem.text}" for problem in template_problems(on_template)]
        messages += [
            f"{subject}: {key} has no effect in metadata.annotations; set it in {_TEMPLATE}"
            for key in misplaced_on_service(_annotations(service.get("metadata")))
        ]
        messages += _overruled(ro, config, own, on_template, subject)
    return [Note(SETTING_IGNORED, message) for message in messages]


def _overruled(
    ro: RolloutOrchestrator,
    config: RolloutConfig,
    own: Mapping[str, str],
    on_template: Mapping[str, str],
    service: str,
) -> Iterator[str]:
    """Readable annotations that something else overrules."""
    for name, setting in SETTINGS.items():
        key = ROLLOUT_ANNOTATIONS + name
        value = own.get(key)
        if value is None or name == PROGRESSIVE_ROLLOUT_STRATEGY:
            continue
        if value != on_template.get(key) and setting.is_readable(value):
            yield f"{key}: {value!r} has no effect, since {service} exists; set it in its {_TEMPLATE}"
    strategy, in_force = on_template.get(STRATEGY_ANNOTATION, ""), strategy_in_force(ro, config)
    is_word = word_of(strategy) and SETTINGS[PROGRESSIVE_ROLLOUT_STRATEGY].is_readable(strategy)
    if is_word and normalise_strategy(strategy) != in_force:
        yield (
            f"{service}, {_TEMPLATE}: {STRATEGY_ANNOTATION}: {strategy!r} has no effect, since {in_force} is set"
            f" elsewhere; annotate RolloutOrchestrator {ro.name} with it"
        )


def _template(service: Mapping[str, Any]) -> Any:
    return ((service.get("spec") or {}).get("template") or {}).get("metadata")


def _annotations(metadata: Any) -> dict[str, str]:
    return _texts((metadata or {}).get("annotations"))


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
