"""The engine: a Ray of our own with Serve on it, in its own process, which `mcpfleet up` talks to.

All use of what Ray keeps private is in this file. It reads one JSON object per line from stdin, `{"deploy": …}`
with a Serve configuration, and writes one per line to stdout:

    {"event": "stage", "text": …}                           what it does now
    {"event": "application", "status": …, "message": …}      what Serve says of the application
    {"event": "lost", "message": …}                          Ray ended; so does the engine

The end of stdin, which also comes when `mcpfleet up` is killed, stops the fleet, then Ray, then the engine.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO

import ray
from ray._private.node import Node
from ray._private.parameter import RayParams

STOP_SECONDS: Final = 8.0  # for Serve and what it runs; the caller allows a little more for all of it
MIB: Final = 1024**2


class _SmallNode(Node):
    """A head node without the dashboard's process, which starts even when the dashboard is off.

    It would take 100 MB and two seconds, and nobody would ask it anything.
    """

    def start_api_server(self, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
        pass


@contextmanager
def private_ray(folder: Path) -> Generator[Node]:
    """A Ray that is not to be found: in its own folder, on loopback, behind its own token."""
    node = _SmallNode(
        RayParams(
            temp_dir=str(folder),
            num_cpus=os.cpu_count(),
            object_store_memory=80 * MIB,  # the least that Ray accepts, nearly; calls do not use it
            # Nothing reads these two processes' work: logs stay in files, and one machine does not scale.
            no_monitor=True,
            include_log_monitor=False,  # type: ignore[arg-type] - annotated as text, used as a flag
            include_dashboard=False,
        ),
        head=True,
        shutdown_at_exit=False,
        # On Linux the kernel then kills Ray when the engine dies, elsewhere a small process does.
        spawn_reaper=True,
        ray_init_cluster=True,
    )
    try:
        ray.init(address=node.gcs_address, namespace="serve", log_to_driver=False, configure_logging=False)
        yield node
    finally:
        ray.shutdown()
        node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)


class Engine:
    """Serve on a private Ray, driven by lines."""

    def __init__(self, commands: TextIO, events: TextIO) -> None:
        self._events = events
        self._commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._said: tuple[str, str] | None = None
        threading.Thread(target=self._read, args=(commands,), daemon=True).start()

    def run(self, folder: Path) -> None:
        # Serve takes a second to import, in which Ray's processes come up.
        importing = threading.Thread(target=import_module, args=("ray.serve._private.api",), daemon=True)
        importing.start()
        with private_ray(folder) as node:
            importing.join()
            from ray.serve._private.api import serve_start  # noqa: PLC0415 - see above

            self._say({"event": "stage", "text": "starting Ray Serve"})
            client = serve_start(proxy_location="Disabled")
            try:
                self._obey(client, node)
            finally:
                client.shutdown(STOP_SECONDS)

    def _obey(self, client: Any, node: Node) -> None:
        from ray.serve.schema import ServeDeploySchema  # noqa: PLC0415 - see above

        while True:
            try:
                command = self._commands.get(timeout=2.0 if self._is_running else 0.25)
            except queue.Empty:
                self._say_what_serve_says(client)
                if dead := [kind for kind, _ in node.dead_processes()]:
                    self._say({"event": "lost", "message": f"Ray's {', '.join(dead)} ended"})
                    return
                continue
            if command is None:
                return
            client.deploy_apps(ServeDeploySchema.model_validate(command["deploy"]))
            if self._said is None:
                self._say({"event": "stage", "text": "starting the host"})

    @property
    def _is_running(self) -> bool:
        return self._said is not None and self._said[0] == "RUNNING"

    def _say_what_serve_says(self, client: Any) -> None:
        for application in client.list_serve_statuses():
            status = application.app_status
            messages = (status.message, *(deployment.message for deployment in application.deployment_statuses))
            message = "\n".join(text for text in messages if text)
            said = (str(status.status.value), message)
            if said != self._said:
                self._said = said
                self._say({"event": "application", "status": said[0], "message": said[1]})

    def _say(self, event: dict[str, Any]) -> None:
        try:
            print(json.dumps(event), file=self._events, flush=True)
        except BrokenPipeError:
            self._commands.put(None)  # nobody listens any more

    def _read(self, commands: TextIO) -> None:
        for line in commands:
            self._commands.put(json.loads(line))
        self._commands.put(None)


def main() -> None:
    folder = Path(sys.argv[1])
    # Ray and Serve write to the terminal in several ways; all of them end in the log.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    log = os.open(folder / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of stdin is what ends it
    Engine(sys.stdin, events).run(folder)


if __name__ == "__main__":
    main()
