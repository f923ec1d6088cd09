"""Names that Kubernetes accepts for objects and namespaces."""

import re
from typing import Final

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_is_label: Final = re.compile(_LABEL).fullmatch
_is_subdomain: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_MAX_LABEL: Final = 63
_MAX_SUBDOMAIN: Final = 253


def is_label(text: str) -> bool:
    """True for a DNS label (RFC 1123), such as the name of a namespace."""
    return len(text) <= _MAX_LABEL and _is_label(text) is not None


def is_subdomain(text: str) -> bool:
    """True for a DNS subdomain (RFC 1123), such as the names of most objects."""
    return len(text) <= _MAX_SUBDOMAIN and _is_subdomain(text) is not None
