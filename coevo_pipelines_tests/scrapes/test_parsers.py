"""The four parsers on what the services really answered; expected values were read off the recordings.

Then the same bodies damaged in every way: a parser ends in rows or rejects, never in an exception.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake import schemas
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import Topic
from coevo_pipelines.traces.normalize import frames, normalize
from coevo_pipelines.traces.records import Traces
from coevo_pipelines.windows import Window
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file, json_lines, recordings

WIDE = Window(date(2026, 11, 3), datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
GRACE = timedelta(days=2)
TESTING = Topic(name="testing", terms=("metamorphic testing", "ant colony"), github_topics=("rest-api",))

ARXIV_100 = "arxiv/atom_2026_arxivpy/q_testing_s0_m100_cfe7536492ca.json"
ARXIV_PAGES = tuple(
    f"arxiv/atom_2026_arxivpy/q_testing_s{start}_m10_{digest}.json"
    for start, digest in (
        (0, "bc5a6c384fe9"),
        (10, "34e56e15aaac"),
        (20, "348a237fecab"),
        (30, "f2e39f0143dc"),
        (40, "96dd32eb854c"),
        (50, "7f488ab8598c"),
    )
)
ARXIV_2019 = "arxiv/atom_2019_old_backend/all_science_s0_m10_2019-08-10.xml"
ARXIV_URL = "https://export.arxiv.org/api/query?search_query=all:testing"
OPENALEX_PAGE = "openalex/vcr_openalexPro_2026/pro_fetch_search_biodiversity_AND_finance.yml"
OPENALEX_RANDOM = "openalex/vcr_commonmeta/test_get_random_id_from_openalex.yaml"
OPENALEX_URL = "https://api.openalex.org/works?filter=x"
GITHUB_SEARCH = "github/betamax_github3py/GitHub_search_repositories.json"
GITHUB_SEARCH_2014 = "github/replay_pygithub/Search.testSearchRepos.txt"
GITHUB_FORK = "github/betamax_github3py/CheckApp_create_check_run.json"
GITHUB_README = "github/betamax_github3py/Repository_readme.json"
GITHUB_URL = "https://api.github.com/search/repositories?q=topic:x"
HUB_LIST = "huggingface/api_lists_2026/hf_models.json"
HUB_HISTORY = "huggingface/model_info_recorded_history.jsonl"
HUB_URL = "https://huggingface.co/api/models?filter=x"


def regression(reason: str, *values: Any) -> Any:
    """A case that once went wrong, and how."""
    return pytest.param(*values, id=reason)


def day(year: int, month: int, number: int) -> Window:
    start = datetime(year, month, number, tzinfo=UTC)
    return Window(start.date(), start, start + timedelta(days=1))


def read(source: str, *answers: Exchange, window: Window = WIDE) -> Traces:
    return normalize(source, answers, window, (TESTING,), GRACE)


def counts(traces: Traces) -> dict[str, int]:
    return {name: len(rows) for name, rows in traces.rows.items() if rows}


def by_id(traces: Traces) -> dict[str, dict[str, Any]]:
    works = {row["work_id"]: row for row in traces.rows["works"]}
    assert len(works) == len(traces.rows["works"])
    return works


def part(row: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in expected}


def names(traces: Traces, work_id: str) -> list[str | None]:
    people = [row for row in traces.rows["people"] if row["work_id"] == work_id]
    assert [row["position"] for row in people] == list(range(1, len(people) + 1))
    return [row["name"] for row in people]


def reasons(traces: Traces) -> list[tuple[str, str]]:
    return [(row["locator"], row["reason"]) for row in traces.rows["rejects"]]


def references(traces: Traces, work_id: str) -> list[tuple[str, str, str]]:
    return [
        (row["target_id"], row["relation"], row["evidence"])
        for row in traces.rows["references"]
        if row["source_id"] == work_id
    ]


def metrics(traces: Traces, work_id: str) -> dict[str, int | None]:
    return {row["metric"]: row["value"] for row in traces.rows["metrics"] if row["work_id"] == work_id}


def without_provenance(traces: Traces) -> dict[str, list[dict[str, Any]]]:
    said = ("observed_at", "raw_sha256")
    return {
        table: [{name: value for name, value in row.items() if name not in said} for row in rows]
        for table, rows in traces.rows.items()
    }


# arXiv


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
    [("s0_m15_80c242b59d59", 0, 15), ("s5_m10_c0e94a259d4a", 5, 15), ("s9_m15_0b78d4b4d476", 9, 24)],
)
def test_arxiv_pages_overlap_as_their_offsets_say(name: str, first: int, last: int) -> None:
    whole = [row["work_id"] for row in read("arxiv", *exchanges(ARXIV_100)).rows["works"]]
    page = read("arxiv", *exchanges(f"arxiv/atom_2026_arxivpy/q_testing_{name}.json"))
    assert [row["work_id"] for row in page.rows["works"]] == whole[first:last]


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


def feed(*entries: str) -> str:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<feed xmlns:arxiv='http://arxiv.org/schemas/atom' "
        "xmlns='http://www.w3.org/2005/Atom'><title>arXiv Query</title>" + "".join(entries) + "</feed>"
    )


def entry(name: str = "A. Author", title: str = "A title", number: str = "2401.01234v1", more: str = "") -> str:
    return (
        f"<entry><published>2024-01-02T03:04:05Z</published><author><name>{name}</name></author>"
        f"<title>{title}</title><id>http://arxiv.org/abs/{number}</id>{more}</entry>"
    )


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
        ("", "active"),
    ],
)
def test_arxiv_withdrawn(more: str, status: str) -> None:
    traces = read("arxiv", answer(ARXIV_URL, feed(entry(more=more))))
    assert [row["status"] for row in traces.rows["works"]] == [status]


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


# OpenAlex


def test_openalex_page() -> None:
    traces = read("openalex", *exchanges(OPENALEX_PAGE))
    assert counts(traces) == {"works": 199, "references": 2572, "metrics": 199, "people": 541, "identities": 137}
    assert traces.outside_window == 1  # W1530922170, published 1977-08-01
    assert "openalex:W1530922170" not in by_id(traces)
    assert sum(row["orcid"] is not None for row in traces.rows["people"]) == 232
    assert all(row["relation"] == "cites" for row in traces.rows["references"])


def test_openalex_work_without_references() -> None:
    traces = read("openalex", *exchanges(OPENALEX_PAGE))
    work_id = "openalex:W4235089722"
    expected = {
        "source": "openalex",
        "kind": "paper",
        "event": "created",
        "title": "Biodiversity Finance",
        "event_at": datetime(2000, 4, 1, tzinfo=UTC),
        "created_at": datetime(2000, 4, 1, tzinfo=UTC),
        "version": None,
        "status": "active",
        "license": None,
        "native_id": "W4235089722",
        "url": "https://openalex.org/W4235089722",
        "fields": [
            "Environmental Conservation and Management",
            "Economic and Environmental Valuation",
            "Conservation, Biodiversity, and Resource Management",
        ],
    }
    row = by_id(traces)[work_id]
    assert part(row, expected) == expected
    assert row["tags"][:2] == ["Convention on Biological Diversity", "Biodiversity"]
    assert references(traces, work_id) == []
    assert metrics(traces, work_id) == {"citations": 22}
    assert [
        (row["name"], row["orcid"], row["account"]) for row in traces.rows["people"] if row["work_id"] == work_id
    ] == [("Michael C. Rubino", "0000-0002-6528-1179", "openalex:A5035075703")]
    assert [row["left_id"] for row in traces.rows["identities"] if row["right_id"] == work_id] == [
        "doi:10.1111/1468-2346.00131"
    ]


def test_openalex_references_in_their_order() -> None:
    traces = read("openalex", *exchanges(OPENALEX_PAGE))
    cited = references(traces, "openalex:W100927044")
    assert cited[:2] == [
        ("openalex:W309968608", "cites", "referenced_works[0]"),
        ("openalex:W330939908", "cites", "referenced_works[1]"),
    ]
    assert len(cited) == 41
    assert names(traces, "openalex:W100927044") == ["Ricardo Bayón", "J. Steven Lovink", "Wouter Veening"]


def test_openalex_author_without_id_keeps_name_and_place() -> None:
    traces = read("openalex", *exchanges(OPENALEX_PAGE))
    work_id = "openalex:W2180613954"
    people = [row for row in traces.rows["people"] if row["work_id"] == work_id]
    assert [(row["position"], row["account"]) for row in people if row["name"] == "Mauricio Rosales"] == [(8, None)]
    assert len(people) == 9
    assert [row["orcid"] for row in people if row["orcid"]] == ["0000-0002-1556-8702"]
    same = [row["left_id"] for row in traces.rows["identities"] if row["right_id"] == work_id]
    assert same == ["doi:10.1659/0276-4741(2005)025[0206:pfbcs]2.0.co;2"]


def test_openalex_null_doi_and_topic() -> None:
    traces = read("openalex", *exchanges(OPENALEX_RANDOM))
    works = by_id(traces)
    assert list(works) == [
        "openalex:W7152634373",
        "openalex:W2600965442",
        "openalex:W2042435470",
        "openalex:W2497229624",
        "openalex:W7120675484",
        "openalex:W2117049431",
    ]
    assert [(row["kind"], row["license"]) for row in works.values()] == [
        ("dataset", "public-domain"),
        ("paper", None),
        ("paper", None),
        ("paper", None),
        ("paper", "other-oa"),
        ("paper", None),
    ]
    assert (works["openalex:W7152634373"]["fields"], works["openalex:W7152634373"]["tags"]) == ([], [])
    assert names(traces, "openalex:W2600965442") == ["Беспалов Дмитрий Николаевич", "Казаков Михаил Анатольевич"]
    assert names(traces, "openalex:W2497229624") == []
    assert [(row["left_id"], row["right_id"]) for row in traces.rows["identities"]] == [
        ("doi:10.3535/jf0-6x9-kpw", "openalex:W7152634373"),
        ("doi:10.5580/1cbc", "openalex:W2497229624"),
        ("doi:10.1016/j.landusepol.2004.08.009", "openalex:W2117049431"),
    ]
    assert len(references(traces, "openalex:W2117049431")) == 34
    assert metrics(traces, "openalex:W2117049431") == {"citations": 106}


def page(*works: Any) -> str:
    return json.dumps({"meta": {"count": len(works), "next_cursor": None}, "results": list(works)})


def single(name: str) -> dict[str, Any]:
    work: dict[str, Any] = json.loads(exchanges(name)[0].body)
    return work


def test_openalex_doi_with_brackets_and_orcid_with_x() -> None:
    work = single("openalex/vcr_commonmeta/test_doi_with_sici.yaml")
    traces = read("openalex", answer(OPENALEX_URL, page(work)))
    assert [row["left_id"] for row in traces.rows["identities"]] == [
        "doi:10.1890/0012-9658(2006)87[2832:tiopma]2.0.co;2"
    ]
    assert [(row["name"], row["orcid"]) for row in traces.rows["people"]] == [
        ("Andy Fenton", "0000-0002-7676-917X"),
        ("Sean A. Rands", "0000-0002-7400-005X"),
    ]
    assert len(traces.rows["references"]) == 37


def test_openalex_null_title_is_a_reject_and_not_a_work() -> None:
    work = single("openalex/vcr_openalexPro_2026/api_call_200.yml")
    assert work["title"] is None and work["primary_topic"] is None
    traces = read("openalex", answer(OPENALEX_URL, page(work)))
    assert counts(traces) == {"rejects": 1}
    assert reasons(traces) == [("results[0]", "openalex:W4234567890 has no title")]


def test_openalex_authors_without_ids() -> None:
    traces = read("openalex", answer(OPENALEX_URL, page(single("openalex/vcr_commonmeta/test_dataset.yaml"))))
    assert [(row["name"], row["account"]) for row in traces.rows["people"]] == [
        ("G. Fermi", None),
        ("M.F. Perutz", None),
    ]
    assert [row["kind"] for row in traces.rows["works"]] == ["dataset"]


def test_openalex_fields_that_were_not_selected() -> None:
    traces = read("openalex", answer(OPENALEX_URL, file("openalex/works_saved_2026/openalex_works.json")))
    assert {work: (row["kind"], row["created_at"].date()) for work, row in by_id(traces).items()} == {
        "openalex:W3161425918": ("paper", date(2021, 5, 19)),
        "openalex:W3035764705": ("paper", date(2020, 6, 22)),
    }
    assert by_id(traces)["openalex:W3035764705"]["fields"] == []
    assert metrics(traces, "openalex:W3035764705") == {"citations": 2282}


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        (
            "openalex/vcr_openalexPro_2026/pro_request_biodiversity_and_group_by_type.yml",
            {"rejects": 1},
            "the body has no list 'results'",
        ),
        ("openalex/vcr_openalexPro_2026/api_call_200.yml", {"rejects": 1}, "the body has no list 'results'"),
        ("openalex/vcr_openalexPro_2026/opt_filter_names.yml", {}, None),
        ("openalex/vcr_openalexPro_2026/pro_rate_limit_status_401.yml", {}, None),
        ("openalex/vcr_openalexPro_2026/pro_request_list_count.yml", {"rejects": 2}, "an OpenAlex id is missing"),
    ],
)
def test_openalex_answers_without_works(name: str, expected: dict[str, int], reason: str | None) -> None:
    traces = read("openalex", *exchanges(name))
    assert counts(traces) == expected
    assert {row["reason"] for row in traces.rows["rejects"]} == ({reason} if reason else set())


def test_openalex_last_page_is_empty() -> None:
    assert counts(read("openalex", answer(OPENALEX_URL, page()))) == {}


def test_openalex_other_days_are_counted_and_not_stored() -> None:
    traces = read("openalex", *exchanges(OPENALEX_PAGE), window=day(2000, 4, 1))
    assert list(by_id(traces)) == ["openalex:W4235089722"]
    assert traces.outside_window == 199
    assert {row["work_id"] for row in (*traces.rows["people"], *traces.rows["metrics"])} == {"openalex:W4235089722"}
    assert traces.rows["rejects"] == []


def test_a_counter_is_true_only_when_seen_in_time() -> None:
    recorded = exchanges(OPENALEX_PAGE)[0]
    late = read("openalex", recorded, window=day(2000, 4, 1))
    assert metrics(late, "openalex:W4235089722") == {"citations": None}
    seen = Exchange("GET", recorded.url, 200, {}, datetime(2000, 4, 4, tzinfo=UTC), recorded.body)
    assert metrics(read("openalex", seen, window=day(2000, 4, 1)), "openalex:W4235089722") == {"citations": 22}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", None, "an OpenAlex id is missing"),
        ("publication_date", None, "a date is missing or not text: None"),
        ("publication_date", "2006", "not a date: '2006'"),
        regression(
            "a title of spaces is taken, as an empty string", "title", "  ", "openalex:W2030857676 has no title"
        ),
    ],
)
def test_openalex_one_bad_work_rejects_itself_only(field: str, value: Any, reason: str) -> None:
    good = single("openalex/vcr_commonmeta/test_dataset.yaml")
    bad = single("openalex/vcr_commonmeta/test_doi_with_sici.yaml") | {field: value}
    traces = read("openalex", answer(OPENALEX_URL, page(bad, good, 7)))
    assert list(by_id(traces)) == ["openalex:W6945048743"]
    assert traces.rows["references"] == []
    assert reasons(traces) == [("results[0]", reason), ("results[2]", "the work is not an object")]


@pytest.mark.parametrize(
    ("changes", "locator"),
    [
        ({"referenced_works": [None, "https://openalex.org/W1"]}, "referenced_works[0]"),
        ({"doi": "https://doi.org/", "referenced_works": ["https://openalex.org/W1"]}, "doi"),
    ],
)
def test_openalex_bad_link_does_not_cost_the_work(changes: dict[str, Any], locator: str) -> None:
    work = single("openalex/vcr_commonmeta/test_dataset.yaml") | changes
    traces = read("openalex", answer(OPENALEX_URL, page(work)))
    assert list(by_id(traces)) == ["openalex:W6945048743"]
    assert [row["target_id"] for row in traces.rows["references"]] == ["openalex:W1"]
    assert [row["locator"] for row in traces.rows["rejects"]] == [f"openalex:W6945048743 {locator}"]


@pytest.mark.parametrize("count", ["5", 1.5, -1, True, 2**63])
def test_a_counter_that_is_none_is_rejected_without_its_work(count: Any) -> None:
    work = single("openalex/vcr_commonmeta/test_dataset.yaml") | {"cited_by_count": count}
    traces = read("openalex", answer(OPENALEX_URL, page(work)))
    assert counts(traces) == {"works": 1, "people": 2, "identities": 1, "rejects": 1}
    assert reasons(traces) == [("openalex:W6945048743 citations", f"not a count: {count!r}")]


# GitHub


def test_github_search() -> None:
    traces = read("github", exchange(GITHUB_SEARCH, "/search/repositories"))
    assert counts(traces) == {"works": 8, "metrics": 16, "people": 8}
    expected = {
        "source": "github",
        "kind": "repository",
        "event": "created",
        "event_at": datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC),
        "created_at": datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC),
        "title": "sigmavirus24/github3.py",
        "version": "2017-02-05T15:00:49Z",
        "status": "active",
        "license": None,
        "owner": "github:sigmavirus24",
        "native_id": "3710711",
        "url": "https://github.com/sigmavirus24/github3.py",
        "fields": ["Python"],
        "tags": [],
        "topics": [],
    }
    assert part(by_id(traces)["github:sigmavirus24/github3.py"], expected) == expected
    assert metrics(traces, "github:sigmavirus24/github3.py") == {"stars": 637, "forks": 223}
    assert by_id(traces)["github:thedjpetersen/py-github3"]["title"] == "thedjpetersen/Py-Github3"
    owners = [row["account"] for row in traces.rows["people"] if row["work_id"] == "github:devjones/py_github3"]
    assert owners == ["github:devjones"]


def test_github_search_with_text_matches_names_the_same_repositories() -> None:
    plain = read("github", exchange(GITHUB_SEARCH, "/search/repositories"))
    marked = read("github", exchange("github/betamax_github3py/GitHub_search_repositories_text_match.json", "ories"))
    assert list(by_id(marked)) == list(by_id(plain))
    assert metrics(marked, "github:kennethreitz-archive/python-github3") == {"stars": 92, "forks": 103}


def test_github_search_of_2014() -> None:
    traces = read("github", *exchanges(GITHUB_SEARCH_2014))
    assert counts(traces) == {"works": 60, "metrics": 120, "people": 60}
    works = by_id(traces)
    assert list(works)[:2] == ["github:kennethreitz/legit", "github:ruudburger/couchpotatov1"]
    assert list(works)[-1] == "github:robertkrimen/gist-it"
    assert works["github:aaasen/github_globe"]["fields"] == ["JavaScript"]
    assert works["github:kennethreitz/legit"]["native_id"] == "1951148"
    assert metrics(traces, "github:kennethreitz/legit") == {"stars": 3036, "forks": 118}


@pytest.mark.parametrize(
    ("window", "stored", "outside"),
    [
        (day(2011, 6, 25), {"github:kennethreitz/legit": "created"}, 59),
        (
            day(2014, 1, 27),
            {"github:kennethreitz/legit": "updated"},
            59,
        ),
        (day(2009, 12, 7), {"github:bububa/mongohub": "created"}, 59),
        (day(2008, 1, 1), {}, 60),
    ],
)
def test_github_event_is_the_one_of_the_day(window: Window, stored: dict[str, str], outside: int) -> None:
    traces = read("github", *exchanges(GITHUB_SEARCH_2014), window=window)
    assert {work: row["event"] for work, row in by_id(traces).items()} == stored
    assert traces.outside_window == outside
    assert {row["work_id"] for row in (*traces.rows["people"], *traces.rows["metrics"])} == set(stored)


def test_github_search_without_results() -> None:
    traces = read("github", exchange("github/replay_pygithub/Search.testSearchReposWithNoResults.txt", "repositories"))
    assert (counts(traces), traces.outside_window) == ({}, 0)


@pytest.mark.parametrize(
    ("name", "path", "work_id", "license_", "tags", "values"),
    [
        (
            "github/betamax_github3py/Branch_latest_sha.json",
            "/repos/PyCQA/flake8",
            "github:pycqa/flake8",
            None,
            [],
            {"stars": 277, "forks": 47},
        ),
        (
            "github/replay_pygithub/Issue174.setUp.txt",
            "/repos/twbs/bootstrap",
            "github:twbs/bootstrap",
            "MIT",
            ["bootstrap", "css", "css-framework", "html", "javascript", "sass", "scss"],
            {"stars": 171281, "forks": 78987},
        ),
        (
            "github/replay_pygithub/Issue945.setUp.txt",
            "/repos/openframeworks/openFrameworks",
            "github:openframeworks/openframeworks",
            None,
            [],
            {"stars": 6453, "forks": 2143},
        ),
        (
            "github/replay_pygithub/BadAttributes.testBadAttributeInClassAttribute.txt",
            "/repos/klmitch/turnstile",
            "github:klmitch/turnstile",
            None,
            [],
            {"forks": 6},
        ),
        (
            "github/replay_pygithub/Repository.testGetTeams.txt",
            "/repos/BeaverSoftware/FatherBeaver",
            "github:beaversoftware/fatherbeaver",
            None,
            [],
            {},
        ),
    ],
)
def test_github_repository_page(
    name: str, path: str, work_id: str, license_: str | None, tags: list[str], values: dict[str, int]
) -> None:
    traces = read("github", exchange(name, path))
    row = by_id(traces)[work_id]
    assert (row["license"], row["tags"], row["status"]) == (license_, tags, "active")
    assert metrics(traces, work_id) == values
    assert traces.rows["rejects"] == []


def test_github_never_pushed_repository_has_no_version() -> None:
    traces = read("github", exchange("github/replay_pygithub/Repository.testGetTeams.txt", "/FatherBeaver"))
    assert [row["version"] for row in traces.rows["works"]] == [None]


def test_github_topics_of_a_repository_are_matched() -> None:
    name = "github/betamax_github3py/Repository_compare_commits_consistency.json"
    traces = read("github", exchange(name, "/repos/sigmavirus24/github3.py"))
    assert [(row["topics"], row["license"]) for row in traces.rows["works"]] == [(["testing"], "BSD-3-Clause")]


@pytest.mark.parametrize(
    ("name", "path", "fork", "parent"),
    [
        (GITHUB_FORK, "/repos/westphahl/github3.py", "github:westphahl/github3.py", "github:sigmavirus24/github3.py"),
        (
            "github/replay_pygithub/Commit.testGetPulls.txt",
            "/repos/mawkee/PyGithub",
            "github:mawkee/pygithub",
            "github:pygithub/pygithub",
        ),
        (
            "github/replay_pygithub/ConditionalRequestUpdate.setUp.txt",
            "/repos/akfish/PyGithub",
            "github:akfish/pygithub",
            "github:jacquev6/pygithub",
        ),
    ],
)
def test_github_fork_derives_from_its_parent(name: str, path: str, fork: str, parent: str) -> None:
    traces = read("github", exchange(name, path))
    assert references(traces, fork) == [(parent, "derives_from", "repository: fork parent")]
    assert [row["event_at"] for row in traces.rows["references"]] == [by_id(traces)[fork]["created_at"]]


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("github/betamax_github3py/Repository_assignees.json", "/repos/kennethreitz/requests", 301),
        ("github/replay_pygithub/ConditionalRequestUpdate.testDidNotUpdate.txt", "/repos/akfish/PyGithub", 304),
        ("github/replay_pygithub/Exceptions.testUnknownObject.txt", "/repos/jacquev6/Xxx", 404),
        ("github/replay_pygithub/Retry.testRaisesRetryErrorAfterMaxRetries.txt", "/repos/PyGithub/PyGithub", 502),
    ],
)
def test_github_answers_that_say_nothing_about_works(name: str, path: str, status: int) -> None:
    assert counts(read("github", exchange(name, path, status))) == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("github/replay_pygithub/Github.testSearchRepos.txt", "/legacy/repos/search/github"),
        ("github/replay_pygithub/Github.testGetRepoFromFullName.txt", "/repos/jacquev6/PyGithub"),
    ],
)
def test_github_bodies_of_the_time_before_full_name_are_rejected(name: str, path: str) -> None:
    traces = read("github", exchange(name, path))
    assert reasons(traces) == [("repository", "a repository name is missing")]
    assert counts(traces) == {"rejects": 1}


def repository(**changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(exchange(GITHUB_SEARCH, "/search/repositories").body)["items"][0]
    return item | changes


def search_page(*items: Any, **more: Any) -> Exchange:
    return answer(GITHUB_URL, json.dumps({"total_count": len(items), "items": list(items), **more}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"archived": True}, {"status": "archived"}),
        ({"archived": False}, {"status": "active"}),
        ({"license": None}, {"license": None}),
        ({"license": {"key": "other", "spdx_id": "NOASSERTION"}}, {"license": None}),
        ({"license": {"key": "mit", "spdx_id": "MIT"}}, {"license": "MIT"}),
        ({"license": {"key": "old"}}, {"license": None}),
        ({"owner": None}, {"owner": None}),
        ({"language": None}, {"fields": []}),
        ({"description": None}, {"title": "sigmavirus24/github3.py"}),
        ({"topics": ["ant-colony-optimization"]}, {"topics": ["testing"], "tags": ["ant-colony-optimization"]}),
        ({"description": "An Ant  Colony solver"}, {"topics": ["testing"]}),
        ({"description": "Pant colony"}, {"topics": []}),
    ],
)
def test_github_null_and_rare_fields(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    traces = read("github", search_page(repository(**changes)))
    assert part(traces.rows["works"][0], expected) == expected
    assert len(traces.rows["people"]) == (0 if changes.get("owner", 1) is None else 1)
    assert traces.rows["rejects"] == []


def test_github_search_that_timed_out_is_a_reject_beside_its_items() -> None:
    traces = read("github", search_page(repository(), incomplete_results=True))
    assert len(traces.rows["works"]) == 1
    assert reasons(traces) == [("search", "the search timed out (incomplete_results)")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "<html>503</html>",
        '{"items": 5}',
        regression("a success without 'items' leaves neither rows nor a reject", "{}"),
        regression("a success without 'items' leaves neither rows nor a reject", '{"items": null}'),
        regression("a success without 'items' leaves neither rows nor a reject", '{"message": "Server Error"}'),
    ],
)
def test_github_search_page_that_is_none_is_a_reject(body: str) -> None:
    assert counts(read("github", answer(GITHUB_URL, body))) == {"rejects": 1}


def github_file(path: str, text: str) -> Exchange:
    content = base64.encodebytes(text.encode()).decode()
    body = json.dumps({"path": path, "encoding": "base64", "content": content})
    return answer(f"https://api.github.com/repos/Sigmavirus24/github3.py/contents/{path}", body)


def read_file(path: str, text: str) -> Traces:
    return read("github", search_page(repository()), github_file(path, text))


def test_github_readme() -> None:
    page_, readme = exchange(GITHUB_README, "/repos/sigmavirus24/github3.py"), exchange(GITHUB_README, "/readme")
    traces = read("github", page_, readme)
    assert references(traces, "github:sigmavirus24/github3.py") == [
        ("github:kennethreitz/requests", "mentions", "README.rst line 22"),
        ("github:sigmavirus24/uritemplate", "mentions", "README.rst line 23"),
        ("github:sigmavirus24/betamax", "mentions", "README.rst line 43"),
    ]
    assert {row["raw_sha256"] for row in traces.rows["references"]} == {readme.body_sha256}
    assert {row["event_at"] for row in traces.rows["references"]} == {datetime(2012, 3, 13, 19, 58, 53, tzinfo=UTC)}


def test_github_readme_of_a_repository_that_the_day_does_not_hold() -> None:
    page_, readme = exchange(GITHUB_README, "/repos/sigmavirus24/github3.py"), exchange(GITHUB_README, "/readme")
    traces = read("github", page_, readme, window=day(2016, 1, 1))
    assert (counts(traces), traces.outside_window) == ({}, 1)


def test_github_readme_of_pygithub_names_no_other_repository() -> None:
    name = "github/replay_pygithub/Repository.testGetContents.txt"
    setup = exchange("github/replay_pygithub/Repository.setUp.txt", "/repos/PyGithub/PyGithub")
    traces = read("github", setup, exchange(name, "/readme"))
    assert {target for target, _, _ in references(traces, "github:pygithub/pygithub")} == {"github:jacquev6/pygithub"}


def test_github_folder_listing_is_no_file() -> None:
    listing = exchange("github/replay_pygithub/Repository.testGetContentsDir.txt", "/contents/")
    assert counts(read("github", listing)) == {}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "CITATION.cff",
            "cff-version: 1.2.0\ndoi: 10.21105/joss.00433\nurl: https://github.com/sigmavirus24/github3.py\n",
            [("doi:10.21105/joss.00433", "cites", "CITATION.cff line 2")],
        ),
        (
            "requirements.txt",
            "# all\n-r dev.txt\n\nNumPy>=1.20  # arrays\nscikit_learn[extra]==1.0 ; python_version < '3'\n",
            [
                ("pypi:numpy", "depends_on", "requirements.txt line 4"),
                ("pypi:scikit-learn", "depends_on", "requirements.txt line 5"),
            ],
        ),
        (
            "pyproject.toml",
            '[project]\nname = "x"\ndependencies = ["attrs", "Py.Swarms>=1"]\n',
            [
                ("pypi:attrs", "depends_on", "pyproject.toml project.dependencies[0]"),
                ("pypi:py-swarms", "depends_on", "pyproject.toml project.dependencies[1]"),
            ],
        ),
        ("pyproject.toml", "[tool.x]\ny = 1\n", []),
        ("README.md", "Größe\r\nhttps://hf.co/a/b\r\n", [("hf:model/a/b", "mentions", "README.md line 2")]),
        ("README.md", "", []),
    ],
)
def test_github_files(path: str, text: str, expected: list[tuple[str, str, str]]) -> None:
    traces = read_file(path, text)
    assert references(traces, "github:sigmavirus24/github3.py") == expected
    assert traces.rows["rejects"] == []


def test_github_line_that_is_no_requirement_rejects_itself_only() -> None:
    traces = read_file("requirements.txt", "numpy\nnot a requirement!\nscipy\n")
    assert [row["target_id"] for row in traces.rows["references"]] == ["pypi:numpy", "pypi:scipy"]
    assert [locator for locator, _ in reasons(traces)] == ["github:sigmavirus24/github3.py requirements.txt line 2"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("pyproject.toml", base64.b64encode(b"[project\n").decode()),
        ("pyproject.toml", base64.b64encode(b"project = 5\n").decode()),
        ("README.md", "abc"),
        ("README.md", 5),
    ],
)
def test_github_file_that_cannot_be_read_is_a_reject(path: str, content: Any) -> None:
    url = f"https://api.github.com/repos/sigmavirus24/github3.py/contents/{path}"
    traces = read("github", search_page(repository()), answer(url, json.dumps({"path": path, "content": content})))
    assert counts(traces) == {"works": 1, "metrics": 2, "people": 1, "rejects": 1}


def test_github_file_that_starts_with_a_reject_leaves_the_links_that_follow() -> None:
    traces = read_file("README.md", "https://github.com/a/b\n10.48550/arXiv.2401.01234\n")
    assert [row["target_id"] for row in traces.rows["references"]] == ["github:a/b", "arxiv:2401.01234"]


def test_files_of_a_rejected_repository_give_no_references() -> None:
    broken = search_page(repository(parent={"full_name": "not a name"}))
    traces = read("github", broken, github_file("README.md", "https://github.com/a/b\n"))
    assert traces.rows["works"] == []
    assert traces.rows["references"] == []


# Hugging Face


def hub_page(*items: Any, kind: str = "models") -> Exchange:
    return answer(f"https://huggingface.co/api/{kind}?filter=x&full=true", json.dumps(list(items)))


def hub_item(**changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(file(HUB_LIST))[0]
    return item | changes


def recorded_model(name: str) -> dict[str, Any]:
    """The last full record of a model in the history of cassettes."""
    found: dict[str, Any] = {}
    for record in json_lines(HUB_HISTORY):
        if record["status"] == 200 and record["url"].endswith(f"/{name}"):
            found = json.loads(record["body"])
    return found


def test_hugging_face_list() -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)))
    assert counts(traces) == {"works": 6, "references": 9, "metrics": 12, "people": 6}
    expected = {
        "source": "huggingface",
        "kind": "model",
        "event": "created",
        "event_at": datetime(2026, 7, 31, 12, 24, 24, tzinfo=UTC),
        "created_at": datetime(2026, 7, 31, 12, 24, 24, tzinfo=UTC),
        "title": "unsloth/DeepSeek-V4-Flash-0731-GGUF",
        "version": None,
        "status": "active",
        "license": "mit",
        "owner": "hf:unsloth",
        "native_id": "6a6c93f8ab7a726c1651182a",
        "url": "https://huggingface.co/unsloth/DeepSeek-V4-Flash-0731-GGUF",
        "fields": [],
    }
    work_id = "hf:model/unsloth/DeepSeek-V4-Flash-0731-GGUF"
    assert part(by_id(traces)[work_id], expected) == expected
    assert references(traces, work_id) == [
        ("arxiv:2606.19348", "cites", "tag arxiv:2606.19348"),
        (
            "hf:model/deepseek-ai/DeepSeek-V4-Flash-0731",
            "derives_from",
            "tag base_model:deepseek-ai/DeepSeek-V4-Flash-0731",
        ),
        (
            "hf:model/deepseek-ai/DeepSeek-V4-Flash-0731",
            "derives_from",
            "tag base_model:quantized:deepseek-ai/DeepSeek-V4-Flash-0731",
        ),
    ]
    assert metrics(traces, work_id) == {"likes": 252, "downloads": 4048}
    assert [row["account"] for row in traces.rows["people"]][:2] == ["hf:DavidAU", "hf:unsloth"]
    assert by_id(traces)["hf:model/black-forest-labs/FLUX.1-dev"]["fields"] == ["text-to-image"]


def test_hugging_face_datasets_that_a_model_was_trained_on() -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)))
    name = "DavidAU/Qwen3.6-27B-Fable-Fusion-711-Uncensored-Heretic-NM-DAU"
    assert [one[:2] for one in references(traces, f"hf:model/{name}-NEO-MAX-MTP-GGUF")] == [
        ("hf:dataset/DavidAU/Polar-STRICT-Datasets", "trained_on"),
        ("hf:dataset/DavidAU/F451-STRICT-Datasets", "trained_on"),
        (f"hf:model/{name}-MTP", "derives_from"),
        (f"hf:model/{name}-MTP", "derives_from"),
    ]


@pytest.mark.parametrize(
    ("window", "stored"),
    [
        (day(2026, 7, 31), ["unsloth/DeepSeek-V4-Flash-0731-GGUF", "deepseek-ai/DeepSeek-V4-Flash-0731"]),
        (day(2024, 7, 31), ["black-forest-labs/FLUX.1-dev"]),
        (day(2022, 3, 2), []),
    ],
)
def test_hugging_face_other_days_are_counted_and_not_stored(window: Window, stored: list[str]) -> None:
    traces = read("huggingface", answer(HUB_URL, file(HUB_LIST)), window=window)
    assert [row["title"] for row in traces.rows["works"]] == stored
    assert traces.outside_window == 6 - len(stored)
    assert {row["source_id"] for row in traces.rows["references"]} <= set(by_id(traces))
    assert len(traces.rows["metrics"]) == 2 * len(stored)


def test_hugging_face_gated_model_whose_tags_disagree_with_its_card() -> None:
    traces = read("huggingface", hub_page(recorded_model("meta-llama/Llama-3.1-8B-Instruct")))
    work_id = "hf:model/meta-llama/Llama-3.1-8B-Instruct"
    expected = {
        "status": "gated",
        "license": "llama3.1",
        "fields": ["text-generation"],
        "created_at": datetime(2024, 7, 18, 8, 56, tzinfo=UTC),
        "native_id": "6698d8a0653e4babe21e1e7d",
    }
    row = by_id(traces)[work_id]
    assert part(row, expected) == expected
    assert row["version"].startswith("0e9e39f2")
    assert references(traces, work_id) == [
        ("arxiv:2204.05149", "cites", "tag arxiv:2204.05149"),
        ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:meta-llama/Llama-3.1-8B"),
        ("hf:model/meta-llama/Llama-3.1-8B", "derives_from", "tag base_model:finetune:meta-llama/Llama-3.1-8B"),
        ("hf:model/meta-llama/Meta-Llama-3.1-8B", "derives_from", "card base_model: meta-llama/Meta-Llama-3.1-8B"),
    ]
    assert metrics(traces, work_id) == {"likes": 3763, "downloads": 5795728}


@pytest.mark.parametrize(
    ("name", "license_", "expected"),
    [
        (
            "stabilityai/stable-diffusion-2-1",
            "openrail++",
            [
                ("arxiv:2112.10752", "cites", "tag arxiv:2112.10752"),
                ("arxiv:2202.00512", "cites", "tag arxiv:2202.00512"),
                ("arxiv:1910.09700", "cites", "tag arxiv:1910.09700"),
            ],
        ),
        (
            "jonatasgrosman/wav2vec2-large-xlsr-53-english",
            "apache-2.0",
            [
                (
                    "hf:dataset/mozilla-foundation/common_voice_6_0",
                    "trained_on",
                    "tag dataset:mozilla-foundation/common_voice_6_0",
                ),
                ("doi:10.57967/hf/3569", "cites", "tag doi:10.57967/hf/3569"),
                (
                    "hf:dataset/mozilla-foundation/common_voice_6_0",
                    "trained_on",
                    "card datasets: mozilla-foundation/common_voice_6_0",
                ),
            ],
        ),
        (
            "alefiury/wav2vec2-large-xlsr-53-gender-recognition-librispeech",
            "apache-2.0",
            [
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "tag base_model:facebook/wav2vec2-xls-r-300m",
                ),
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "tag base_model:finetune:facebook/wav2vec2-xls-r-300m",
                ),
                (
                    "hf:model/facebook/wav2vec2-xls-r-300m",
                    "derives_from",
                    "card base_model: facebook/wav2vec2-xls-r-300m",
                ),
            ],
        ),
    ],
)
def test_hugging_face_history(name: str, license_: str, expected: list[tuple[str, str, str]]) -> None:
    traces = read("huggingface", hub_page(recorded_model(name)))
    assert [(row["license"], row["status"]) for row in traces.rows["works"]] == [(license_, "active")]
    assert set(expected) <= set(references(traces, f"hf:model/{name}"))


def test_hugging_face_whole_history_is_works_or_rejects() -> None:
    bodies = [json.loads(one["body"]) for one in json_lines(HUB_HISTORY) if one["status"] == 200]
    traces = read("huggingface", hub_page(*bodies))
    undated = [body for body in bodies if "createdAt" not in body]
    assert (len(traces.rows["works"]), len(undated)) == (len(bodies) - len(undated), 8)
    assert {reason for _, reason in reasons(traces)} == {"a date is missing or not text: None"}
    assert len(traces.rows["rejects"]) == 8
    assert min(row["created_at"] for row in traces.rows["works"]) >= datetime(2022, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gated", "status"),
    [(True, "gated"), ("auto", "gated"), ("manual", "gated"), (False, "active"), (None, "active")],
)
def test_hugging_face_gates(gated: Any, status: str) -> None:
    traces = read("huggingface", hub_page(hub_item(gated=gated)))
    assert [row["status"] for row in traces.rows["works"]] == [status]


@pytest.mark.parametrize(
    ("kind", "work_id", "url", "relation"),
    [
        ("models", "hf:model/o/n", "https://huggingface.co/o/n", "trained_on"),
        ("datasets", "hf:dataset/o/n", "https://huggingface.co/datasets/o/n", "derives_from"),
        ("spaces", "hf:space/o/n", "https://huggingface.co/spaces/o/n", "trained_on"),
    ],
)
def test_hugging_face_kinds(kind: str, work_id: str, url: str, relation: str) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=["dataset:a/b"]), kind=kind))
    row = by_id(traces)[work_id]
    assert (row["kind"], row["url"], row["owner"]) == (work_id.partition("/")[0][3:], url, "hf:o")
    assert references(traces, work_id) == [("hf:dataset/a/b", relation, "tag dataset:a/b")]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("base_model:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:finetune:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:adapter:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:merge:a/b", ("hf:model/a/b", "derives_from")),
        ("base_model:quantized:a/b", ("hf:model/a/b", "derives_from")),
        ("arxiv:1810.04805", ("arxiv:1810.04805", "cites")),
        ("doi:10.57967/HF/1", ("doi:10.57967/hf/1", "cites")),
        ("license:mit", None),
        ("region:us", None),
        ("diffusers:FluxPipeline", None),
        ("text/plain", None),
    ],
)
def test_hugging_face_tags(tag: str, expected: tuple[str, str] | None) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[tag])))
    assert references(traces, "hf:model/o/n") == ([(*expected, f"tag {tag}")] if expected else [])
    assert traces.rows["rejects"] == []


@pytest.mark.parametrize(
    ("card", "targets"),
    [
        ({"base_model": "a/b"}, ["hf:model/a/b"]),
        ({"base_model": ["a/b", "c/d"], "datasets": "e/f"}, ["hf:model/a/b", "hf:model/c/d", "hf:dataset/e/f"]),
        ({"base_model": None, "datasets": [None, 5, "e/f"]}, ["hf:dataset/e/f"]),
        ({"base_model": {"name": "a/b"}}, []),
        ({"datasets": 5}, []),
        ("not an object", []),
        ([], []),
    ],
)
def test_hugging_face_cards(card: Any, targets: list[str]) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[], cardData=card)))
    assert [target for target, _, _ in references(traces, "hf:model/o/n")] == targets
    assert len(traces.rows["works"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cardData": {"datasets": ["https://huggingface.co/datasets/o/n"]}},
        {"cardData": {"base_model": "a/b/c"}},
        {"tags": ["arxiv:soon"]},
        {"tags": ["doi:pending"]},
    ],
)
def test_hugging_face_bad_link_does_not_cost_the_work(changes: dict[str, Any]) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/n", **changes)))
    assert len(traces.rows["works"]) == 1
    assert len(traces.rows["rejects"]) == 1


def test_hugging_face_card_links() -> None:
    card = "---\nlicense: mit\n---\r\nPaper: https://arxiv.org/abs/1810.04805\r\nSee https://hf.co/o/n\r\n"
    url = "https://huggingface.co/o/n/raw/main/README.md"
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[])), answer(url, card))
    assert references(traces, "hf:model/o/n") == [("arxiv:1810.04805", "mentions", "README.md line 4")]


@pytest.mark.parametrize(
    "name", ["modelcard", "sample_invalid_card_data", "sample_no_metadata", "sample_windows_line_breaks", "datasetcard"]
)
def test_hugging_face_recorded_cards_never_cost_the_work(name: str) -> None:
    card = file(f"huggingface/model_cards_fixtures/{name}.md")
    url = "https://huggingface.co/datasets/o/n/raw/main/README.md"
    traces = read("huggingface", hub_page(hub_item(id="o/n", tags=[]), kind="datasets"), answer(url, card))
    assert list(by_id(traces)) == ["hf:dataset/o/n"]
    assert traces.rows["rejects"] == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (7, "the item is not an object"),
        ({}, "a Hugging Face model name is missing"),
        ({"id": "a/b/c"}, "not a Hugging Face model name: 'a/b/c'"),
        ({"id": "a/b"}, "a date is missing or not text: None"),
        ({"id": "a/b", "createdAt": "soon"}, "not a date: 'soon'"),
    ],
)
def test_hugging_face_one_bad_item_rejects_itself_only(broken: Any, reason: str) -> None:
    traces = read("huggingface", hub_page(hub_item(id="o/1"), broken, hub_item(id="o/2")))
    assert list(by_id(traces)) == ["hf:model/o/1", "hf:model/o/2"]
    assert reasons(traces) == [("[1]", reason)]


# Everything, as tables


def recorded_days() -> dict[str, tuple[Exchange, ...]]:
    return {
        "arxiv": (*exchanges(ARXIV_100), answer(ARXIV_URL, file(ARXIV_2019))),
        "openalex": (*exchanges(OPENALEX_PAGE), *exchanges(OPENALEX_RANDOM)),
        "github": (
            *exchanges(GITHUB_SEARCH_2014),
            exchange(GITHUB_SEARCH, "/search/repositories"),
            exchange(GITHUB_FORK, "/repos/westphahl/github3.py"),
            *exchanges(GITHUB_README),
        ),
        "huggingface": (
            answer(HUB_URL, file(HUB_LIST)),
            hub_page(*(json.loads(one["body"]) for one in json_lines(HUB_HISTORY) if one["status"] == 200)),
        ),
    }


def conforming(*collected: Traces) -> dict[str, int]:
    tables = frames(collected, WIDE, GRACE)
    return {name: schemas.conform(schemas.table(name), frame, "test").height for name, frame in tables.items()}


def test_all_recordings_together_fit_their_tables() -> None:
    collected = [normalize(source, found, WIDE, (TESTING,), GRACE) for source, found in recorded_days().items()]
    heights = conforming(*collected)
    works = {row["work_id"] for one in collected for row in one.rows["works"]}
    assert heights["traces.works"] >= len(works) > 300
    assert heights["traces.references"] > 2600
    assert heights["traces.rejects"] >= 1


@pytest.mark.parametrize(
    ("source", "make"),
    [
        regression(
            "a lone surrogate cannot be stored: one title ends the whole day",
            "openalex",
            lambda: answer(
                OPENALEX_URL, page(single("openalex/vcr_commonmeta/test_dataset.yaml") | {"title": "\ud800"})
            ),
        ),
        regression(
            "a lone surrogate cannot be stored: one tag ends the whole day",
            "huggingface",
            lambda: hub_page(hub_item(tags=["\udcff"])),
        ),
        regression(
            "a field of another type passes the parser and breaks the table",
            "huggingface",
            lambda: hub_page(hub_item(pipeline_tag=["text"])),
        ),
        ("huggingface", lambda: hub_page(hub_item(likes=None, sha=None))),
        ("github", lambda: search_page(repository(owner=None, language=None, license=None))),
    ],
)
def test_whatever_one_item_holds_its_day_can_be_stored(source: str, make: Callable[[], Exchange]) -> None:
    heights = conforming(read(source, make()))
    assert heights["traces.works"] + heights["traces.rejects"] >= 1


# Damage

quick = settings(max_examples=120, deadline=None, derandomize=True)

URLS = {
    "arxiv": (ARXIV_URL,),
    "openalex": (OPENALEX_URL,),
    "github": (
        GITHUB_URL,
        "https://api.github.com/repos/o/n",
        "https://api.github.com/repos/o/n/readme",
        "https://api.github.com/repos/o/n/contents/requirements.txt",
    ),
    "huggingface": (HUB_URL, "https://huggingface.co/o/n/raw/main/README.md"),
}
SOURCES = sorted(URLS)


def real_body(source: str) -> bytes:
    """A recorded body, cut to a few items so that damage often lands where it matters."""
    if source == "arxiv":
        return file(ARXIV_2019)
    if source == "openalex":
        return page(*json.loads(exchanges(OPENALEX_RANDOM)[1].body)["results"][:2]).encode()
    if source == "github":
        return search_page(repository(), json.loads(exchange(GITHUB_FORK, "/repos/westphahl/github3.py").body)).body
    return file(HUB_LIST)


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("source", SOURCES)
@quick
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode), data=st.data())
def test_arbitrary_bytes_become_a_reject(source: str, body: bytes, data: st.DataObject) -> None:
    url = data.draw(st.sampled_from(URLS[source]))
    traces = read(source, answer(url, body))
    assert set(counts(traces)) <= {"rejects"}
    silent = "/contents/" in url or url.endswith("README.md")
    assert traces.rows["rejects"] or silent or is_json(body)


@pytest.mark.parametrize("source", SOURCES)
@quick
@given(data=st.data())
def test_a_damaged_real_body_ends_in_rows_or_rejects(source: str, data: st.DataObject) -> None:
    body = real_body(source)
    at = data.draw(st.integers(0, len(body) - 1))
    length = data.draw(st.integers(1, 64))
    cut = body[at : at + length]
    how = data.draw(st.sampled_from(["removed", "doubled", "flipped", "ended"]))
    damaged = {
        "removed": body[:at] + body[at + length :],
        "doubled": body[:at] + cut + body[at:],
        "flipped": body[:at] + bytes([body[at] ^ (1 << length % 8)]) + body[at + 1 :],
        "ended": body[:at],
    }[how]
    traces = read(source, answer(URLS[source][0], damaged))
    silent = source == "github" and b'"items"' not in damaged  # see test_github_search_page_that_is_none_is_a_reject
    assert traces.rows["works"] or traces.rows["rejects"] or traces.outside_window or silent


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["a/b", "W1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ITEMS: dict[str, Callable[[], dict[str, Any]]] = {
    "github": lambda: json.loads(exchange(GITHUB_FORK, "/repos/westphahl/github3.py").body),
    "huggingface": lambda: recorded_model("meta-llama/Llama-3.1-8B-Instruct"),
    "openalex": lambda: json.loads(exchanges(OPENALEX_RANDOM)[1].body)["results"][4],
}
READ_FIELDS = {
    "github": (
        "full_name created_at pushed_at owner topics license archived id language description "
        "stargazers_count forks_count parent"
    ),
    "huggingface": "id modelId createdAt tags sha gated _id pipeline_tag likes downloads cardData",
    "openalex": (
        "id publication_date title topics keywords primary_location type is_retracted cited_by_count doi "
        "authorships referenced_works"
    ),
}
WRAP: dict[str, Callable[..., Exchange]] = {
    "github": search_page,
    "huggingface": hub_page,
    "openalex": lambda *items: answer(OPENALEX_URL, page(*items)),
}


def replace_inside(value: Any, path: list[int], replacement: Any) -> Any:
    """A copy of `value` with one leaf, reached by taking turns `path`, replaced."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return replacement
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    changed = copy.copy(value)
    changed[key] = replace_inside(value[key], path[1:], replacement)
    return changed


@pytest.mark.parametrize("source", sorted(ITEMS))
@settings(quick, max_examples=200)
@given(data=st.data())
def test_an_item_with_any_value_anywhere_is_one_row_or_one_reject(source: str, data: st.DataObject) -> None:
    item = ITEMS[source]()
    field = data.draw(st.sampled_from(READ_FIELDS[source].split()))
    path = data.draw(st.lists(st.integers(0, 3), max_size=3))
    item[field] = replace_inside(item.get(field), path, data.draw(anything))
    traces = read(source, WRAP[source](item))
    if traces.rows["works"]:
        assert len(traces.rows["works"]) == 1 and traces.outside_window == 0
        return
    assert traces.outside_window + len(traces.rows["rejects"]) == 1
    assert set(counts(traces)) <= {"rejects"}


def test_the_recordings_are_named_relative_to_one_folder() -> None:
    assert (recordings() / "provenance.csv").is_file()
