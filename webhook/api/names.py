"""Names that Kubernetes accepts for objects and namespaces, and for labels and annotations."""

import re
from typing import Final

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_is_label: Final = re.compile(_LABEL).fullmatch
_is_subdomain: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_WORD: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_is_word: Final = re.compile(_WORD).fullmatch
_MAX_LABEL: Final = 63
_MAX_SUBDOMAIN: Final = 253


def is_label(text: str) -> bool:
    """True for a DNS label (RFC 1123), such as the name of a namespace."""
    return len(text) <= _MAX_LABEL and _is_label(text) is not None


def is_subdomain(text: str) -> bool:
    """True for a DNS subdomain (RFC 1123), such as the names of most objects."""
    return len(text) <= _MAX_SUBDOMAIN and _is_subdomain(text) is not None


def is_key(text: str) -> bool:
    """True for the key of a label: a word of at most 63 characters, behind a DNS subdomain and a slash or not."""
    prefix, slash, word = text.rpartition("/")
    return len(word) <= _MAX_LABEL and _is_word(word) is not None and (not slash or is_subdomain(prefix))


def is_value(text: str) -> bool:
    """True for the value of a label: empty, or such a word."""
    return not text or (len(text) <= _MAX_LABEL and _is_word(text) is not None)
