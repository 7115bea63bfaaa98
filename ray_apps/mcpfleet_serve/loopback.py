"""Serve on one machine: nothing of it listens for others."""

from ipaddress import ip_address

from ray.serve._private import replica


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keep_serve_on_loopback() -> None:
    """Have this process's replica listen for other replicas on loopback. To be called before it is initialized.

    Serve binds that listener to every address, asks no one who they are, and unpickles what they send. There is no
    setting for it. In a cluster the NetworkPolicy guards it; a laptop in a café has none.
    """
    listen = replica.add_port_to_grpc_server  # pyright: ignore[reportPrivateImportUsage]

    def listen_on_loopback(server: object, address: str) -> int:
        return listen(server, address.replace("[::]", "127.0.0.1"))

    replica.add_port_to_grpc_server = listen_on_loopback  # pyright: ignore[reportPrivateImportUsage]
