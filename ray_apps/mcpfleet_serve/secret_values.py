"""Secret values for servers. They are looked up where a server starts and go nowhere but to that server.

In a cluster a Secret is a folder of files under `MCPFLEET_SECRETS` (a mounted volume). On a laptop a key is a
variable of the env file (`MCPFLEET_ENV_FILE`) or of the environment.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mcpfleet_api.base import SecretKeyRef
from mcpfleet_api.sources import EnvVar, Header
from mcpfleet_serve.channel import ServerFailure


def variable_name(ref: SecretKeyRef) -> str:
    """The variable that stands for a Secret's key on a laptop: `github` and `token` make `GITHUB_TOKEN`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", f"{ref.name}_{ref.key}").upper()


def look_up(ref: SecretKeyRef, environment: Mapping[str, str] = os.environ) -> str:
    """The value of a Secret's key.

    Raises:
        ServerFailure: it is nowhere.
    """
    folder = environment.get("MCPFLEET_SECRETS")
    if folder:
        file = Path(folder) / ref.name / ref.key
        if file.is_file():
            return file.read_text(encoding="utf-8")
    variables = dict(environment)
    if env_file := environment.get("MCPFLEET_ENV_FILE"):
        variables |= read_env_file(Path(env_file))
    for name in (variable_name(ref), ref.key):
        if name in variables:
            return variables[name]
    where = f"Secret {ref.name!r} has no key {ref.key!r}" if folder else f"{variable_name(ref)} is not set"
    how = "" if folder else "; set it in the environment or in the file that --env-file names"
    raise ServerFailure("SecretMissing", f"{where}{how}")


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; comments, blank lines, `export` and quotes as in a shell's file.

    Raises:
        ServerFailure: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ServerFailure("EnvFileUnreadable", f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ServerFailure("EnvFileUnreadable", f"{path}: it is no text in UTF-8") from None
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            variables[name.strip()] = value[1:-1] if quoted else value
    return variables


def resolve(declared: Iterable[EnvVar | Header]) -> tuple[dict[str, str], set[str]]:
    """Variables or headers with their values, and which of the values are secret.

    Raises:
        ServerFailure: a key is missing.
    """
    values: dict[str, str] = {}
    secret: set[str] = set()
    for entry in declared:
        if entry.secret_key_ref is not None:
            values[entry.name] = look_up(entry.secret_key_ref)
            secret.add(values[entry.name])
        else:
            values[entry.name] = entry.value or ""
    return values, secret
