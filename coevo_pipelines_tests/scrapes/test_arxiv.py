"""arXiv's Atom feeds as the service really answered; expected values were read off the recordings.

Every Atom recording is read here: the eleven pages of one search (2026), the page of 2019, the quoted error feed and
the quoted refusals. Other snapshots of arXiv's metadata (docmeta, Kaggle, the dump of 2020) share no paper with them:
see test_arxiv_oai.py and traces/test_authors.py for what those are used for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.collect import Capture, collect
from coevo_pipelines.scrapes.exchange import Journal
from coevo_pipelines.scrapes.session import Endpoint
from coevo_pipelines.settings import load_settings
from coevo_pipelines.traces.normalize import frames
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.misbehaving import Answer, misbehaving
from coevo_pipelines_tests.scrapes.parsing import (
    ARXIV_100,
    ARXIV_2019,
    ARXIV_PAGES,
    ARXIV_URL,
    GRACE,
    WIDE,
    by_id,
    counts,
    day,
    entry,
    feed,
    names,
    part,
    read,
    reasons,
    regression,
    without_provenance,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchanges, file, json_lines, recordings


def test_arxiv_page_of_100_begins_with_the_six_pages_of_10() -> None:
    whole = read("arxiv", *exchanges(ARXIV_100))
    pages = read("arxiv", *(one for name in ARXIV_PAGES for one in exchanges(name)))
    assert (len(whole.rows["works"]), len(pages.rows["works"])) == (100, 60)
    assert whole.rows["rejects"] == pages.rows["rejects"] == []
    kept = {row["work_id"] for row in pages.rows["works"]}
    for table, rows in without_provenance(whole).items():
        key = "left_id" if table == "identities" else "work_id"
        assert [row for row in rows if row.get(key) in kept] == without_provenance(pages)[table], table


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("s0_m15_80c242b59d59", 0, 15),
        ("s5_m10_c0e94a259d4a", 5, 15),
        ("s5_m15_bbcf6b23085b", 5, 20),
        ("s9_m15_0b78d4b4d476", 9, 24),
    ],
)
def test_arxiv_pages_overlap_as_their_offsets_say(name: str, first: int, last: int) -> None:
    whole = [row["work_id"] for row in read("arxiv", *exchanges(ARXIV_100)).rows["works"]]
    page = read("arxiv", *exchanges(f"arxiv/atom_2026_arxivpy/q_testing_{name}.json"))
    assert [row["work_id"] for row in page.rows["works"]] == whole[first:last]


def test_arxiv_pages_that_overlap_are_one_row_a_paper() -> None:
    names_of = sorted((recordings() / "arxiv/atom_2026_arxivpy").glob("*.json"))
    assert len(names_of) == 11
    traces = read("arxiv", *(one for name in names_of for one in exchanges(f"arxiv/atom_2026_arxivpy/{name.name}")))
    assert len(traces.rows["works"]) == 100 + 6 * 10 + 15 + 10 + 15 + 15
    once = read("arxiv", *exchanges(ARXIV_100))
    tables, expected = (frames([one], WIDE, GRACE) for one in (traces, once))
    for name in ("traces.works", "traces.people", "traces.identities", "traces.texts"):
        key = list(schemas.table(name).key)
        rows, others = (each[name].drop("raw_sha256").sort(key) for each in (tables, expected))
        assert rows.equals(others), name
    assert tables["traces.works"].height == 100


def test_arxiv_entry_with_an_old_identifier() -> None:
    traces = read("arxiv", *exchanges(ARXIV_100))
    said = exchanges(ARXIV_100)[0]
    at = datetime(2001, 3, 17, 21, 54, 18, tzinfo=UTC)
    assert by_id(traces)["arxiv:gr-qc/0103067"] == {
        "work_id": "arxiv:gr-qc/0103067",
        "source": "arxiv",
        "kind": "paper",
        "event": "created",
        "event_at": at,
        "title": "Principles of Equivalence: Their Role in Gravitation Physics and Experiments that Test Them",
        "created_at": at,
        "version": "v1",
        "status": "active",
        "license": None,
        "owner": None,
        "native_id": "gr-qc/0103067",
        "url": "https://arxiv.org/abs/gr-qc/0103067",
        "fields": ["gr-qc"],
        "tags": [],
        "topics": [],
        "observed_at": said.fetched_at,
        "raw_sha256": said.body_sha256,
    }
    assert names(traces, "arxiv:gr-qc/0103067") == ["Mark P. Haugan", "C. Lämmerzahl"]
    same = [row for row in traces.rows["identities"] if row["left_id"] == "arxiv:gr-qc/0103067"]
    assert [(row["right_id"], row["same"], row["evidence"]) for row in same] == [
        ("doi:10.1007/3-540-40988-2_10", True, "arxiv:doi")
    ]


@pytest.mark.parametrize(
    ("work_id", "version", "created", "fields"),
    [
        ("arxiv:2202.12139", "v1", "2022-02-24T15:05:19", ["cs.SE", "cs.LG"]),
        ("arxiv:2005.14124", "v2", "2020-05-28T16:19:50", ["cs.SE", "cs.CR", "cs.LG"]),
        ("arxiv:2409.05654", "v9", "2024-09-09T14:21:19", ["math.ST"]),
        ("arxiv:cs/0503050", "v1", "2005-03-21T21:26:48", ["cs.SE"]),
        ("arxiv:hep-ph/0301050", "v2", "2003-01-08T20:15:43", ["hep-ph"]),
        ("arxiv:2008.01944", "v1", "2020-08-05T05:32:21", ["q-bio.QM", "cs.IT", "eess.SP", "stat.AP"]),
    ],
)
def test_arxiv_version_date_and_categories(work_id: str, version: str, created: str, fields: list[str]) -> None:
    row = by_id(read("arxiv", *exchanges(ARXIV_100)))[work_id]
    expected = {
        "version": version,
        "created_at": datetime.fromisoformat(created).replace(tzinfo=UTC),
        "event_at": datetime.fromisoformat(created).replace(tzinfo=UTC),
        "fields": fields,
    }
    assert part(row, expected) == expected


@pytest.mark.parametrize(
    ("work_id", "people"),
    [
        ("arxiv:2405.13786", ["Aurora Ramírez", "Mario Berrios", "José Raúl Romero", "Robert Feldt"]),
        ("arxiv:2202.06271", ["Katharina Götz", "Patric Feldmeier", "Gordon Fraser"]),
        ("arxiv:2104.11069", ["Ivan Porres", "Hergys Rexha", "Sébastien Lafond"]),
        ("arxiv:2602.15552", ["Giorgi Merabishvili", "Oliver Weißl", "Andrea Stocco"]),
    ],
)
def test_arxiv_accents(work_id: str, people: list[str]) -> None:
    assert names(read("arxiv", *exchanges(ARXIV_100)), work_id) == people


def test_arxiv_affiliations_are_no_names() -> None:
    """The one recorded entry with <arxiv:affiliation> (LRI, IBISC)."""
    traces = read("arxiv", *exchanges(ARXIV_100))
    assert "LRI" in exchanges(ARXIV_100)[0].body.decode()
    assert names(traces, "arxiv:0804.0970") == ["Marie-Claude Gaudel", "Pascale Le Gall"]


def test_arxiv_title_keeps_its_formula() -> None:
    works = by_id(read("arxiv", *exchanges(ARXIV_100)))
    assert works["arxiv:2306.03845"]["title"] == "$ω$Test: WebView-Oriented Testing for Android Applications"


def test_arxiv_topics_come_from_the_text_and_from_what_was_asked() -> None:
    recorded = exchanges(ARXIV_100)[0]
    named = {work for work, row in by_id(read("arxiv", recorded)).items() if row["topics"]}
    assert {"arxiv:1904.08007", "arxiv:2312.06056", "arxiv:2502.09460"} <= named
    assert named.isdisjoint({"arxiv:gr-qc/0103067", "arxiv:2202.12139"})
    asked = answer(recorded.url, recorded.body, topic="swarm-intelligence")
    works = by_id(read("arxiv", asked))
    assert works["arxiv:gr-qc/0103067"]["topics"] == ["swarm-intelligence"]
    assert works["arxiv:1904.08007"]["topics"] == ["swarm-intelligence", "testing"]


@pytest.mark.parametrize(
    ("window", "stored", "outside"),
    [
        (day(2005, 3, 21), ["arxiv:cs/0503050"], 99),
        (day(2005, 3, 22), [], 100),
        (day(2022, 2, 18), ["arxiv:2202.09076"], 99),
        (day(1990, 1, 1), [], 100),
    ],
)
def test_arxiv_other_days_are_counted_and_not_stored(window: Window, stored: list[str], outside: int) -> None:
    traces = read("arxiv", *exchanges(ARXIV_100), window=window)
    assert list(by_id(traces)) == stored
    assert {row["work_id"] for row in traces.rows["people"]} == set(stored)
    assert traces.outside_window == outside
    assert traces.rows["rejects"] == []


def test_a_window_holds_its_start_and_not_its_end() -> None:
    at = datetime(2005, 3, 21, 21, 26, 48, tzinfo=UTC)
    second = timedelta(seconds=1)
    begins = read("arxiv", *exchanges(ARXIV_100), window=Window(at.date(), at, at + second))
    ends = read("arxiv", *exchanges(ARXIV_100), window=Window(at.date(), at - second, at))
    assert (len(begins.rows["works"]), len(ends.rows["works"])) == (1, 0)


def test_arxiv_dialect_of_2019() -> None:
    traces = read("arxiv", answer(ARXIV_URL, file(ARXIV_2019)))
    works = by_id(traces)
    assert list(works) == [
        "arxiv:1501.05039",
        "arxiv:1503.01162",
        "arxiv:quant-ph/0210005",
        "arxiv:0808.0631",
        "arxiv:0808.0638",
        "arxiv:0808.0639",
        "arxiv:0705.1367",
        "arxiv:1802.03292",
        "arxiv:physics/0507092",
        "arxiv:1312.7288",
    ]
    assert works["arxiv:1503.01162"]["title"] == (
        "Report on a Boston University Conference December 7-8, 2012 on 'How Can the History and Philosophy of "
        "Science Contribute to Contemporary U.S. Science Teaching?'"
    )
    assert works["arxiv:1802.03292"]["fields"] == ["cs.LO", "03B70, 68Q99", "F.4.1; F.4.m; K.2"]
    assert works["arxiv:1503.01162"]["fields"] == ["physics.ed-ph", "physics.hist-ph", "physics.soc-ph"]
    assert names(traces, "arxiv:1503.01162")[-1] == "Yann Benétreau-Dupin"
    assert names(traces, "arxiv:physics/0507092") == ["G. Giacomelli", "R. Giacomelli"]
    assert [(row["left_id"], row["right_id"]) for row in traces.rows["identities"]] == [
        ("arxiv:1503.01162", "doi:10.1007/s11191-014-9716-8"),
        ("arxiv:0808.0631", "doi:10.1214/07-sts246b"),
        ("arxiv:0808.0638", "doi:10.1214/07-sts246a"),
        ("arxiv:0808.0639", "doi:10.1214/08-sts246rej"),
        ("arxiv:physics/0507092", "doi:10.1142/9789812701893_0020"),
        ("arxiv:1312.7288", "doi:10.18483/ijsci.364"),
    ]
    assert traces.rows["rejects"] == []


def test_arxiv_title_may_be_0() -> None:
    assert by_id(read("arxiv", answer(ARXIV_URL, feed(entry(title="0")))))["arxiv:2401.01234"]["title"] == "0"


def test_arxiv_unknown_identifier_gives_nothing() -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed()))
    assert (counts(traces), traces.outside_window) == ({}, 0)


def test_arxiv_error_feed() -> None:
    quoted = next(one for one in json_lines("evidence/issue_quoted_responses.jsonl") if "error_feed" in one["kind"])
    as_sent = read("arxiv", answer(ARXIV_URL, quoted["verbatim"], status=400))
    assert counts(as_sent) == {}
    as_success = read("arxiv", answer(ARXIV_URL, quoted["verbatim"]))
    assert reasons(as_success) == [
        ("entry 1", "the service answered with an error entry: start must be an integer"),
    ]
    assert counts(as_success) == {"rejects": 1}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("<arxiv:comment>This paper has been Withdrawn by the author</arxiv:comment>", "withdrawn"),
        ("<summary> </summary><arxiv:comment>withdrawn</arxiv:comment>", "withdrawn"),
        ("<summary>Text</summary><arxiv:comment>an older version was withdrawn</arxiv:comment>", "active"),
        (
            "<summary>Text</summary><arxiv:comment>5 pages. This paper has been withdrawn by A</arxiv:comment>",
            "withdrawn",
        ),
        ("<summary>Text</summary><arxiv:comment>Withdrawn by the author</arxiv:comment>", "withdrawn"),
        ("<summary>Text</summary><arxiv:comment>This article is withdrawn: sign error</arxiv:comment>", "withdrawn"),
        ("<summary>Text</summary><arxiv:comment>withdraw the results on CNN data</arxiv:comment>", "active"),
        ("<summary>Text</summary><arxiv:comment>Accepted in 2012 but was withdrawn</arxiv:comment>", "active"),
        ("<summary>This paper has been withdrawn</summary>", "active"),
        ("", "active"),
    ],
)
def test_arxiv_withdrawn(more: str, status: str) -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))))
    assert [row["status"] for row in traces.rows["works"]] == [status]


@pytest.mark.parametrize(
    ("updated", "status"),
    [
        ("2024-01-02T23:59:59Z", "withdrawn"),
        ("2024-01-03T00:00:00Z", "active"),
        ("2026-05-05T05:05:05Z", "active"),
    ],
)
def test_arxiv_withdrawn_later_is_not_withdrawn_on_the_day(updated: str, status: str) -> None:
    more = f"<updated>{updated}</updated><arxiv:comment>This paper has been withdrawn</arxiv:comment>"
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))), window=day(2024, 1, 2))
    assert [row["status"] for row in traces.rows["works"]] == [status]


def test_arxiv_two_dois_are_two_identities() -> None:
    more = "<arxiv:doi>10.1007/JHEP12(2010)070 10.1007/JHEP02(2011)044</arxiv:doi>"
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))))
    same = [row["right_id"] for row in traces.rows["identities"]]
    assert same == ["doi:10.1007/jhep12(2010)070", "doi:10.1007/jhep02(2011)044"]


def test_arxiv_topic_in_the_comment_counts_as_the_search_counts_it() -> None:
    more = "<arxiv:comment>From an ant colony</arxiv:comment>"
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))))
    assert [row["topics"] for row in traces.rows["works"]] == [["testing"]]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (entry(title=""), "arxiv:2401.01234 has no title"),
        (entry(number="nonsense"), "not an arXiv identifier: 'http://arxiv.org/abs/nonsense'"),
        ("<entry/>", "an arXiv identifier is missing"),
        (entry().replace("2024-01-02T03", "2024-13-02T03"), "not a date: '2024-13-02T03:04:05Z'"),
        (entry().replace("published", "updated"), "a date is missing or not text: None"),
    ],
)
def test_arxiv_one_bad_entry_rejects_itself_only(broken: str, reason: str) -> None:
    body = feed(entry(number="2401.00001"), broken, entry(number="2401.00002"))
    traces = read("arxiv", answer(ARXIV_URL, body))
    assert list(by_id(traces)) == ["arxiv:2401.00001", "arxiv:2401.00002"]
    assert [row["work_id"] for row in traces.rows["people"]] == ["arxiv:2401.00001", "arxiv:2401.00002"]
    assert reasons(traces) == [("entry 2", reason)]


def test_arxiv_bad_doi_does_not_cost_the_paper() -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more="<arxiv:doi>nonsense</arxiv:doi>"))))
    assert list(by_id(traces)) == ["arxiv:2401.01234"]
    assert reasons(traces) == [("arxiv:2401.01234 doi", "not a DOI: 'nonsense'")]


def test_arxiv_decodes_latex_in_names() -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(name="Paul Erd\\H{o}s"))))
    assert names(traces, "arxiv:2401.01234") == ["Paul Erdős"]


@pytest.mark.parametrize(
    "name",
    [
        "\\",
        "{",
        "\\unknown",
        regression("IndexError from pylatexenc passes Traces.item and ends the whole day", "\\verb"),
        regression("RecursionError from pylatexenc passes Traces.item and ends the whole day", "{" * 3000),
        regression("KeyError from pylatexenc rejects a paper for how a name is written", "\\sqrt["),
    ],
)
def test_arxiv_strange_name_does_not_cost_the_paper(name: str) -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(name=name))))
    assert list(by_id(traces)) == ["arxiv:2401.01234"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not XML"),
        (b"Rate exceeded.", "not XML"),
        (b"<html><body>503</body></html>", "the root element is 'html', not an Atom feed"),
        (b"<feed/>", "the root element is 'feed', not an Atom feed"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "not XML"),
        (b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>', "not XML"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "not XML"),
        (b"<a>" * 50_000, "not XML"),
    ],
)
def test_arxiv_body_that_is_no_feed(body: bytes, reason: str) -> None:
    traces = read("arxiv", answer(ARXIV_URL, body))
    assert counts(traces) == {"rejects": 1}
    assert traces.rows["rejects"][0]["locator"] == "body"
    assert traces.rows["rejects"][0]["reason"].startswith(reason)


# Asking


def ask(url: str, folder: Path, **http: Any) -> Capture:
    settings = load_settings(
        http={"retries": 1, "backoff_s": 0.01} | http, sources={"arxiv": {"page_size": 10}}, start_date=date(2024, 1, 1)
    )
    where = Endpoint(f"{url}/arxiv", "sample://arxiv", lambda: datetime(2024, 1, 3, 2, tzinfo=UTC))
    return collect("arxiv", settings.window(date(2024, 1, 2)), settings, where, Journal(folder / "journal.jsonl"))


def papers(total: int, *numbers: int) -> Answer:
    found = "".join(entry(number=f"2401.{number:05}v1") for number in numbers)
    announced = f'<o:totalResults xmlns:o="http://a9.com/-/spec/opensearch/1.1/">{total}</o:totalResults>'
    return Answer(200, feed(announced, found).encode(), {"Content-Type": "application/atom+xml"})


TEN = tuple(range(10))


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        ([papers(12, *TEN), papers(12, 10, 11)], ""),
        ([papers(12, *TEN), papers(12), papers(12, 10, 11)], ""),
        ([papers(12, *TEN), papers(12, *TEN), papers(12, 10, 11)], ""),
        ([papers(12, *TEN), papers(12, 8, 9, 10), papers(12, 11)], "/api/query: 11 papers came, 12 were announced"),
        ([papers(25, *TEN), papers(25, *TEN), papers(25, *TEN)], "page at 10 of 25 results repeats what came before"),
        ([papers(25, *TEN), papers(25), papers(25)], "page at 10 of 25 results is empty"),
        ([papers(0)], ""),
    ],
)
def test_arxiv_counts_papers_and_not_entries(play: list[Answer], reason: str, tmp_path: Path) -> None:
    with misbehaving(play) as server:
        capture = ask(server.url, tmp_path)
        assert len(server.seen) <= len(play)
    assert capture.complete is (reason == "")
    assert capture.reason.endswith(reason)


def quoted(kind: str) -> dict[str, Any]:
    found = json_lines("evidence/issue_quoted_responses.jsonl")
    return next(one for one in found if (one["source"], one["kind"]) == ("arxiv_api", kind))


def test_arxiv_refusal_of_the_edge_is_asked_again(tmp_path: Path) -> None:
    """406 as quoted in an issue of 2026: it goes away by itself."""
    with misbehaving([Answer(quoted("edge_406")["status"]), papers(1, 1)]) as server:
        capture = ask(server.url, tmp_path)
        assert len(server.seen) == 2
    assert capture.complete, capture.reason
    assert [exchange.status for exchange in capture.exchanges] == [200]


def test_arxiv_refusal_of_the_edge_that_stays_is_a_source_that_is_down(tmp_path: Path) -> None:
    with misbehaving(lambda _: Answer(406)) as server:
        capture = ask(server.url, tmp_path)
        assert len(server.seen) == 2
    assert (capture.complete, capture.resumable) == (False, True)
    assert "HTTP 406 after 2 attempts" in capture.reason


def test_arxiv_rate_exceeded_without_retry_after(tmp_path: Path) -> None:
    """429 as quoted in an issue of 2026, without a header that says how long: the day goes on with the next run."""
    said = quoted("rate_429")
    answer_ = Answer(said["status"], said["verbatim"].encode(), {"Content-Type": "text/plain"})
    with misbehaving(lambda request: papers(12, *TEN) if request.parameters["start"] == "0" else answer_) as server:
        capture = ask(server.url, tmp_path, retries=0)
        assert len(server.seen) == 2
    assert (capture.complete, capture.resumable) == (False, True)
    assert "HTTP 429" in capture.reason
    assert [exchange.ok for exchange in capture.exchanges] == [True, False]
    window = Window(date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC))
    traces = read("arxiv", *capture.exchanges, window=window)
    assert (len(traces.rows["works"]), traces.rows["rejects"]) == (10, [])
    with misbehaving([papers(12, 10, 11)]) as server:
        assert ask(server.url, tmp_path).complete  # the first page is not asked for again
        assert len(server.seen) == 1
