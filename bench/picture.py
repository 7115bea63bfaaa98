"""Draws docs/images/up.svg from a real run: `.venv/bin/python bench/picture.py`.

Runs the quickstart on port 8000 in a terminal of its own, calls a tool, and draws what both printed.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
MCPFLEET = Path(sys.executable).parent / "mcpfleet"
PICTURE = ROOT / "docs" / "images" / "up.svg"
COLUMNS, ROWS = 92, 50
UP = ["up", "examples/quickstart.yaml"]
CALL = ["call", "time", "get_current_time", "timezone=Europe/Berlin", "--url", "http://127.0.0.1:8000"]
LAST_LINE = b"Ctrl-C ends the fleet."
ERASE_LINE = "\x1b[2K"  # the moving table takes itself away with these before the final one is printed


def run() -> tuple[str, str]:
    """What `up` printed, escape sequences and all, and what a call to the running fleet printed."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.chdir(ROOT)
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.execv(MCPFLEET, ["mcpfleet", *UP])
    printed = b""
    try:
        while LAST_LINE not in printed:
            printed += os.read(terminal, 65536)
        answer = subprocess.run([MCPFLEET, *CALL], check=True, capture_output=True, text=True).stdout
    except OSError:
        sys.exit(f"the fleet ended too soon:\n{printed.decode()}")
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    return printed.decode(), answer


def picture(up: str, answer: str) -> str:
    """Both outputs under their prompts, as SVG."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print("[bold green]$[/] [bold]make up[/]\n")
    final = up.rpartition(ERASE_LINE)[2].replace("\r", "").rstrip()
    console.print(Text.from_ansi(re.sub(r"\x1b\[\?25[hl]", "", final)))
    console.print("\n[dim]# meanwhile, in another terminal[/]")
    console.print("[bold green]$[/] [bold].venv/bin/mcpfleet call time get_current_time timezone=Europe/Berlin[/]")
    console.print(Text.from_ansi(answer.rstrip()))
    svg = console.export_svg(title="mcpfleet", unique_id="up")
    # Rich's template loads a font from the web; a picture should load nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


if __name__ == "__main__":
    PICTURE.write_text(picture(*run()), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
