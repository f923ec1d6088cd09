"""Exemption: the accounts whose writes are warned about, never denied, named alike wherever manifests name them."""

import re
from collections.abc import Sequence
from typing import Any, Final

from webhook.api.wire import Wire

FLAG: Final = "--controller="
LOOP: Final = "system:serviceaccount:$(POD_NAMESPACE):stagegate-loop"
"""Our own account as a container's argument: the kubelet puts in the namespace."""

_EXEMPTED: Final = re.compile(r"(?<=request\.userInfo\.username in \[)(\s*)[^\]]*(?=\])")
_NAME: Final = re.compile(r"[^\s'\"\\$\[\]]+")


def is_account(name: str) -> bool:
    """Whether a user name can stand in an argument and in an expression without being anything else there."""
    return _NAME.fullmatch(name) is not None


def with_controllers(wire: Wire, others: Sequence[str], namespace: str) -> Wire:
    """The object with these accounts exempted beside the loop's own: in arguments, conditions and policies."""
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
    """The flags in place of those that stand there; none where none stand."""
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
