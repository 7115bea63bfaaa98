"""A server that takes its time to list its tools, and lists those that it had when it was asked."""

import threading

import minimal

known = minimal.answer


def answer(message):
    if message["method"] == "tools/list":
        late = {"id": message["id"], "result": {"tools": minimal.listed()}}
        threading.Timer(0.5, minimal.send, args=(late,)).start()
    else:
        known(message)


minimal.answer = answer
minimal.serve()
