"""Who is who: users by their bearer tokens, the server's certificate, and the kubeconfig files that hold both."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from certs.authority import make_authority
from certs.context import LiveContext
from certs.leaf import make_leaf

LIFETIME: Final = timedelta(days=7)
"""A sandbox lives for minutes; its certificates need not outlive a week."""

ADMIN: Final = "sandbox-admin"
MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
SERVICE_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """A person or a controller, as an AdmissionReview's ``userInfo`` names it."""

    name: str
    groups: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The wire form of ``userInfo``."""
        info: dict[str, Any] = {"username": self.name}
        if self.groups:
            info["groups"] = list(self.groups)
        return info


ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))


def authenticated(name: str, groups: Iterable[str] = ()) -> User:
    """A user with the groups that an API server adds by itself."""
    named = list(groups)
    if name.startswith(SERVICE_ACCOUNT) and name.count(":") == 3:
        named += ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    return User(name, tuple(dict.fromkeys([*named, AUTHENTICATED])))


class Credentials:
    """The tokens and the certificate of one sandbox; its files lie in one directory, readable by their owner alone."""

    def __init__(self, directory: Path, hosts: Sequence[str]) -> None:
        self._directory = directory
        self._users: dict[str, User] = {}
        self._files: list[Path] = []
        now = datetime.now(UTC)
        authority = make_authority(now, LIFETIME)
        served = LiveContext()
        served.load(make_leaf(authority, hosts, now, LIFETIME), now)
        self.context = served.context
        directory.mkdir(parents=True, exist_ok=True)
        self._bundle = self._write("ca.crt", authority.certificate)

    def user_of(self, authorization: str) -> User | None:
        """The user of an Authorization header; anonymous without one, None where the token is not known."""
        if not authorization:
            return ANONYMOUS
        return self._users.get(authorization.removeprefix("Bearer "))

    def kubeconfig(self, url: str, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig with a token for this user in these groups."""
        token = secrets.token_urlsafe(32)
        self._users[token] = authenticated(user, groups)
        cluster = {"server": url, "certificate-authority": str(self._bundle.resolve())}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user, "namespace": "default"}}],
            "current-context": "sandbox",
        }
        name = "kubeconfig" if user == ADMIN else f"kubeconfig-{re.sub(r'[^A-Za-z0-9.-]', '-', user)}"
        return self._write(name, yaml.safe_dump(document, sort_keys=False).encode())

    def remove_files(self) -> None:
        """Delete every file that was written; they are worth nothing without their server."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
        if path not in self._files:
            self._files.append(path)
        return path
