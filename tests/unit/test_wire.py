"""JSON-RPC as bytes: only the envelope is touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_serve import wire

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
OBJECT = st.dictionaries(st.text(max_size=8), JSON, max_size=5)


def encoded(value) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@given(st.integers() | st.text(max_size=20), st.text(max_size=20), OBJECT)
def test_a_request_is_read_back_as_it_was_put_together(request_id, method, params):
    raw = wire.request(encoded(request_id), method, encoded(params))
    assert json.loads(raw) == {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    message = wire.decode_message(raw)
    assert (bytes(message.id), message.method, bytes(message.params)) == (
        encoded(request_id),
        method,
        encoded(params),
    )


def test_a_notification_has_no_id_and_params_only_if_there_are_some():
    assert json.loads(wire.notification("a/b", None)) == {"jsonrpc": "2.0", "method": "a/b"}


@given(OBJECT)
def test_results_pass_to_the_byte(result):
    raw = encoded(result)
    assert bytes(wire.decode_message(wire.response(b"1", raw)).result) == raw


@given(OBJECT, OBJECT)
def test_setting_members_replaces_those_and_keeps_the_rest(value, members):
    assert json.loads(wire.with_members(encoded(value), members)) == {**value, **members}


@given(OBJECT, OBJECT, OBJECT)
def test_setting_meta_replaces_its_members_and_keeps_the_rest(params, old, new):
    before = encoded({**params, "_meta": old})
    assert json.loads(wire.with_meta(before, new)) == {**params, "_meta": {**old, **new}}


@pytest.mark.parametrize("params", [None, b"", b"{}", b'{"_meta":null}', b'{"_meta":7}'])
def test_meta_that_is_absent_or_nonsense_is_made_anew(params):
    assert json.loads(wire.with_meta(params, {"a": 1})) == {"_meta": {"a": 1}}


def test_params_that_are_no_object_are_refused():
    with pytest.raises(wire.RpcError) as raised:
        wire.with_meta(b"[1]", {})
    assert raised.value.code == wire.INVALID_PARAMS


def test_an_error_carries_its_data_only_if_it_has_some():
    assert json.loads(wire.RpcError(1, "no").encode()) == {"code": 1, "message": "no"}
    assert json.loads(wire.RpcError(1, "no", {"a": 2}).encode()) == {"code": 1, "message": "no", "data": {"a": 2}}
