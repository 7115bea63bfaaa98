"""etcd, the API server, the controller manager and the scheduler: a control plane, ready in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cluster import kuberay
from cluster.access import Access
from cluster.pki import Authority, Pair
from cluster.place import Place
from cluster.progress import step


@dataclass(frozen=True)
class ControlPlane:
    """What the other parts need to know of a control plane that runs."""

    server: str
    kubeconfig: Path
    access: Access
    authority: Authority


def start(place: Place, programs: Mapping[str, Path], services: str, pods: str) -> ControlPlane:
    """Start a control plane in a place, with KubeRay's types, and wait until pods could be made in it.

    The controller manager and the scheduler start only where `programs` has them: envtest's binaries do not.
    """
    name = place.ledger.name
    authority = Authority(place.folder / "pki")
    accounts = service_account_keys(place.folder / "pki")
    secure, client, peer = place.port(6443), place.port(2379), place.port(2380)
    server = f"https://{place.address}:{secure}"
    first_service = services.rsplit(".", 1)[0] + ".1"

    with step(f"starting the control plane {name}"):
        etcd = f"http://127.0.0.1:{client}"
        place.start("etcd", etcd_command(programs, place.folder, etcd, f"http://127.0.0.1:{peer}"))
        serving = authority.server(
            "kube-apiserver",
            [*{place.address, "127.0.0.1", first_service}],
            ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
        )
        kubelets = authority.client("kube-apiserver-kubelet-client", "system:masters")
        place.start(
            "kube-apiserver",
            [
                str(programs["kube-apiserver"]),
                f"--etcd-servers={etcd}",
                f"--bind-address={place.address}",
                f"--advertise-address={place.address}",
                f"--secure-port={secure}",
                f"--service-cluster-ip-range={services}",
                f"--client-ca-file={authority.pair.certificate}",
                f"--tls-cert-file={serving.certificate}",
                f"--tls-private-key-file={serving.key}",
                f"--kubelet-certificate-authority={authority.pair.certificate}",
                f"--kubelet-client-certificate={kubelets.certificate}",
                f"--kubelet-client-key={kubelets.key}",
                # Logs and exec then need no name of a node in DNS.
                "--kubelet-preferred-address-types=InternalIP",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={accounts.certificate}",
                f"--service-account-signing-key-file={accounts.key}",
                "--authorization-mode=Node,RBAC",
                "--allow-privileged=true",
                # 127.0.0.1 cannot stand in the EndpointSlice of the Service `kubernetes`; nothing needs it there.
                f"--endpoint-reconciler-type={'none' if place.address == '127.0.0.1' else 'lease'}",
            ],
        )
        admin = authority.client("kubernetes-admin", "system:masters")
        kubeconfig = authority.kubeconfig(place.folder / "kubeconfig", server, admin, name)
        access = Access(kubeconfig)
        try:
            place.wait("the API server", access.is_ready, 60)
            # Not before: on a busy machine the controller manager would give up waiting for it.
            for program, flags in controllers(authority, accounts, kubeconfig, pods).items():
                if program in programs:
                    place.start(program, [str(programs[program]), *flags])
            kuberay.apply_crds(access)
            if "kube-controller-manager" in programs:
                place.wait("the default ServiceAccount", access.has_service_account, 60)
        except BaseException:
            access.close()
            raise
    return ControlPlane(server, kubeconfig, access, authority)


def etcd_command(programs: Mapping[str, Path], folder: Path, client: str, peer: str) -> list[str]:
    return [
        str(programs["etcd"]),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # The data need not outlive the machine, and a slow disk would slow every write down.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def controllers(authority: Authority, accounts: Pair, kubeconfig: Path, pods: str) -> dict[str, list[str]]:
    """The programs that act on what the API server holds, with their flags."""
    common = [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
    return {
        "kube-controller-manager": [
            *common,
            f"--service-account-private-key-file={accounts.key}",
            f"--root-ca-file={authority.pair.certificate}",
            f"--cluster-cidr={pods}",
            "--allocate-node-cidrs=false",
        ],
        "kube-scheduler": common,
    }


def service_account_keys(folder: Path) -> Pair:
    """The key pair that signs ServiceAccount tokens; here `certificate` is the bare public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pair = Pair(folder / "service-accounts.pub", folder / "service-accounts.key")
    pair.certificate.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return pair
