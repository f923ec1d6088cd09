"""Examination: every group of checks in its order, and what they come to."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from webhook.diagnosis.doctor import (
    api_server,
    certificates,
    definitions,
    drivers,
    end_to_end,
    exceptions,
    loop,
    pods,
    policies,
    registration,
    rights,
    settings,
    stored_objects,
)
from webhook.diagnosis.doctor.installation import Installation
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, WARNING, Result

GROUPS: Final[dict[str, Callable[[Installation], Iterator[Result]]]] = {
    "API server": api_server.check,
    "CRDs": definitions.check,
    "Registration": registration.check,
    "Policies": policies.check,
    "Pods": pods.check,
    "Certificates": certificates.check,
    "Loop": loop.check,
    "Drivers": drivers.check,
    "Settings": settings.check,
    "Rights": rights.check,
    "Exceptions": exceptions.check,
    "Stored objects": stored_objects.check,
    "End to end": end_to_end.check,
}
"""The groups by their titles."""


class Examined(NamedTuple):
    """The results of one group."""

    title: str
    results: tuple[Result, ...]


def examine(seen: Installation) -> tuple[Examined, ...]:
    """Every check on what was read."""
    return tuple(Examined(title, tuple(check(seen))) for title, check in GROUPS.items())


def has_failed(groups: Iterable[Examined]) -> bool:
    return any(result.state == FAILED for group in groups for result in group.results)


def summary(groups: Iterable[Examined]) -> str:
    """One line: how many checks are well, and how many are not."""
    states = [result.state for group in groups for result in group.results]
    parts = [
        f"{count} {word}"
        for state, word in ((FAILED, "failed"), (WARNING, "with a warning"), (UNKNOWN, "not known"))
        if (count := states.count(state))
    ]
    return f"{states.count(OK)} of {len(states)} checks are well{''.join(f', {part}' for part in parts)}"
