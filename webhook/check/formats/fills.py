"""What the webhook would fill in, as a diff of YAML."""

import copy
import difflib
from collections.abc import Iterator
from typing import Any

import yaml

from webhook.admission import Default
from webhook.check.formats.lines import one_line
from webhook.check.report import Report


def fills(report: Report) -> Iterator[str]:
    """A diff for each object that would be completed."""
    for checked in report.checked:
        if checked.fills:
            place, name = checked.place, one_line(str(checked.subject))
            before, after = _yaml(checked.wire), _yaml(filled(checked.wire, checked.fills))
            head = f"{one_line(place.file)}:{place.line} {name}"
            diff = difflib.unified_diff(before, after, head, f"{head} as the webhook completes it", n=1000, lineterm="")
            yield from map(one_line, diff)


def filled(wire: Any, defaults: tuple[Default, ...]) -> Any:
    """The object with these values added."""
    whole = copy.deepcopy(wire)
    for pointer, value in defaults:
        *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        holder = whole
        for parent in parents:
            holder = holder[parent]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[last] = value
    return whole


def _yaml(wire: Any) -> list[str]:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    # Without aliases, for one value may be used twice.
    text: str = yaml.dump(wire, Dumper=type("Plain", (dumper,), {"ignore_aliases": lambda *_: True}), sort_keys=False)
    return text.splitlines()
