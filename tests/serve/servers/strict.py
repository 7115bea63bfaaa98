"""A server that ends when the first message is not `initialize`, as those made with some SDKs do."""

import json
import sys

import minimal

first = sys.stdin.readline()
if json.loads(first)["method"] != "initialize":
    print("expected initialize", file=sys.stderr)
    sys.exit(1)
minimal.receive(first)
minimal.serve()
