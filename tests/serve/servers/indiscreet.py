"""A server that tells its token to whoever asks: in its stderr, in its first answer, in its last words."""

import json
import os
import sys

token = os.environ["TOKEN"]
print(f"connecting with {token}", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        error = {"code": -32603, "message": f"the token {token} is not accepted"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}), flush=True)
