"""CRDs and policies alone give a person the verdict that the webhook gives, object by object."""

import re
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

import pytest

from tests.controlplane.session import Session
from tests.corpus.files import Row, read
from tests.e2e.cluster import ROS, SPAS, Namespace
from tests.e2e.receiver import Receiver
from tests.e2e.registered import Registered
from webhook.admission import EmptyLookup, Enforcement, Settings, judge, review

ROWS = [(plural, row) for plural in (SPAS, ROS) for row in read(plural)]

# The CEL of a CRD refuses to read 3.0 as a whole number, although the schema takes it for one. kubectl never sends one.
STRICTER = {"whole numbers with a point"}

# A bound that is out of range, or no whole number to CEL, is compared with the other one nevertheless.
COMPARED_ALL_THE_SAME = {"SPA002"}


@pytest.mark.parametrize(("plural", "row"), ROWS, ids=[f"{plural}-{row.name}" for plural, row in ROWS])
def test_a_person_gets_the_verdict_of_the_webhook(person: Session, plural: str, row: Row) -> None:
    namespace = Namespace(row.object["metadata"].get("namespace", "default"))

    answer = person.create(namespace.path(plural), row.object, dryRun="All")

    accepted = answer.status == HTTPStatus.CREATED
    assert accepted or answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY), answer
    assert accepted == (webhook_allows(plural, row) and row.name not in STRICTER), answer.message
    named = set(re.findall(r"\[((?:SPA|RO)\d{3})\]", answer.message))
    assert named <= {*row.findings, *(COMPARED_ALL_THE_SAME if unsound(row) else ())}


@pytest.mark.parametrize("enforce", ["deny", "warn"])
@pytest.mark.parametrize("how", ["created", "applied by the server"])
def test_with_the_webhook_a_person_never_gets_invalid(
    person: Session,
    receiver: Receiver,
    register_in: Callable[[Namespace], Registered],
    enforce: Enforcement,
    how: str,
) -> None:
    """It is asked before the schema; clients that force take Invalid as leave to delete what is stored."""
    register_in(Namespace("default"))
    receiver.reply = lambda body, path: review(body, path, EmptyLookup(), Settings(enforce=enforce))

    def write(plural: str, row: Row) -> int:
        path = Namespace("default").path(plural)
        if how == "created":
            return person.create(path, row.object, dryRun="All").status
        return person.apply(f"{path}/{row.object['metadata']['name']}", row.object, "git", dryRun="All").status

    statuses = {(plural, row.name): write(plural, row) for plural, row in ROWS if row.findings}

    assert [row for row, status in statuses.items() if status == HTTPStatus.UNPROCESSABLE_ENTITY] == []
    assert Counter(statuses.values())[HTTPStatus.FORBIDDEN] > len(statuses) / 2


def unsound(row: Row) -> bool:
    return "SPA001" in row.findings or row.name in STRICTER


def webhook_allows(plural: str, row: Row) -> bool:
    group, version = row.object["apiVersion"].split("/")
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": group, "version": version, "kind": row.object["kind"]},
            "resource": {"group": group, "version": version, "resource": plural},
            "operation": "CREATE",
            "namespace": row.object["metadata"].get("namespace", "default"),
            "name": row.object["metadata"].get("name", ""),
            "userInfo": {"username": "jane"},
            "object": row.object,
        },
    }
    return judge(review, "/validate", EmptyLookup(), Settings()).allowed
