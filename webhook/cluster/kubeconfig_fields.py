"""The fields of a kubeconfig, with their types checked; an error is one line that names the field."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Pem = Path | bytes
"""PEM in a file, or the PEM itself."""


class BadKubeconfig(ValueError):
    """One line: the file or entry, the field, and the problem."""


class Fields:
    """A mapping in a kubeconfig with typed access. ``where`` is its name in errors, ``folder`` that of its file."""

    def __init__(self, where: str, values: Mapping[str, Any], folder: Path) -> None:
        self.where = where
        self.values = values
        self.folder = folder

    def bad(self, what: str) -> BadKubeconfig:
        return BadKubeconfig(f"{self.where}{what}".removeprefix("."))

    def text(self, name: str) -> str:
        """A string; empty when absent."""
        return self._typed(name, str, "a string") or ""

    def header(self, name: str) -> str:
        """A string that an HTTP header can hold."""
        value = self.text(name)
        if not value.isprintable():
            raise self.bad(f".{name}: has characters that no HTTP header can hold")
        return value

    def flag(self, name: str) -> bool:
        return bool(self._typed(name, bool, "true or false"))

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._typed(name, list, "a list of strings") or []
        if not all(isinstance(value, str) for value in values):
            raise self.bad(f".{name}: must be a list of strings")
        return tuple(values)

    def path(self, name: str) -> Path | None:
        """A path, relative to the folder of the file."""
        text = self.text(name)
        return self.folder / text if text else None

    def pem(self, name: str) -> Pem | None:
        """The member ``name`` is a file, ``name``-data is PEM in base64; only one of them may be present."""
        path, data = self.path(name), self.text(f"{name}-data")
        if path is not None and data:
            raise self.bad(f": {name} and {name}-data are both there; leave one out")
        if path is not None:
            return readable(path, f"{self.where}.{name}")
        try:
            return base64.b64decode("".join(data.split()), validate=True) if data else None
        except (binascii.Error, ValueError) as problem:
            raise self.bad(f".{name}-data: is not base64") from problem

    def fields(self, name: str) -> "Fields | None":
        values = self._typed(name, dict, "a mapping")
        return None if values is None else Fields(f"{self.where}.{name}", values, self.folder)

    def entries(self, name: str) -> "list[Fields]":
        values = self._typed(name, list, "a list") or []
        if not all(isinstance(value, dict) for value in values):
            raise self.bad(f".{name}: must be a list of mappings")
        return [Fields(f"{self.where}.{name}[{at}]", value, self.folder) for at, value in enumerate(values)]

    def _typed(self, name: str, kind: type, shape: str) -> Any:
        value = self.values.get(name)
        if value is not None and not isinstance(value, kind):
            raise self.bad(f".{name}: must be {shape}")
        return value


def readable(path: Path, where: str) -> Path:
    """The path, if its file can be read. Raises BadKubeconfig."""
    try:
        with path.open("rb"):
            return path
    except OSError as problem:
        raise BadKubeconfig(f"{where}: cannot read {path}: {problem.strerror}") from problem
