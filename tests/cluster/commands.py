"""Commands that run to their end, and say all that they said when they fail."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def run(argv: list[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What the command printed."""
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stdout[-8000:]}{done.stderr[-8000:]}")
    return done.stdout
