"""The forms of values on the command line."""

from collections.abc import Callable
from typing import Any

import pytest
from click import BadParameter

from webhook.cli import arguments
from webhook.cli.arguments import Address, ObjectName

LONG = "a" * 63
SELECTORS = (
    "app=hook",
    "app==hook,tier!=a",
    "app",
    "!app",
    "app.kubernetes.io/name=stagegate-webhook",
    "app in (a, b), tier notin (c)",
    "app=",
    "version>3",
)
ROWS: list[tuple[Callable[[str], Any], dict[str, Any], list[str]]] = [
    (arguments.port, {"1": 1, "65535": 65535}, ["", "0", "65536", "-1", "+1", " 1", "1.0", "1_0", "\u00b2", "9" * 99]),
    (arguments.any_port, {"0": 0, "8443": 8443}, ["", "70000", "x"]),
    (arguments.count(1, 256), {"1": 1, "256": 256}, ["", "0", "257", "x"]),
    (arguments.seconds(0, 600), {"0": 0.0, "2.5": 2.5, "6e2": 600.0}, ["", "-1", "600.1", "1e300", "nan", "inf", "x"]),
    (
        arguments.duration(0, 7 * 86400),
        {"5m": 300.0, "1h30m": 5400.0, "1.5h": 5400.0, "300ms": 0.3, "7d": 604800.0, "90": 90.0, "0": 0.0, "0s": 0.0},
        ["", "m", "5 m", "-5m", "5x", "1h30", "m5", "8d", "1e3", "nan", "5m ", "\u00b2m", "1..5h"],
    ),
    (arguments.filled, {"a": "a", "a b": "a b"}, ["", " ", "\t"]),
    (arguments.namespace, {"team-a": "team-a", LONG: LONG}, ["", "a" + LONG, "Bad_NS", "a.b", "-a", "a-", " a", "a\n"]),
    (arguments.namespaces, {"a": ("a",), "a, b,a": ("a", "b")}, ["", ",", "a,", ",a", "a,,b", "A", " "]),
    (arguments.object_name, {"mutate.stagegate.dev": "mutate.stagegate.dev"}, ["", "A", "a_b", "a..b", "a" * 254]),
    (
        arguments.secret,
        {"ours/certs.v1": ObjectName("ours", "certs.v1")},
        ["", "/", "certs", "ours/", "/certs", "a/b/c", "A_/b", "a/B", "a.b/c"],
    ),
    (
        arguments.selector,
        {each: each for each in SELECTORS},
        ["", " ", ",", "app=hook,", "=hook", "app=a b", "app in a", "app in ()x", "-app=a", "app=_", f"app=a{LONG}"],
    ),
    (
        arguments.address,
        {
            "localhost:8443": Address("localhost", 8443),
            "10.0.0.1:1": Address("10.0.0.1", 1),
            "[::1]:65535": Address("::1", 65535),
        },
        ["", "localhost", ":8443", "localhost:", "localhost:0", "localhost:65536", "localhost:\u00b2", "::1:8443",
         "https://localhost:8443", "local host:8443", "[localhost]:8443"],
    ),
    (arguments.hosts, {"a": ("a",), "A,[::1]": ("a", "::1")}, ["", ",", "a,", "a:1", "http://a", " a", "a\n"]),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "value"), [(read, *row) for read, good, _ in ROWS for row in good.items()])
def test_taken(read: Callable[[str], Any], text: str, value: Any) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text"), [(read, text) for read, _, bad in ROWS for text in bad])
def test_refused_in_one_line(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(BadParameter) as refused:
        read(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("address", "text"), [(Address("a", 1), "a:1"), (Address("::1", 1), "[::1]:1")])
def test_an_address_as_text(address: Address, text: str) -> None:
    assert str(address) == text
