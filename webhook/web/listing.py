"""The list of rollouts: filters, counts, and the rows that are left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from webhook.diagnosis.summary import NEEDS_PERSON, STATES, Summary, in_order

MOST_ROWS: Final = 500
_LONGEST: Final = 253
PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for: a state or ``person`` for all that need one, a namespace, and a part of the name."""

    state: str = ""
    namespace: str = ""
    name: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """From the parameters of a GET request; a state that does not exist is ignored."""
        state = query.get("state", "")
        return cls(
            state=state if state in (*STATES, PERSON) else "",
            namespace=query.get("namespace", "").strip()[:_LONGEST],
            name=query.get("name", "").strip()[:_LONGEST],
        )

    def takes(self, one: Summary) -> bool:
        is_state = not self.state or one.state == self.state or (self.state == PERSON and one.needs_person)
        return is_state and self.takes_but_state(one)

    def takes_but_state(self, one: Summary) -> bool:
        return self.namespace in ("", one.namespace) and self.name in one.name

    def query(self, state: str) -> str:
        """The address of the list with another state, and the rest as it is."""
        chosen = {"state": state, "namespace": self.namespace, "name": self.name}
        words = urlencode({key: value for key, value in chosen.items() if value})
        return f"/?{words}" if words else "/"


@dataclass(frozen=True, slots=True)
class Count:
    """A link to the rollouts of a state, and how many there are."""

    label: str
    number: int
    address: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """``rows`` are at most MOST_ROWS; ``left_out`` is how many more there are."""

    filters: Filters
    counts: Sequence[Count]
    rows: Sequence[Summary]
    namespaces: Sequence[str]
    left_out: int = 0

    @property
    def says(self) -> str:
        """One sentence, for those who cannot see the page change."""
        total = self.counts[0].number
        needing = next((one.number for one in self.counts if one.label == _PERSON_LABEL), 0)
        rollouts = "1 rollout" if total == 1 else f"{total} rollouts"
        return f"{rollouts}, {needing} in need of a person" if needing else f"{rollouts}, none in need of a person"


_PERSON_LABEL: Final = "Need a person"


def listing(summaries: Sequence[Summary], filters: Filters) -> Listing:
    """What needs a person comes first."""
    mine = [one for one in summaries if filters.takes_but_state(one)]
    by_state: Counter[str] = Counter(one.state for one in mine)
    needing = sum(by_state[state] for state in NEEDS_PERSON)
    counts = [Count("All", len(mine), filters.query(""), not filters.state)]
    if needing or filters.state == PERSON:
        counts.append(Count(_PERSON_LABEL, needing, filters.query(PERSON), filters.state == PERSON))
    counts += [
        Count(state, by_state[state], filters.query(state), filters.state == state)
        for state in STATES
        if by_state[state] or filters.state == state
    ]
    rows = in_order(one for one in mine if filters.takes(one))
    namespaces = sorted({one.namespace for one in summaries})
    return Listing(filters, counts, rows[:MOST_ROWS], namespaces, max(0, len(rows) - MOST_ROWS))
