"""A mutator that knows JSON: it changes members of a review, so that most of its inputs reach the rules."""

import copy
import json
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

Mutate = Callable[[bytes, int], bytes]
"""The mutator of the engine: any bytes to others, of at most so many."""

PATHS: Final = (b"/mutate", b"/validate", b"/knative", b"/mutate?timeout=3s", b"/nowhere")
EXTREMES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 100, 101, 2**31 - 1, 2**31, 2**63, -(2**63), 10**30, 0.5, 1e308, -0.0,
    "", " ", "0", "true", "hello", "\x00", "\x1b[31m", "\ud800", "ü", "x" * 64, "x" * 254, "a\nb",
    [], {}, [[]], [None], [{}],
)  # fmt: skip
_LONGEST: Final = 300


class Vocabulary:
    """The keys and scalars of some reviews."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._keys: dict[str, None] = {}
        self._scalars: dict[str, Any] = {}
        for value in values:
            self._learn(value)
        self.keys = sorted(self._keys)
        self.scalars = [self._scalars[text] for text in sorted(self._scalars)]

    def _learn(self, value: Any) -> None:
        if isinstance(value, dict):
            for key, member in value.items():
                self._keys[key] = None
                self._learn(member)
        elif isinstance(value, list):
            for member in value:
                self._learn(member)
        else:
            self._scalars[json.dumps(value)] = value


class JsonMutator:
    """Changes inputs of the target ``reviews``."""

    def __init__(self, vocabulary: Vocabulary, mutate: Mutate) -> None:
        self._vocabulary = vocabulary
        self._mutate = mutate

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Another input of at most ``max_size`` bytes; the same arguments give the same one."""
        draw = random.Random(seed)
        path, _, body = data.partition(b"\n")
        if draw.random() < 0.1:
            return self._mutate(data, max_size)
        if draw.random() < 0.15:
            path = draw.choice(PATHS)
        try:
            review = json.loads(body)
        except (ValueError, RecursionError):
            return self._mutate(data, max_size)
        for _ in range(draw.choice((1, 1, 1, 2, 3, 5))):
            review = self._changed(review, draw)
        try:
            changed = path + b"\n" + json.dumps(review).encode()
        except (ValueError, RecursionError):
            return self._mutate(data, max_size)
        return changed if len(changed) <= max_size else self._mutate(data, max_size)

    def _changed(self, review: Any, draw: random.Random) -> Any:
        places = list(_places(review))
        if not places:
            return draw.choice(EXTREMES)
        parent, key = draw.choice(places)
        way = draw.randrange(8)
        if way == 0:
            del parent[key]
        elif way == 1:
            parent[key] = copy.deepcopy(draw.choice(EXTREMES))
        elif way == 2:
            parent[key] = draw.choice(self._vocabulary.scalars)
        elif way == 3:
            other, index = draw.choice(places)
            parent[key] = copy.deepcopy(other[index])
        elif way == 4 and isinstance(parent, dict):
            parent[draw.choice(self._vocabulary.keys)] = parent.pop(key)
        elif way == 5 and isinstance(parent[key], dict):
            parent[key][draw.choice(self._vocabulary.keys)] = self._value(draw)
        elif way == 6 and isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(parent[key])] * draw.choice((1, 1, 2, draw.randrange(_LONGEST)))
        else:
            parent[key] = self._near(parent[key], draw)
        return review

    def _value(self, draw: random.Random) -> Any:
        return copy.deepcopy(draw.choice(EXTREMES)) if draw.random() < 0.3 else draw.choice(self._vocabulary.scalars)

    def _near(self, value: Any, draw: random.Random) -> Any:
        """A value of the same type, or nearly."""
        if isinstance(value, bool) or value is None:
            return not value
        if isinstance(value, int | float):
            return draw.choice((value + 1, value - 1, -value, value * 10, str(value), float(value)))
        if isinstance(value, str):
            return draw.choice(
                (value + "x", value[:-1], value.upper(), f" {value} ", value * 2, [value], {value: value})
            )
        return draw.choice(([value], {"a": value}, value and type(value)()))


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    """Every member of a value, as its parent and key."""
    waiting = [value]
    while waiting:
        parent = waiting.pop()
        if isinstance(parent, dict | list):
            for key in parent if isinstance(parent, dict) else range(len(parent)):
                yield parent, key
                waiting.append(parent[key])
