"""A server that stays when its stdin is closed and when it is told to terminate; it says what it notices."""

import signal
import sys
import time
from pathlib import Path

import minimal


def note(text):
    with Path(sys.argv[1]).open("a") as file:
        file.write(f"{text} {time.monotonic()}\n")


signal.signal(signal.SIGTERM, lambda *_: note("TERM"))
minimal.serve()
note("EOF")
while True:
    time.sleep(60)
