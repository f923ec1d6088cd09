"""One target in a process of its own: atheris counts the branches of ``webhook`` that its inputs reach.

``python -m tests.fuzz.engine TARGET FOLDER [OPTION ...]`` runs it, with libFuzzer's options, on the corpus in FOLDER.
Without options of its own a run is the same every time.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

LONGEST: Final = 16 * 1024
"""In bytes, of an input."""
EXIT_ON_FIND: Final = 77


class Target(NamedTuple):
    """``check`` raises on a find; after ``close`` nothing is checked any more."""

    check: Callable[[bytes], None]
    close: Callable[[], None]
    mutator: Callable[[bytes, int, int], bytes]
    seeds: list[bytes]


def reviews(mutate: Callable[[bytes, int], bytes]) -> Target:
    """Reviews at all three paths."""
    import json

    from tests.fuzz import seeds
    from tests.fuzz.json_mutator import JsonMutator, Vocabulary
    from tests.fuzz.reviews import Reviews

    inputs = list(seeds.reviews())
    vocabulary = Vocabulary(json.loads(each.partition(b"\n")[2]) for each in inputs)
    asked = Reviews()
    return Target(asked.check, asked.close, JsonMutator(vocabulary, mutate), inputs)


def streams(mutate: Callable[[bytes, int], bytes]) -> Target:
    """The bytes of connections."""
    from tests.fuzz import seeds
    from tests.fuzz.stream_mutator import StreamMutator
    from tests.fuzz.streams import Streams

    played = Streams()
    return Target(played.check, played.close, StreamMutator(seeds.requests(), mutate), list(seeds.streams()))


TARGETS: Final = {"reviews": reviews, "streams": streams}


def run(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz until an option says to stop; ends the process, with EXIT_ON_FIND on a find."""
    import atheris

    with atheris.instrument_imports(include=["webhook"], enable_loader_override=False):
        # Its function is another one once it fuzzes.
        target = TARGETS[name](lambda data, size: bytes(atheris.Mutate(data, size)))
    folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (folder / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    # What lies in the corpus is not read again: a run that takes longer would check more inputs.
    usual = [f"-max_len={LONGEST}", "-reload=0", "-timeout=120", "-report_slow_units=120", "-print_final_stats=1"]
    usual += ["-verbosity=1"]
    atheris.Setup([sys.argv[0], *usual, *options, str(folder)], target.check, custom_mutator=target.mutator)
    atheris.Fuzz()


def replay(name: str, data: bytes) -> None:
    """Check one input, without atheris. Raises on a find."""

    def unused(data: bytes, size: int) -> Any:
        raise NotImplementedError

    target = TARGETS[name](unused)
    try:
        target.check(data)
    finally:
        target.close()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
