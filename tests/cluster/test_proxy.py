"""Which proxy leads to an API server: the rules of kubectl, one row each."""

import base64

import pytest

from webhook.cluster.proxy import BadProxy, proxy_for

SERVER = "https://api.example.com:6443"
PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("server", "environment", "url", "source"),
    [
        pytest.param(SERVER, {}, None, None, id="none"),
        pytest.param(SERVER, PROXY, "http://proxy:3128", "$HTTPS_PROXY", id="https"),
        pytest.param(
            SERVER, {"https_proxy": "http://proxy:3128"}, "http://proxy:3128", "$HTTPS_PROXY", id="lower case"
        ),
        pytest.param(
            SERVER, PROXY | {"https_proxy": "http://other"}, "http://proxy:3128", "$HTTPS_PROXY", id="upper case first"
        ),
        pytest.param(SERVER, {"HTTPS_PROXY": ""}, None, None, id="empty"),
        pytest.param(SERVER, {"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128", "$HTTPS_PROXY", id="no scheme"),
        pytest.param(SERVER, {"HTTPS_PROXY": "10.0.0.1:3128"}, "http://10.0.0.1:3128", "$HTTPS_PROXY", id="address"),
        pytest.param(SERVER, {"HTTPS_PROXY": "proxy"}, "http://proxy:80", "$HTTPS_PROXY", id="bare name"),
        pytest.param(SERVER, {"HTTPS_PROXY": "https://proxy"}, "https://proxy:443", "$HTTPS_PROXY", id="over TLS"),
        pytest.param(SERVER, {"HTTPS_PROXY": "http://[fd00::1]:8"}, "http://[fd00::1]:8", "$HTTPS_PROXY", id="IPv6"),
        pytest.param(SERVER, {"HTTP_PROXY": "http://proxy:3128"}, None, None, id="of another scheme"),
        pytest.param(
            "http://api:8001", {"HTTP_PROXY": "http://proxy:3128"}, "http://proxy:3128", "$HTTP_PROXY", id="http"
        ),
        pytest.param(SERVER, {"ALL_PROXY": "http://proxy:3128"}, None, None, id="ALL_PROXY does not count"),
        pytest.param("https://localhost:6443", PROXY, None, None, id="localhost"),
        pytest.param("https://127.0.0.1:6443", PROXY, None, None, id="loopback"),
        pytest.param("https://127.9.9.9:6443", PROXY, None, None, id="all of 127"),
        pytest.param("https://[::1]:6443", PROXY, None, None, id="loopback of IPv6"),
        pytest.param("https://[::ffff:127.0.0.1]:6443", PROXY, None, None, id="loopback as IPv6"),
    ],
)
def test_the_proxy_of_the_environment(
    server: str, environment: dict[str, str], url: str | None, source: str | None
) -> None:
    proxy = proxy_for(server, "", environment)
    assert (None if proxy is None else proxy.url, None if proxy is None else proxy.source) == (url, source)


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("*", "api.example.com", True),
        ("api.example.com", "api.example.com", True),
        ("API.Example.com", "api.example.com", True),
        (" other , api.example.com ", "api.example.com", True),
        ("example.com", "api.example.com", True),
        ("ample.com", "api.example.com", False),
        (".example.com", "api.example.com", True),
        (".example.com", "example.com", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "example.com", False),
        ("api", "api.example.com", False),
        ("api.example.com:6443", "api.example.com", True),
        ("api.example.com:443", "api.example.com", False),
        (".example.com:6443", "api.example.com", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:6443", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", False),
        ("10.1.2", "10.1.2.3", False),
        (".2.3", "10.1.2.3", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.1.2.3", True),
        ("10.0.0.0/16", "10.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("10.0.0.0/8", "api.example.com", False),
        ("fd00::/8", "[fd00::1]", True),
        ("fd00::1", "[fd00::1]", True),
        ("[fd00::1]:6443", "[fd00::1]", True),
        ("[fd00::1]:443", "[fd00::1]", False),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        (",, ,:6443", "api.example.com", False),
        ("", "api.example.com", False),
    ],
)
def test_what_needs_no_proxy(no_proxy: str, host: str, is_direct: bool) -> None:
    found = [proxy_for(f"https://{host}:6443", "", PROXY | {name: no_proxy}) for name in ("NO_PROXY", "no_proxy")]
    assert [proxy is None for proxy in found] == [is_direct] * 2


def test_a_server_without_a_port_has_that_of_its_scheme() -> None:
    assert proxy_for("https://api", "", PROXY | {"NO_PROXY": "api:443"}) is None


@pytest.mark.parametrize("server", [SERVER, "https://127.0.0.1:6443", "http://api:8001"])
def test_a_proxy_url_counts_whatever_the_environment_says(server: str) -> None:
    proxy = proxy_for(server, "http://chosen:8080", PROXY | {"HTTP_PROXY": "other", "NO_PROXY": "*"})
    assert proxy is not None
    assert str(proxy) == "proxy http://chosen:8080 of proxy-url"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("http://user:pw@proxy:3128", "user:pw"),
        ("user:pw@proxy:3128", "user:pw"),
        ("http://user@proxy:3128", "user:"),
        ("http://us%40er:p%3Aw%2F%C3%BC@proxy:3128", "us@er:p:w/ü"),
    ],
)
def test_credentials_are_for_the_proxy_alone_and_never_shown(text: str, pair: str) -> None:
    proxy = proxy_for(SERVER, "", {"HTTPS_PROXY": text})
    assert proxy is not None
    assert proxy.authorization == f"Basic {base64.b64encode(pair.encode()).decode()}"
    assert proxy.url == "http://proxy:3128"
    assert "user" not in f"{proxy}{proxy!r}"
    assert proxy.authorization not in f"{proxy}{proxy!r}"


@pytest.mark.parametrize(
    ("proxy_url", "environment", "problem"),
    [
        ("socks5://proxy:1080", {}, "proxy-url: socks5: only http:// and https:// proxies are supported"),
        ("", {"HTTPS_PROXY": "socks5://u:pw@proxy"}, "$HTTPS_PROXY: socks5: only http:// and https:// proxies "),
        ("", {"https_proxy": "socks5h://proxy"}, "$HTTPS_PROXY: socks5h: only http:// and https:// proxies "),
        ("ftp://proxy", {}, "proxy-url: ftp: only http:// and https:// proxies are supported"),
        ("proxy.example:3128", {}, "proxy-url: no scheme: only http:// and https:// proxies are supported"),
        ("http://proxy:port", {}, "proxy-url: not a URL; write http://HOST:PORT"),
        ("http://me:pw/x@proxy", {}, "proxy-url: not a URL; write http://HOST:PORT"),
        ("http://[::1", {}, "proxy-url: not a URL; write http://HOST:PORT"),
        ("", {"HTTPS_PROXY": "http://[::1"}, "$HTTPS_PROXY: not a URL; write http://HOST:PORT"),
        ("", {"HTTPS_PROXY": "http://proxy:99999"}, "$HTTPS_PROXY: not a URL; write http://HOST:PORT"),
        ("http://", {}, "proxy-url: no host; write http://HOST:PORT"),
        ("", {"HTTPS_PROXY": "a b"}, "$HTTPS_PROXY: no host; write http://HOST:PORT"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_proxy_is_refused_in_one_line(
    proxy_url: str, environment: dict[str, str], problem: str
) -> None:
    with pytest.raises(BadProxy) as raised:
        proxy_for(SERVER, proxy_url, environment)
    assert str(raised.value).startswith(problem)
    assert "\n" not in str(raised.value)
    assert "pw" not in str(raised.value)
