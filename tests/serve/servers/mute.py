"""A server that shakes hands and then never lists its tools."""

import minimal

known = minimal.answer


def answer(message):
    if message["method"] != "tools/list":
        known(message)


minimal.answer = answer
minimal.serve()
