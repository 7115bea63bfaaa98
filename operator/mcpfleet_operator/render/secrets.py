"""Secrets of servers, as folders that a worker reads them from, and the token of Ray's own control plane."""

from collections.abc import Iterable
from typing import Any, Final

from mcpfleet_api.server import Server
from mcpfleet_operator.render.target import Manifest, Target

# Told to the data plane as MCPFLEET_SECRETS.
SECRETS_FOLDER: Final = "/etc/mcpfleet/secrets"


def secret_names(servers: Iterable[Server]) -> tuple[str, ...]:
    """The Secrets that servers take values from, in the order of their names."""
    return tuple(
        sorted(
            {
                value.secret_key_ref.name
                for server in servers
                for value in (*server.env, *(server.remote.headers_from if server.remote else ()))
                if value.secret_key_ref is not None
            }
        )
    )


def secret_volumes(servers: Iterable[Server]) -> list[dict[str, Any]]:
    """A volume for each Secret, whole: another key of it then needs no new pod.

    A Secret that does not exist yet leaves an empty folder, and the server that needs it fails and no other.
    """
    return [
        {"name": f"secret-{number}", "secret": {"secretName": name, "defaultMode": 0o440, "optional": True}}
        for number, name in enumerate(secret_names(servers))
    ]


def secret_mounts(servers: Iterable[Server]) -> list[dict[str, Any]]:
    """Where each Secret is found."""
    return [
        {"name": f"secret-{number}", "mountPath": f"{SECRETS_FOLDER}/{name}", "readOnly": True}
        for number, name in enumerate(secret_names(servers))
    ]


def ray_token_name(target: Target) -> str | None:
    """The Secret with Ray's token; None where Ray asks for none."""
    auth = target.spec.ray.auth
    if not auth.enabled:
        return None
    return auth.secret_name or target.part("ray-token")


def ray_token(target: Target, token: str) -> Manifest | None:
    """Ray's token, for a fleet that brings none of its own. It is made once: a new one would end the cluster."""
    if not target.spec.ray.auth.enabled or target.spec.ray.auth.secret_name:
        return None
    return target.manifest(
        "v1", "Secret", target.part("ray-token"), {"type": "Opaque", "stringData": {"auth_token": token}}
    )
