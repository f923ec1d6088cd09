"""Carrying decisions out: what is written, in which order, and that trust never breaks on the way."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.contents import Contents
from certs.errors import CertificateError, StoreConflict
from certs.pair import prove
from certs.renewal import carry_out, renew
from certs.rotation import MakeAuthority, MakeLeaf, Publish, Wait, World, next_action
from tests.certs.world import DAY, HOSTS, START, TERMS, authority, contents, leaf, verifies


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


OLD = authority()
GOOD = contents(OLD, leaf(OLD))


def test_an_empty_store_gets_an_authority_and_a_leaf() -> None:
    store = MemoryStore(Contents())
    taken, wait = renew(store, HOSTS, START, TERMS)
    assert [type(action) for action in taken] == [MakeAuthority, MakeLeaf]
    assert wait.until > START
    assert verifies(store.stored.certificate, store.stored.ca_certificates)


def test_a_second_time_changes_nothing() -> None:
    store = MemoryStore(Contents())
    renew(store, HOSTS, START, TERMS)
    before = store.stored
    taken, _ = renew(store, HOSTS, START, TERMS)
    assert taken == []
    assert store.stored == before


def test_the_loser_of_a_race_takes_what_won() -> None:
    store = MemoryStore(Contents(), rival=GOOD)
    taken, _ = renew(store, HOSTS, START, TERMS)
    assert taken == []
    assert store.stored == GOOD


def test_the_bundle_is_published_before_the_leaf_is_made() -> None:
    store = MemoryStore(GOOD)
    now = START + 60 * DAY
    published = [GOOD.ca_certificates]
    leaf_at_publication = []

    def publish(bundle: bytes) -> None:
        leaf_at_publication.append(store.stored.certificate)
        published.append(bundle)

    taken, _ = renew(store, HOSTS, now, TERMS, lambda: World(published=(published[-1],)), publish)
    assert [type(action) for action in taken] == [MakeAuthority, Publish, MakeLeaf]
    assert leaf_at_publication == [GOOD.certificate]
    assert verifies(GOOD.certificate, published[-1])
    assert verifies(store.stored.certificate, published[-1])


def test_publishing_that_has_no_effect_is_not_tried_for_ever() -> None:
    with pytest.raises(CertificateError, match="no rest"):
        renew(MemoryStore(GOOD), HOSTS, START, TERMS, lambda: World(published=(b"",)))


def test_no_leaf_without_an_authority() -> None:
    with pytest.raises(CertificateError, match="can sign a leaf"):
        carry_out(MakeLeaf("asked for"), Contents(), HOSTS, START, TERMS)


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
    _, wait = renew(store, HOSTS, now, TERMS)
    served = prove(store.stored.leaf)
    assert wait.until > now
    assert verifies(store.stored.certificate, store.stored.ca_certificates)
    assert served.not_valid_before_utc <= now < served.not_valid_after_utc


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([1, 4])), min_size=1, max_size=12))
def test_every_client_can_verify_every_server_at_every_moment(pattern: list[tuple[bool, bool, int]]) -> None:
    """Many renewals; servers load the stored leaf when the pattern says, and clients hold what was published last."""
    store = MemoryStore(Contents())
    renew(store, HOSTS, START, TERMS)
    published, published_at = store.stored.ca_certificates, START
    served = dict.fromkeys(("a:1", "b:1"), store.stored.certificate)
    now, authorities = START, {store.stored.ca_key}
    for first, second, days in itertools.islice(itertools.cycle([*pattern, (True, True, 4)]), 400):
        if now > START + 200 * DAY:
            break
        served |= {name: store.stored.certificate for name, loads in (("a:1", first), ("b:1", second)) if loads}
        action = next_action(store.stored, World((published,), published_at, served), HOSTS, now, TERMS)
        if isinstance(action, Wait):
            now = max(now, min(action.until, now + days * DAY))
        elif isinstance(action, Publish):
            published, published_at = action.bundle, now
        else:
            store.stored = carry_out(action, store.stored, HOSTS, now, TERMS)
        authorities.add(store.stored.ca_key)
        assert all(verifies(shown, published) for shown in served.values())
    assert len(authorities) >= 4
