"""Protobuf bodies, of the few kinds that ``kubectl create NOUN`` sends in this form and no other."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.objects import Object

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _BYTES = 0, 2


class Unreadable(ValueError):
    """The bytes are no protobuf of a kind that is known here."""


@dataclass(frozen=True, slots=True)
class Field:
    """One member: its JSON name and how its value is read (``text``, ``bytes``, ``number``, ``flag``, or a message)."""

    name: str
    type: "str | Message" = "text"
    repeated: bool = False
    keyed: bool = False
    """Whether it is a map; then ``type`` is that of the values."""


Message = Mapping[int, Field]

_OWNER: Final[Message] = {
    1: Field("kind"),
    3: Field("name"),
    4: Field("uid"),
    5: Field("apiVersion"),
    6: Field("controller", "flag"),
    7: Field("blockOwnerDeletion", "flag"),
}
_META: Final[Message] = {
    1: Field("name"),
    2: Field("generateName"),
    3: Field("namespace"),
    11: Field("labels", keyed=True),
    12: Field("annotations", keyed=True),
    13: Field("ownerReferences", _OWNER, repeated=True),
    14: Field("finalizers", repeated=True),
}
_REFERENCE: Final[Message] = {1: Field("name")}
_KINDS: Final[Mapping[tuple[str, str], Message]] = {
    ("v1", "Namespace"): {1: Field("metadata", _META), 2: Field("spec", {1: Field("finalizers", repeated=True)})},
    ("v1", "ConfigMap"): {
        1: Field("metadata", _META),
        2: Field("data", keyed=True),
        3: Field("binaryData", "bytes", keyed=True),
        4: Field("immutable", "flag"),
    },
    ("v1", "Secret"): {
        1: Field("metadata", _META),
        2: Field("data", "bytes", keyed=True),
        3: Field("type"),
        4: Field("stringData", keyed=True),
        5: Field("immutable", "flag"),
    },
    ("v1", "ServiceAccount"): {
        1: Field("metadata", _META),
        2: Field("secrets", _REFERENCE, repeated=True),
        3: Field("imagePullSecrets", _REFERENCE, repeated=True),
        4: Field("automountServiceAccountToken", "flag"),
    },
}
_ENVELOPE: Final[Message] = {1: Field("typeMeta", {1: Field("apiVersion"), 2: Field("kind")}), 2: Field("raw", "raw")}


def decode(body: bytes) -> Object:
    """The object of a protobuf body. Raises Unreadable."""
    if not body.startswith(_MAGIC):
        raise Unreadable("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = _message(body[len(_MAGIC) :], _ENVELOPE)
    meta = envelope.get("typeMeta") or {}
    kind = (meta.get("apiVersion") or "", meta.get("kind") or "")
    if kind not in _KINDS:
        known = ", ".join(sorted(name for _, name in _KINDS))
        raise Unreadable(f"the sandbox reads protobuf of {known} alone, not of {kind[1] or 'nothing'}; send JSON")
    return {"apiVersion": kind[0], "kind": kind[1], **_message(envelope.get("raw") or b"", _KINDS[kind])}


def _message(data: bytes, fields: Message) -> Object:
    result: Object = {}
    for number, raw in _entries(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.keyed:
            entry = _message(raw, {1: Field("key"), 2: Field("value", field.type)}) if isinstance(raw, bytes) else {}
            result.setdefault(field.name, {})[entry.get("key", "")] = entry.get("value", "")
        elif field.repeated:
            result.setdefault(field.name, []).append(_value(raw, field.type))
        else:
            value = _value(raw, field.type)
            if value != "":
                result[field.name] = value
    return result


def _value(raw: int | bytes, type_: "str | Message") -> Any:
    if not isinstance(type_, str):
        return _message(raw, type_) if isinstance(raw, bytes) else {}
    if isinstance(raw, int):
        return bool(raw) if type_ == "flag" else raw
    if type_ == "raw":
        return raw
    return base64.b64encode(raw).decode() if type_ == "bytes" else raw.decode(errors="replace")


def _entries(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
        elif tag & 7 == _BYTES:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise Unreadable("unexpected EOF")
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            raise Unreadable(f"proto: illegal wireType {tag & 7}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(data):
            raise Unreadable("unexpected EOF")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise Unreadable("proto: integer overflow")
