"""What is kept of a server's stderr, and what is hidden in it."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_serve.stderr import HIDDEN, LINE_LENGTH, LINES, SHORTEST_SECRET, StderrLog

SECRET = st.text(alphabet="abcXYZ019+/=", min_size=SHORTEST_SECRET, max_size=60)


def log_of(*lines: str, secrets: tuple[str, ...] = ()) -> StderrLog:
    log = StderrLog()
    log.hide(secrets)
    for line in lines:
        log.write(line)
    return log


def test_the_last_lines_are_kept():
    log = log_of(*(str(number) for number in range(LINES + 5)))
    assert log.last(3) == [str(LINES + 2), str(LINES + 3), str(LINES + 4)]
    assert len(log.last(LINES * 2)) == LINES
    assert log.last(0) == log.last(-1) == []


@given(st.text(alphabet="ab .:", max_size=30), SECRET, st.text(alphabet="ab .:", max_size=30))
def test_a_secret_never_shows(before, secret, after):
    assert secret not in "\n".join(log_of(before + secret + after, secrets=(secret,)).last(1))


@given(SECRET, st.integers(LINE_LENGTH - 60, LINE_LENGTH + 1))
def test_not_even_a_part_of_a_secret_shows_where_a_long_line_is_cut(secret, where):
    (line,) = log_of("." * where + secret, secrets=(secret,)).last(1)
    assert set(line) <= {".", HIDDEN[0]}
    assert len(line) <= LINE_LENGTH


def test_a_secret_within_another_leaves_nothing_of_the_longer():
    assert log_of("token-123456-abcdef", secrets=("123456", "token-123456-abcdef")).last(1) == [HIDDEN]


def test_a_secret_of_several_lines_is_hidden_line_by_line():
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0\n-----END KEY-----\n"
    shown = "\n".join(log_of(*(f"read: {line}" for line in key.splitlines()), secrets=(key,)).last(9))
    assert "MIIEvQIBADAN" not in shown
    assert "BgkqhkiG9w0" not in shown


def test_a_secret_from_a_file_is_hidden_without_its_line_break_too():
    assert "s3cr3t-value" not in log_of("got s3cr3t-value!", secrets=("s3cr3t-value\n",)).last(1)[0]


def test_a_secret_is_hidden_in_json_too():
    secret = 'pass"word\\ü'
    assert log_of(secrets=(secret,)).clean(json.dumps({"message": f"bad {secret}"})) == '{"message": "bad ••••"}'


def test_a_short_value_blots_out_no_innocent_text():
    assert log_of("eu-west-1 is up", secrets=("eu", "1")).last(1) == ["eu-west-1 is up"]


async def test_a_follower_gets_the_last_lines_then_each_new_one():
    log = log_of("a", "b", "c")
    following = log.follow(2)
    assert [await anext(following), await anext(following)] == ["b", "c"]
    waiting = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    log.write("d")
    assert await asyncio.wait_for(waiting, 1) == "d"
    await following.aclose()
    assert not log._followers
