"""OpenAlex pages as the service really answered; expected values were read off the recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.limits import told
from coevo_pipelines_tests.scrapes.parsing import (
    OPENALEX_PAGE,
    OPENALEX_RANDOM,
    OPENALEX_URL,
    by_id,
    counts,
    day,
    held,
    metrics,
    names,
    page,
    part,
    read,
    reasons,
    references,
    regression,
    single,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchanges, file, of_host


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


HOST = "api.openalex.org"
COMMONMETA = "openalex/vcr_commonmeta"
PRO = "openalex/vcr_openalexPro_2026"
PAPERQA = "multi/paperqa_s2_crossref_openalex_unpaywall"
EVERY: Mapping[str, Sequence[int | tuple[int, int, int, int]]] = {
    f"{COMMONMETA}/test_another_book_chapter.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_blog_post.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_book.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_book_chapter.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_book_chapter_with_rdf_for_container.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_component.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_dataset.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_dataset_usda.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_date_in_future.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_dissertation.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_doi_with_data_citation.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_doi_with_orcid.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_doi_with_sici.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_get_openalex.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_get_random_id_from_openalex.yaml": [(1, 0, 1, 0), (5, 34, 6, 0)],
    f"{COMMONMETA}/test_journal_article.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_journal_article_original_language.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_journal_article_with_funding.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_journal_article_with_rdf_for_container.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_missing_contributor.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_missing_contributor_name.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_multipe_titles.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_peer_review.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_posted_content.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_proceedings_article.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_read_openalex.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_too_many_contributor_names.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_vor_with_url.yaml": [(0, 0, 0, 1)],
    f"{COMMONMETA}/test_yet_another_book_chapter.yaml": [(0, 0, 0, 1)],
    f"{PRO}/api_call_200.yml": [(0, 0, 0, 1)],
    f"{PRO}/opt_filter_names.yml": [400],
    f"{PRO}/opt_select_fields.yml": [400],
    f"{PRO}/pro_fetch_search_biodiversity_AND_finance.yml": [(199, 2572, 541, 0)],
    f"{PRO}/pro_rate_limit_status_200.yml": [(0, 0, 0, 1)],
    f"{PRO}/pro_rate_limit_status_401.yml": [401],
    f"{PRO}/pro_request_biodiversity_and_group_by_type.yml": [(0, 0, 0, 1)],
    f"{PRO}/pro_request_list_count.yml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{PRO}/pro_request_search_biodiversity_AND_fiance_count.yml": [(0, 0, 0, 1), 400, 400],
    f"{PRO}/pro_request_single_identifier.yml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_does_openalex_work[not-in-openalex].yaml": [404],
    f"{PAPERQA}/test_does_openalex_work[not-oa-in-openalex].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_does_openalex_work[oa-in-openalex1].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_does_openalex_work[oa-in-openalex2].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes0].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes1].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes2].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes3].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes4].yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_title_search[paper_attributes0].yaml": [(1, 58, 2, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes1].yaml": [(1, 0, 6, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes2].yaml": [(2, 57, 10, 0)],
}
"""Recording to what each answer of this service holds: its status where that is not 200, else how many works,
references, people and rejects. Counted in the JSON without the parser (results with a date after 1980 and a title; one
work by itself is no page, which is all that is asked for here)."""


def test_every_recording_of_the_service_is_in_the_table() -> None:
    assert set(of_host(HOST)) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_every_recorded_answer_gives_what_it_holds(name: str) -> None:
    assert held("openalex", HOST, name) == EVERY[name]


@pytest.mark.parametrize(
    ("name", "native_id", "published", "type_", "title", "license_", "doi", "cites", "citations", "authors", "first"),
    [
        (
            f"{COMMONMETA}/test_another_book_chapter.yaml", "W2800740883", date(2018, 1, 1), "book-chapter",
            "Climate Change and Increasing Risk of Extreme Heat",
            None, "doi:10.1007/978-3-319-75889-3_1", 38, 4, 1,
            ("Hunter Jones", "0000-0003-4588-3911", "A5090500153"),
        ),
        (
            f"{COMMONMETA}/test_blog_post.yaml", "W4387341806", date(2023, 10, 4), "other",
            "The rise of the (science) newsletter",
            "cc-by", "doi:10.53731/ybhah-9jy85", 3, 0, 1,
            ("Martin Fenner", "0000-0003-1419-2405", "A5069389160"),
        ),
        (
            f"{COMMONMETA}/test_book.yaml", "W97658052", date(2019, 7, 1), "book",
            "The Politics of the Past in Early China",
            None, "doi:10.1017/9781108348843", 107, 6, 1,
            ("Vincent S. Leung", "0000-0001-5516-8714", "A5051500272"),
        ),
        (
            f"{COMMONMETA}/test_book_chapter.yaml", "W930857754", date(2015, 1, 1), "book-chapter",
            "Clinical Symptoms and Physical Examinations",
            None, "doi:10.1007/978-3-662-46370-3_13", 19, 1, 2,
            ("Ron L. Diercks", "0000-0001-9873-208X", "A5021980337"),
        ),
        (
            f"{COMMONMETA}/test_book_chapter_with_rdf_for_container.yaml", "W9783904",
            date(2012, 1, 1), "conference-paper",
            "Human Body Orientation Estimation in Multiview Scenarios",
            None, "doi:10.1007/978-3-642-33191-6_49", 14, 6, 3,
            ("Lili Chen", "0000-0002-5958-7243", "A5040669893"),
        ),
        (
            f"{COMMONMETA}/test_component.yaml", "W6885490810", date(2015, 12, 2), "other",
            "Stimulation of IL-32 by Mycobacteria",
            "cc-by", "doi:10.1371/journal.pmed.0030277.g001", 0, 0, 12,
            ("Mihai G Netea (15649)", None, None),
        ),
        (
            f"{COMMONMETA}/test_dataset.yaml", "W6945048743", date(1984, 3, 7), "dataset",
            "THE CRYSTAL STRUCTURE OF HUMAN DEOXYHAEMOGLOBIN AT 1.74 ANGSTROMS RESOLUTION",
            None, "doi:10.2210/pdb4hhb/pdb", 0, 1, 2,
            ("G. Fermi", None, None),
        ),
        (
            f"{COMMONMETA}/test_dataset_usda.yaml", "W4240386948", date(2017, 8, 9), "dataset",
            "Fledging times of grassland birds",
            None, "doi:10.2737/rds-2018-0001", 5, 1, 4,
            ("Christine A. Ribic", "0000-0003-2583-1778", "A5078612246"),
        ),
        (
            f"{COMMONMETA}/test_date_in_future.yaml", "W1989154056", date(2015, 4, 6), "article",
            "Paving the path to HIV neurotherapy: Predicting SIV CNS disease",
            None, "doi:10.1016/j.ejphar.2015.03.018", 109, 27, 10,
            ("Sarah E. Beck", "0000-0002-6376-5276", "A5050541044"),
        ),
        (
            f"{COMMONMETA}/test_dissertation.yaml", "W3038237952", date(2020, 5, 25), "dissertation",
            "School truancy and financial independence during emerging adulthood: a longitudinal analysis of "
            "receipt of and reliance on cash transfers",
            None, "doi:10.14264/uql.2020.791", 245, 0, 1,
            ("Patricia Collingwood", "0000-0003-3086-4443", "A5001883509"),
        ),
        (
            f"{COMMONMETA}/test_doi_with_data_citation.yaml", "W2121398592", date(2014, 2, 11), "article",
            "Automated quantitative histology reveals vascular morphodynamics during Arabidopsis hypocotyl "
            "secondary growth",
            "cc-by", "doi:10.7554/elife.01567", 29, 45, 5,
            ("Martial Sankar", None, "A5044224796"),
        ),
        (
            f"{COMMONMETA}/test_doi_with_orcid.yaml", "W2157853701", date(2012, 1, 1), "article",
            "Delineating a Retesting Zone Using Receiver Operating Characteristic Analysis on Serial "
            "QuantiFERON Tuberculosis Test Results in US Healthcare Workers",
            "cc-by", "doi:10.1155/2012/291294", 22, 42, 7,
            ("Wendy Thanassi", "0000-0003-4187-0777", "A5012220176"),
        ),
        (
            f"{COMMONMETA}/test_doi_with_sici.yaml", "W2030857676", date(2006, 11, 1), "article",
            "THE IMPACT OF PARASITE MANIPULATION AND PREDATOR FORAGING BEHAVIOR ON PREDATOR–PREY COMMUNITIES",
            None, "doi:10.1890/0012-9658(2006)87[2832:tiopma]2.0.co;2", 37, 130, 2,
            ("Andy Fenton", "0000-0002-7676-917X", "A5049804351"),
        ),
        (
            f"{COMMONMETA}/test_journal_article.yaml", "W1982728624", date(2006, 12, 20), "article",
            "Triose Phosphate Isomerase Deficiency Is Caused by Altered Dimerization–Not Catalytic "
            "Inactivity–of the Mutant Enzymes",
            "cc-by", "doi:10.1371/journal.pone.0000030", 76, 85, 5,
            ("Markus Ralser", "0000-0001-9535-7413", "A5070892021"),
        ),
        (
            f"{COMMONMETA}/test_journal_article_with_funding.yaml", "W2955786964", date(2019, 7, 2), "article",
            "Transcriptional Modulation of Polyamine Metabolism in Fruit Species Under Abiotic and Biotic "
            "Stress",
            "cc-by", "doi:10.3389/fpls.2019.00816", 70, 32, 4,
            ("Ana Margarida Fortes", "0000-0001-7552-0164", "A5045608907"),
        ),
        (
            f"{COMMONMETA}/test_journal_article_with_rdf_for_container.yaml", "W1970275598",
            date(2012, 1, 1), "article",
            "Global distribution of Fabaeformiscandona subacuta: an exotic invasive Ostracoda on the Iberian "
            "Peninsula?",
            None, "doi:10.1163/1937240x-00002096", 70, 30, 8,
            ("Andreu Escrivà", "0009-0003-2694-1191", "A5134176008"),
        ),
        (
            f"{COMMONMETA}/test_missing_contributor.yaml", "W2787899882", date(2018, 4, 9), "article",
            "Converting the Literature of a Scientific Field to Open Access through Global Collaboration: The"
            " Experience of SCOAP3 in Particle Physics",
            "cc-by", "doi:10.3390/publications6020015", 12, 9, 2,
            ("Alexander Kohls", "0000-0002-3836-8885", "A5078980654"),
        ),
        (
            f"{COMMONMETA}/test_missing_contributor_name.yaml", "W4312032943", date(2022, 12, 16), "dissertation",
            "A computational impact analysis approach leveraging non-conforming spatial, temporal and "
            "methodological discretisations",
            None, "doi:10.14264/3e10f66", 0, 0, 1,
            ("Peter Wilson", "0000-0001-5777-3141", "A5073955619"),
        ),
        (
            f"{COMMONMETA}/test_multipe_titles.yaml", "W1512509001", date(2007, 4, 13), "article",
            "Penisverletzung durch eine Moulinette",
            None, "doi:10.1007/s00120-007-1345-2", 19, 1, 1,
            ("Mike Lehsnau", None, "A5004695108"),
        ),
        (
            f"{COMMONMETA}/test_peer_review.yaml", "W3027264027", date(2020, 4, 29), "peer-review",
            "Author response: SpikeForest, reproducible web-facing ground-truth validation of automated "
            "neural spike sorters",
            "cc-by", "doi:10.7554/elife.55167.sa2", 0, 1, 8,
            ("Jeremy F. Magland", "0000-0002-5286-4375", "A5042248436"),
        ),
        (
            f"{COMMONMETA}/test_posted_content.yaml", "W2581393460", date(2016, 12, 28), "preprint",
            "A Data Citation Roadmap for Scholarly Data Repositories",
            "cc-by", "doi:10.1101/097196", 14, 21, 11,
            ("Martin Fenner", "0000-0003-1419-2405", None),
        ),
        (
            f"{COMMONMETA}/test_proceedings_article.yaml", "W3174427814", date(2021, 6, 9), "conference-paper",
            "Vector Quotient Filters",
            "cc-by", "doi:10.1145/3448016.3452841", 49, 39, 6,
            ("Prashant Pandey", "0000-0001-5576-0320", "A5014159929"),
        ),
        (
            f"{COMMONMETA}/test_too_many_contributor_names.yaml", "W2054094521", date(2009, 1, 1), "article",
            "A Hamiltonian perspective to thestabilization of systems of two conservation laws",
            None, "doi:10.3934/nhm.2009.4.249", 31, 3, 5,
            ("Valérie dos Santos", "0009-0008-5647-4519", "A5105354773"),
        ),
        (
            f"{COMMONMETA}/test_vor_with_url.yaml", "W2026325500", date(2013, 4, 10), "article",
            "Albinism in phylogenetically and geographically distinct populations of Astyanax cavefish arises"
            " through the same loss-of-function Oca2 allele",
            None, "doi:10.1038/hdy.2013.26", 39, 54, 2,
            ("Joshua B. Gross", "0000-0002-0032-1053", "A5043404445"),
        ),
        (
            f"{COMMONMETA}/test_yet_another_book_chapter.yaml", "W2476684680", date(2012, 8, 8), "book-chapter",
            "Unsupervised and Supervised Image Segmentation Using Graph Partitioning",
            None, "doi:10.4018/978-1-4666-1891-6.ch004", 29, 0, 1,
            ("Charles‐Edmond Bichot", None, "A5029459479"),
        ),
        (
            f"{PRO}/pro_request_single_identifier.yml", "W2162348455", date(2000, 2, 1), "article",
            "Biodiversity hotspots for conservation priorities",
            None, "doi:10.1038/35002501", 230, 31026, 5,
            ("Norman Myers", None, "A5109070857"),
        ),
        (
            f"{PAPERQA}/test_doi_search[paper_attributes0].yaml", "W4408732759", date(2025, 3, 1), "article",
            "High-throughput screening of human genetic variants by pooled prime editing",
            "cc-by", "doi:10.1016/j.xgen.2025.100814", 59, 3, 6,
            ("Michael Herger", "0000-0002-5390-2695", "A5067011895"),
        ),
        (
            f"{PAPERQA}/test_doi_search[paper_attributes1].yaml", "W1554322594", date(2001, 1, 1), "article",
            "An essential role of active site arginine residue in iodide binding and histidine residue in "
            "electron transfer for iodide oxidation by horseradish peroxidase.",
            None, "doi:10.1023/a:1007154515475", 36, 7, 4,
            ("Subrata Adak", "0000-0001-7376-4755", "A5007713390"),
        ),
        (
            f"{PAPERQA}/test_doi_search[paper_attributes2].yaml", "W4381738344", date(2023, 6, 23), "article",
            "Convalescent-anti-sars-cov-2-plasma/immune-globulin",
            None, "doi:10.1007/s40278-023-41815-2", 1, 0, 0,
            None,
        ),
        (
            f"{PAPERQA}/test_doi_search[paper_attributes3].yaml", "W2033425827", date(2015, 2, 7), "review",
            "Pharmacokinetics, biodistribution and cell uptake of antisense oligonucleotides",
            "cc-by-nc-nd", "doi:10.1016/j.addr.2015.01.008", 42, 750, 4,
            ("Richard S. Geary", "0000-0002-6308-3179", "A5056554811"),
        ),
        (
            f"{PAPERQA}/test_doi_search[paper_attributes4].yaml", "W2109415576", date(2014, 10, 27), "article",
            "Developing functional musculoskeletal tissues through hypoxia and lysyl oxidase-induced collagen"
            " cross-linking",
            None, "doi:10.1073/pnas.1414271111", 73, 138, 5,
            ("Eleftherios Makris", "0000-0003-4136-4620", "A5004589339"),
        ),
    ],
)  # fmt: skip
def test_a_recorded_work(
    name: str,
    native_id: str,
    published: date,
    type_: str,
    title: str,
    license_: str | None,
    doi: str,
    cites: int,
    citations: int,
    authors: int,
    first: tuple[str, str | None, str | None] | None,
) -> None:
    held = next(one for one in exchanges(name) if HOST in one.url and one.status == 200)
    said = answer(OPENALEX_URL, page(json.loads(held.body)))
    traces = read("openalex", said, window=day(published.year, published.month, published.day))
    work_id, at = f"openalex:{native_id}", datetime(published.year, published.month, published.day, tzinfo=UTC)
    expected = {
        "kind": "dataset" if type_ == "dataset" else "paper", "event": "created", "event_at": at, "created_at": at,
        "title": title, "status": "active", "license": license_, "native_id": native_id,
        "url": f"https://openalex.org/{native_id}",
    }  # fmt: skip
    assert part(by_id(traces)[work_id], expected) == expected
    assert [row["left_id"] for row in traces.rows["identities"]] == [doi]
    assert [row["evidence"] for row in traces.rows["references"]] == [f"referenced_works[{n}]" for n in range(cites)]
    people = [(row["name"], row["orcid"], row["account"]) for row in traces.rows["people"]]
    assert len(people) == authors
    assert people[:1] == ([(first[0], first[1], first[2] and f"openalex:{first[2]}")] if first else [])
    assert metrics(traces, work_id) == {"citations": None}  # seen years later: it would be today's
    seen = Exchange("GET", OPENALEX_URL, 200, {}, traces.window.end, said.body)
    assert metrics(read("openalex", seen, window=traces.window), work_id) == {"citations": citations}


@pytest.mark.parametrize(
    "without",
    [
        {"primary_location": None},
        {"primary_location": {"license": "cc-by", "source": None}},
        {"primary_topic": None, "topics": None, "keywords": None},
        {"doi": None, "ids": None},
        {"authorships": None},
        {"referenced_works": None},
        {"is_retracted": None},
        {"cited_by_count": None},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("absent", [False, True], ids=["null", "absent"])
def test_a_field_that_is_null_or_gone_costs_what_it_said_and_nothing_else(
    without: dict[str, Any], absent: bool
) -> None:
    whole = single(f"{COMMONMETA}/test_doi_with_data_citation.yaml")
    work = {name: value for name, value in whole.items() if name not in without} if absent else whole | without
    traces, before = (counts(read("openalex", answer(OPENALEX_URL, page(each)))) for each in (work, whole))
    assert before == {"works": 1, "references": 29, "metrics": 1, "people": 5, "identities": 1}
    told = {"doi": "identities", "authorships": "people", "referenced_works": "references", "cited_by_count": "metrics"}
    gone = {told[name] for name in without if name in told}
    assert traces == {table: count for table, count in before.items() if table not in gone}


def test_an_author_that_is_null_keeps_the_name_on_the_page() -> None:
    authorships = [
        {"author": None, "raw_author_name": "A. Ant"},
        {"author": None},
        {"author": {"display_name": "B. Bee"}},
    ]
    work = single(f"{COMMONMETA}/test_dataset.yaml") | {"authorships": authorships}
    traces = read("openalex", answer(OPENALEX_URL, page(work)))
    people = [(row["position"], row["name"], row["account"]) for row in traces.rows["people"]]
    assert people == [(1, "A. Ant", None), (3, "B. Bee", None)]


@pytest.mark.parametrize(
    ("name", "remaining", "reset"),
    [
        ("test_another_book_chapter", 981, 64140),
        ("test_blog_post", 992, 64144),
        ("test_dataset_usda", 983, 64140),
    ],
)
def test_the_reset_of_the_budget_is_in_seconds_from_now(name: str, remaining: int, reset: int) -> None:
    """Elsewhere `x-ratelimit-reset` is a moment: GitHub's is the second of an epoch."""
    headers = exchanges(f"{COMMONMETA}/{name}.yaml")[0].headers
    assert told(headers, now=1_800_000_000.0) == (remaining, reset)
