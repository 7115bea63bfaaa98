"""The declarative configuration that Ray Serve gets: the same on a laptop and in a RayService's serveConfigV2."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from mcpfleet_api.serve import HostArgs, HostConfig

APPLICATION: Final = "host"
DEPLOYMENT: Final = "Host"  # the class in mcpfleet_serve.app
IMPORT_PATH: Final = "mcpfleet_serve.app:build"

# Calls do not come through Serve, so its own limit (5 by default) must never be what holds one back.
MAX_ONGOING_REQUESTS: Final = 10_000

ONE_REPLICA: Final[Mapping[str, Any]] = {"num_replicas": 1}


def serve_config(
    args: HostArgs,
    config: HostConfig,
    *,
    proxy_location: str = "Disabled",
    cpus: float = 0.0,
    drain: timedelta = timedelta(seconds=6),
) -> dict[str, Any]:
    """Serve's configuration for one hosting application.

    The servers travel in `user_config`: another list of them there reaches the running replica, while any other
    change makes Serve replace it.
    """
    return {
        "proxy_location": proxy_location,
        "logging_config": {"encoding": "TEXT", "enable_access_log": False},
        "applications": [
            application(APPLICATION, "/", args, config, actor_options={"num_cpus": cpus}, drain=drain)
        ],
    }


def application(
    name: str,
    route_prefix: str,
    args: HostArgs,
    config: HostConfig,
    *,
    actor_options: Mapping[str, Any],
    drain: timedelta,
    replicas: Mapping[str, Any] = ONE_REPLICA,
) -> dict[str, Any]:
    """One hosting application."""
    return {
        "name": name,
        "import_path": IMPORT_PATH,
        "route_prefix": route_prefix,
        "args": args.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "deployments": [
            {
                "name": DEPLOYMENT,
                **replicas,
                "max_ongoing_requests": MAX_ONGOING_REQUESTS,
                "user_config": config.model_dump(mode="json", by_alias=True, exclude_defaults=True),
                "ray_actor_options": dict(actor_options),
                "graceful_shutdown_timeout_s": drain.total_seconds(),
                # How often a replica that drains looks whether it is done; 2 s by default.
                "graceful_shutdown_wait_loop_s": 0.2,
            }
        ],
    }
