"""Impersonation of a kubeconfig, on a real API server: who we are to it, and what we may do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane import ControlPlane
from webhook.cluster.client import Client
from webhook.cluster.connection import connect
from webhook.cluster.errors import Forbidden
from webhook.cluster.resource import PODS, Resource

REVIEWS = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)


def client_as(plane: ControlPlane, folder: Path, **impersonation: Any) -> Client:
    document = yaml.safe_load(plane.kubeconfig.read_text())
    document["users"][0]["user"] |= impersonation
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return Client(connect(str(path), user_agent="t"), field_manager="t")


def test_the_api_server_sees_the_one_who_is_impersonated(plane: ControlPlane, tmp_path: Path) -> None:
    client = client_as(
        plane,
        tmp_path,
        **{
            "as": "bob",
            "as-uid": "7",
            "as-groups": ["a", "b,c"],
            "as-user-extra": {"example.com/scopes": ["one", "two"], "a%b": ["ü"]},
        },
    )
    review = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind, "metadata": {}}
    user = client.create(REVIEWS, None, review)["status"]["userInfo"]
    assert user["username"] == "bob"
    assert user["uid"] == "7"
    assert sorted(user["groups"]) == ["a", "b,c", "system:authenticated"]
    assert user["extra"] == {"example.com/scopes": ["one", "two"], "a%b": ["ü"]}


def test_the_rights_are_those_of_the_one_who_is_impersonated(plane: ControlPlane, tmp_path: Path) -> None:
    client_as(plane, tmp_path).list(PODS, "default")
    with pytest.raises(Forbidden, match='User "bob" cannot list resource "pods"'):
        client_as(plane, tmp_path, **{"as": "bob"}).list(PODS, "default")
