"""Typed access to the wire form (JSON as Python dicts), with errors that name the field."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from webhook.api.errors import MalformedObject
from webhook.api.kinds import MAX_INT32

Wire = dict[str, Any]

MOST_COMPARED: Final = 20_000
MOST_LEVELS: Final = 100
_ABSENT: Final = object()


def copy_of(value: Any) -> Any:
    """A deep copy of a JSON value; several times faster than ``copy.deepcopy``. Texts, as most are, cost no call."""
    if isinstance(value, dict):
        return {key: member if isinstance(member, str) else copy_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return [copy_of(member) for member in value]
    return value


def mapping(data: Mapping[str, Any], key: str, path: str) -> Wire:
    """The object under ``key``; absent and null give an empty one."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedObject(join(path, key), f"must be an object, not {kind_of(value)}")
    return value


def sequence(data: Mapping[str, Any], key: str, path: str) -> list[Any]:
    """The list under ``key``; absent and null give an empty one."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedObject(join(path, key), f"must be a list, not {kind_of(value)}")
    return value


def text(data: Mapping[str, Any], key: str, path: str) -> str:
    """The string under ``key``; absent and null give the empty string."""
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedObject(join(path, key), f"must be a string, not {kind_of(value)}")
    return value


def flag(data: Mapping[str, Any], key: str, path: str) -> bool | None:
    """The boolean under ``key``; None if absent."""
    value = data.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise MalformedObject(join(path, key), f"must be true or false, not {kind_of(value)}")


def integer(data: Mapping[str, Any], key: str, path: str, bits: int) -> int | None:
    """The whole number under ``key``, signed with at most ``bits`` bits; None if absent."""
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedObject(join(path, key), f"must be a whole number, not {kind_of(value)}")
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise MalformedObject(join(path, key), f"must fit into {bits} bits")
    return value


def is_count(value: Any) -> bool:
    """True if a JSON value is a valid number of replicas; 3.0 is one, as for an API server's schema."""
    if type(value) is int:
        return 0 <= value <= MAX_INT32
    return type(value) is float and value.is_integer() and 0 <= value <= MAX_INT32


def are_equal(one: Any, other: Any) -> bool:
    """True if two JSON values are equal; true is not 1 here, and false not 0.

    Values of more than MOST_COMPARED members and items, at any depth, count as different, since comparing them would
    take too long. Those of a valid object are fewer than 6,000.
    """
    left = MOST_COMPARED
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict):
            if not isinstance(other, dict) or len(one) != len(other):
                return False
            twins: Iterable[tuple[Any, Any]] = ((member, other.get(key, _ABSENT)) for key, member in one.items())
        elif isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            twins = zip(one, other, strict=True)
        elif one != other or isinstance(one, bool) != isinstance(other, bool):
            return False
        else:
            continue
        left -= len(one)
        if left < 0:
            return False
        for member, twin in twins:
            # Most members are texts and numbers, which cost no turn of the loop.
            if type(member) in (dict, list):
                pairs.append((member, twin))
            elif member is not twin and (member != twin or bool in (type(member), type(twin))):
                return False
    return True


def is_deep(value: Any) -> bool:
    """True if lists and objects are nested in a JSON value to more than MOST_LEVELS levels, far beyond any object."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_LEVELS):
        members = (one.values() if isinstance(one, dict) else one for one in level)
        level = [member for several in members for member in several if isinstance(member, dict | list)]
    return bool(level)


def is_small(value: Any) -> bool:
    """True if a JSON value has at most MOST_COMPARED members and items, at any depth."""
    left, values = MOST_COMPARED, [value] if isinstance(value, dict | list) else []
    while values:
        one = values.pop()
        left -= len(one)
        if left < 0:
            return False
        members = one.values() if isinstance(one, dict) else one
        values.extend(member for member in members if isinstance(member, dict | list))
    return True


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def kind_of(value: Any) -> str:
    """The JSON type of a value, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def parse_time(value: Any) -> datetime | None:
    """The time in an RFC 3339 text with a zone; None for any other text or value."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else None


def format_time(value: datetime) -> str:
    """A time as Kubernetes writes it: UTC, whole seconds, ``Z``."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
