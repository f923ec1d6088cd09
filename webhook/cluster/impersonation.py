"""Impersonation: the request headers for ``as`` and its companions in a kubeconfig."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import Final

_LEGAL: Final = frozenset((ascii_letters + digits + "!#$&'*+-.^_`|~").encode())
"""The bytes of an HTTP header name except the percent sign, which escapes all others."""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The user to impersonate: ``as``, ``as-uid``, ``as-groups``, and ``as-user-extra`` with the values of each key."""

    user: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def headers(self) -> list[tuple[str, str]]:
        """Names and values; each group and each extra value has a header of its own, as in client-go."""
        found = [("Impersonate-User", self.user)]
        if self.uid:
            found.append(("Impersonate-Uid", self.uid))
        found += [("Impersonate-Group", group) for group in self.groups]
        found += [
            (f"Impersonate-Extra-{_escaped(key)}", value) for key, values in self.extra.items() for value in values
        ]
        return [(name, on_the_wire(value)) for name, value in found]


def on_the_wire(value: str) -> str:
    """The UTF-8 bytes of a header's value, each as one character: http.client encodes headers as Latin-1."""
    return value.encode().decode("latin-1")


def _escaped(key: str) -> str:
    return "".join(chr(byte) if byte in _LEGAL else f"%{byte:02X}" for byte in key.encode())
