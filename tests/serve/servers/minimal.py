"""A stdio MCP server of the legacy era in a few lines, quick to start; the odd servers beside it build on it.

Run by itself it has tools that show what the relay does: who it is, what it hears, what it can ask its client.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time

VERSION = "2025-11-25"
tools = {}
initialized = {}
heard = []
_lock = threading.Lock()
_asked = {}
_numbers = itertools.count(1)


def tool(function):
    tools[function.__name__] = function
    return function


def send(message):
    with _lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def notify(method, **params):
    send({"method": method, "params": params})


def ask(method, **params):
    """A request to the client; its whole response."""
    number, answered = next(_numbers), threading.Event()
    _asked[number] = entry = {"answered": answered}
    send({"id": number, "method": method, "params": params})
    answered.wait()
    return entry["response"]


def text(value):
    return {"content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}]}


def listed():
    return [{"name": name, "inputSchema": {"type": "object"}} for name in tools]


def answer(message):
    method, params, number = message["method"], message.get("params"), message["id"]
    params = params if isinstance(params, dict) else {}
    if method == "initialize":
        initialized.update(params)
        capabilities = {"tools": {"listChanged": True}, "logging": {}}
        info = {"name": "minimal", "version": "1"}
        send(
            {
                "id": number,
                "result": {"protocolVersion": VERSION, "capabilities": capabilities, "serverInfo": info},
            }
        )
    elif method == "tools/list":
        send({"id": number, "result": {"tools": listed()}})
    elif method == "tools/call":
        call = tools.get(str(params.get("name")))
        if call is None:
            send({"id": number, "error": {"code": -32602, "message": f"Unknown tool: {params.get('name')}"}})
            return
        threading.Thread(target=run, args=(call, number, params), daemon=True).start()
    elif method == "logging/setLevel":
        heard.append(method)
        send({"id": number, "result": {}})
    else:
        send({"id": number, "error": {"code": -32601, "message": "Method not found", "data": {"method": method}}})


def run(call, number, params):
    send({"id": number, "result": call(params.get("arguments", {}), params.get("_meta", {}), number)})


def receive(line):
    message = json.loads(line)
    if "method" not in message:
        entry = _asked.pop(message["id"])
        entry["response"] = message
        entry["answered"].set()
    elif "id" in message:
        answer(message)
    else:
        heard.append(message["method"])
        if message["method"] == "notifications/cancelled":
            cancelled.add(message["params"]["requestId"])


def serve():
    for line in sys.stdin:
        receive(line)


cancelled = set()


@tool
def whoami(arguments, meta, number):
    return text(
        {"pid": os.getpid(), "group": os.getpgid(0), "client": initialized.get("clientInfo", {}).get("name")}
    )


@tool
def hears(arguments, meta, number):
    """The notifications and settings that came."""
    return text(heard)


@tool
def variable(arguments, meta, number):
    return text(os.environ.get(arguments["name"], "<none>"))


@tool
def complain(arguments, meta, number):
    print(arguments["text"], file=sys.stderr, flush=True)
    return text("done")


@tool
def wait(arguments, meta, number):
    """Until it is cancelled, then no answer; else until its seconds are over."""
    print(f"call {arguments['name']} waits", file=sys.stderr, flush=True)
    until = time.monotonic() + arguments.get("seconds", 60)
    while time.monotonic() < until:
        if number in cancelled:
            print(f"call {arguments['name']} was cancelled", file=sys.stderr, flush=True)
            threading.Event().wait()
        time.sleep(0.01)
    return text("waited")


@tool
def report(arguments, meta, number):
    """Progress and a log message, then the answer."""
    for step in range(arguments["steps"]):
        notify(
            "notifications/progress",
            progressToken=meta.get("progressToken"),
            progress=step,
            message=arguments["name"],
        )
        notify("notifications/message", level="info", data=f"{arguments['name']} {step}")
        time.sleep(arguments.get("pause", 0))
    return text(meta)


@tool
def ask_client(arguments, meta, number):
    return text(ask(arguments["method"], **arguments.get("params", {})))


@tool
def grow(arguments, meta, number):
    """One more tool."""
    tools[arguments["name"]] = lambda arguments, meta, number: text("grown")
    notify("notifications/tools/list_changed")
    return text("done")


@tool
def fork(arguments, meta, number):
    """A grandchild that outlives its parent unless it is ended too."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    return text({"pid": subprocess.Popen([sys.executable, "-c", code]).pid})


@tool
def die(arguments, meta, number):
    print("something broke inside", file=sys.stderr, flush=True)
    os._exit(arguments.get("status", 3))


@tool
def answer_twice(arguments, meta, number):
    send({"id": number, "result": text("first")})
    return text("second")


@tool
def garbage(arguments, meta, number):
    with _lock:
        sys.stdout.write(
            "Listening...\n{not json\n[1, 2]\n\n\x00\x01\n" + '{"jsonrpc": "2.0", "id": 987654, "result": {}}\n'
        )
        sys.stdout.flush()
    return text("done")


@tool
def flood(arguments, meta, number):
    """Much on stderr, as quickly as it can be written."""
    for line in range(arguments["lines"]):
        sys.stderr.write(f"line {line} " + "x" * 200 + "\n")
    sys.stderr.flush()
    return text("done")


@tool
def fail(arguments, meta, number):
    send({"id": number, "error": {"code": -32042, "message": "not today", "data": {"until": "tomorrow"}}})
    return {}


@tool
def odd(arguments, meta, number):
    """A result with members that no specification knows."""
    return {**text("odd"), "x-unknown": {"deep": [1, None, "ü"]}, "structuredContent": {"big": 2**60}}


def leave(*_):
    os.write(2, b"told to terminate\n")
    os._exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    print("minimal server starts", file=sys.stderr, flush=True)
    serve()
