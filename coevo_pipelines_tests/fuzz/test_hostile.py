"""Inputs made to hurt: twice as much of them must not take much more than twice as long, nor a thousand times the
memory; and the smallest forms of what fuzzing found."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import duckdb
import pytest

from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import json_value, xml_root
from coevo_pipelines_tests.fuzz.targets import FEED, TARGETS, conforming
from coevo_pipelines_tests.scrapes.parsing import OPENALEX_URL, hub_item, hub_page, read
from coevo_pipelines_tests.scrapes.parsing import page as openalex_page
from coevo_pipelines_tests.scrapes.recordings import answer

LINES = {
    "digits": "1", "dots": ".", "letters": "a", "slashes": "/", "opening": "(", "closing": ")", "brackets": "](",
    "ten": "10.", "doi": "10.1000/", "commas": "10.1000/a,", "sici": "10.1000/<a>1", "open sici": "10.1000/<",
    "arxiv": "arxiv:", "arxiv id": "arxiv:2401.01234 ", "archive": "cond-mat/", "github": "github.com/",
    "repository": "github.com/a/b ", "owner": "github.com/a-", "hub": "huggingface.co/", "datasets": "hf.co/datasets/",
    "model": "hf.co/a/b", "percent": "https://a%", "encoded": "https://a%41 ", "scheme": "http://",
    "eprint": "eprint = {",
    "spaces": " ", "badge": "https://img.shields.io/", "papers": "papers/", "dashes": "-", "underscores": "_a",
    "at": "a@", "address": "a@b.c ", "orcid": "0000-", "stars": "*a*",
}  # fmt: skip
WORDS = {
    "braces": "{", "accents": "\\'{", "fractions": "\\frac{", "roots": "\\sqrt[", "dollars": "$", "begin": "\\begin{a}",
    "closed": "{\\'e}", "names": "A. B, ", "and": " and ", "groups": "the X Collaboration ", "for": " for the group",
    "colons": "group: ", "parens": "(1) ((1) ", "semicolons": ";", "escaped": "\\\\'e", "et al": " et al",
    "suffix": ", Jr", "spaces": " ", "of": " on behalf of ",
}  # fmt: skip


def grows(run: Callable[[str], object], text: str, size: int) -> float:
    """How often as much work for four times as much: 4 is linear, 16 is quadratic. Of three tries the best."""
    ratios = []
    for _ in range(3):
        took = []
        for length in (size, 4 * size):
            repeated = text * (length // len(text))
            started = time.process_time()
            run(repeated)
            took.append(time.process_time() - started)
        if took[1] < 0.05:
            return 0.0
        ratios.append(took[1] / took[0])
    return min(ratios)


def consumed(text: str) -> None:
    for _ in identifiers.in_text(text):
        pass


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_a_long_line_is_read_in_linear_time(text: str) -> None:
    assert grows(consumed, text, 50_000) < 9


@pytest.mark.parametrize("name", ["identifiers.arxiv", "identifiers.doi", "identifiers.orcid", "funding.recognized"])
@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_a_long_identifier_is_read_in_linear_time(name: str, text: str) -> None:
    assert grows(lambda long: TARGETS[name].run(long.encode()), text, 50_000) < 9


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
def test_a_long_list_of_authors_is_read_in_linear_time(text: str) -> None:
    assert grows(lambda long: TARGETS["authors"].run(long.encode()), text, 5_000) < 9


@pytest.mark.parametrize("name", ["github.file pyproject.toml", "github.file Cargo.toml", "register.read"])
def test_a_long_key_is_read_in_linear_time(name: str) -> None:
    """tomllib alone takes four times as long for a key of twice as many parts: minutes for 1 MB."""
    assert grows(lambda long: TARGETS[name].run(f"[a{long}]".encode()), ".a", 8_000) < 9


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("most", [30, 300, 1_000, 100_000])
def test_a_hostile_name_is_decoded_at_once(text: str, most: int) -> None:
    """`\\frac{` fourteen times took five seconds."""
    started = time.process_time()
    for end in ("", "a", "a" + "}" * (most // len(text))):
        identifiers.decode_latex((text * most)[:most] + end)
    assert time.process_time() - started < 1


BODIES: dict[str, bytes] = {
    "deep list": b"[" * 200_000,
    "deep object": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "digits": b"[" + b"9" * 100_000 + b"]",
    "exponent": b"[1e" + b"9" * 1_000 + b"]",
    "not a number": b'{"results": [NaN, Infinity, -Infinity]}',
    "null bytes": b"\x00" * 1_000,
    "utf-16": "{}".encode("utf-16"),
    "half a pair": b'["\\ud800"]',
    "entities": b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>',
    "outside entity": b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>',
    "attributes": b"<a " + b" ".join(b'a%d="x"' % number for number in range(100_000)) + b"/>",
    "deep elements": b"<a>" * 100_000,
    "elements": b"<a>" + b"<b/>" * 100_000 + b"</a>",
    "namespaces": b"<a " + b" ".join(b'xmlns:a%d="x"' % number for number in range(20_000)) + b"/>",
    "long text": b"<a>" + b"x" * 11_000_000 + b"</a>",
    "entries": FEED.encode() * 100,
    "toml deep": b"a = " + b"[" * 100_000,
    "toml tables": b"[a" + b".a" * 10_000 + b"]",
    "toml digits": b"a = " + b"1" * 100_000,
    "yaml aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)),
    "yaml deep": b"[" * 50_000,
    "yaml nested": b"".join(b" " * n + b"- a:\n" for n in range(2_000)),
    "yaml merge": b"a: &a {<<: *a}",
    "yaml tag": b"!!python/object/apply:os.system [exit 1]",
    "yaml keys": b"? [a]\n: b\n? {c: d}\n: e",
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_hostile_body_ends_soon_and_small(name: str, body: bytes) -> None:
    if name == "Redactor" and len(body) > 1_000_000:
        pytest.skip("no header or address is so long")
    started = time.process_time()
    TARGETS[name].run(body)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("body", [body for body in BODIES.values() if len(body) < 2_000_000])
@pytest.mark.parametrize("read_body", [json_value, xml_root])
def test_a_hostile_body_takes_little_memory(read_body: Callable[[bytes], object], body: bytes) -> None:
    tracemalloc.start()
    try:
        read_body(body)
    except ParseError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100 << 20


# What was found, at its smallest

FOUND: tuple[tuple[str, bytes], ...] = (
    ("Journal", b"1\n"),  # AttributeError: JSON, but no object
    ("Journal", b"[]\n"),
    ("identifiers.decode_latex", b"\\frac{" * 40),  # hours
    ("authors", b"A. B, " + b"\\sqrt[" * 40),  # hours
)


@pytest.mark.parametrize(("name", "body"), FOUND)
def test_what_was_found_stays_mended(name: str, body: bytes) -> None:
    TARGETS[name].run(body)


@pytest.mark.parametrize(
    "written",
    ["0000-00-00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z",
     "2026-11-03T24:00:00Z", "2026-W45-2", "1e9", "", "٢٠٢٦-١١-٠٣"],
)  # fmt: skip
def test_a_date_from_the_edge_of_the_calendar(written: str) -> None:
    """Works of such a day are outside of the window, or rejects."""
    traces = read("huggingface", hub_page(hub_item(createdAt=written)))
    heights = conforming(traces)
    assert heights["traces.works"] + heights["traces.rejects"] + traces.outside_window == 1


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "\ud800", "\uffff", "\ufeff", "\u202e", "'; DROP TABLE x; --"])
def test_strange_text_goes_into_parquet_and_out_of_duckdb(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What Parquet holds, DuckDB reads back the same; half of a pair has become a question mark."""
    traces = read("huggingface", hub_page(hub_item(tags=[text], sha=text, pipeline_tag=text)))
    assert conforming(traces)["traces.works"] == 1
    path = tmp_path_factory.mktemp("strange") / "works.parquet"
    frame = traces.frame("works")
    frame.write_parquet(path)
    with duckdb.connect() as connection:
        (row,) = connection.execute(f"SELECT version, tags, fields FROM '{path}'").fetchall()
        expected = text.encode("utf-8", "replace").decode()
        assert row == (expected, [expected], [expected])
        found = connection.execute(f"SELECT count(*) FROM '{path}' WHERE version = ?", [expected]).fetchall()
        assert found == [(1,)]


def test_counts_beyond_what_a_table_holds() -> None:
    for count in (2**63, 10**400, -1, 1.5, True, "7"):
        traces = read("huggingface", hub_page(hub_item(likes=count)))
        heights = conforming(traces)
        assert (heights["traces.works"], heights["traces.rejects"]) == (1, 1)


def test_a_body_of_many_items_becomes_rows_in_proportion() -> None:
    """Memory of rows is bounded by the body's: nothing multiplies."""
    body = openalex_page(*[{"id": "https://openalex.org/W1", "publication_date": "2024-01-02", "title": "t"}] * 20_000)
    traces = read("openalex", answer(OPENALEX_URL, body))
    assert traces.frame("works").estimated_size() < 4 * len(body)
