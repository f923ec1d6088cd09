"""Who is who: the sandbox's certificate authority, client certificates and kubeconfig files."""

import ipaddress
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

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


def user_of(certificate: dict[str, Any] | None) -> User:
    """The user of a verified client certificate in the form of ``SSLSocket.getpeercert``: CN and O."""
    if not certificate:
        return ANONYMOUS
    pairs = [pair for entry in certificate.get("subject", ()) for pair in entry]
    names = [value for key, value in pairs if key == "commonName"]
    return authenticated(names[0], (v for k, v in pairs if k == "organizationName")) if names else ANONYMOUS


class Authority:
    """The CA of one sandbox; keeps what it makes in one directory, key files readable by their owner alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stagegate-sandbox")])
        self._certificate = (
            _builder(name, name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._files: list[Path] = []
        directory.mkdir(parents=True, exist_ok=True)
        self.bundle = self._write("ca.crt", _pem(self._certificate))

    def server_context(self, names: Sequence[str]) -> ssl.SSLContext:
        """TLS for the server: its own certificate, and client certificates of this CA where one is shown."""
        key, certificate = self._issue("kube-apiserver", (), ExtendedKeyUsageOID.SERVER_AUTH, names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._write("apiserver.crt", certificate), self._write("apiserver.key", key))
        context.load_verify_locations(self.bundle)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    def kubeconfig(self, url: str, user: str, groups: Sequence[str], file_name: str) -> Path:
        """Write a kubeconfig whose client certificate names this user and these groups."""
        key, certificate = self._issue(user, groups, ExtendedKeyUsageOID.CLIENT_AUTH, ())
        stem = re.sub(r"[^A-Za-z0-9.-]", "-", user)
        crt, key_file = self._write(f"client-{stem}.crt", certificate), self._write(f"client-{stem}.key", key)
        context = {"cluster": "sandbox", "user": user, "namespace": "default"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "sandbox", "cluster": {"server": url, "certificate-authority": str(self.bundle.resolve())}}
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate": str(crt.resolve()),
                        "client-key": str(key_file.resolve()),
                    },
                }
            ],
            "contexts": [{"name": "sandbox", "context": context}],
            "current-context": "sandbox",
        }
        return self._write(file_name, yaml.safe_dump(document, sort_keys=False).encode())

    def remove_files(self) -> None:
        """Delete every file this authority wrote; they are worth nothing without its server."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()

    def _issue(
        self, name: str, organizations: Sequence[str], purpose: x509.ObjectIdentifier, hosts: Sequence[str]
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
            + [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        )
        builder = (
            _builder(subject, self._certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(h) for h in hosts]), critical=False
            )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private, _pem(builder.sign(self._key, hashes.SHA256()))

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
        if path not in self._files:
            self._files.append(path)
        return path


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
