"""Field managers and server-side apply."""

from typing import Final

from tests.e2e.conformance.schemas import THING
from tests.e2e.conformance.steps import (
    APPLY,
    DEFINITIONS,
    THINGS,
    Step,
    apply,
    definition,
    get,
    patch,
    post,
    thing,
)

OWNERSHIP: Final = [
    post(DEFINITIONS, definition(THING)),
    get(THINGS, until=200),
    post(f"{THINGS}?fieldManager=maker", thing("t", {"a": "ab", "n": 5, "m": [{"name": "x"}], "free": {"k": 1}})),
    patch(
        f"{THINGS}/t?fieldManager=u",
        {"spec": {"m": [{"name": "x", "w": "1"}, {"name": "y"}], "mp": {"a": "b"}, "am": {"p": "1"}}},
    ),
    patch(
        f"{THINGS}/t?fieldManager=u", {"spec": {"m": [{"name": "y", "v": 8}], "mp": None, "set": ["b"], "at": [1, 2]}}
    ),
    apply(f"{THINGS}/t", thing("t", {"a": "ab", "m": [{"name": "y", "w": "s"}], "mp": {"z": "1"}, "set": ["c"]})),
    apply(f"{THINGS}/t", thing("t", {"a": "xx", "n": 6, "m": [{"name": "y", "w": "t", "v": 1}]}), "two"),
    apply(f"{THINGS}/t", thing("t", {"a": "ab", "n": 6}), "two"),
    apply(
        f"{THINGS}/t",
        thing("t", {"a": "ab", "n": 6, "m": [{"name": "y", "v": 1}, {"name": "q"}]}),
        "two",
        "&force=true",
    ),
    apply(
        f"{THINGS}/t",
        thing("t", {"a": "ab", "n": 6, "m": [{"name": "y", "v": 1}, {"name": "q"}]}),
        "two",
        "&force=true",
    ),
    apply(f"{THINGS}/t", thing("t", {"a": "ab", "n": 6}), "two"),
    apply(f"{THINGS}/t", thing("t", {"a": "ab"})),
    apply(f"{THINGS}/t", {**thing("t", {}), "kind": "Other"}),
    apply(f"{THINGS}/t", thing("other", {"a": "ab"})),
    Step("PATCH", f"{THINGS}/t", thing("t", {"a": "ab"}), APPLY),
    apply(f"{THINGS}/new", thing("new", {"a": "ab", "set": ["x"], "m": [{"name": "1"}], "free": {"a": {"b": 1}}})),
    apply(f"{THINGS}/new", thing("new", {"a": "ab"})),
    apply(f"{THINGS}/dry", thing("dry", {"a": "ab"}), "one", "&dryRun=All"),
    get(f"{THINGS}/dry"),
]
