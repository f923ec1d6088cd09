"""What is counted: plain numbers that the server adds to and a scrape reads."""

from bisect import bisect_left
from collections import Counter
from itertools import product
from typing import Final, Literal

from webhook.admission import EFFECTS, RULE_IDS, Answer, Verdict
from webhook.api.kinds import RO_KIND, SPA_KIND
from webhook.server.call_head import ADMISSION_PATHS

Outcome = Literal["allowed", "warned", "denied", "skipped", "malformed"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("allowed", "warned", "denied", "skipped", "malformed")
KINDS: Final = (SPA_KIND, RO_KIND, "other")
OPERATIONS: Final = ("CREATE", "UPDATE", "other")
REFUSED: Final = (400, 404, 405, 408, 413, 414, 415, 431)
CLOSED: Final = ("handshake", "header", "body", "answer", "idle", "crowded", "full")
BUCKETS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0)


class Tally:
    """Counts since the start. Every series that can be known beforehand is there from the start, at zero.

    Written by the event loop and by the threads of the pages; a scrape may be one count behind, never wrong by more.
    """

    def __init__(self) -> None:
        self.reviews: Counter[tuple[str, str, str, str]] = Counter(
            dict.fromkeys(product(ADMISSION_PATHS, KINDS, OPERATIONS, OUTCOMES), 0)
        )
        self.findings: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(RULE_IDS, EFFECTS), 0))
        self.patches: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self.refused: Counter[int] = Counter(dict.fromkeys(REFUSED, 0))
        self.closed: Counter[str] = Counter(dict.fromkeys(CLOSED, 0))
        self.reflected: Counter[tuple[str, str]] = Counter()
        self.latency: dict[str, list[int]] = {path: [0] * (len(BUCKETS) + 1) for path in ADMISSION_PATHS}
        self.seconds: dict[str, float] = dict.fromkeys(ADMISSION_PATHS, 0.0)
        self.in_flight = 0
        self.connections = 0
        self.pairs: Counter[str] = Counter(loaded=0, refused=0)

    def count(self, path: str, answer: Answer, seconds: float) -> None:
        """One answered admission call."""
        self.latency[path][bisect_left(BUCKETS, seconds)] += 1
        self.seconds[path] += seconds
        verdict = answer.verdict
        if verdict is None:
            self.refused[answer.status] += 1
            return
        kind = verdict.kind if verdict.kind in KINDS else "other"
        operation = verdict.operation if verdict.operation in OPERATIONS else "other"
        self.reviews[path, kind, operation, outcome_of(verdict)] += 1
        if verdict.fills:
            self.patches[kind] += 1
        for finding, effect in verdict.findings:
            self.findings[finding.id, effect] += 1


def outcome_of(verdict: Verdict) -> Outcome:
    """The one word for a verdict, the gravest that holds."""
    if verdict.malformed:
        return "malformed"
    if not verdict.allowed:
        return "denied"
    if verdict.skipped:
        return "skipped"
    return "warned" if verdict.findings or verdict.notices else "allowed"
