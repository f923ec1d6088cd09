"""Strategic merge patch of built-in kinds, as far as kubectl and the clients use it."""

from collections.abc import Mapping
from typing import Any

from sandbox.failures import bad_request
from sandbox.objects import Object, copy_of, encode, same
from sandbox.resources import Schema

_ORDER, _DELETE, _KEEP = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys"


def strategic_merge_patch(value: Any, change: Any, schema: Schema) -> Any:
    """Merge objects member by member and lists by their merge key. Raises ApiError 400 on directives it cannot read."""
    if not isinstance(change, dict):
        return copy_of(change)
    result: Object = copy_of(value) if isinstance(value, dict) else {}
    directive = change.get("$patch")
    if directive == "replace":
        return {name: copy_of(member) for name, member in change.items() if name != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    if _KEEP in change:
        result = {name: member for name, member in result.items() if name in change[_KEEP]}
    for name, member in change.items():
        if name in ("$patch", _KEEP) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE):
            target = name.removeprefix(_DELETE)
            result[target] = [item for item in result.get(target) or [] if not any(same(item, gone) for gone in member)]
            continue
        if name.startswith("$"):
            raise bad_request(f"the sandbox does not know the directive {name} of a strategic merge patch")
        if member is None:
            result.pop(name, None)
        else:
            order = change.get(f"{_ORDER}{name}")
            result[name] = _merged(result.get(name), member, _member_schema(schema, name), order)
    return result


def _member_schema(schema: Schema, name: str) -> Schema:
    known = (schema.get("properties") or {}).get(name) or schema.get("additionalProperties")
    return known if isinstance(known, dict) else {}


def _merged(value: Any, change: Any, schema: Schema, order: list[Any] | None) -> Any:
    if isinstance(change, dict):
        return strategic_merge_patch(value, change, schema)
    if not isinstance(change, list):
        return copy_of(change)
    key = schema.get("x-kubernetes-patch-merge-key")
    present = value if isinstance(value, list) else []
    if key:
        return _ordered(_by_key(present, change, key, schema.get("items") or {}), present, order or change, key)
    if schema.get("x-kubernetes-list-type") == "set":
        joined = copy_of(present) + [copy_of(item) for item in change if not any(same(item, p) for p in present)]
        return _ordered(joined, present, order or change, None)
    return copy_of(change)


def _by_key(present: list[Any], change: list[Any], key: str, items: Schema) -> list[Any]:
    if any(isinstance(entry, dict) and entry.get("$patch") == "replace" for entry in change):
        return [copy_of(entry) for entry in change if not (isinstance(entry, dict) and "$patch" in entry)]
    result = [copy_of(item) for item in present]
    for entry in change:
        if not isinstance(entry, Mapping) or key not in entry:
            raise bad_request(f"map: {entry} does not contain declared merge key: {key}")
        index = next((i for i, item in enumerate(result) if same(item.get(key), entry[key])), None)
        if entry.get("$patch") == "delete":
            if index is not None:
                del result[index]
        elif index is None:
            result.append(strategic_merge_patch({}, dict(entry), items))
        else:
            result[index] = strategic_merge_patch(result[index], dict(entry), items)
    return result


def _ordered(items: list[Any], present: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """The items in the order of the patch; those it does not name stand where they stood before those that it does."""

    def mark(item: Any) -> bytes:
        return encode(item.get(key) if key and isinstance(item, dict) else item)

    ranks = {mark(entry): rank for rank, entry in enumerate(order)}
    places = {mark(item): place for place, item in enumerate(present)}
    named = sorted((item for item in items if mark(item) in ranks), key=lambda item: ranks[mark(item)])
    others = [item for item in items if mark(item) not in ranks]
    result: list[Any] = []
    while named and others:
        first = named if places.get(mark(named[0]), -1) < places.get(mark(others[0]), -1) else others
        result.append(first.pop(0))
    return result + named + others
