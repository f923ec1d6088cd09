"""Where two JSON values differ, path by path."""

import json
from collections.abc import Iterator
from typing import Any

ABSENT = object()


def differences(expected: Any, answer: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place at which the two differ, as path, expected and answered; ABSENT stands for what is not there."""
    if isinstance(expected, dict) and isinstance(answer, dict):
        for key in sorted(expected.keys() | answer.keys()):
            where = f"{path}.{key}" if path else key
            yield from differences(expected.get(key, ABSENT), answer.get(key, ABSENT), where)
    elif isinstance(expected, list) and isinstance(answer, list):
        for index in range(max(len(expected), len(answer))):
            wanted, got = (side[index] if index < len(side) else ABSENT for side in (expected, answer))
            yield from differences(wanted, got, f"{path}[{index}]")
    elif expected is ABSENT or answer is ABSENT or expected != answer or type(expected) is not type(answer):
        yield path or "(whole)", expected, answer


def shown(value: Any, width: int = 160) -> str:
    """One line of at most ``width`` characters."""
    text = "absent" if value is ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text if len(text) <= width else f"{text[: width - 4]} ..."


def first_difference(expected: Any, answer: Any) -> str | None:
    """The first place at which the two differ in one line, or None where they are equal."""
    for path, wanted, got in differences(expected, answer):
        return f"{path} must be {shown(wanted, 80)}, not {shown(got, 80)}"
    return None
