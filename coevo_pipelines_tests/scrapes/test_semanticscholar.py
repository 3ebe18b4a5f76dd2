"""Semantic Scholar as it really answered, and whole scrapes; expected values were read off the recordings by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.sample.indexes import S2_PAGE, s2_id
from coevo_pipelines.sample.server import serve
from coevo_pipelines.sample.world import World
from coevo_pipelines.scrapes import semanticscholar
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import SWARM_INTELLIGENCE
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.collecting import BUSY, OPENING, Ask, counting, normalized, targets
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving, relay
from coevo_pipelines_tests.scrapes.parsing import by_id, counts, day, held, metrics, part, read, reasons, references
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file, of_host

HOST = "api.semanticscholar.org/graph"
CASSETTES = "semanticscholar/vcr_danielnsilva"
PAPERQA = "multi/paperqa_s2_crossref_openalex_unpaywall"
URL = "https://api.semanticscholar.org/graph/v1/paper/search/bulk?query=x"
BATCH = "https://api.semanticscholar.org/graph/v1/paper/batch?fields=references.title"
TURING = "2d5673caa9e6af3a7b82a43f19ee920992db07ad"
ONE, TWO = "1" * 40, "2" * 40
EVERY: Mapping[str, Sequence[int | tuple[int, int, int, int]]] = {
    f"{CASSETTES}/test_bad_query_parameters.yaml": [400],
    f"{CASSETTES}/test_debug.yaml": [403],
    f"{CASSETTES}/test_empty_paginated_results.yaml": [(0, 0, 0, 0)],
    f"{CASSETTES}/test_get_author.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_author_papers.yaml": [(0, 0, 0, 100)] * 8 + [(0, 0, 0, 75)],
    f"{CASSETTES}/test_get_authors.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_authors_not_found_warning.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_authors_return_not_found.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_paper.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_paper_authors.yaml": [(0, 0, 0, 4)],
    f"{CASSETTES}/test_get_paper_citations.yaml": [(0, 0, 0, 100)] * 18 + [(0, 0, 0, 81)],
    f"{CASSETTES}/test_get_paper_sync_from_running_loop.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_get_papers.yaml": [(0, 0, 0, 3)],
    f"{CASSETTES}/test_not_found.yaml": [404, 404],
    f"{CASSETTES}/test_search_author.yaml": [(0, 0, 0, 59)],
    f"{CASSETTES}/test_search_paper.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_bulk_retrieval.yaml": [(0, 0, 0, 1000)],
    f"{CASSETTES}/test_search_paper_bulk_retrieval_sorted_results_asc.yaml": [(0, 0, 0, 1000)] * 3 + [(0, 0, 0, 27)],
    f"{CASSETTES}/test_search_paper_bulk_retrieval_sorted_results_default_order.yaml": [
        (0, 0, 0, 1000),
        (0, 0, 0, 1000),
        (0, 0, 0, 674),
    ],
    f"{CASSETTES}/test_search_paper_bulk_retrieval_sorted_results_desc.yaml": [(0, 0, 0, 1000)] * 3 + [(0, 0, 0, 27)],
    f"{CASSETTES}/test_search_paper_bulk_retrieval_traversing_results.yaml": [
        (0, 0, 0, 1000),
        (0, 0, 0, 1000),
        (0, 0, 0, 674),
    ],
    f"{CASSETTES}/test_search_paper_fields_of_study.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_match_title.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test_search_paper_min_citation_count.yaml": [(0, 0, 0, 70)],
    f"{CASSETTES}/test_search_paper_next_page.yaml": [(0, 0, 0, 100), (0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_open_access_pdf.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_publication_date_or_year.yaml": [(0, 0, 0, 77)]
    + [(0, 0, 0, 79)]
    + [(0, 0, 0, 100)] * 7,
    f"{CASSETTES}/test_search_paper_publication_types.yaml": [(0, 0, 0, 100), (0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_sync_from_running_loop.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_traversing_results.yaml": [(0, 0, 0, 89)],
    f"{CASSETTES}/test_search_paper_venue.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_with_relevance_and_sort.yaml": [(0, 0, 0, 100)],
    f"{CASSETTES}/test_search_paper_year.yaml": [(0, 0, 0, 21)],
    f"{CASSETTES}/test_search_paper_year_range.yaml": [(0, 0, 0, 47)],
    f"{CASSETTES}/test_search_snippet.yaml": [(0, 0, 0, 2)],
    f"{PAPERQA}/test_arxiv_doi_is_used_when_available.yaml": [(1, 0, 8, 0)],
    f"{PAPERQA}/test_author_matching.yaml": [(0, 0, 0, 1)] * 3,
    f"{PAPERQA}/test_bad_dois.yaml": [404],
    f"{PAPERQA}/test_bad_titles.yaml": [404, (1, 0, 2, 0)],
    f"{PAPERQA}/test_doi_search[paper_attributes0].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes1].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes2].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes3].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes4].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_ensure_sequential_run.yaml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_ensure_sequential_run_early_stop.yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_equations[docling].yaml": [404],
    f"{PAPERQA}/test_equations[pymupdf].yaml": [404],
    f"{PAPERQA}/test_image_enrichment_normal_use.yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_minimal_fields_filtering.yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_s2_only_fields_filtering.yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_s2_title_search_empty_data.yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes0].yaml": [(1, 0, 2, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes1].yaml": [(1, 0, 6, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes2].yaml": [(1, 0, 6, 0)],
}
"""Recording to what each answer of this service holds: its status where that is not 200, else how many works,
references, people and rejects. Counted in the JSON without the parser (entries of `data` with a day; whatever has only
a year, or is no list of papers, is a reject)."""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return Ask(tmp_path / "journal")


def recorded(name: str) -> dict[str, Any]:
    """The paper that a recording of a look-up by DOI holds."""
    held = next(one for one in exchanges(f"{PAPERQA}/{name}.yaml") if HOST in one.url and one.status == 200)
    body: dict[str, Any] = json.loads(held.body)
    found: dict[str, Any] = body["data"][0] if "data" in body else body
    return found


def saved(**changes: Any) -> dict[str, Any]:
    """Turing's paper with all fields, changed."""
    paper: dict[str, Any] = json.loads(file(f"{CASSETTES}/Paper.json"))
    return paper | changes


def listing(*papers: Any) -> Exchange:
    return answer(URL, json.dumps({"total": len(papers), "token": None, "data": list(papers)}))


def batch(*papers: Any, ids: str = "") -> Exchange:
    return answer(f"{BATCH}#ids={ids}" if ids else BATCH, json.dumps(list(papers)))


# --- recordings ----------------------------------------------------------------------------------------


def test_every_recording_of_the_service_is_in_the_table() -> None:
    assert set(of_host(HOST)) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_every_recorded_answer_gives_what_it_holds(name: str) -> None:
    assert held("semanticscholar", HOST, name) == EVERY[name]


@pytest.mark.parametrize(
    ("name", "paper_id", "published", "title", "first", "authors", "license_", "same", "citations"),
    [
        (
            "test_arxiv_doi_is_used_when_available", "204e3073870fae3d05bcbc2f6a8e263d9b72e776", date(2017, 6, 12),
            "Attention is All you Need", ("Ashish Vaswani", "s2:author/40348417"), 8, None,
            [("arxiv:1706.03762", "ArXiv")], 136941,
        ),
        # arXiv's own DOI is the arXiv paper; an apostrophe in the name
        (
            "test_title_search[paper_attributes1]", "7e55d8701785818776323b4147cb13354c820469", date(2023, 12, 8),
            "PaperQA: Retrieval-Augmented Generative Agent for Scientific Research",
            ("Jakub L'ala", "s2:author/2219926382"), 6, None,
            [("arxiv:2312.07559", "ArXiv"), ("arxiv:2312.07559", "DOI")], 106,
        ),
        # one paper of preprint and article; dated by the preprint
        (
            "test_title_search[paper_attributes2]", "354dcdebf3f8b5feeed5c62090e0bc1f0c28db06", date(2023, 4, 11),
            "Augmenting large language models with chemistry tools", ("Andrés M Bran", "s2:author/2216007369"), 6,
            "cc-by", [("arxiv:2304.05376", "ArXiv"), ("doi:10.1038/s42256-024-00832-8", "DOI")], 488,
        ),
        (
            "test_doi_search[paper_attributes0]", "7e5d4466c8b85f93775fe183e1a318a3e65ac8e4", date(2024, 4, 1),
            "High-throughput screening of human genetic variants by pooled prime editing",
            ("Michael Herger", "s2:author/2294884120"), 6, "cc-by", [("doi:10.1016/j.xgen.2025.100814", "DOI")], 5,
        ),
        # a DOI in capitals
        (
            "test_doi_search[paper_attributes1]", "19807da5b11f3e641535cb72e465001b49b48ee5", date(2001, 2, 1),
            "An essential role of active site arginine residue in iodide binding and histidine residue in electron "
            "transfer for iodide oxidation by horseradish peroxidase",
            ("S. Adak", "s2:author/1940081"), 4, None, [("doi:10.1023/a:1007154515475", "DOI")], 7,
        ),
        # nobody is named
        (
            "test_doi_search[paper_attributes2]", "e0d2719e49ad216f98ed640864cdacd1c20f53e6", date(2023, 6, 1),
            "Convalescent-anti-sars-cov-2-plasma/immune-globulin", None, 0, None,
            [("doi:10.1007/s40278-023-41815-2", "DOI")], 0,
        ),
        (
            "test_doi_search[paper_attributes3]", "b6c4e9f285bd1b0b69b98daa47fea3d29d50c658", date(2015, 6, 29),
            "Pharmacokinetics, biodistribution and cell uptake of antisense oligonucleotides.",
            ("R. Geary", "s2:author/4084271"), 4, "cc-by-nc-nd", [("doi:10.1016/j.addr.2015.01.008", "DOI")], 689,
        ),
        (
            "test_doi_search[paper_attributes4]", "db3720c812a462ef955d5654b65ca9189d4b8372", date(2014, 10, 27),
            "Developing functional musculoskeletal tissues through hypoxia and lysyl oxidase-induced collagen "
            "cross-linking",
            ("Eleftherios Makris", "s2:author/50040319"), 5, None, [("doi:10.1073/pnas.1414271111", "DOI")], 136,
        ),
        # publicationTypes null
        (
            "test_ensure_sequential_run_1063", "4187800ac995ae172c88b83f8c2c4da990d02934", date(2015, 12, 21),
            "Effect of native oxide layers on copper thin-film tensile properties: A reactive molecular dynamics study",
            ("Michael Skarlinski", "s2:author/9821934"), 2, None, [("doi:10.1063/1.4938384", "DOI")], 8,
        ),
        (
            "test_image_enrichment_normal_use", "1db1bde653658ec9b30858ae14650b8f9c9d438b", date(2023, 3, 27),
            "A Perspective on Explanations of Molecular Prediction Models", ("G. Wellawatte", "s2:author/1805407482"),
            4, "cc-by", [("doi:10.1021/acs.jctc.2c01235", "DOI")], 49,
        ),
    ],
)  # fmt: skip
def test_a_recorded_paper(
    name: str,
    paper_id: str,
    published: date,
    title: str,
    first: tuple[str, str] | None,
    authors: int,
    license_: str | None,
    same: list[tuple[str, str]],
    citations: int,
) -> None:
    paper = recorded("test_bad_titles" if name == "test_ensure_sequential_run_1063" else name)
    at = datetime(published.year, published.month, published.day, tzinfo=UTC)
    traces = read("semanticscholar", listing(paper), window=day(at.year, at.month, at.day))
    work_id = f"s2:{paper_id}"
    expected = {
        "source": "semanticscholar", "kind": "paper", "event": "created", "event_at": at, "created_at": at,
        "title": title, "status": "active", "license": license_, "native_id": paper_id,
        "url": f"https://www.semanticscholar.org/paper/{paper_id}",
    }  # fmt: skip
    assert part(by_id(traces)[work_id], expected) == expected
    assert [row["position"] for row in traces.rows["people"]] == list(range(1, authors + 1))
    assert [(row["name"], row["account"]) for row in traces.rows["people"]][:1] == ([first] if first else [])
    identities = [(row["left_id"], row["right_id"], row["evidence"]) for row in traces.rows["identities"]]
    assert sorted(identities) == sorted(
        (*sorted((other, work_id)), f"semanticscholar:externalIds.{field}") for other, field in same
    )
    assert traces.rows["references"] == []
    assert metrics(traces, work_id) == {"citations": None}  # seen years later: it would be today's
    seen = Exchange("GET", URL, 200, {}, traces.window.end, listing(paper).body)
    assert metrics(read("semanticscholar", seen, window=traces.window), work_id) == {"citations": citations}


def test_turing_1950_with_all_fields() -> None:
    """Before the window of most lakes; here it has one of its own."""
    traces = read("semanticscholar", listing(saved()), window=day(1950, 10, 1))
    expected = {"title": "Computing Machinery and Intelligence", "fields": ["Computer Science", "Sociology"]}
    assert part(by_id(traces)[f"s2:{TURING}"], expected) == expected
    assert [row["left_id"] for row in traces.rows["identities"]] == ["doi:10.1093/mind/lix.236.433"]
    assert traces.rows["texts"] == []  # there is an abstract, but no licence


def test_references_of_turing_1950() -> None:
    """Fourteen; eight have an id, and each of these a DOI; of six only a title is known."""
    traces = read("semanticscholar", batch(saved(), ids=TURING), window=day(1950, 10, 1))
    cited = references(traces, f"s2:{TURING}")
    listed = saved()["references"]
    places = [place for place, one in enumerate(listed) if one["paperId"]]
    assert cited == [(f"s2:{listed[place]['paperId']}", "cites", f"references[{place}]") for place in places]
    assert len(cited) == 8
    assert {row["event_at"] for row in traces.rows["references"]} == {datetime(1950, 10, 1, tzinfo=UTC)}
    assert len(traces.rows["identities"]) == 8
    assert reasons(traces) == [(f"s2:{TURING} references", "6 of 14 references name no identifier")]


def test_a_reference_as_the_service_gives_it_alone() -> None:
    """Its cited paper: an arXiv id and no DOI."""
    cited = json.loads(file(f"{CASSETTES}/Reference.json"))["citedPaper"]
    traces = read("semanticscholar", batch(saved(references=[cited], referenceCount=1)), window=day(1950, 10, 1))
    assert [row["target_id"] for row in traces.rows["references"]] == ["s2:331f0fb3b6176c6e463e0401025b04f6ace9ccd3"]
    assert [(row["left_id"], row["evidence"]) for row in traces.rows["identities"]] == [
        ("arxiv:1402.0030", "semanticscholar:externalIds.ArXiv")
    ]


def test_null_lists_are_no_error() -> None:
    bare = json.loads(file(f"{CASSETTES}/PaperWithNullValues.json"))
    assert bare["authors"] is None and bare["references"] is None
    dated = bare | {"publicationDate": "1950-10-01", "title": "T", "externalIds": None, "openAccessPdf": None}
    traces = read("semanticscholar", listing(dated), batch(dated), window=day(1950, 10, 1))
    assert counts(traces) == {"works": 1}


def test_a_recorded_batch_of_authors_has_no_day() -> None:
    held = exchange(f"{CASSETTES}/test_get_papers.yaml", "/paper/batch")
    assert [reason for _, reason in reasons(read("semanticscholar", held))] == [
        f"s2:{paper_id} has no day of publication, only the year None"
        for paper_id in (
            "c31c87c591a25c64fbaa82e8ac6a81831b6ac7ce",
            "cb1ebd913c3724c599f6b276b14b5c6253da68f3",
            "0f40b1f08821e22e859c6050916cec3667778613",
        )
    ]


def test_a_paper_with_only_a_year_is_counted_and_not_dated() -> None:
    traces = read("semanticscholar", *exchanges(f"{CASSETTES}/test_search_paper_year.yaml"))
    assert counts(traces) == {"rejects": 21}
    assert {reason.partition(" has")[2] for _, reason in reasons(traces)} == {
        " no day of publication, only the year 1936"
    }


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("test_empty_paginated_results", b'{"total": 0, "offset": 0}'),
        ("test_not_found", b'{"error":"Paper with id 0 not found"}'),
    ],
)
def test_an_empty_search_and_a_missing_paper_are_no_errors(name: str, body: bytes) -> None:
    held = exchanges(f"{CASSETTES}/{name}.yaml")
    assert held[0].body.strip() == body
    assert counts(read("semanticscholar", *held)) == {}
    assert semanticscholar.check(URL, held[0].status or 0, held[0].body) == ""


# --- fields ---------------------------------------------------------------------------------------------


def test_an_unknown_id_of_a_batch_is_counted_under_its_name() -> None:
    traces = read("semanticscholar", batch(None, saved(references=[]), ids=f"{ONE},{TURING}"), window=day(1950, 10, 1))
    assert reasons(traces) == [
        ("[0]", f"no paper has the id {ONE}"),
        (f"s2:{TURING} references", "14 references are announced, 0 are listed"),
    ]
    nameless = read("semanticscholar", batch(None))
    assert reasons(nameless) == [("[0]", "no such paper")]


@pytest.mark.parametrize(
    ("cited", "target", "reason"),
    [
        ({"paperId": ONE}, f"s2:{ONE}", None),
        ({"paperId": None, "externalIds": {"DOI": "10.1234/X"}}, "doi:10.1234/x", None),
        ({"paperId": None, "externalIds": {"ArXiv": "1706.03762v5"}}, "arxiv:1706.03762", None),
        ({"paperId": None, "externalIds": {"DOI": "10.1234/x", "ArXiv": "1706.03762"}}, "doi:10.1234/x", None),
        ({"paperId": None, "externalIds": {"ACL": "P18-1"}}, None, "1 of 1 references name no identifier"),
        ({"paperId": None, "externalIds": None, "title": "T"}, None, "1 of 1 references name no identifier"),
        ({"paperId": "x", "externalIds": {"DOI": "10.1234/x"}}, "doi:10.1234/x", "not a Semantic Scholar id: 'x'"),
        ({"paperId": ONE, "externalIds": {"DOI": "none"}}, f"s2:{ONE}", "not a DOI: 'none'"),
        (None, None, "the reference is not an object"),
    ],
)  # fmt: skip
def test_what_a_reference_names(cited: Any, target: str | None, reason: str | None) -> None:
    traces = read("semanticscholar", batch(saved(references=[cited], referenceCount=1)), window=day(1950, 10, 1))
    assert [row["target_id"] for row in traces.rows["references"]] == ([target] if target else [])
    assert [said for _, said in reasons(traces)] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"paperId": None}, "a Semantic Scholar id is missing"),
        ({"paperId": "0"}, "not a Semantic Scholar id: '0'"),
        ({"publicationDate": None}, f"s2:{TURING} has no day of publication, only the year 1950"),
        ({"publicationDate": "1950"}, "not a date: '1950'"),
        ({"title": None}, f"s2:{TURING} has no title"),
        ({"title": " "}, f"s2:{TURING} has no title"),
        ({"authors": [None]}, "AttributeError: 'NoneType' object has no attribute 'get'"),
        ({"openAccessPdf": {"license": ["CCBY"]}}, "license is not text: ['CCBY']"),
    ],
)
def test_one_bad_paper_rejects_itself_only(changes: dict[str, Any], reason: str) -> None:
    good = saved(paperId=TWO)
    traces = read("semanticscholar", listing(saved(**changes), good, 7), window=day(1950, 10, 1))
    assert list(by_id(traces)) == [f"s2:{TWO}"]
    assert reasons(traces) == [("data[0]", reason), ("data[2]", "the paper is not an object")]


@pytest.mark.parametrize(
    ("given", "license_", "texts"),
    [
        ("CCBY", "cc-by", 1), ("CC0", "cc0", 1), ("CCBYSA", "cc-by-sa", 1), ("public-domain", "public-domain", 1),
        ("CCBYNC", "cc-by-nc", 0), ("CCBYNCND", "cc-by-nc-nd", 0), ("other-oa", "other-oa", 0), (None, None, 0),
    ],
)  # fmt: skip
def test_an_abstract_is_kept_under_an_open_licence_only(given: str | None, license_: str | None, texts: int) -> None:
    paper = saved(openAccessPdf={"url": "", "license": given}, abstract="Ants.")
    traces = read("semanticscholar", listing(paper), window=day(1950, 10, 1))
    assert [row["license"] for row in traces.rows["works"]] == [license_]
    assert [(row["text"], row["license"]) for row in traces.rows["texts"]] == [("Ants.", license_)] * texts


def test_a_dataset_is_one() -> None:
    paper = saved(publicationTypes=["Dataset"])
    assert by_id(read("semanticscholar", listing(paper), window=day(1950, 10, 1)))[f"s2:{TURING}"]["kind"] == "dataset"


@pytest.mark.parametrize(
    ("url", "status", "body", "wrong"),
    [
        (URL, 200, b'{"total": 0}', ""),
        (URL, 200, b'{"total": 1, "token": null, "data": [{}]}', ""),
        (URL, 200, b'{"data": []}', "the page has no data or no total"),
        (URL, 200, b'{"total": 1, "data": null}', "the page has no data or no total"),
        (URL, 200, b'{"message": "Internal Server Error"}', "the page has no data or no total"),
        (URL, 404, b'{"error": "Title match not found"}', ""),
        (f"{BATCH}#ids={ONE},{TWO}", 200, b"[null, null]", ""),
        (f"{BATCH}#ids={ONE},{TWO}", 200, b"[null]", "not a list of 2 papers"),
        (f"{BATCH}#ids={ONE},{TWO}", 200, b'{"error": "x"}', "not a list of 2 papers"),
        (f"{BATCH}#ids={ONE}", 200, b"<html>", "not JSON"),
    ],
)
def test_what_cannot_be_read_is_asked_again(url: str, status: int, body: bytes, wrong: str) -> None:
    found = semanticscholar.check(url, status, body)
    assert found.startswith(wrong) and bool(found) == bool(wrong)


# --- whole scrapes --------------------------------------------------------------------------------------


def expected_on(at: date) -> dict[str, Any]:
    """Work id to fact: papers of the sample whose day is known and lies in the day's window."""
    first = "1980-01-01" if at == OPENING else str(at)
    papers = (p for p in World(at).papers(on_arxiv=False) if p["precision"] == "day")
    return {f"s2:{s2_id(p['key'])}": p for p in papers if first <= p["published"] <= str(at)}


@pytest.mark.parametrize("at", DAYS, ids=str)
def test_the_sample_is_complete_with_the_references_of_every_dated_paper(at: date, ask: Ask) -> None:
    with serve(at) as root:
        capture = ask("semanticscholar", root, at)
    assert capture.complete, capture.reason
    traces, expected = normalized("semanticscholar", capture, at), expected_on(at)
    assert set(by_id(traces)) == set(expected)
    known = {p["doi"] for p in World(at).papers(on_arxiv=False)}
    assert len(traces.rows["references"]) == sum(len(set(p["references"]) & known) for p in expected.values())
    if at == OPENING:
        pages = [one for one in capture.exchanges if one.method == "GET"]
        assert len(pages) == -(-json.loads(pages[0].body)["total"] // S2_PAGE) > 2
        assert len(expected) == 266 and len(traces.rows["references"]) == 67
        batches = [one.url.partition("#ids=")[2].split(",") for one in capture.exchanges if one.method == "POST"]
        assert [len(ids) for ids in batches] == [50] * 5 + [16]
        assert {f"s2:{one}" for ids in batches for one in ids} == set(expected)
        # 205 works of which only month or year is known, in the sample as in the facts
        assert len(reasons(traces)) == 205


def test_what_is_asked(ask: Ask) -> None:
    with serve(BUSY) as root, misbehaving(relay(root)) as server:
        capture = ask("semanticscholar", server.url, sources={"semanticscholar": {"token": "planted-key"}})
    search, posted = server.seen[0], server.seen[-1]
    assert search.parameters["publicationDateOrYear"] == f"{BUSY}:{BUSY}"
    assert search.parameters["query"] == " | ".join(f'"{term}"' for term in SWARM_INTELLIGENCE.terms)
    assert posted.method == "POST" and json.loads(posted.body)["ids"] == [
        one.removeprefix("s2:") for one in sorted(expected_on(BUSY))
    ]
    assert "#" not in posted.target and "ids" not in posted.target
    assert {request.headers["x-api-key"] for request in server.seen} == {"planted-key"}
    assert not any("planted-key" in json.dumps(one.row(1, 1), default=str) for one in capture.exchanges)


def test_without_a_key_none_is_sent(ask: Ask) -> None:
    with serve(BUSY) as root, misbehaving(relay(root)) as server:
        ask("semanticscholar", server.url)
    assert not any("x-api-key" in request.headers for request in server.seen)


def test_an_empty_search_is_a_complete_day(ask: Ask) -> None:
    with misbehaving([as_json({"total": 0})]) as server:
        capture = ask("semanticscholar", server.url)
    assert capture.complete and len(server.seen) == 1


def test_a_scrape_that_died_goes_on_from_its_last_page(ask: Ask) -> None:
    def dies(request: Seen) -> Step | None:
        return Answer(503) if request.parameters.get("token") == f"{2 * S2_PAGE:X}" else None

    with serve(OPENING) as root:
        with misbehaving(counting(relay(root), dies)) as broken:
            first = ask("semanticscholar", broken.url, OPENING)
        assert not first.complete and first.resumable and "HTTP 503" in first.reason
        with misbehaving(relay(root)) as healed:
            second = ask("semanticscholar", healed.url, OPENING)
    assert second.complete, second.reason
    assert [request.parameters.get("token") for request in healed.seen][:2] == [f"{2 * S2_PAGE:X}", f"{3 * S2_PAGE:X}"]
    assert set(by_id(normalized("semanticscholar", second, OPENING))) == set(expected_on(OPENING))


def test_one_lost_batch_is_asked_for_again_and_no_other(ask: Ask) -> None:
    lost = sorted(one.removeprefix("s2:") for one in expected_on(OPENING))[60]

    def dies(request: Seen) -> Step | None:
        return Answer(504) if lost in request.body.decode() else None

    with serve(OPENING) as root:
        with misbehaving(counting(relay(root), dies)) as broken:
            first = ask("semanticscholar", broken.url, OPENING)
        assert first.resumable and first.reason.startswith("references of ")
        assert sum(one.method == "POST" and one.ok for one in first.exchanges) == 5
        with misbehaving(relay(root)) as healed:
            second = ask("semanticscholar", healed.url, OPENING)
    assert second.complete, second.reason
    assert len(healed.seen) == 1 and lost in targets(healed)[0]
    assert len(normalized("semanticscholar", second, OPENING).rows["references"]) == 67


def test_a_refused_batch_does_not_cost_the_papers(ask: Ask) -> None:
    def refuses(request: Seen) -> Step | None:
        return as_json({"message": "Forbidden"}, status=403) if request.method == "POST" else None

    with serve(BUSY) as root, misbehaving(counting(relay(root), refuses)) as server:
        capture = ask("semanticscholar", server.url)
    assert "/paper/batch: HTTP 403" in capture.reason and not capture.resumable
    assert set(by_id(normalized("semanticscholar", capture, BUSY))) == set(expected_on(BUSY))


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ([("A", ONE), ("A", TWO)], "the next token repeats after 2 of 9 papers"),
        ([("A", ONE), ("B", ONE)], "a page brings nothing new after 1 of 9 papers"),
        ([("A", ONE), ("B", None)], "an empty page after 1 of 9 papers"),
        ([("A", ONE), (None, TWO)], "2 papers came, 9 were announced"),
    ],
)
def test_pages_that_contradict_themselves_are_incomplete(
    pages: list[tuple[str | None, str | None]], reason: str, ask: Ask
) -> None:
    script = [
        as_json({"total": 9, "token": token, "data": [{"paperId": paper}] if paper else []}) for token, paper in pages
    ]
    with misbehaving(script) as server:
        capture = ask("semanticscholar", server.url)
    assert not capture.complete and reason in capture.reason
    assert len(server.seen) == len(pages)


@pytest.mark.parametrize("paper", [None, 7, {}, {"paperId": 5}, {"paperId": ONE, "publicationDate": 2019}], ids=str)
def test_a_strange_paper_does_not_stop_the_scrape(paper: Any, ask: Ask) -> None:
    good = {"paperId": TWO, "publicationDate": str(BUSY), "title": "T"}
    page = as_json({"total": 2, "token": None, "data": [paper, good]})
    with misbehaving([page, as_json([None])]) as server:
        capture = ask("semanticscholar", server.url)
    assert [json.loads(request.body)["ids"] for request in server.seen[1:]] == [[TWO]]
    assert len(normalized("semanticscholar", capture, BUSY).rows["works"]) == 1


def test_a_backfilled_day_has_its_papers_and_no_counter(ask: Ask) -> None:
    """Seen years later: the papers and what they cite are facts of the day, today's counts are not."""
    with serve(BUSY) as root:
        capture = ask("semanticscholar", root)
    late = [
        Exchange(e.method, e.url, e.status, e.headers, datetime(2026, 1, 1, tzinfo=UTC), e.body, topic=e.topic)
        for e in capture.exchanges
    ]
    on_time, backfilled = (
        normalized("semanticscholar", what, BUSY) for what in (capture, type(capture)(tuple(late), ""))
    )
    assert len(backfilled.rows["works"]) == len(expected_on(BUSY)) > 0
    assert {row["value"] for row in backfilled.rows["metrics"]} == {None}
    assert all(isinstance(row["value"], int) for row in on_time.rows["metrics"])
    assert len(on_time.rows["metrics"]) == len(backfilled.rows["metrics"]) == len(expected_on(BUSY))
