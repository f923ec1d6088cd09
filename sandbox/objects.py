"""Objects in their wire form: reading bytes, copying, times and names."""

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Final

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""

copy_of: Final = deepcopy


class Undecodable(ValueError):
    """The bytes of a request are not JSON."""


def decode(body: bytes) -> Any:
    """The value of a JSON document. Raises Undecodable."""
    try:
        return json.loads(body, parse_constant=_constant)
    except RecursionError:
        raise Undecodable("exceeded max depth") from None
    except ValueError as problem:
        raise Undecodable(str(problem)) from None


def _constant(name: str) -> float:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def metadata(value: Mapping[str, Any]) -> Object:
    """The metadata of an object, empty if it has none."""
    found = value.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(value: Mapping[str, Any]) -> str:
    return str(metadata(value).get("name") or "")


def namespace_of(value: Mapping[str, Any]) -> str:
    return str(metadata(value).get("namespace") or "")


def uid_of(value: Mapping[str, Any]) -> str:
    return str(metadata(value).get("uid") or "")


def key_of(value: Mapping[str, Any]) -> Key:
    return namespace_of(value), name_of(value)


def version_of(value: Mapping[str, Any]) -> int:
    """The resource version of a stored object."""
    return int(metadata(value).get("resourceVersion") or 0)


def is_being_deleted(value: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in metadata(value)


def with_metadata(value: Object, **members: Any) -> Object:
    """The object with these members of its metadata; None removes one."""
    changed = {**metadata(value), **members}
    return {**value, "metadata": {name: member for name, member in changed.items() if member is not None}}


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, as metadata has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: Any) -> datetime | None:
    """The moment of an RFC 3339 text; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def generated_name(prefix: str) -> str:
    """A prefix with five random characters, without vowels, as an API server makes it."""
    return prefix[:58] + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))  # noqa: S311
