"""npm and PyPI packages as commands that run directly, out of a content-addressed cache.

    installed = await install(source, cache, print)
    process = await create_subprocess_exec(*installed.argv, *source.args, env={**env, **installed.env})

A package is installed once, ahead of its first start, into a folder that is named by everything that determines
what lands in it. No `npx` or `uvx` stays in memory beside the server.
"""

from mcpfleet_serve.packages.cache import Installed, PackageSource, Progress, baked_caches, bundle, install
from mcpfleet_serve.packages.errors import PackageError, Reason

__all__ = [
    "Installed",
    "PackageError",
    "PackageSource",
    "Progress",
    "Reason",
    "baked_caches",
    "bundle",
    "install",
]
