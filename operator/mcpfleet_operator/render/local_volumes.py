"""Volumes on one machine: folders stand in for them, and the servers are told of those instead."""

from collections.abc import Iterable
from pathlib import PurePath, PurePosixPath

from mcpfleet_api.server import Server
from mcpfleet_api.volumes import Volume


def local_folders(volumes: Iterable[Volume], base: PurePath) -> dict[str, PurePath]:
    """The folder of each volume, by the volume's name. `base` is the fleet file's own folder."""
    return {volume.name: base / volume.local_path for volume in volumes}


def on_local_folders(servers: Iterable[Server], volumes: Iterable[Volume], base: PurePath) -> tuple[Server, ...]:
    """The servers, with the paths of the volumes that they use replaced by local folders.

    An argument or environment value is replaced when it is the mount path or lies beneath it, and so is what
    follows the `=` of an argument such as `--root=/mnt/data`. All other text stays as it is.
    """
    volumes = tuple(volumes)
    folders = local_folders(volumes, base)
    return tuple(
        _moved(server, [(v.mount_path, str(folders[v.name])) for v in volumes if v.name in server.volumes])
        for server in servers
    )


def _moved(server: Server, moves: list[tuple[str, str]]) -> Server:
    if not moves:
        return server
    # The deepest mount path first: /mnt/data/cache may be a volume of its own beside /mnt/data.
    moves.sort(key=lambda move: len(move[0]), reverse=True)

    def argument(text: str) -> str:
        name, equals, value = text.partition("=")
        if equals and name.startswith("-"):
            return f"{name}={_path(value, moves)}"
        return _path(text, moves)

    def arguments(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(argument(text) for text in texts)

    changes: dict[str, object] = {
        "env": tuple(
            variable.model_copy(update={"value": _path(variable.value, moves)}) if variable.value else variable
            for variable in server.env
        )
    }
    if server.npm:
        changes["npm"] = server.npm.model_copy(update={"args": arguments(server.npm.args)})
    if server.pypi:
        changes["pypi"] = server.pypi.model_copy(update={"args": arguments(server.pypi.args)})
    if server.command:
        changes["command"] = server.command.model_copy(update={"command": arguments(server.command.command)})
    return server.model_copy(update=changes)


def _path(text: str, moves: list[tuple[str, str]]) -> str:
    for mount, folder in moves:
        mount_path = PurePosixPath(mount)
        path = PurePosixPath(text)
        if path == mount_path or mount_path in path.parents:
            return str(PurePath(folder) / path.relative_to(mount_path))
    return text
