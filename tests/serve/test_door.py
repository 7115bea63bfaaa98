"""The door against callers that are slow, idle or too long."""

import asyncio
import time
from contextlib import suppress

import pytest

from mcpfleet_api.serve import HostArgs, HostConfig
from mcpfleet_serve.door import Door
from mcpfleet_serve.host import Host

pytestmark = pytest.mark.serve

LIMIT = 1.0


@pytest.fixture
async def port():
    host = Host(HostArgs(fleet="door", allowed_hosts=("127.0.0.1",), max_body_bytes=2048))
    await host.apply(HostConfig())
    door = Door(host.site, "127.0.0.1", 0, request_seconds=LIMIT)
    await door.open()
    yield door.port
    await door.close()
    await host.close()


async def _seconds_until_closed(port: int, sent: bytes, drip: bytes = b"") -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(sent)
    # A connection with bytes that nobody read is closed by a reset; that is an end as well.
    with suppress(ConnectionError):
        async with asyncio.timeout(15):
            while True:
                try:
                    if not await asyncio.wait_for(reader.read(4096), 0.2):
                        break
                except TimeoutError:
                    writer.write(drip)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return time.monotonic() - began


HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n"


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b""),
        (HEAD, b"X-A: b\r\n"),
        (HEAD + b"Content-Length: 2000\r\n\r\n", b"x"),
    ],
    ids=["a connection that asks for nothing", "headers that never end", "a body that trickles in"],
)
async def test_a_request_that_does_not_arrive_in_time_ends_its_connection(port, sent, drip):
    assert LIMIT <= await _seconds_until_closed(port, sent, drip) < LIMIT + 10


async def test_a_body_over_the_bound_is_refused_before_it_is_read_whole(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 4096)
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_whole_request_is_answered_while_slow_ones_hang(port):
    slow = [asyncio.create_task(_seconds_until_closed(port, HEAD, b"X-A: b\r\n")) for _ in range(50)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /-/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(5):
        assert b" 200 " in await reader.readline()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    await asyncio.gather(*slow)
