"""A server that reads and never answers."""

import sys

print("silent server starts", file=sys.stderr, flush=True)
for _ in sys.stdin:
    continue
