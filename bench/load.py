"""Clients that are light enough not to be what is measured: wrk for HTTP, a bare loop over pipes for stdio."""

import itertools
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
OUT = HERE / "out"
DEBIAN_PACKAGES = ("wrk", "libluajit-5.1-2")
TEXT = "hello"
EXPECTED = f"Echo: {TEXT}"

# Ids stay below 2^53 (beyond that Node servers hang) and are never used twice in a session.
first_ids = itertools.count(1_000_000, 10_000_000)


@dataclass(frozen=True)
class Sample:
    """What one client saw of one contender, for a few seconds."""

    calls: int
    errors: int
    calls_per_second: float
    p50_ms: float
    p99_ms: float
    example: str = ""
    cpu_us_per_call: float = 0
    """Of the contender with all its processes, the server's own included; other work on the machine hides less."""

    def as_json(self) -> dict:
        return asdict(self)


def call_body(id_: object, meta: Mapping[str, object] | None = None) -> str:
    """A `tools/call` of the everything server's echo."""
    params = {"name": "echo", "arguments": {"message": TEXT}, **({"_meta": meta} if meta else {})}
    request = {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}
    return json.dumps(request, separators=(",", ":"))


def over_http(
    url: str, headers: Mapping[str, str], meta: Mapping[str, object] | None, concurrency: int, seconds: float
) -> Sample:
    """Keep `concurrency` calls in flight for some seconds, and check each answer."""
    before, after = call_body("ID", meta).split('"ID"')
    program, env = find_wrk()
    command = [program, "-t1", f"-c{concurrency}", f"-d{seconds:.0f}s", "--timeout=30s", f"-s{HERE / 'wrk.lua'}"]
    command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command += [url, "--", str(next(first_ids)), before, after, EXPECTED]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(" ", 1) for line in said.splitlines() if line.startswith(("RESULT ", "EXAMPLE ")))
    right, wrong, broken, micros, p50, p99 = (float(word) for word in lines["RESULT"].split())
    return Sample(
        calls=int(right),
        errors=int(wrong + broken),
        calls_per_second=right / (micros / 1e6),
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        example=lines.get("EXAMPLE", ""),
    )


def over_stdio(server: subprocess.Popen, concurrency: int, seconds: float) -> Sample:
    """The same over the pipes of a server that was initialized: the limit that no wrapper can pass."""
    before, after = call_body("ID").split('"ID"')
    read, write = server.stdout.fileno(), server.stdin.fileno()
    ids = itertools.count(next(first_ids))
    sent: dict[int, float] = {}
    latencies: list[float] = []
    errors, rest, example = 0, b"", ""

    def send(count: int) -> None:
        now = time.perf_counter()
        lines = []
        for id_ in itertools.islice(ids, count):
            sent[id_] = now
            lines.append(f"{before}{id_}{after}\n")
        os.write(write, "".join(lines).encode())

    start = time.perf_counter()
    end = start + seconds
    send(concurrency)
    while sent:
        *lines, rest = (rest + os.read(read, 1 << 20)).split(b"\n")
        now = time.perf_counter()
        for line in lines:
            answer = json.loads(line)
            begun = sent.pop(answer.get("id"), None)
            if begun is None or answer.get("result", {}).get("content", [{}])[0].get("text") != EXPECTED:
                errors, example = errors + 1, line.decode()[:300]
            else:
                latencies.append(now - begun)
        if now < end and lines:
            send(len(lines))
    took = time.perf_counter() - start
    latencies.sort()
    return Sample(
        calls=len(latencies),
        errors=errors,
        calls_per_second=len(latencies) / took,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1000,
        example=example,
    )


def find_wrk() -> tuple[str, dict[str, str]]:
    """wrk and the environment that it needs; on Debian it is unpacked into bench/out, which needs no root."""
    if found := shutil.which("wrk"):
        return found, dict(os.environ)
    root = OUT / "wrk"
    program = root / "usr" / "bin" / "wrk"
    libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    if not program.exists():
        if not shutil.which("apt-get"):
            raise SystemExit("the benchmark drives HTTP with wrk; install it (macOS: brew install wrk)")
        root.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", *DEBIAN_PACKAGES], cwd=root, check=True)
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    return str(program), {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
