"""A throwaway certificate authority for one cluster, and the kubeconfigs it signs."""

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs what the parts of one cluster show to each other; valid for a week."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name("mcpfleet test cluster")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pair = write(folder, "ca", certificate, self._key)

    def server(self, common_name: str, addresses: list[str], names: list[str]) -> Pair:
        """For a process that serves at these addresses and names."""
        alternatives = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._issue(
            common_name,
            None,
            ExtendedKeyUsageOID.SERVER_AUTH,
            x509.SubjectAlternativeName([*alternatives, *(x509.DNSName(each) for each in names)]),
        )

    def client(self, common_name: str, group: str) -> Pair:
        """For a process that speaks to the API server as this user of this group."""
        return self._issue(common_name, group, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def kubeconfig(self, path: Path, server: str, user: Pair, cluster: str) -> Path:
        """Write a kubeconfig that holds all it needs."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster,
                    "cluster": {"server": server, "certificate-authority-data": text(self.pair.certificate)},
                }
            ],
            "users": [
                {
                    "name": cluster,
                    "user": {"client-certificate-data": text(user.certificate), "client-key-data": text(user.key)},
                }
            ],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def _issue(
        self,
        common_name: str,
        group: str | None,
        usage: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            builder(name(common_name, group), self._name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if alternatives:
            certificate = certificate.add_extension(alternatives, critical=False)
        file = common_name.replace(":", "-").replace("/", "-")
        return write(self.folder, file, certificate.sign(self._key, hashes.SHA256()), key)


def name(common_name: str, group: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=7))
    )


def write(folder: Path, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / f"{file}.crt", folder / f"{file}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pair


def text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
