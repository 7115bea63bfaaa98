"""A node that runs real pods: containerd, kubelet, kube-proxy and CoreDNS in the namespaces of a cluster."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from cluster import debian, images, store
from cluster.control_plane import ControlPlane
from cluster.namespaces import Namespaces
from cluster.progress import step

SOCKET = "/run/containerd/containerd.sock"
DOMAIN = "cluster.local"


def start(place: Namespaces, plane: ControlPlane, programs: Mapping[str, Path], filled: Path) -> None:
    """Start a node for a control plane in the same place, and wait until it is Ready.

    `filled` is the store of images that it starts with.
    """
    folder = place.folder / "node"
    folder.mkdir()
    name = node_name(place)
    with step(f"starting the node {name}"):
        (folder / "containerd").mkdir()
        store.copy(filled, folder / "containerd")
        place.start("containerd", ["containerd", "--config", str(containerd_config(place, folder))])
        place.wait("containerd", lambda: responds(place), 30)
        place.start("coredns", [str(programs["coredns"]), "-conf", str(corefile(place, plane, folder))])
        place.start("kube-proxy", [str(programs["kube-proxy"]), f"--config={proxy_config(place, plane, folder)}"])
        place.start(
            "kubelet",
            [
                str(programs["kubelet"]),
                f"--config={kubelet_config(place, plane, folder)}",
                f"--kubeconfig={kubelet_access(place, plane, folder)}",
                f"--hostname-override={name}",
                f"--node-ip={place.address}",
                f"--root-dir={folder / 'kubelet'}",
            ],
        )
        place.wait("the node", lambda: is_ready(plane, name), 60)


def node_name(place: Namespaces) -> str:
    return f"{place.ledger.name}-node"


def responds(place: Namespaces) -> bool:
    try:
        place.run(["ctr", "--address", SOCKET, "version"])
    except RuntimeError:
        return False
    return True


def is_ready(plane: ControlPlane, name: str) -> bool:
    node = plane.access.get("v1", "Node", name)
    conditions = ((node or {}).get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def containerd_config(place: Namespaces, folder: Path) -> Path:
    network = folder / "cni"
    network.mkdir()
    (network / "10-pods.conflist").write_text(json.dumps(pod_network(place), indent=1))
    config = folder / "containerd.toml"
    config.write_text(f"""\
version = 2
root = "{folder / "containerd"}"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE_NAME}"
  # Where a machine does not let root lower the OOM score, pods would die at their start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{debian.cni_folder()}"
    conf_dir = "{network}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
""")
    return config


def pod_network(place: Namespaces) -> dict[str, object]:
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{"subnet": place.addresses.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def corefile(place: Namespaces, plane: ControlPlane, folder: Path) -> Path:
    file = folder / "Corefile"
    file.write_text(f"""\
.:53 {{
    bind {place.address}
    kubernetes {DOMAIN} in-addr.arpa {{
        kubeconfig {plane.kubeconfig}
        pods insecure
    }}
    forward . {upstream()}
    cache 5
}}
""")
    return file


def upstream() -> Path:
    """The machine's resolvers; systemd's own stub on 127.0.0.53 is out of reach for a cluster."""
    systemd = Path("/run/systemd/resolve/resolv.conf")
    return systemd if systemd.exists() else Path("/etc/resolv.conf")


def kubelet_access(place: Namespaces, plane: ControlPlane, folder: Path) -> Path:
    user = plane.authority.client(f"system:node:{node_name(place)}", "system:nodes")
    return plane.authority.kubeconfig(folder / "kubelet.kubeconfig", plane.server, user, place.ledger.name)


def kubelet_config(place: Namespaces, plane: ControlPlane, folder: Path) -> Path:
    serving = plane.authority.server("kubelet", [place.address], [node_name(place)])
    # Pods get this file's search domains; the servers come from clusterDNS.
    (folder / "resolv.conf").write_text(f"nameserver {place.address}\n")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.address,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "authentication": {"x509": {"clientCAFile": str(plane.authority.pair.certificate)}},
        "clusterDNS": [place.address],
        "clusterDomain": DOMAIN,
        "resolvConf": str(folder / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": place.cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        # The machine is not ours alone: a full disk or little memory on it must not end the tests' pods.
        "evictionHard": {"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "maxPods": 200,
        "nodeStatusUpdateFrequency": "2s",
        "volumePluginDir": str(folder / "volume-plugins"),
        "registerWithTaints": [],
        "serializeImagePulls": False,
    }
    return written(folder / "kubelet.yaml", config)


def proxy_config(place: Namespaces, plane: ControlPlane, folder: Path) -> Path:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node_name(place),
        "clientConnection": {"kubeconfig": str(plane.kubeconfig)},
        "clusterCIDR": place.addresses.pods,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # These limits are the whole machine's; leave them as they are.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "0s"},
    }
    return written(folder / "kube-proxy.yaml", config)


def written(path: Path, config: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path
