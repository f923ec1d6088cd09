"""Documents: the answer of a command as JSON or YAML, with the name and version of its schema."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import yaml

API_VERSION: Final = "stagegate.dev/v1alpha1"

_WIDTH: Final = 2**16
_BEYOND_ASCII: Final = re.compile(r"[^\n -~]")


def document(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content behind ``apiVersion`` and ``kind``."""
    return {"apiVersion": API_VERSION, "kind": kind, **content}


def json_text(content: Any) -> str:
    """Indented JSON, in which every character that cannot be seen is escaped."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return _BEYOND_ASCII.sub(_escaped, text) + "\n"


def yaml_text(content: Any) -> str:
    """A YAML document without anchors; texts of several lines are blocks. What cannot be seen is escaped."""
    text = _dumped(content, unicode=True)
    if not text.replace("\n", "").isprintable():
        return _dumped(content, unicode=False)
    return text


def _dumped(content: Any, *, unicode: bool) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, _text)
    text: str = yaml.dump(content, Dumper=Dumper, sort_keys=False, width=_WIDTH, allow_unicode=unicode)
    return text


def _text(dumper: "yaml.SafeDumper", value: str) -> "yaml.ScalarNode":
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]
