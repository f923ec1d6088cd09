"""The rules of annotations and labels under our prefixes, SPA009 and RO012: a setting has no effect."""

import re
from collections.abc import Mapping
from typing import Any, Final

from webhook.admission.rules.field_error import echo, invalid
from webhook.admission.rules.table import RO012, SPA009
from webhook.admission.verdict import Finding
from webhook.api.kinds import SPA_KIND
from webhook.planning.setting_problems import PREFIXES, rollout_problems, spa_problems

_is_key: Final = re.compile(r"[-A-Za-z0-9_./]{1,316}").fullmatch
"""A match if a text can be the key of an annotation or label; such keys are shown as they are."""


def setting_findings(
    kind: str, annotations: Mapping[str, Any] | None, labels: Mapping[str, Any] | None
) -> list[Finding]:
    """A warning for each annotation and label of ours that is not read on this kind, or whose value cannot be read."""
    ours = settings_among(annotations), settings_among(labels)
    if not ours[0] and not ours[1]:
        return []
    rule, problems_of = (SPA009, spa_problems) if kind == SPA_KIND else (RO012, rollout_problems)
    return [
        invalid(
            rule,
            f"metadata.{'labels' if problem.is_label else 'annotations'}[{_shown(problem.key)}]",
            problem.value,
            problem=problem.problem if problem.is_unknown else f"{problem.problem}, so that it is ignored",
            way_out=problem.way_out,
        )
        for problem in problems_of(*ours)
    ]


def _shown(key: str) -> str:
    return key if _is_key(key) else echo(key)


def settings_among(members: Mapping[str, Any] | None) -> dict[str, Any]:
    """The annotations or labels under our prefixes."""
    return {key: value for key, value in members.items() if key.startswith(PREFIXES)} if members else {}
