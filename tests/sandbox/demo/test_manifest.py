"""Manifests on their way into a control plane."""

import base64
from pathlib import Path

from sandbox.demo.manifest import at_url, documents, sample
from sandbox.sandbox import MANIFESTS


def test_every_call_of_a_registration_goes_to_the_url_and_all_else_stays() -> None:
    for configuration in documents(MANIFESTS / "webhooks"):
        moved = at_url(configuration, "https://127.0.0.1:8443", b"-----PEM-----")

        for before, after in zip(configuration["webhooks"], moved["webhooks"], strict=True):
            path = before["clientConfig"]["service"]["path"]
            assert after["clientConfig"] == {
                "url": f"https://127.0.0.1:8443{path}",
                "caBundle": base64.b64encode(b"-----PEM-----").decode(),
            }
            assert {**after, "clientConfig": before["clientConfig"]} == before


def test_documents_are_read_in_order_and_kustomizations_are_not(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("kind: B\n---\nkind: C\n---\n")
    (tmp_path / "a.yaml").write_text("kind: A\n")
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\n")

    assert [found["kind"] for found in documents(tmp_path)] == ["A", "B", "C"]


def test_both_samples_are_one_rollout_that_differs_in_its_strategy_alone() -> None:
    up_first, down_first = sample("rollout-availability"), sample("rollout-resourceutil")

    assert up_first["metadata"] == down_first["metadata"]
    assert "rolloutStrategy" not in up_first["spec"]
    assert down_first["spec"].pop("rolloutStrategy") == "resourceutil"
    assert up_first["spec"] == down_first["spec"]
