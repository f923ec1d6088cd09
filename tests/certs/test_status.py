"""The state of stored certificates as lines for people."""

import dataclasses
from datetime import datetime

import pytest

from certs.contents import Contents
from certs.rotation import Observed
from certs.status import describe, problems
from tests.certs.world import DAY, HOSTS, POLICY, START, authority, contents, leaf

OLD, NEW = authority(), authority()
LEAF = leaf(NEW)
STORED = contents(NEW, LEAF, OLD)


def test_an_overlap() -> None:
    observed = Observed(served={"a:1": LEAF.certificate, "b:1": leaf(OLD).certificate, "c:1": None, "d:1": b"nonsense"})
    lines = describe(STORED, observed, HOSTS, START, POLICY)
    shapes = [line.split(maxsplit=1) for line in lines]
    assert [shape[0] for shape in shapes] == ["authority"] * 2 + ["leaf"] + ["served"] * 4 + ["next"]
    assert lines[0].endswith("2029-12-25 to 2030-04-01, signs")
    assert lines[1].endswith("trusted only")
    assert lines[2].endswith("2029-12-25 to 2030-01-31, for stagegate.stagegate-system.svc")
    assert lines[3].endswith("the stored leaf")
    assert lines[4].endswith("another leaf")
    assert lines[5].endswith("c:1: no answer")
    assert lines[6].endswith("not readable PEM")
    assert lines[7] == "next       2030-01-01 00:00:05Z: no leaf of the new authority yet at b:1, c:1, d:1"


def test_nothing() -> None:
    assert describe(Contents(), Observed(), HOSTS, START, POLICY) == [
        "authority  none",
        "leaf       none",
        "next       now: new authority: there is no authority whose key is stored",
    ]


def test_a_leaf_that_cannot_be_used() -> None:
    torn = dataclasses.replace(STORED, key=NEW.key)
    lines = describe(torn, Observed(), HOSTS, START, POLICY)
    assert lines[2] == "leaf       unusable: the private key does not belong to the certificate"
    assert lines[3].startswith("next       now: new leaf: the private key")


def test_what_each_place_holds() -> None:
    bundles = (STORED.ca_certificates, b"", b"nonsense", OLD.certificate)
    lines = describe(STORED, Observed(published=bundles), HOSTS, START, POLICY, "abcd")
    places = [line for line in lines if line.startswith("caBundle")]
    assert places[:3] == [
        "caBundle   a: the stored authorities",
        "caBundle   b: not as stored: empty",
        "caBundle   c: not as stored: no readable authority",
    ]
    fingerprint = lines[1].split()[1]
    assert places[3] == f"caBundle   d: not as stored: {fingerprint}"


def test_where_no_server_answers_nothing_is_said_of_what_they_show() -> None:
    observed = Observed(served={"a:1": None, "b:1": None})
    lines = describe(STORED, observed, HOSTS, START, POLICY)
    assert lines[-1] == "next       2030-01-18 16:00:00Z: a new leaf, at two thirds of its life"


def test_no_secret_is_shown() -> None:
    stored = dataclasses.replace(STORED, ca_key=b"hidden", key=b"hidden")
    assert "hidden" not in "".join(describe(stored, Observed(), HOSTS, START, POLICY))


def test_without_the_key_nothing_is_guessed() -> None:
    hidden = dataclasses.replace(STORED, ca_key=b"")
    lines = describe(hidden, Observed(), HOSTS, START, POLICY, key_hidden=True)
    assert [line.split()[0] for line in lines] == ["authority", "authority", "leaf", "next"]
    assert [line.endswith("2030-04-01") for line in lines[:2]] == [True, True]
    assert lines[3] == "next       not known without the authority's key"


SOUND = contents(NEW, LEAF)
OTHER = leaf(OLD)


@pytest.mark.parametrize(
    ("stored", "observed", "now", "found"),
    [
        pytest.param(SOUND, Observed(), START, [], id="sound"),
        pytest.param(STORED, Observed(), START, [], id="during a rotation"),
        pytest.param(SOUND, Observed(), START + 25 * DAY, [], id="due, to be renewed any moment"),
        pytest.param(SOUND, Observed(served={"a:1": None}), START, [], id="a server that is not reachable from here"),
        pytest.param(
            SOUND,
            Observed(),
            START + 29 * DAY,
            ["the leaf expires on 2030-01-31 and was not renewed"],
            id="due for long",
        ),
        pytest.param(SOUND, Observed(), START + 31 * DAY, ["the leaf has expired"], id="expired"),
        pytest.param(
            SOUND,
            Observed(),
            START - 8 * DAY,
            ["the leaf is not valid yet", "the leaf is of no trusted authority that is valid now"],
            id="the clock is wrong",
        ),
        pytest.param(Contents(), Observed(), START, ["there is no leaf"], id="nothing"),
        pytest.param(
            dataclasses.replace(SOUND, key=NEW.key),
            Observed(),
            START,
            ["the leaf cannot be used: the private key does not belong to the certificate"],
            id="another key",
        ),
        pytest.param(
            contents(OLD, LEAF),
            Observed(),
            START,
            ["the leaf is of no trusted authority that is valid now"],
            id="another authority",
        ),
        pytest.param(
            SOUND,
            Observed(published=(NEW.certificate, OLD.certificate)),
            START,
            ["a caBundle does not contain the authority of the leaf"],
            id="another caBundle",
        ),
        pytest.param(
            SOUND,
            Observed(served={"a:1": OTHER.certificate, "b:1": LEAF.certificate, "c:1": b"nonsense"}),
            START,
            [
                "a:1 serves a certificate that no trusted authority issued",
                "c:1 serves a certificate that cannot be read",
            ],
            id="servers show others",
        ),
        pytest.param(
            contents(NEW, leaf(NEW, START + 20 * DAY)),
            Observed(served={"a:1": LEAF.certificate}),
            START + 31 * DAY,
            ["a:1 serves a certificate that has expired"],
            id="a server shows an old one",
        ),
    ],
)
def test_what_keeps_clients_from_verifying(
    stored: Contents, observed: Observed, now: datetime, found: list[str]
) -> None:
    assert problems(stored, observed, now) == found
