"""Hosts: DNS names and addresses are accepted, everything else is refused with the reason."""

import pytest

from certs.errors import CertificateError
from certs.host import normal_host, read_host


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("localhost", "localhost"),
        ("Example.COM.", "example.com"),
        ("stagegate-webhook.stagegate-system.svc", "stagegate-webhook.stagegate-system.svc"),
        ("*.example.com", "*.example.com"),
        ("my_host", "my_host"),
        ("1.example", "1.example"),
        ("a" * 63, "a" * 63),
        (".".join(["a" * 63] * 3 + ["a" * 61]), ".".join(["a" * 63] * 3 + ["a" * 61])),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0::1", "::1"),
    ],
)
def test_names_and_addresses(given: str, host: str) -> None:
    assert read_host(given) == host


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ("", "'' is not a host: must be a DNS name or an IP address, such as localhost"),
        ("localhost:8443", "it has a port"),
        ("127.0.0.1:8443", "it has a port"),
        ("[::1]:8443", "it has a port"),
        ("http://localhost", "it is a URL"),
        (" localhost ", "it has blanks around it"),
        ("localhost\n", "it has blanks around it"),
        ("a" * 64, "longer than 63"),
        (".".join(["a" * 63] * 3 + ["a" * 62]), "longer than 253"),
        ("localhost,127.0.0.1", "is not a host"),
        ("a b", "is not a host"),
        ("127.0.0.256", "is not a host"),
        ("127.1", "is not a host"),
        ("fe80::1%eth0", "is not a host"),
        ("[localhost]", "is not a host"),
        ("[127.0.0.1]", "is not a host"),
        ("-a", "is not a host"),
        ("a-", "is not a host"),
        ("a..b", "is not a host"),
        (".", "is not a host"),
        ("*", "is not a host"),
        ("a.*.b", "is not a host"),
        ("exämple", "is not a host"),
        ("\u0663.example", "is not a host"),
    ],
)
def test_what_no_client_can_ask_for(given: str, cause: str) -> None:
    with pytest.raises(CertificateError) as refused:
        read_host(given)
    assert cause in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "normal"),
    [("Example.COM.", "example.com"), ("[::1]", "::1"), ("0:0::1", "::1"), ("not a host", "not a host")],
)
def test_one_spelling_without_a_judgement(given: str, normal: str) -> None:
    assert normal_host(given) == normal
