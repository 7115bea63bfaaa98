"""A fleet file as it runs on this machine."""

from pathlib import Path, PurePosixPath

import pytest

from mcpfleet_api.serve import HostArgs, HostConfig
from mcpfleet_api.server import Server
from mcpfleet_api.volumes import Volume
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.local_fleet import InvalidFile, LocalFleet, read
from mcpfleet_operator.render.local_volumes import on_local_folders
from mcpfleet_operator.render.serve_config import serve_config

VOLUMES = (
    Volume.model_validate({"name": "data", "mountPath": "/mnt/data", "emptyDir": {}, "local": {"path": "files"}}),
    Volume.model_validate({"name": "deep", "mountPath": "/mnt/data/deep", "emptyDir": {}}),
)
FLEET = """\
apiVersion: mcpfleet.dev/v1alpha1
kind: MCPFleet
metadata: {name: office}
spec:
  servers:
  - name: files
    npm: {package: some-server, version: 1.0.0, args: [/mnt/data]}
    volumes: [data]
  volumes:
  - {name: data, mountPath: /mnt/data, emptyDir: {}}
  - {name: unused, mountPath: /mnt/unused, emptyDir: {}}
"""


@pytest.mark.parametrize(
    ("argument", "volumes", "moved", "reason"),
    [
        ("/mnt/data", ["data"], "/home/me/files", "the mount path itself"),
        ("/mnt/data/", ["data"], "/home/me/files", "with a slash at its end"),
        ("/mnt/data/a/b.txt", ["data"], "/home/me/files/a/b.txt", "what lies beneath it"),
        ("--root=/mnt/data/a", ["data"], "--root=/home/me/files/a", "the value of an option"),
        ("/mnt/database", ["data"], "/mnt/database", "a path that only begins alike"),
        ("see /mnt/data", ["data"], "see /mnt/data", "text that only contains it"),
        ("/mnt/data", [], "/mnt/data", "a volume that the server does not use"),
        ("/mnt/data/deep/a", ["data", "deep"], "/home/me/deep/a", "the deepest volume"),
        ("/mnt/data/deep/a", ["data"], "/home/me/files/deep/a", "unless the server does not use it"),
        ("a=/mnt/data", ["data"], "a=/mnt/data", "no option"),
    ],
)
def test_a_volume_path_becomes_a_local_folder(argument, volumes, moved, reason):
    def server(text):
        return Server.model_validate({"name": "s", "command": {"command": ["run", text]}, "volumes": volumes})

    moved_servers = on_local_folders([server(argument)], VOLUMES, PurePosixPath("/home/me"))
    assert moved_servers == (server(moved),), reason


@pytest.mark.parametrize("source", ["npm", "pypi"])
def test_arguments_and_environment_of_a_package_move_too(source):
    def server(folder):
        return Server.model_validate(
            {
                "name": "s",
                source: {"package": "a", "version": "1.0.0", "args": ["-v", folder]},
                "env": [
                    {"name": "ROOT", "value": folder},
                    {"name": "TOKEN", "secretKeyRef": {"name": "a", "key": "b"}},
                ],
                "volumes": ["data"],
            }
        )

    assert on_local_folders([server("/mnt/data")], VOLUMES, PurePosixPath("/x")) == (server("/x/files"),)


def test_the_serve_configuration_carries_the_servers_where_a_change_restarts_nothing():
    args = HostArgs(fleet="office", door_host="127.0.0.1", door_port=8000, allowed_hosts=("localhost",))
    config = HostConfig(servers=(Server.model_validate({"name": "t", "python": {"app": "a:b"}}),))
    assert serve_config(args, config) == {
        "proxy_location": "Disabled",
        "logging_config": {"encoding": "TEXT", "enable_access_log": False},
        "applications": [
            {
                "name": "host",
                "import_path": "mcpfleet_serve.app:build",
                "route_prefix": "/",
                "args": {
                    "fleet": "office",
                    "doorHost": "127.0.0.1",
                    "doorPort": 8000,
                    "allowedHosts": ["localhost"],
                },
                "deployments": [
                    {
                        "name": "Host",
                        "num_replicas": 1,
                        "max_ongoing_requests": 10_000,
                        "user_config": {"servers": [{"name": "t", "python": {"app": "a:b"}}]},
                        "ray_actor_options": {"num_cpus": 0.0},
                        "graceful_shutdown_timeout_s": 6.0,
                        "graceful_shutdown_wait_loop_s": 0.2,
                    }
                ],
            }
        ],
    }
    application = serve_config(args, config)["applications"][0]
    assert HostArgs.model_validate(application["args"]) == args
    assert HostConfig.model_validate(application["deployments"][0]["user_config"]) == config


def local(tmp_path, text=FLEET, host="127.0.0.1"):
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    return LocalFleet(file, read(file), host, 8000)


def test_only_the_folders_in_use_are_made(tmp_path):
    local(tmp_path).make_folders()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "fleet.yaml"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(Failure, match=r"cannot make the folder .*data for volume data"):
        local(tmp_path).make_folders()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
        ("box.example", "http://box.example:8000"),
    ],
)
def test_the_address_is_one_that_a_client_of_this_machine_can_use(tmp_path, host, url):
    assert local(tmp_path, host=host).url == url


def test_on_loopback_only_loopback_names_are_answered(tmp_path):
    assert local(tmp_path).args.allowed_hosts == ("127.0.0.1", "localhost", "[::1]")
    assert local(tmp_path, host="192.0.2.7").args.allowed_hosts[3:] == ("192.0.2.7",)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("kind: Service\napiVersion: v1\n", "has no MCPFleet in it"),
        (FLEET + "---\n" + FLEET.replace("office", "garden"), "has several fleets (office, garden)"),
        (FLEET.replace("npm:", "nmp:"), 'did you mean "npm"?'),
    ],
)
def test_a_file_that_is_not_one_fleet_is_refused(tmp_path, text, finding):
    with pytest.raises(InvalidFile) as invalid:
        local(tmp_path, text)
    assert invalid.value.code == ExitCode.BAD_INPUT
    assert any(finding in line for line in invalid.value.details)


def test_a_file_that_is_missing_is_refused():
    with pytest.raises(InvalidFile) as invalid:
        read(Path("/no/such/fleet.yaml"))
    assert "No such file" in invalid.value.details[0]
