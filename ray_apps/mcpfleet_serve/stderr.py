"""What a server wrote to stderr: the last lines are kept, secrets blotted out, followers told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Final

LINES: Final = 1000
LINE_LENGTH: Final = 4096
HIDDEN: Final = "••••"
# Shorter values ("1", "true", "eu") would blot out innocent text and protect nothing.
SHORTEST_SECRET: Final = 6


class StderrLog:
    """A bounded log of lines for people."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._followers: set[asyncio.Queue[str | None]] = set()
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Replace these values wherever they turn up from now on, whole or line by line; longest first."""
        parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
        parts |= {json.dumps(part)[1:-1] for part in parts}  # as it stands in an error in JSON
        self._secrets = tuple(sorted((p for p in parts if len(p) >= SHORTEST_SECRET), key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def write(self, line: str) -> None:
        # Cleaned before it is cut: the cut could leave the beginning of a secret.
        line = self.clean(line)[:LINE_LENGTH].rstrip()
        self._lines.append(line)
        for follower in self._followers:
            # A follower that does not read loses lines, not the server its log.
            if follower.qsize() < LINES:
                follower.put_nowait(line)

    def last(self, count: int) -> list[str]:
        return list(self._lines)[-count:] if count > 0 else []

    async def follow(self, count: int) -> AsyncGenerator[str]:
        """The last `count` lines, then each new one, until `hang_up`."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._followers.add(queue)
        try:
            for line in self.last(count):
                yield line
            while (line := await queue.get()) is not None:
                yield line
        finally:
            self._followers.discard(queue)

    def hang_up(self) -> None:
        """Let those go who follow."""
        for follower in self._followers:
            follower.put_nowait(None)
