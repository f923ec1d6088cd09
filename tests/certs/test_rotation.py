"""A table of decisions: what is stored, what was observed, the time, and the action that follows."""

import dataclasses
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from certs.contents import Contents
from certs.rotation import (
    Action,
    MakeAuthority,
    MakeLeaf,
    Observed,
    Publish,
    Wait,
    WriteBundle,
    next_action,
    renewal_time,
)
from tests.certs.world import DAY, HOSTS, POLICY, START, authority, certificate, contents, leaf

OLD = authority(START)
NEW = authority(START + 60 * DAY)
FOREIGN = authority(START)
OLD_LEAF = leaf(OLD)
GOOD = contents(OLD, OLD_LEAF)
BOTH = NEW.certificate + OLD.certificate
TURNED = START + 60 * DAY
"""The day on which the old authority has lived two thirds of its life, and the new one is made."""
NEW_LEAF = leaf(NEW, TURNED)
LATE_OLD_LEAF = leaf(OLD, TURNED)
OVERLAP = contents(NEW, LATE_OLD_LEAF, OLD)
SETTLED = Observed(published=(BOTH,), published_at=TURNED - timedelta(minutes=5))


class Row(NamedTuple):
    name: str
    stored: Contents
    observed: Observed
    now: datetime
    expected: type[Action]
    reason: str


ROWS = [
    Row("an empty store", Contents(), Observed(), START, MakeAuthority, "no authority whose key is stored"),
    Row("all is well", GOOD, Observed(), START, Wait, "then a new leaf"),
    Row("all is well and published", GOOD, Observed(published=(OLD.certificate,)), START, Wait, "then a new leaf"),
    # the leaf's life
    Row("the leaf one day before two thirds", GOOD, Observed(), START + 16 * DAY, Wait, "then a new leaf"),
    Row("the leaf at two thirds", GOOD, Observed(), START + 18 * DAY, MakeLeaf, "past two thirds"),
    Row("the leaf expired", GOOD, Observed(), START + 31 * DAY, MakeLeaf, "expired"),
    Row("the clock went back by a week", GOOD, Observed(), START - 6 * DAY, Wait, "then a new leaf"),
    Row("the clock went back by more", GOOD, Observed(), START - 8 * DAY, MakeAuthority, "not valid yet"),
    Row("the clock jumped ahead", GOOD, Observed(), START + 4000 * DAY, MakeAuthority, "expired"),
    Row(
        "the clock came back after a leaf was made ahead of it",
        contents(OLD, leaf(OLD, START + 10 * DAY)),
        Observed(),
        START,
        MakeLeaf,
        "not valid yet",
    ),
    Row("another host", contents(OLD, leaf(OLD, hosts=("a",))), Observed(), START, MakeLeaf, "the leaf is for a"),
    Row(
        "a host too many",
        contents(OLD, leaf(OLD, hosts=(*HOSTS, "a"))),
        Observed(),
        START,
        MakeLeaf,
        "the leaf is for a",
    ),
    # rotating the authority: new one made, both published, every server on a new leaf, old one dropped
    Row("the authority at two thirds", GOOD, Observed(), TURNED, MakeAuthority, "past two thirds"),
    Row("clients know only the old", OVERLAP, Observed((OLD.certificate,)), TURNED, Publish, "do not read"),
    Row("one of two places knows it", OVERLAP, Observed((BOTH, OLD.certificate)), TURNED, Publish, "do not read"),
    Row("one place is empty", OVERLAP, Observed((BOTH, b"")), TURNED, Publish, "do not read"),
    Row("clients just got both", OVERLAP, Observed((BOTH,), TURNED), TURNED, Wait, "reading the new bundle"),
    Row(
        "clients just got both, and there is no leaf",
        dataclasses.replace(OVERLAP, certificate=b"", key=b""),
        Observed((BOTH,), TURNED),
        TURNED,
        Wait,
        "reading the new bundle",
    ),
    Row(
        "clients just got the first one of all",
        dataclasses.replace(GOOD, certificate=b"", key=b""),
        Observed((OLD.certificate,), START),
        START,
        MakeLeaf,
        "there is no leaf",
    ),
    Row(
        "clients just got both, and the old one has expired",
        OVERLAP,
        Observed((BOTH,), START + 91 * DAY),
        START + 91 * DAY,
        MakeLeaf,
        "not of the signing authority",
    ),
    Row(
        "clients just got both, and the leaf is of the new one already",
        contents(NEW, leaf(NEW, TURNED, hosts=("a",)), OLD),
        Observed((BOTH,), TURNED),
        TURNED,
        MakeLeaf,
        "the leaf is for a",
    ),
    Row("clients have read both", OVERLAP, SETTLED, TURNED, MakeLeaf, "not of the signing authority"),
    Row(
        "when they got both is not known", OVERLAP, Observed((BOTH,)), TURNED, MakeLeaf, "not of the signing authority"
    ),
    Row(
        "they got both in the future, by a clock that went back",
        OVERLAP,
        Observed((BOTH,), TURNED + DAY),
        TURNED,
        MakeLeaf,
        "not of the signing authority",
    ),
    Row(
        "one server is behind",
        contents(NEW, NEW_LEAF, OLD),
        dataclasses.replace(SETTLED, served={"a:1": NEW_LEAF.certificate, "b:1": LATE_OLD_LEAF.certificate}),
        TURNED,
        Wait,
        "no leaf of the new authority yet at b:1",
    ),
    Row(
        "one server does not answer",
        contents(NEW, NEW_LEAF, OLD),
        dataclasses.replace(SETTLED, served={"a:1": NEW_LEAF.certificate, "b:1": None}),
        TURNED,
        Wait,
        "no leaf of the new authority yet at b:1",
    ),
    Row(
        "one server shows nonsense",
        contents(NEW, NEW_LEAF, OLD),
        dataclasses.replace(SETTLED, served={"a:1": b"nonsense"}),
        TURNED,
        Wait,
        "no leaf of the new authority yet at a:1",
    ),
    Row(
        "one server is behind, and the old one has expired",
        contents(NEW, leaf(NEW, START + 91 * DAY), OLD),
        dataclasses.replace(SETTLED, served={"a:1": LATE_OLD_LEAF.certificate}),
        START + 91 * DAY,
        Wait,
        "no leaf of the new authority yet at a:1",
    ),
    Row(
        "one server does not answer, and the old one has expired",
        contents(NEW, leaf(NEW, START + 91 * DAY), OLD),
        dataclasses.replace(SETTLED, served={"a:1": None}),
        START + 91 * DAY,
        WriteBundle,
        "every server",
    ),
    Row(
        "every server shows a new leaf",
        contents(NEW, NEW_LEAF, OLD),
        dataclasses.replace(SETTLED, served={"a:1": NEW_LEAF.certificate, "b:1": leaf(NEW, TURNED).certificate}),
        TURNED,
        WriteBundle,
        "every server shows",
    ),
    Row(
        "nobody serves",
        contents(NEW, NEW_LEAF, OLD),
        dataclasses.replace(SETTLED, served={}),
        TURNED,
        WriteBundle,
        "every server shows",
    ),
    Row(
        "who serves is not known",
        contents(NEW, NEW_LEAF, OLD),
        Observed(),
        TURNED,
        Wait,
        "then a new leaf",
    ),
    Row(
        "who serves is not known, and the old one has expired",
        contents(NEW, leaf(NEW, START + 91 * DAY), OLD),
        Observed(),
        START + 91 * DAY,
        WriteBundle,
        "the old authority has expired",
    ),
    Row(
        "clients still know the old one",
        contents(NEW, NEW_LEAF),
        Observed((BOTH,)),
        TURNED,
        Publish,
        "do not read",
    ),
    Row(
        "clients know one more, by whom a server lives",
        contents(NEW, NEW_LEAF),
        Observed((BOTH,), served={"a:1": LATE_OLD_LEAF.certificate}),
        TURNED,
        WriteBundle,
        "that only clients know",
    ),
    Row(
        "clients know one more, by whom no server lives",
        contents(NEW, NEW_LEAF),
        Observed((BOTH,), served={"a:1": NEW_LEAF.certificate, "b:1": None}),
        TURNED,
        Publish,
        "do not read",
    ),
    Row("the leaf is renewed before the old is dropped", OVERLAP, SETTLED, TURNED + 25 * DAY, MakeLeaf, "not of the"),
    # what may happen to a store
    Row("ca.key deleted", dataclasses.replace(GOOD, ca_key=b""), Observed(), START, MakeAuthority, "no authority"),
    Row("ca.crt deleted", dataclasses.replace(GOOD, ca_certificates=b""), Observed(), START, MakeAuthority, "no auth"),
    Row("tls.crt deleted", dataclasses.replace(GOOD, certificate=b""), Observed(), START, MakeLeaf, "there is no leaf"),
    Row("tls.key deleted", dataclasses.replace(GOOD, key=b""), Observed(), START, MakeLeaf, "there is no leaf"),
    Row(
        "ca.crt cut short",
        dataclasses.replace(GOOD, ca_certificates=OLD.certificate[:-100]),
        Observed(),
        START,
        MakeAuthority,
        "no authority",
    ),
    Row(
        "ca.key cut short", dataclasses.replace(GOOD, ca_key=OLD.key[:50]), Observed(), START, MakeAuthority, "no auth"
    ),
    Row("tls.crt cut short", dataclasses.replace(GOOD, certificate=b"-----BEGIN"), Observed(), START, MakeLeaf, "PEM"),
    Row("tls.key cut short", dataclasses.replace(GOOD, key=OLD_LEAF.key[:50]), Observed(), START, MakeLeaf, "PEM"),
    Row(
        "keys swapped",
        dataclasses.replace(GOOD, ca_key=OLD_LEAF.key, key=OLD.key),
        Observed(),
        START,
        MakeAuthority,
        "no authority",
    ),
    Row(
        "certificates swapped",
        dataclasses.replace(GOOD, ca_certificates=OLD_LEAF.certificate, certificate=OLD.certificate),
        Observed(),
        START,
        MakeAuthority,
        "no authority",
    ),
    Row("key of another leaf", dataclasses.replace(GOOD, key=leaf(OLD).key), Observed(), START, MakeLeaf, "not belong"),
    Row("leaf of another authority", contents(OLD, leaf(FOREIGN)), Observed(), START, MakeLeaf, "not of the signing"),
    Row(
        "the signing authority is not the first",
        dataclasses.replace(OVERLAP, ca_certificates=OLD.certificate + NEW.certificate),
        Observed(),
        TURNED,
        WriteBundle,
        "the signing one first",
    ),
    Row(
        "words between the authorities",
        dataclasses.replace(GOOD, ca_certificates=b"# mine\n" + OLD.certificate),
        Observed(),
        START,
        WriteBundle,
        "the signing one first",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_next_action(row: Row) -> None:
    action = next_action(row.stored, row.observed, HOSTS, row.now, POLICY)
    assert type(action) is row.expected
    assert row.reason in action.reason
    if isinstance(action, Wait):
        assert action.until > row.now


def test_a_new_authority_keeps_every_trusted_one_beside_it() -> None:
    lost = dataclasses.replace(GOOD, ca_key=b"")
    observed = Observed(published=(FOREIGN.certificate + OLD.certificate,))
    action = next_action(lost, observed, HOSTS, START, POLICY)
    assert isinstance(action, MakeAuthority)
    assert action.trusted == OLD.certificate + FOREIGN.certificate


def test_a_deleted_store_keeps_what_clients_trust() -> None:
    action = next_action(Contents(), Observed(published=(OLD.certificate,)), HOSTS, START, POLICY)
    assert isinstance(action, MakeAuthority)
    assert action.trusted == OLD.certificate


def test_what_servers_live_by_is_trusted_beside_the_rest() -> None:
    observed = Observed((FOREIGN.certificate + OLD.certificate,), served={"a:1": OLD_LEAF.certificate})
    action = next_action(contents(NEW, NEW_LEAF), observed, HOSTS, TURNED, POLICY)
    assert isinstance(action, WriteBundle)
    assert action.bundle == BOTH


@pytest.mark.parametrize(
    ("since", "seconds"), [(None, 5), (timedelta(), 5), (timedelta(seconds=49), 5), (timedelta(hours=1), 360)]
)
def test_a_server_that_stays_behind_is_asked_more_and_more_rarely(since: timedelta | None, seconds: int) -> None:
    observed = Observed((BOTH,), TURNED - since if since is not None else None, {"a:1": None})
    action = next_action(contents(NEW, NEW_LEAF, OLD), observed, HOSTS, TURNED, POLICY)
    assert isinstance(action, Wait)
    assert action.until == TURNED + timedelta(seconds=seconds)


def test_dropping_leaves_the_signing_authority_alone() -> None:
    observed = dataclasses.replace(SETTLED, served={"a:1": NEW_LEAF.certificate})
    action = next_action(contents(NEW, NEW_LEAF, OLD), observed, HOSTS, TURNED, POLICY)
    assert isinstance(action, WriteBundle)
    assert action.bundle == NEW.certificate


def test_waits_for_the_earlier_of_leaf_and_authority() -> None:
    early = next_action(GOOD, Observed(), HOSTS, START, POLICY)
    assert isinstance(early, Wait)
    assert early.until == renewal_time(certificate(OLD_LEAF))
    last = contents(OLD, leaf(OLD, START + 50 * DAY))
    late = next_action(last, Observed(), HOSTS, START + 50 * DAY, POLICY)
    assert isinstance(late, Wait)
    assert late.until == renewal_time(certificate(OLD))


def test_hosts_are_compared_in_their_normal_spelling() -> None:
    stored = contents(OLD, leaf(OLD, hosts=("::1", "example.com")))
    action = next_action(stored, Observed(), ["Example.COM.", "[0:0:0:0:0:0:0:1]"], START, POLICY)
    assert isinstance(action, Wait)
