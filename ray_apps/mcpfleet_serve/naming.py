"""Names on the aggregated endpoint: `<server>__<name>`, at most 64 characters, the same at every start.

Clients and models refuse longer names and other characters than letters, digits, `_` and `-`. A name that does not
fit is shortened or cleaned, and ends in a digest of the whole, so that it stays unique and never changes.
"""

import hashlib
import re
from typing import Final

LONGEST: Final = 64
SEPARATOR: Final = "__"  # server names have no underscore, so the first one ends them
_DIGEST: Final = 8


def aggregated_name(server: str, name: str) -> str:
    """The name of a server's tool or prompt on the aggregated endpoint."""
    plain = f"{server}{SEPARATOR}{name}"
    clean = re.sub(r"[^A-Za-z0-9_-]", "_", plain)
    if clean == plain and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:_DIGEST]
    return f"{clean[: LONGEST - _DIGEST - 1]}_{digest}"


def aggregated_uri(server: str, uri: str) -> str:
    """The URI of a resource whose own one another server lists too: the server becomes part of the scheme."""
    return f"{server}+{uri}"
