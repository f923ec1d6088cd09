"""``stagegate loop``: options, and errors in one line."""

import gc
from pathlib import Path
from typing import Any

import pytest

from webhook.cli import loop, main
from webhook.cli.command import Options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--concurrency", "0"], "--concurrency: must be a whole number from 1 to 256, not '0'"),
        (["--concurrency", "many"], "--concurrency: must be a whole number from 1 to 256, not 'many'"),
        (["--resync=-1"], "--resync: must be from 0 to 604800 seconds, not '-1'"),
        (["--resync", "1e300"], "--resync: must be from 0 to 604800 seconds, not '1e300'"),
        (["--ca-settle", "1e18"], "--ca-settle: must be from 0 to 86400 seconds, not '1e18'"),
        (["--pages-port", "70000"], "--pages-port: must be a whole number from 0 to 65535, not '70000'"),
        (["--webhook-port", "0"], "--webhook-port: must be a whole number from 1 to 65535, not '0'"),
        (["--lease-duration", "1"], "--lease-duration: must be from 3 to 600 seconds, not '1'"),
        (["--steps", "maybe"], "--steps: 'maybe' is not one of 'on', 'off'"),
        (["--cert-secret", "certs"], "--cert-secret: must be NAMESPACE/NAME"),
        (["--cert-secret", "A_/b"], "--cert-secret: must be NAMESPACE/NAME"),
        (["--namespaces", "Bad_NS"], "--namespaces: must be a namespace"),
        (["--namespaces", ""], "--namespaces: must be a namespace"),
        (["--namespaces", ","], "--namespaces: must be a namespace"),
        (["--lease-namespace", ""], "--lease-namespace: must be a namespace"),
        (["--settings-namespace", "a.b"], "--settings-namespace: must be a namespace"),
        (["--webhook-configuration", "Mutate"], "--webhook-configuration: must be the name of an object"),
        (["--webhook-pods", ""], "--webhook-pods: must be a label selector"),
        (["--kubeconfig", ""], "--kubeconfig: must not be empty"),
        (["--context", " "], "--context: must not be empty"),
        (["--pages-host", ""], "--pages-host: must not be empty"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["loop", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"stagegate loop: {expected}")
    assert error.count("\n") == 1


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop", "--help"]) == 0
    assert "stagegate loop --steps=off" in capsys.readouterr().out


def test_no_kubeconfig_is_one_line_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop", "--kubeconfig", str(tmp_path / "none")]) == 3
    assert (
        capsys.readouterr().err
        == f"stagegate loop: cannot read the kubeconfig {tmp_path / 'none'}: No such file or directory\n"
    )


def options_of(*arguments: str) -> Any:
    return loop.options_from(Options(**loop.command.make_context("loop", list(arguments)).params))


def test_defaults() -> None:
    options = options_of()
    assert options.leader_elect
    assert (options.lease_times.duration, options.lease_times.renew_every, options.lease_times.margin) == (15, 2, 5)
    assert (options.loop.namespaces, options.loop.concurrency, options.loop.resync) == ((), 16, 600.0)
    assert options.loop.steps
    assert options.loop.force_delete
    assert options.loop.stock_knative
    assert not options.loop.services.default_opt_in


@pytest.mark.parametrize(
    ("pod_namespace", "expected"), [("ops", "ops"), ("", "stagegate-system"), (None, "stagegate-system")]
)
def test_the_lease_is_kept_in_the_namespace_of_the_pod(
    pod_namespace: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pod_namespace is None:
        monkeypatch.delenv("POD_NAMESPACE", raising=False)
    else:
        monkeypatch.setenv("POD_NAMESPACE", pod_namespace)
    assert options_of().lease_namespace == expected


def test_every_option_arrives() -> None:
    options = options_of(
        "--namespaces=a, b,a", "--concurrency=8", "--resync=0", "--steps=off", "--force-delete=off",
        "--no-leader-elect", "--lease-namespace=ops", "--settings-namespace=kn", "--spa-grace=20",
        "--stock-knative=off", "--progressive",
    )  # fmt: skip
    assert options.loop.namespaces == ("a", "b")
    assert (options.loop.concurrency, options.loop.resync) == (8, 0.0)
    assert not options.loop.steps
    assert not options.loop.force_delete
    assert (options.loop.settings_namespace, options.loop.spa_grace) == ("kn", 20.0)
    assert (options.loop.stock_knative, options.loop.services.default_opt_in) == (False, True)
    assert (options.leader_elect, options.lease_namespace) == (False, "ops")


def test_the_collector_leaves_what_the_caches_hold_alone_and_then_works_as_before() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    settled = loop.spared_collector()
    try:
        assert gc.get_threshold() > usual
        held: list[dict[str, dict[str, str]]] = [{"metadata": {}} for _ in range(1000)]
        settled()
        assert gc.get_threshold() == usual
        assert gc.get_freeze_count() >= frozen + len(held)
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
