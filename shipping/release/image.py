"""The name of the image, and how it gets into the manifests and the chart."""

import re
from typing import Final, NamedTuple

from shipping.release.errors import CannotPack

_PART: Final = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_NAME: Final = re.compile(rf"(?:{_PART}(?::[0-9]+)?/)?{_PART}(?:/{_PART})*")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Image(NamedTuple):
    """An image by its name and the tag or the digest; ``name`` has the registry, if any."""

    name: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str, version: str) -> "Image":
        """``NAME``, ``NAME:TAG`` or ``NAME@sha256:HEX``; a tag must be the version. Raises CannotPack."""
        name, _, digest = text.partition("@")
        before, colon, tag = name.rpartition(":")
        if colon and "/" not in tag:
            name = before
        else:
            tag = version
        if not _NAME.fullmatch(name) or (digest and not _DIGEST.fullmatch(digest)) or text.endswith("@"):
            raise CannotPack(f"IMAGE={text!r}: must be NAME, NAME:{version} or NAME@sha256:DIGEST")
        if tag != version:
            raise CannotPack(f"IMAGE={text!r}: the tag must be the version, {version}")
        return cls(name, tag, digest)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"
