"""Exchanges: what is stored of them, what is taken out first, and the journal that survives a killed process."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.scrapes.exchange import REDACTED, Exchange, Journal, Redactor

NOON = datetime(2026, 1, 5, 12, 30, 15, 123456, tzinfo=UTC)
SECRET = "ghp_0123456789"
ONE = Exchange("GET", "https://api.example.org/works?page=1", 200, {"content-type": "text/plain"}, NOON, b"one")
TWO = replace(ONE, url="https://api.example.org/works?page=2", body=b"two\n\x00\xff", topic="swarm-intelligence")
LOST = replace(ONE, url="https://api.example.org/works?page=3", status=None, headers={}, body=b"", error="reset")

UNHURRIED = settings(deadline=None, max_examples=50)

# Header values arrive decoded as Latin-1: any byte can be in them, line ends of all kinds included.
header_text = st.text(st.characters(max_codepoint=255), max_size=30)
exchanges = st.builds(
    Exchange,
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    url=st.text(min_size=1, max_size=60),
    status=st.none() | st.integers(100, 599),
    headers=st.dictionaries(header_text, header_text, max_size=4),
    fetched_at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
    body=st.binary(max_size=200),
    error=st.none() | st.text(max_size=40),
    topic=st.none() | st.text(max_size=20),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "day.jsonl"


# --- exchanges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "ok"),
    [
        *((status, None, True) for status in (200, 204, 301, 399)),
        *((status, None, False) for status in (400, 404, 451, 500, None)),
        *((status, "reset", False) for status in (None, 200, 503)),
    ],
)
def test_only_an_answer_without_error_is_ok(status: int | None, error: str | None, ok: bool) -> None:
    assert replace(ONE, status=status, error=error).ok is ok


@UNHURRIED
@given(exchange=exchanges, capture=st.integers(1, 99), sequence=st.integers(1, 99))
def test_a_row_gives_back_the_exchange(exchange: Exchange, capture: int, sequence: int) -> None:
    row = exchange.row(capture, sequence)
    assert Exchange.from_row(row) == exchange
    assert (row["capture"], row["sequence"]) == (capture, sequence)
    assert row["body_bytes"] == len(exchange.body)
    assert row["body_sha256"] == exchange.body_sha256 == hashlib.sha256(exchange.body).hexdigest()


def test_a_row_does_not_depend_on_the_order_of_headers() -> None:
    forwards = replace(ONE, headers={"a": "1", "b": "2"})
    backwards = replace(ONE, headers={"b": "2", "a": "1"})
    assert forwards.row(1, 1) == backwards.row(1, 1)


# --- redactor ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://x.org/works?page=2", "https://x.org/works?page=2"),
        ("https://x.org/works?q=a%20b&page=2", "https://x.org/works?q=a%20b&page=2"),
        ("https://x.org/works?api_key=whatever", f"https://x.org/works?api_key={REDACTED}"),
        ("https://x.org/works?a=&API_KEY=whatever&b=2", f"https://x.org/works?a=&API_KEY={REDACTED}&b=2"),
        ("https://x.org/works?token=1&token=2", f"https://x.org/works?token={REDACTED}&token={REDACTED}"),
        ("https://x.org/works?monkey=3&keyword=4", "https://x.org/works?monkey=3&keyword=4"),
        ("https://me:pass@x.org/works", "https://x.org/works"),
        ("https://me:pass@x.org:8443/works?key=1", f"https://x.org:8443/works?key={REDACTED}"),
        (f"https://x.org/{SECRET}/works", f"https://x.org/{REDACTED}/works"),
        (f"https://x.org/works?q={SECRET}", f"https://x.org/works?q={REDACTED}"),
        ("sample://openalex/works?cursor=*", "sample://openalex/works?cursor=*"),
        ("sample://openalex/works?cursor=*&api_key=1", f"sample://openalex/works?cursor=%2A&api_key={REDACTED}"),
    ],
)
def test_urls_lose_their_secrets_and_nothing_else(url: str, kept: str) -> None:
    redactor = Redactor([SECRET])
    assert redactor.url(url) == kept
    assert redactor.url(kept) == kept


def test_headers_that_hold_secrets_are_left_out_and_the_others_searched() -> None:
    headers = {
        "Authorization": "Basic abc", "Proxy-Authorization": "x", "Set-Cookie": "a=b",
        "COOKIE": "a=b", "X-Api-Key": "k", "Link": f"<https://x.org/?t={SECRET}>", "Content-Type": "text/plain",
    }  # fmt: skip
    assert Redactor([SECRET]).headers(headers) == {
        "link": f"<https://x.org/?t={REDACTED}>",
        "content-type": "text/plain",
    }


@UNHURRIED
@given(before=st.binary(max_size=50), after=st.binary(max_size=50), times=st.integers(0, 3))
def test_a_body_loses_every_occurrence_and_no_other_byte(before: bytes, after: bytes, times: int) -> None:
    redacted = Redactor([SECRET]).body(before + SECRET.encode() * times + after)
    assert redacted == before + REDACTED.encode() * times + after


@UNHURRIED
@given(body=st.binary(max_size=100), text=st.text(max_size=100))
def test_without_secrets_everything_stays(body: bytes, text: str) -> None:
    redactor = Redactor([""])
    assert redactor.body(body) == body
    assert redactor.text(text) == text


def test_several_secrets_and_secrets_beyond_ascii_are_taken_out() -> None:
    redactor = Redactor(["pässwörd", SECRET])
    assert redactor.body(f"a pässwörd b {SECRET}".encode()) == f"a {REDACTED} b {REDACTED}".encode()
    assert redactor.text(f"a pässwörd b {SECRET}") == f"a {REDACTED} b {REDACTED}"


def test_a_secret_that_begins_another_leaves_no_rest() -> None:
    assert Redactor([SECRET, f"{SECRET}-and-more"]).text(f"{SECRET}-and-more") == REDACTED


# --- journal -------------------------------------------------------------------------------------------


@UNHURRIED
@given(kept=st.lists(exchanges, max_size=5))
def test_what_is_appended_is_read_back_whatever_its_bytes(kept: list[Exchange]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl"
        writing = Journal(path)
        for exchange in kept:
            writing.append(exchange)
        assert writing.exchanges == kept
        assert Journal(path).exchanges == kept
        if kept:
            assert path.read_bytes().count(b"\n") == len(kept)  # one line each, whatever is in it


def test_times_come_back_with_their_zone(path: Path) -> None:
    Journal(path).append(ONE)
    (read,) = Journal(path).exchanges
    assert read.fetched_at == NOON
    assert read.fetched_at.utcoffset() == timedelta(0)


def test_a_journal_that_is_not_there_is_empty_and_not_made_by_reading(path: Path) -> None:
    assert Journal(path).exchanges == []
    assert not path.exists()
    assert not path.parent.exists()


def test_an_empty_file_is_an_empty_journal(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    journal = Journal(path)
    assert journal.exchanges == []
    journal.append(ONE)
    assert Journal(path).exchanges == [ONE]


def test_each_append_is_in_the_file_at_once(path: Path) -> None:
    journal = Journal(path)
    for number, exchange in enumerate((ONE, TWO, LOST), start=1):
        journal.append(exchange)
        assert len(Journal(path).exchanges) == number


def test_whatever_was_half_written_is_dropped_the_file_repaired_and_appended_to(path: Path) -> None:
    journal = Journal(path)
    journal.append(ONE)
    whole = path.read_bytes()
    journal.append(TWO)
    both = path.read_bytes()
    for cut in range(len(whole), len(both)):  # killed after any byte of the second line
        path.write_bytes(both[:cut])
        repaired = Journal(path)
        assert repaired.exchanges == [ONE], cut
        assert path.read_bytes() == whole, cut
        repaired.append(LOST)
        assert Journal(path).exchanges == [ONE, LOST], cut


def test_a_first_line_that_was_half_written_leaves_an_empty_journal(path: Path) -> None:
    Journal(path).append(ONE)
    path.write_bytes(path.read_bytes()[:-1])
    repaired = Journal(path)
    assert repaired.exchanges == []
    assert path.read_bytes() == b""
    repaired.append(TWO)
    assert Journal(path).exchanges == [TWO]


def test_a_whole_journal_is_not_touched_by_reading(path: Path) -> None:
    journal = Journal(path)
    journal.append(ONE)
    journal.append(TWO)
    before = path.read_bytes()
    assert Journal(path).exchanges == [ONE, TWO]
    assert path.read_bytes() == before


def test_a_removed_journal_is_gone_and_can_be_removed_again(path: Path) -> None:
    journal = Journal(path)
    journal.append(ONE)
    journal.remove()
    journal.remove()
    assert not path.exists()
    assert Journal(path).exchanges == []


def test_who_dies_while_a_journal_is_written_anew_leaves_the_old_one(path: Path) -> None:
    journal = Journal(path)
    for exchange in (ONE, LOST, TWO):
        journal.append(exchange)
    died = replace(TWO, headers={"of": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        journal.rewrite([ONE, died])
    assert Journal(path).exchanges == journal.exchanges == [ONE, LOST, TWO]
    journal.keep_good()
    assert Journal(path).exchanges == journal.exchanges == [ONE, TWO]


def test_a_line_damaged_in_the_middle_is_asked_again_and_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(path)
    journal.append(ONE)
    journal.append(TWO)
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(first[:-10] + b"\n" + second + b"\n")
    caplog.set_level("WARNING", "coevo_pipelines")
    assert Journal(path).exchanges == [TWO]
    assert f"{path} line 1 is damaged" in caplog.text


# --- addresses and hidden secrets ----------------------------------------------------------------------


def test_a_file_in_base64_loses_both_and_stays_a_file() -> None:
    said = b"x" * 100 + f"\nAsk ada@example.org, key {SECRET}\n".encode() + b"y" * 100
    for packed in (base64.encodebytes(said).decode(), base64.b64encode(said).decode()):
        body = json.dumps({"encoding": "base64", "content": packed, "size": len(said)}).encode()
        kept = json.loads(Redactor([SECRET]).body(body))
        assert kept["content"].count("\n") >= packed.count("\n")
        text = base64.b64decode(kept["content"])
        assert text == said.replace(b"ada@example.org", b"cfe00dde@redacted.invalid").replace(
            SECRET.encode(), REDACTED.encode()
        )
    plain = json.dumps({"encoding": "base64", "content": base64.encodebytes(b"nothing here" * 20).decode()}).encode()
    assert Redactor([SECRET]).body(plain) == plain


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_file_in_a_wide_encoding_loses_both_and_stays_a_file(encoding: str) -> None:
    said, plain = f"\ufeffÄsk ada@example.org, key {SECRET} 🙂".encode(encoding), "\ufeffÄsk nobody".encode(encoding)
    redactor, left = Redactor([SECRET]), "\ufeffÄsk cfe00dde@redacted.invalid, key REDACTED 🙂"
    assert redactor.body(said).decode(encoding) == left
    packed = json.dumps({"encoding": "base64", "content": base64.b64encode(said).decode()}).encode()
    assert base64.b64decode(json.loads(redactor.body(packed))["content"]).decode(encoding) == left
    assert redactor.body(plain + b"\xff") == plain + b"\xff"


@pytest.mark.parametrize("pad", ["", "u", "us", "user:"])
def test_a_secret_inside_base64_is_overwritten_and_what_is_around_it_stays(pad: str) -> None:
    secret = "planted-secret/+0123456789"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        packed = encode(f"{pad}{secret}".encode())
        kept = Redactor([secret]).body(b"Basic " + packed + b" end")
        assert len(kept) == len(b"Basic " + packed + b" end")
        assert kept.startswith(b"Basic ") and kept.endswith(b" end")
        assert secret.encode()[2:-2] not in base64.b64decode(kept[6:-4].replace(b"-", b"+").replace(b"_", b"/"))


def test_signed_links_lose_their_signatures_and_the_asker_his_address() -> None:
    redactor = Redactor()
    location = "https://cdn.example.org/a?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=0af&sig=ab%3D&page=2#token"
    assert redactor.headers({"Location": location}) == {
        "location": "https://cdn.example.org/a?X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED&sig=REDACTED&page=2#token"
    }
    assert redactor.url("https://x.org/works?mailto=ada%40example.org&rows=2#ids=1,2") == (
        "https://x.org/works?mailto=REDACTED&rows=2#ids=1,2"
    )
    assert redactor.url("https://ghp_x@x.org/works") == "https://x.org/works"
    assert redactor.text("asked by ada@example.org") == "asked by cfe00dde@redacted.invalid"
    assert "user-agent" not in redactor.headers({"User-Agent": "x"})


def test_who_keeps_addresses_keeps_them_in_bodies_only() -> None:
    redactor = Redactor([SECRET], keeps_addresses=True)
    assert redactor.body(f"ada@example.org {SECRET}".encode()) == b"ada@example.org REDACTED"
    assert redactor.text("ada@example.org") == "cfe00dde@redacted.invalid"
