"""When certificates are at rest: what is stored, trusted and shown is of one authority."""

from datetime import UTC, datetime, timedelta

import pytest

from certs.authority import make_authority
from certs.leaf import make_leaf
from tests.chaos.certificates import Members, disorder

NOW, DAY = datetime(2030, 1, 1, tzinfo=UTC), timedelta(days=1)
CA, OTHER = make_authority(NOW, DAY), make_authority(NOW, DAY)
LEAF, FOREIGN = make_leaf(CA, ["127.0.0.1"], NOW, DAY), make_leaf(OTHER, ["127.0.0.1"], NOW, DAY)
SERVED = {"ca.crt": CA.certificate, "tls.crt": LEAF.certificate, "tls.key": LEAF.key}
AUTHORITY = {"ca.crt": CA.certificate, "ca.key": CA.key}


@pytest.mark.parametrize(
    ("served", "authority", "bundles", "shown", "problem"),
    [
        pytest.param(SERVED, AUTHORITY, {CA.certificate}, LEAF.certificate, "", id="at rest"),
        pytest.param(
            SERVED | {"ca.key": CA.key}, AUTHORITY, {CA.certificate}, LEAF.certificate, "hold", id="the key is served"
        ),
        pytest.param(
            SERVED, AUTHORITY, {CA.certificate, b""}, LEAF.certificate, "more than one", id="one does not trust it"
        ),
        pytest.param(
            SERVED,
            AUTHORITY | {"ca.crt": OTHER.certificate},
            {CA.certificate},
            LEAF.certificate,
            "more than one",
            id="halves",
        ),
        pytest.param(SERVED, AUTHORITY, {CA.certificate}, FOREIGN.certificate, "another", id="a former one is shown"),
        pytest.param(
            SERVED | {"tls.crt": FOREIGN.certificate},
            AUTHORITY,
            {CA.certificate},
            FOREIGN.certificate,
            "not of the one authority",
            id="of another authority",
        ),
        pytest.param(
            SERVED | {"ca.crt": CA.certificate + OTHER.certificate},
            AUTHORITY | {"ca.crt": CA.certificate + OTHER.certificate},
            {CA.certificate + OTHER.certificate},
            LEAF.certificate,
            "not of the one authority",
            id="two are trusted",
        ),
    ],
)
def test_disorder(served: Members, authority: Members, bundles: set[bytes], shown: bytes, problem: str) -> None:
    found = disorder(served, authority, bundles, shown)
    assert problem in found
    assert bool(found) == bool(problem)
