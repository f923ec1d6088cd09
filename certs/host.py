"""Host: a name or an address that a certificate can be for, as clients ask for it."""

import ipaddress
import re
from typing import Final

from certs.errors import CertificateError

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# A client takes 127.0.0.256 for a name, but its author means an address.
_NAME: Final = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_MOST: Final = 253
_WANTED: Final = "a DNS name or an IP address, such as localhost, 127.0.0.1 or [::1]"


def read_host(text: str) -> str:
    """The host in its normal form. Raises CertificateError, with the cause, for what cannot be a host."""
    host = normal_host(text)
    if _is_address(host) or (len(host) <= _MOST and _NAME.fullmatch(host)):
        return host
    raise CertificateError(f"{text!r} is not a host{_cause(text)}: must be {_WANTED}")


def normal_host(text: str) -> str:
    """An address in short form and without brackets, a name in lower case without a final dot; nothing is checked."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return text.lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        # A zone means something on one machine only, and no certificate has room for it.
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _cause(text: str) -> str:
    if "://" in text:
        return ", it is a URL"
    if re.search(r"[^:]:[0-9]+\Z|\]:[0-9]+\Z", text):
        return ", it has a port"
    if text != text.strip():
        return ", it has blanks around it"
    if len(text) > _MOST or any(len(label) > 63 for label in text.split(".")):
        return f", it is longer than {_MOST} characters, or a part of it is longer than 63"
    return ""
