"""YAML is read as Kubernetes reads it, with places, and within bounds."""

from pathlib import Path

import pytest
import yaml

from mcpfleet_cli.yaml_document import MAX_DEPTH, Document, Flaw, Place, documents, dump

SCALARS = yaml.safe_load((Path(__file__).parents[1] / "cases" / "scalars.yaml").read_text())
TYPES = {"text": str, "number": (int, float), "bool": bool, "null": type(None)}


def read(text: str) -> Document:
    [document] = documents(text.encode())
    return document


@pytest.mark.parametrize(("kind", "scalar"), [(kind, scalar) for kind in SCALARS for scalar in SCALARS[kind]])
def test_a_plain_scalar_is_read_as_kubernetes_reads_it(kind: str, scalar: str):
    value = read(f"a: {scalar}").value["a"]
    assert isinstance(value, TYPES[kind])
    assert isinstance(value, bool) is (kind == "bool")


def test_numbers_have_the_values_that_go_gives_them():
    text = "[0777, 0o17, 0x1F, 1_000, -0b11, .5, 1e3, '1', \"2\"]"
    assert read(text).value == [511, 15, 31, 1000, -3, 0.5, 1000.0, "1", "2"]


def test_every_value_and_key_has_its_place():
    document = read("a:\n  - b: 1\n    c:\n      d: [x, yy]\n")
    assert document.place(("a", 0, "b")) == Place(2, 8)
    assert document.place(("a", 0, "b"), of_key=True) == Place(2, 5)
    assert document.place(("a", 0, "c", "d", 1)) == Place(4, 14)
    assert document.text(("a", 0, "c", "d", 1)) == "yy"


def test_what_is_not_there_is_placed_at_what_should_hold_it():
    document = read("a:\n  - b: 1\n")
    assert document.place(("a", 0, "missing")) == Place(2, 5)
    assert document.place(("missing", "too")) == Place(1, 1)


def test_a_key_that_is_written_twice_is_a_flaw():
    document = read("a: 1\nb: 2\na: 3\n")
    assert [(flaw.place, flaw.message) for flaw in document.flaws] == [
        (Place(3, 1), '"a" is written twice; keep one')
    ]


def test_aliases_and_merges_work_and_keep_their_places():
    document = read("base: &base {x: 1, z: 2}\nmine:\n  <<: *base\n  x: 3\nagain: *base\n")
    assert document.flaws == []
    assert document.value["mine"] == {"x": 3, "z": 2}
    assert document.value["again"] == {"x": 1, "z": 2}
    assert document.place(("mine", "x")) == Place(4, 6)
    assert document.place(("mine", "z")) == Place(1, 23)


def test_a_billion_laughs_end_early():
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    assert "more than" in read(text).flaws[0].message


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "a: &a {b: *a}", "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))],
)
def test_what_holds_itself_or_goes_too_deep_is_a_flaw(text: str):
    assert f"nested more than {MAX_DEPTH} deep" in read(text).flaws[0].message


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"a: 1\nb: \xff", Place(2, 4), "is not UTF-8 text"),
        (b"a: 1\nb: ]", Place(2, 4), "is no YAML"),
        (b"a: \x01", Place(1, 4), "is no YAML"),
        (b"a: *nowhere", Place(1, 4), "is no YAML: found undefined alias"),
        (b"[" * 100_000, Place(1, MAX_DEPTH + 1), "nested"),
        (b"a: 1\n" * 4_000_000, Place(1, 1), "larger than 16 MiB"),
    ],
    ids=["not UTF-8", "bracket", "control character", "unknown alias", "deep", "large"],
)
def test_what_is_no_yaml_is_placed(content: bytes, place: Place, message: str):
    with pytest.raises(Flaw) as caught:
        list(documents(content))
    assert caught.value.place == place
    assert message in caught.value.message


def test_documents_before_broken_ones_are_read():
    stream = documents(b"a: 1\n---\nb: 2\n---\nc: [")
    assert [next(stream).value, next(stream).value] == [{"a": 1}, {"b": 2}]
    with pytest.raises(Flaw):
        next(stream)


def test_empty_documents_and_a_byte_order_mark_are_nothing():
    assert [document.value for document in documents(b"\xef\xbb\xbf---\n---\na: 1\n---\n# only a comment\n")] == [
        {"a": 1}
    ]
    assert list(documents(b"")) == []


@pytest.mark.parametrize(
    "text", [*SCALARS["text"], *SCALARS["number"], *SCALARS["bool"], *SCALARS["null"], "\x85", "a\u2028b", "é"]
)
def test_text_is_written_so_that_it_stays_text(text: str):
    assert read(dump({"a": text})).value == {"a": text}
    assert yaml.safe_load(dump({"a": text})) == {"a": text}
