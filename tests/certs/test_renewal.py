"""Renewal: what is written, in which order, and that clients can verify every server at each step."""

import dataclasses
import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.bundle import read_bundle
from certs.contents import Contents
from certs.errors import CertificateError, StoreConflict
from certs.key_pair import prove, read_certificate
from certs.renewal import carry_out, renew
from certs.rotation import MakeAuthority, MakeLeaf, Observed, Publish, Wait, next_action
from tests.certs.world import DAY, HOSTS, POLICY, START, authority, contents, leaf, verifies


class MemoryStore:
    """A store in memory; ``rival`` is written by somebody else right before our first write."""

    def __init__(self, stored: Contents, rival: Contents | None = None) -> None:
        self.stored = stored
        self.rival = rival

    def read(self) -> tuple[Contents, str]:
        return self.stored, self.stored.version

    def write(self, new: Contents, version: str) -> None:
        if self.rival is not None:
            self.stored, self.rival = self.rival, None
        if version != self.stored.version:
            raise StoreConflict("somebody was first")
        self.stored = new


OLD, OTHER = authority(), authority()
GOOD = contents(OLD, leaf(OLD))


def test_an_empty_store_gets_an_authority_and_a_leaf() -> None:
    store = MemoryStore(Contents())
    taken, wait = renew(store, HOSTS, START, POLICY)
    assert [type(action) for action in taken] == [MakeAuthority, MakeLeaf]
    assert wait.until > START
    assert verifies(store.stored.certificate, store.stored.ca_certificates)


def test_a_second_time_changes_nothing() -> None:
    store = MemoryStore(Contents())
    renew(store, HOSTS, START, POLICY)
    before = store.stored
    taken, _ = renew(store, HOSTS, START, POLICY)
    assert taken == []
    assert store.stored == before


def test_the_loser_of_a_race_takes_what_won() -> None:
    store = MemoryStore(Contents(), rival=GOOD)
    taken, _ = renew(store, HOSTS, START, POLICY)
    assert taken == []
    assert store.stored == GOOD


class Places:
    """Clients with one place that tells them whom to trust; ``rival`` puts another bundle there right before ours."""

    def __init__(self, store: MemoryStore, bundle: bytes, rival: bytes | None = None, deaf: bool = False) -> None:
        self.bundle = bundle
        self.leaf_at_publication: list[bytes] = []
        self.overwritten: list[bytes] = []
        self._store = store
        self._rival = rival
        self._deaf = deaf
        self._looked_at = b""

    def observe(self, now: datetime) -> Observed:
        self._looked_at = self.bundle
        return Observed(published=(self.bundle,))

    def publish(self, bundle: bytes) -> None:
        if self._rival is not None:
            self.bundle, self._rival = self._rival, None
        if self.bundle != self._looked_at:
            raise StoreConflict("changed by somebody else")
        self.leaf_at_publication.append(self._store.stored.certificate)
        self.overwritten.append(self.bundle)
        if not self._deaf:
            self.bundle = bundle


TURNED = START + 60 * DAY
"""When the authority is due."""


def test_the_bundle_is_published_before_the_leaf_is_made() -> None:
    store = MemoryStore(GOOD)
    places = Places(store, GOOD.ca_certificates)
    shown = {"a": GOOD.certificate}
    taken, _ = renew(store, HOSTS, TURNED, POLICY, places, lambda: shown)
    assert [type(action) for action in taken] == [MakeAuthority, Publish, MakeLeaf]
    assert places.leaf_at_publication == [GOOD.certificate]
    assert verifies(GOOD.certificate, places.bundle)
    assert verifies(store.stored.certificate, places.bundle)


def test_a_place_that_changed_meanwhile_is_looked_at_again() -> None:
    store = MemoryStore(GOOD)
    places = Places(store, b"", rival=b"theirs")
    taken, _ = renew(store, HOSTS, START, POLICY, places)
    assert [type(action) for action in taken] == [Publish]
    assert places.bundle == GOOD.ca_certificates


def test_nothing_older_is_published_over_what_a_rival_stored_and_published() -> None:
    """The rival comes right after the store was read."""
    newer = contents(OTHER, GOOD.leaf, OLD)

    class Overtaken(MemoryStore):
        def read(self) -> tuple[Contents, str]:
            answer = super().read()
            if self.stored == GOOD:
                self.stored, places.bundle = newer, newer.ca_certificates
            return answer

    store = Overtaken(GOOD)
    places = Places(store, b"")
    renew(store, HOSTS, START, POLICY, places)
    assert newer.ca_certificates not in places.overwritten


def test_publishing_that_has_no_effect_is_not_tried_for_ever() -> None:
    store = MemoryStore(GOOD)
    with pytest.raises(CertificateError, match="not finished after 12 attempts; the last action: clients do not read"):
        renew(store, HOSTS, START, POLICY, Places(store, b"", deaf=True))


@pytest.mark.parametrize(
    ("bundle", "asked"),
    [
        (GOOD.ca_certificates, 0),
        (b"", 0),
        (GOOD.ca_certificates + OTHER.certificate, 1),
    ],
    ids=["all is well", "clients know nobody", "clients know one more"],
)
def test_servers_are_asked_only_where_it_matters(bundle: bytes, asked: int) -> None:
    store = MemoryStore(GOOD)
    questions = []

    def servers() -> dict[str, bytes | None]:
        questions.append(1)
        return {"a": GOOD.certificate}

    renew(store, HOSTS, START, POLICY, Places(store, bundle), servers)
    assert len(questions) == asked


def test_an_old_copy_put_back_costs_no_server_its_trust() -> None:
    """Servers keep their last good pair where the stored one has expired; clients are to trust both meanwhile."""
    newer = contents(OTHER, leaf(OTHER, START + 40 * DAY))
    store = MemoryStore(GOOD)
    places = Places(store, newer.ca_certificates)
    renew(store, HOSTS, START + 40 * DAY, POLICY, places, lambda: {"a": newer.certificate})
    assert verifies(newer.certificate, places.bundle)
    assert verifies(store.stored.certificate, places.bundle)


def test_no_leaf_without_an_authority() -> None:
    with pytest.raises(CertificateError, match="can sign a leaf"):
        carry_out(MakeLeaf("asked for"), Contents(), HOSTS, START, POLICY)


PARTS = ["ca_certificates", "ca_key", "certificate", "key"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(PARTS), st.sampled_from(["", "nonsense", "cut", "foreign", *(f"={name}" for name in PARTS)])
    ),
    st.integers(-400, 400),
)
def test_whatever_is_stored_ends_well(damage: dict[str, str], days: int) -> None:
    """Deleted, cut short, swapped or foreign parts, at any time: it rests, and with a pair that clients accept."""
    other_authority = authority()
    foreign = contents(other_authority, leaf(other_authority))
    stored = GOOD
    for part, what in damage.items():
        old: bytes = getattr(GOOD, part)
        value = {"": b"", "nonsense": b"nonsense", "cut": old[:80], "foreign": getattr(foreign, part)}.get(
            what, getattr(GOOD, what[1:], b"")
        )
        stored = dataclasses.replace(stored, **{part: value})
    now = START + days * DAY
    store = MemoryStore(stored)
    _, wait = renew(store, HOSTS, now, POLICY)
    served = prove(store.stored.leaf)
    assert wait.until > now
    assert verifies(store.stored.certificate, store.stored.ca_certificates)
    assert served.not_valid_before_utc <= now < served.not_valid_after_utc


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([1, 4])), min_size=1, max_size=12))
def test_every_client_can_verify_every_server_at_every_moment(pattern: list[tuple[bool, bool, int]]) -> None:
    """Many renewals; servers load the stored leaf when the pattern says, and clients hold what was published last."""
    cluster = Cluster()
    for first, second, days in itertools.islice(itertools.cycle([*pattern, (True, True, 4)]), 400):
        if cluster.now > START + 200 * DAY:
            break
        cluster.load({"a:1": first, "b:1": second})
        wait = cluster.act(0)
        if wait is not None:
            cluster.now = max(cluster.now, min(wait.until, cluster.now + days * DAY))
        cluster.check()
    assert len(cluster.authorities) >= 4


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([-4000, -61, -25, -1, 0, 1, 25, 61, 4000])),
        min_size=1,
        max_size=12,
    )
)
def test_a_clock_that_jumps_breaks_no_trust(pattern: list[tuple[bool, bool, int]]) -> None:
    """The clock of the one who decides is off by so many days for a while; it is right again at the end."""
    cluster = Cluster()
    for first, second, off in pattern:
        cluster.load({"a:1": first, "b:1": second})
        cluster.act(off)
        cluster.now += timedelta(minutes=1)
        cluster.check()
    for _ in range(30):
        cluster.act(0)
        cluster.load({"a:1": True, "b:1": True})
        cluster.now += timedelta(minutes=1)
        cluster.check()
    assert set(cluster.served.values()) == {cluster.store.stored.certificate}
    assert len(read_bundle(cluster.published)) == 1


class Cluster:
    """Two servers that keep their last good leaf, clients, and one who decides, by a clock of their own."""

    def __init__(self) -> None:
        self.store = MemoryStore(Contents())
        renew(self.store, HOSTS, START, POLICY)
        self.now = START
        self.published, self.published_at = self.store.stored.ca_certificates, START
        self.served = dict.fromkeys(("a:1", "b:1"), self.store.stored.certificate)
        self.authorities = {self.store.stored.ca_key}

    def load(self, which: dict[str, bool]) -> None:
        leaf = read_certificate(self.store.stored.certificate)
        if leaf.not_valid_before_utc <= self.now < leaf.not_valid_after_utc:
            self.served |= {name: self.store.stored.certificate for name, loads in which.items() if loads}

    def act(self, off: int) -> Wait | None:
        now = self.now + off * DAY
        observed = Observed((self.published,), self.published_at + off * DAY, self.served)
        action = next_action(self.store.stored, observed, HOSTS, now, POLICY)
        if isinstance(action, Wait):
            return action
        if isinstance(action, Publish):
            self.published, self.published_at = action.bundle, self.now
        else:
            self.store.stored = carry_out(action, self.store.stored, HOSTS, now, POLICY)
        self.authorities.add(self.store.stored.ca_key)
        return None

    def check(self) -> None:
        assert all(verifies(shown, self.published) for shown in self.served.values())
