"""The proxy for an API server, by the rules of Go's HTTP client and so of kubectl."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_Address = IPv4Address | IPv6Address


class BadProxy(ValueError):
    """A proxy setting is invalid; one line that names its source."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """``url`` has no credentials; ``authorization`` is for Proxy-Authorization; ``source`` names the setting."""

    url: str
    source: str
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"proxy {self.url} of {self.source}"


def proxy_for(server: str, proxy_url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for the URL of an API server, or None. Raises BadProxy.

    ``proxy_url`` is the kubeconfig's: it needs a scheme, and NO_PROXY does not apply to it. Otherwise HTTPS_PROXY or
    HTTP_PROXY counts, by the server's scheme, unless the server is on loopback or NO_PROXY lists it.
    """
    if proxy_url:
        return _proxy(proxy_url, "proxy-url")
    target = urlsplit(server)
    source = f"{target.scheme.upper()}_PROXY"
    text = _setting(environment, source)
    if not text or is_direct(target, _setting(environment, "NO_PROXY")):
        return None
    return _proxy(text if "://" in text else f"http://{text}", f"${source}")


def is_direct(target: SplitResult, no_proxy: str) -> bool:
    """True if no proxy of the environment applies: the target is on loopback or NO_PROXY lists it.

    An entry is ``*``, an address, a CIDR range, or a domain with its subdomains (``.domain`` and ``*.domain`` mean the
    subdomains only); address and domain may have a port.
    """
    host = (target.hostname or "").lower()
    port = str(target.port or _PORTS[target.scheme])
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_lists(entry, host, port, address) for part in no_proxy.split(",") if (entry := part.strip().lower()))


def _lists(entry: str, host: str, port: str, address: _Address | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            network = ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    name, wanted_port = _split(entry)
    if not name or wanted_port not in ("", port):
        return False
    listed = _address(name)
    if listed is not None:
        return listed == address
    if address is not None:
        return False
    suffix = name.removeprefix("*")
    return host.endswith(suffix) if suffix.startswith(".") else host == suffix or host.endswith(f".{suffix}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port, the port empty if there is none."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    name, colon, port = entry.partition(":")
    # More than one colon without brackets is an IPv6 address.
    return (entry, "") if ":" in port else (name, port if colon else "")


def _address(text: str) -> _Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _setting(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.lower()) or "").strip()


def _proxy(text: str, source: str) -> Proxy:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        # The URL may contain a password, so it is not quoted.
        raise BadProxy(f"{source}: not a URL; write http://HOST:PORT") from problem
    if parts.scheme not in _PORTS:
        named = parts.scheme if parts.netloc else "no scheme"
        raise BadProxy(f"{source}: {named}: only http:// and https:// proxies are supported")
    if not host or not host.isascii() or any(letter.isspace() for letter in text):
        raise BadProxy(f"{source}: no host; write http://HOST:PORT")
    shown = f"[{host}]" if ":" in host else host
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}", source, authorization)
