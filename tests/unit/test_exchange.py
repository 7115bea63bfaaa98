"""One client request in progress."""

import asyncio
import json

import pytest

from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.wire import RpcError


def drain(exchange: Exchange) -> list[bytes]:
    events = []
    while (event := exchange.next_event()) is not None:
        events.append(event)
    return events


async def test_messages_come_in_order_and_the_answer_carries_the_clients_id():
    exchange = Exchange(b'"abc"')
    exchange.push(b"1")
    exchange.push(b"2")
    exchange.succeed(b'{"x":1}')
    await exchange.ready()
    assert drain(exchange) == [b"1", b"2"]
    assert json.loads(exchange.answer) == {"jsonrpc": "2.0", "id": "abc", "result": {"x": 1}}
    assert exchange.error_code is None


async def test_only_the_first_answer_counts_and_nothing_comes_after_it():
    exchange = Exchange(b"1")
    exchange.fail_with(RpcError(-32602, "no"))
    exchange.succeed(b"{}")
    exchange.push(b"late")
    assert json.loads(exchange.answer)["error"] == {"code": -32602, "message": "no"}
    assert (exchange.error_code, exchange.has_events()) == (-32602, False)


@pytest.mark.parametrize(
    "happen",
    [
        lambda exchange: exchange.push(b"x"),
        lambda exchange: exchange.succeed(b"{}"),
        lambda exchange: exchange.abandon(),
        lambda exchange: exchange.nudge(),
    ],
    ids=["event", "answer", "leaving", "nudge"],
)
async def test_whoever_waits_is_woken(happen):
    exchange = Exchange(b"1")
    waiting = asyncio.create_task(exchange.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    happen(exchange)
    await asyncio.wait_for(waiting, 1)


async def test_a_nudge_wakes_once():
    exchange = Exchange(b"1")
    exchange.nudge()
    await asyncio.wait_for(exchange.ready(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(exchange.ready(), 0.01)


async def test_a_client_that_does_not_read_overflows_and_what_it_took_makes_room():
    exchange = Exchange(b"1", limit=10)
    exchange.push(b"x" * 6)
    assert exchange.next_event() == b"x" * 6
    exchange.push(b"y" * 6)
    assert not exchange.overflowed
    exchange.push(b"z" * 6)
    assert exchange.overflowed
    exchange.push(b"more")
    assert drain(exchange) == [b"y" * 6]


async def test_nothing_is_kept_for_a_client_that_left():
    exchange = Exchange(b"1")
    exchange.abandon()
    exchange.push(b"x")
    assert not exchange.has_events()
