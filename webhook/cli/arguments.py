"""Types of arguments: each function reads a value from the command line, or raises click.BadParameter."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from click import BadParameter

from webhook.api.kinds import LEASE_NAMESPACE
from webhook.api.names import is_label, is_subdomain

_KEY: Final = r"(?:[a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_REQUIREMENT: Final = (
    rf"(?:!? *{_KEY}|{_KEY} *(?:==?|!=) *{_VALUE}|{_KEY} *[<>] *[0-9]+"
    rf"|{_KEY} +(?:in|notin) *\( *{_VALUE}(?: *, *{_VALUE})* *\))"
)
_SELECTOR: Final = re.compile(rf" *{_REQUIREMENT}(?: *, *{_REQUIREMENT})* *")
WEEK: Final = 7 * 86400.0
"""Seconds."""
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_PART: Final = re.compile(rf"({_NUMBER.pattern})(ms|s|m|h|d)")
_ADDRESS: Final = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+):([0-9]{1,5})")


class ObjectName(NamedTuple):
    """An object of a namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Address(NamedTuple):
    """A server to connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def filled(text: str) -> str:
    """A text that is not blank; an empty one is usually a variable that is not set."""
    if not text.strip():
        raise BadParameter("must not be empty")
    return text


def path(text: str) -> Path:
    """A file or directory; not empty, which would be the working directory."""
    return Path(filled(text))


def count(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise _wanted(f"a whole number from {least} to {most}", text)
        return int(text)

    return read


port: Final = count(1, 65535)
"""A port to connect to."""

any_port: Final = count(0, 65535)
"""A port to listen on; 0 stands for any free one."""


def seconds(least: float, most: float) -> Callable[[str], float]:
    """A duration within these bounds."""

    def read(text: str) -> float:
        try:
            duration = float(text)
        except ValueError:
            duration = float("nan")
        if not least <= duration <= most:
            raise _wanted(f"from {least:g} to {most:.0f} seconds", text)
        return duration

    return read


def duration(least: float, most: float) -> Callable[[str], float]:
    """Seconds within these bounds, given as kubectl spells durations (``1h30m``), in days (``21d``) or as a number."""

    def read(text: str) -> float:
        total, end = 0.0, 0
        for part in _PART.finditer(text):
            if part.start() != end:
                break
            total, end = total + float(part[1]) * _UNITS[part[2]], part.end()
        if end != len(text) or not text:
            total = float(text) if _NUMBER.fullmatch(text) else float("nan")
        if not least <= total <= most:
            raise _wanted(f"a duration such as 90s, 5m or 1h30m, from {least:g} to {most:.0f} seconds", text)
        return total

    return read


_UP_TO_A_WEEK: Final = duration(0, WEEK)


def time_limit(text: str) -> float:
    """Seconds as ``duration`` reads them, at most a week; 0 stands for no limit, which is ``math.inf``."""
    return _UP_TO_A_WEEK(text) or math.inf


def namespace(text: str) -> str:
    if not is_label(text):
        raise _wanted("a namespace, a DNS label such as team-a", text)
    return text


def namespaces(text: str) -> tuple[str, ...]:
    """Several, separated by commas; repeats count once."""
    return tuple(dict.fromkeys(map(namespace, _parts(text))))


def object_name(text: str) -> str:
    if not is_subdomain(text):
        raise _wanted("the name of an object, a DNS subdomain such as mutate.stagegate.dev", text)
    return text


def secret(text: str) -> ObjectName:
    space, _, name = text.partition("/")
    if not (is_label(space) and is_subdomain(name)):
        raise _wanted("NAMESPACE/NAME, such as stagegate-system/stagegate-certs", text)
    return ObjectName(space, name)


def selector(text: str) -> str:
    if not _SELECTOR.fullmatch(text):
        raise _wanted("a label selector, such as app.kubernetes.io/name=stagegate-webhook", text)
    return text


def hosts(text: str) -> tuple[str, ...]:
    """One or more names or addresses for a certificate, separated by commas."""
    return tuple(map(_host, _parts(text)))


def address(text: str) -> Address:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise _wanted("HOST:PORT, such as localhost:8443 or [::1]:8443", text)
    return Address(_host(found[1]), int(found[2]))


def lease_namespace() -> str:
    """Where a loop keeps its Lease by default."""
    return pod_namespace() or LEASE_NAMESPACE


def pod_namespace() -> str:
    """The namespace of the pod this runs in, as its manifest states it; empty elsewhere."""
    return os.environ.get("POD_NAMESPACE") or ""


def _host(text: str) -> str:
    from certs.errors import CertificateError
    from certs.host import read_host

    try:
        return read_host(text)
    except CertificateError as problem:
        raise BadParameter(str(problem)) from None


def _parts(text: str) -> list[str]:
    return re.split(", *", text)


def _wanted(what: str, text: str) -> BadParameter:
    return BadParameter(f"must be {what}, not {text!r}")
