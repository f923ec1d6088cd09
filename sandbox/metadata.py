"""The rules of metadata: names, labels, finalizers."""

import re
from collections.abc import Iterator
from typing import Final

from sandbox.failures import FieldError, forbidden_field, invalid_value, required
from sandbox.objects import Object, go_value, metadata

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def metadata_errors(value: Object, live: Object | None = None) -> Iterator[FieldError]:
    """What is wrong with the metadata of an object that is about to be stored; ``live`` is what it replaces."""
    meta = metadata(value)
    if live is None:
        yield from _name_errors(str(meta.get("name") or ""))
    else:
        yield from _update_errors(meta, metadata(live))
    for key, text in (meta.get("labels") or {}).items():
        if not _is_qualified(key):
            yield invalid_value("metadata.labels", key, f"must be a qualified name; its name must match {_QUALIFIED}")
        if len(text) > 63 or not re.fullmatch(rf"({_QUALIFIED})?", text):
            yield invalid_value("metadata.labels", text, f"must be no more than 63 bytes, and match ({_QUALIFIED})?")


def _name_errors(name: str) -> Iterator[FieldError]:
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif len(name) > 253 or not re.fullmatch(_SUBDOMAIN, name):
        told = f"a lowercase RFC 1123 subdomain of no more than 253 bytes must match {_SUBDOMAIN}"
        yield invalid_value("metadata.name", name, told)


def _update_errors(meta: Object, live: Object) -> Iterator[FieldError]:
    for member in ("namespace", "uid"):
        if meta.get(member) != live.get(member):
            yield invalid_value(f"metadata.{member}", meta.get(member) or "", "field is immutable")
    new = [each for each in meta.get("finalizers") or [] if each not in (live.get("finalizers") or [])]
    if new and "deletionTimestamp" in live:
        listed = ", ".join(map(go_value, new))
        yield forbidden_field(
            "metadata.finalizers",
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}",
        )


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not re.fullmatch(_SUBDOMAIN, prefix)):
        return False
    return len(name) <= 63 and re.fullmatch(_QUALIFIED, name) is not None
