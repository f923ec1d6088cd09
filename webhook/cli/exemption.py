"""Exempt accounts, whose writes are never denied: they are set everywhere in the manifests at once."""

import re
from collections.abc import Sequence
from typing import Any, Final

from webhook.api.wire import Wire

FLAG: Final = "--controller="
LOOP: Final = "system:serviceaccount:$(POD_NAMESPACE):stagegate-loop"
"""The loop's account in a container's arguments; the kubelet inserts the namespace."""

_EXEMPTED: Final = re.compile(r"(?<=request\.userInfo\.username in \[)(\s*)[^\]]*(?=\])")
_NAME: Final = re.compile(r"[^\s'\"\\$\[\]]+")


def is_account(name: str) -> bool:
    """True if a user name can be put into an argument and a CEL expression without quoting."""
    return _NAME.fullmatch(name) is not None


def with_controllers(wire: Wire, others: Sequence[str], namespace: str) -> Wire:
    """The object with these accounts and the loop's exempt, in arguments, match conditions and policies."""
    own = LOOP.replace("$(POD_NAMESPACE)", namespace)
    listed = ", ".join(f"'{account}'" for account in dict.fromkeys([*others, own]))
    exempted: Wire = _in_expressions(wire, listed)
    if wire["kind"] != "Deployment":
        return exempted
    flags = [f"{FLAG}{account}" for account in dict.fromkeys([*others, LOOP])]
    pod = exempted["spec"]["template"]["spec"]
    containers = [each | {"args": _with_flags(each.get("args", []), flags)} for each in pod["containers"]]
    template = exempted["spec"]["template"] | {"spec": pod | {"containers": containers}}
    return exempted | {"spec": exempted["spec"] | {"template": template}}


def _with_flags(arguments: Sequence[str], flags: Sequence[str]) -> list[str]:
    """The arguments with these flags instead of their own ones; unchanged if they have none."""
    places = [index for index, argument in enumerate(arguments) if argument.startswith(FLAG)]
    if not places:
        return list(arguments)
    kept = [argument for argument in arguments if not argument.startswith(FLAG)]
    return [*kept[: places[0]], *flags, *kept[places[0] :]]


def _in_expressions(value: Any, listed: str) -> Any:
    if isinstance(value, str):
        return _EXEMPTED.sub(lambda match: match[1] + listed, value)
    if isinstance(value, list):
        return [_in_expressions(each, listed) for each in value]
    if isinstance(value, dict):
        return {key: _in_expressions(each, listed) for key, each in value.items()}
    return value
