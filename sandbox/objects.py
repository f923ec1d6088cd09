"""Objects in their wire form: reading bytes, copying, times and names."""

import json
import math
import random
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""

MAX_DEPTH: Final = 100
"""Deeper nesting is refused; no object comes near it."""

_INT64: Final = range(-(2**63), 2**63)


class Undecodable(ValueError):
    """The bytes of a request are not what they are said to be."""


def decode(body: bytes) -> Any:
    """JSON as an API server reads it: whole numbers beyond 64 bits become floating. Raises Undecodable."""
    try:
        value = json.loads(body, parse_int=_whole, parse_float=_real, parse_constant=_constant)
    except RecursionError:
        raise Undecodable("exceeded max depth") from None
    except json.JSONDecodeError as problem:
        raise Undecodable(_go_problem(problem)) from None
    except (UnicodeDecodeError, ValueError) as problem:
        raise Undecodable(str(problem)) from None
    if depth_exceeds(value, MAX_DEPTH):
        raise Undecodable("exceeded max depth")
    return value


def _go_problem(problem: json.JSONDecodeError) -> str:
    rest = problem.doc[problem.pos :].strip()
    if not rest:
        return "unexpected end of JSON input"
    if problem.msg.startswith("Extra data"):
        return f"invalid character '{rest[0]}' after top-level value"
    return f"invalid character '{rest[0]}' looking for beginning of value"


def depth_exceeds(value: Any, limit: int) -> bool:
    """Whether objects and lists nest deeper than ``limit``."""
    level = [value]
    for _ in range(limit + 1):
        level = [child for parent in level if isinstance(parent, dict | list) for child in _children(parent)]
        if not level:
            return False
    return True


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def copy_of(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copy_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return [copy_of(member) for member in value]
    return value


def same(left: Any, right: Any) -> bool:
    """Equality that tells true from 1, which Python's own does not; 1 and 1.0 are the same number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


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


def with_metadata(value: Object, **members: Any) -> Object:
    """The object with these members of its metadata; None removes one."""
    changed = {**metadata(value), **members}
    return {**value, "metadata": {name: member for name, member in changed.items() if member is not None}}


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, as metadata has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: Any) -> datetime | None:
    """The moment of an RFC 3339 text; None if it is none."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def generated_name(prefix: str) -> str:
    """A prefix with five random characters, without vowels, as an API server makes it."""
    return prefix[:58] + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))  # noqa: S311


def json_name(value: Any) -> str:
    """The type of a value as Go's decoder calls it."""
    if isinstance(value, bool):
        return "bool"
    return {list: "array", dict: "object", str: "string", int: "number", float: "number"}.get(type(value), "null")


def go_value(value: Any) -> str:
    """A value as Go's error messages show it."""
    if isinstance(value, str):
        return go_quote(value)
    if value is None:
        return "null"
    return html_safe(encode(value).decode())


def html_safe(text: str) -> str:
    """JSON as Go's encoder writes it."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def go_quote(text: str) -> str:
    """A text in double quotes, as ``%q`` writes it."""
    return json.dumps(text, ensure_ascii=False)


def listing(values: Iterable[Any]) -> str:
    """Values as they follow "supported values:"."""
    return ", ".join(go_value(value) for value in values)


_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _children(parent: Any) -> Iterable[Any]:
    return parent.values() if isinstance(parent, dict) else parent


def _whole(digits: str) -> int | float:
    if len(digits) < 20:
        number = int(digits)
        if number in _INT64:
            return number
    return _real(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Undecodable(f"json: cannot unmarshal number {digits[:40]} into Go value of type float64")
    return number


def _constant(name: str) -> float:
    raise Undecodable(f"invalid character {name[0]!r} looking for beginning of value")
