"""Framing: whatever pieces a pipe hands over, the lines are those that were written."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_serve.stdio import Lines

LINE = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" "))


def read(pieces: list[bytes], limit: int = 1000) -> tuple[list[bytes], int]:
    seen: list[bytes] = []
    overlong: list[bool] = []
    lines = Lines(seen.append, lambda: overlong.append(True), limit)
    for piece in pieces:
        lines.feed(piece)
    lines.end()
    return seen, len(overlong)


@st.composite
def chunked(draw) -> tuple[list[bytes], list[bytes]]:
    """Lines, and the pieces that they come in."""
    lines = draw(st.lists(LINE, max_size=12))
    data = b"".join(line + b"\n" for line in lines)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=20)))
    edges = [0, *cuts, len(data)]
    return lines, [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


@given(chunked())
def test_any_chunking_of_any_lines_gives_the_same_lines(case):
    lines, pieces = case
    assert read(pieces) == (lines, 0)


@given(chunked(), st.binary(min_size=1, max_size=20).filter(lambda data: b"\n" not in data))
def test_what_comes_after_the_last_line_break_is_a_line_too(case, rest):
    lines, pieces = case
    assert read([*pieces, rest]) == ([*lines, rest], 0)


def test_a_line_longer_than_the_limit_is_told_and_not_handed_over():
    seen, overlong = read([b"x" * 6, b"x" * 6], limit=10)
    assert (seen, overlong) == ([], 1)


@given(st.lists(st.binary(min_size=1, max_size=8).map(lambda data: data.replace(b"\n", b" ")), max_size=200))
def test_a_line_without_end_never_holds_more_than_the_limit(pieces):
    lines = Lines(lambda _: None, None, limit=16)
    for piece in pieces:
        lines.feed(piece)
        assert sum(map(len, lines._parts)) <= 16


@given(st.binary(min_size=11, max_size=60).map(lambda data: data.replace(b"\n", b" ")), LINE)
def test_the_rest_of_an_overlong_line_is_no_line_and_the_next_one_is_whole(long, following):
    pieces = [long[start : start + 4] for start in range(0, len(long), 4)]
    following = following[:10]
    seen, overlong = read([*pieces, b"\n", following + b"\n"], limit=10)
    assert (seen, overlong) == ([following], 1)
