"""The Serve application: one deployment whose replicas host the servers.

Serve starts, places, heals and scales the replicas; the calls come in by each replica's own door. The same site
stands behind Serve's ingress for those who want it.
"""

from typing import Any

from ray import serve

from mcpfleet_api.serve import HostArgs, HostConfig

# Serve imports this file twice at a start: to build the application, and in the replica. The host takes seconds of
# CPU to import, so only the replica does, in its functions.


async def _ingress(scope: Any, receive: Any, send: Any) -> None:
    from mcpfleet_serve.host import Host  # noqa: PLC0415

    assert Host.of_this_process is not None, "the replica makes its host first"
    await Host.of_this_process.site(scope, receive, send)


def ingress() -> Any:
    """The site of this process's replica, for Serve's proxy; Serve calls this in each replica."""
    return _ingress


@serve.deployment(name="Host", max_ongoing_requests=1000, graceful_shutdown_timeout_s=15)
@serve.ingress(ingress)  # pyright: ignore[reportUntypedClassDecorator]
class HostReplica:
    """A replica that hosts servers."""

    async def __init__(self, args: HostArgs) -> None:
        from mcpfleet_serve.door import Door  # noqa: PLC0415
        from mcpfleet_serve.host import Host  # noqa: PLC0415
        from mcpfleet_serve.loopback import is_loopback, keep_serve_on_loopback  # noqa: PLC0415

        if is_loopback(args.door_host):
            keep_serve_on_loopback()
        self._host = Host(args, serve.get_replica_context().replica_id.unique_id)
        self._door = Door(self._host.site, args.door_host, args.door_port, drain_seconds=args.drain_seconds)
        Host.of_this_process = self._host
        await self._door.open()

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Serve hands over `user_config`, first at the start."""
        await self._host.apply(HostConfig.model_validate(config))

    async def check_health(self) -> None:
        if not self._door.is_open():
            raise RuntimeError("the door is closed")

    async def __del__(self) -> None:
        # Serve awaits this within graceful_shutdown_timeout_s; it knows nothing of the door's calls.
        self._host.hang_up()
        await self._door.close()
        await self._host.close()


def build(args: HostArgs) -> serve.Application:
    """The application, as `import_path: mcpfleet_serve.app:build`."""
    return HostReplica.bind(args)
