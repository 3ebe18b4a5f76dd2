"""Crossref as it really answered, and whole scrapes of it; expected values were read off the recordings by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from coevo_pipelines.sample.indexes import CROSSREF_ROWS
from coevo_pipelines.sample.server import serve
from coevo_pipelines.sample.world import World
from coevo_pipelines.scrapes import crossref
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.settings import SWARM_INTELLIGENCE
from coevo_pipelines.traces.records import Traces
from coevo_pipelines_tests.runs import DAYS
from coevo_pipelines_tests.scrapes.collecting import BUSY, OPENING, Ask, counting, normalized, targets
from coevo_pipelines_tests.scrapes.misbehaving import Answer, Seen, Step, as_json, misbehaving, relay
from coevo_pipelines_tests.scrapes.parsing import (
    by_id,
    counts,
    day,
    held,
    metrics,
    names,
    part,
    read,
    reasons,
    references,
)
from coevo_pipelines_tests.scrapes.recordings import answer, exchange, exchanges, file, of_host

HOST = "api.crossref.org"
CASSETTES = "crossref/vcr_habanero"
COMMONMETA = "crossref/vcr_commonmeta"
PAPERQA = "multi/paperqa_s2_crossref_openalex_unpaywall"
URL = "https://api.crossref.org/works"
BLOG = f"{COMMONMETA}/test_blog_post.yaml"
EVERY: Mapping[str, Sequence[int | tuple[int, int, int, int]]] = {
    f"{COMMONMETA}/test_blog_post.yaml": [(1, 3, 1, 0)],
    f"{COMMONMETA}/test_convert.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_convert_citation.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_convert_crossref_xml.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_convert_datacite.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_crossref_doi.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_crossref_doi_as_url.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_doi_with_data_citation.yaml": [(1, 27, 5, 0)],
    f"{COMMONMETA}/test_get_crossref_list.yaml": [(20, 21, 48, 1)],
    f"{COMMONMETA}/test_get_random_crossref_id.yaml": [(0, 0, 0, 1), (5, 24, 13, 2)],
    f"{COMMONMETA}/test_list_of_pids.yaml": [(1, 27, 5, 0), (1, 97, 1, 1), (1, 37, 6, 1)],
    f"{COMMONMETA}/test_multipe_titles.yaml": [(1, 15, 1, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_alt_url.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_citeproc_json.yaml": [301, (0, 0, 0, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_style.yaml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_throws_warnings.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_throws_warnings_can_be_suppressed.yaml": [
        (0, 0, 0, 1)
    ],
    f"{CASSETTES}/test-content_negotation/test_content_negotiation_with_unicode_doi.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-cursor/test_cursor.yaml": [(20, 22, 21, 2)],
    f"{CASSETTES}/test-cursor/test_cursor_fails_cursor_value.yaml": [404],
    f"{CASSETTES}/test-cursor/test_cursor_max.yaml": [
        (20, 22, 21, 2),
        (20, 17, 21, 1),
        (20, 27, 23, 2),
        (20, 22, 21, 2),
        (20, 17, 21, 1),
    ],
    f"{CASSETTES}/test-funders/test_funders.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-funders/test_funders_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-funders/test_funders_bad_id_works_warn.yaml": [404],
    f"{CASSETTES}/test-funders/test_funders_fail_limit.yaml": [400],
    f"{CASSETTES}/test-funders/test_funders_fail_sort.yaml": [400],
    f"{CASSETTES}/test-funders/test_funders_field_queries.yaml": [(100, 4515, 478, 96)],
    f"{CASSETTES}/test-funders/test_funders_filter_fails_noids.yaml": [400],
    f"{CASSETTES}/test-funders/test_funders_filter_fails_noidsworks.yaml": [400],
    f"{CASSETTES}/test-funders/test_funders_filter_works.yaml": [(20, 558, 74, 17)],
    f"{CASSETTES}/test-funders/test_funders_mixed_ids_warn.yaml": [(0, 0, 0, 1), 404],
    f"{CASSETTES}/test-funders/test_funders_mixed_ids_works_warn.yaml": [(20, 607, 66, 18), 404, (20, 434, 76, 14)],
    f"{CASSETTES}/test-funders/test_funders_query.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-funders/test_funders_query_filters_not_allowed_with_dois.yaml": [400],
    f"{CASSETTES}/test-funders/test_funders_sample_err.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-journals/test_journals_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-journals/test_journals_bad_id_works_warn.yaml": [404],
    f"{CASSETTES}/test-journals/test_journals_fail_limit.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals_fail_sort.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals_field_queries.yaml": [(20, 901, 78, 20)],
    f"{CASSETTES}/test-journals/test_journals_field_queries_not_allowed_with_dois.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals_filter_fails_noids.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals_filter_fails_noidsworks.yaml": [400],
    f"{CASSETTES}/test-journals/test_journals_ids.yaml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{CASSETTES}/test-journals/test_journals_mixed_ids_warn.yaml": [(0, 0, 0, 1), 404],
    f"{CASSETTES}/test-journals/test_journals_mixed_ids_works_warn.yaml": [(20, 169, 50, 20), 404, (20, 855, 112, 16)],
    f"{CASSETTES}/test-journals/test_journals_query.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-journals/test_journals_works.yaml": [(20, 1063, 148, 18), (20, 1166, 53, 20)],
    f"{CASSETTES}/test-licenses/test_licenses.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-licenses/test_licenses_query.yaml": [(0, 0, 0, 20), (0, 0, 0, 20)],
    f"{CASSETTES}/test-members/test_members.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-members/test_members_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-members/test_members_bad_id_works_warn.yaml": [404],
    f"{CASSETTES}/test-members/test_members_field_queries.yaml": [(7, 21, 7, 4)],
    f"{CASSETTES}/test-members/test_members_filter.yaml": [400],
    f"{CASSETTES}/test-members/test_members_mixed_ids_warn.yaml": [(0, 0, 0, 1), 404],
    f"{CASSETTES}/test-members/test_members_mixed_ids_works_warn.yaml": [(19, 162, 59, 19), 404, (4, 70, 17, 19)],
    f"{CASSETTES}/test-members/test_members_query.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-members/test_members_query_filters_not_allowed_with_dois.yaml": [400],
    f"{CASSETTES}/test-members/test_members_sample_err.yaml": [400],
    f"{CASSETTES}/test-pagination_params/test_limit_of_zero_with_id.yaml": [(0, 0, 0, 0)],
    f"{CASSETTES}/test-pagination_params/test_limit_of_zero_without_id.yaml": [(0, 0, 0, 0)],
    f"{CASSETTES}/test-pagination_params/test_offset_of_zero_with_id.yaml": [(1, 7, 2, 1)],
    f"{CASSETTES}/test-pagination_params/test_offset_of_zero_without_id.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-prefixes/test_prefixes.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-prefixes/test_prefixes_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-prefixes/test_prefixes_bad_id_works_warn.yaml": [404],
    f"{CASSETTES}/test-prefixes/test_prefixes_field_queries.yaml": [(20, 1027, 127, 20)],
    f"{CASSETTES}/test-prefixes/test_prefixes_mixed_ids_warn.yaml": [(0, 0, 0, 1), 404],
    f"{CASSETTES}/test-prefixes/test_prefixes_mixed_ids_works_warn.yaml": [(4, 70, 17, 19), 404, (0, 0, 0, 0)],
    f"{CASSETTES}/test-prefixes/test_prefixes_query_filters_not_allowed_with_dois.yaml": [400],
    f"{CASSETTES}/test-prefixes/test_prefixes_works.yaml": [(2, 46, 2, 2)],
    f"{CASSETTES}/test-random_dois/test_random_dois.yaml": [(10, 92, 21, 5)],
    f"{CASSETTES}/test-random_dois/test_random_dois_sample_param.yaml": [(3, 53, 13, 3), (5, 40, 16, 2)],
    f"{CASSETTES}/test-registration_agency/test_registration_agency.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-registration_agency/test_registration_agency_bad_request.yaml": [404],
    f"{CASSETTES}/test-registration_agency/test_registration_agency_unicode.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-settings/test_no_ua_string.yaml": [(1, 65, 6, 1)],
    f"{CASSETTES}/test-settings/test_ua_string.yaml": [(1, 65, 6, 1)],
    f"{CASSETTES}/test-settings/test_ua_string_registration_agency.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-types/test_types.yaml": [(0, 0, 0, 30)],
    f"{CASSETTES}/test-types/test_types_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-types/test_types_bad_id_works_warn.yaml": [404],
    f"{CASSETTES}/test-types/test_types_ids.yaml": [(0, 0, 0, 1)],
    f"{CASSETTES}/test-types/test_types_mixed_ids_warn.yaml": [(0, 0, 0, 1), 404],
    f"{CASSETTES}/test-types/test_types_mixed_ids_works_warn.yaml": [(20, 160, 46, 6), 404, (20, 0, 30, 0)],
    f"{CASSETTES}/test-types/test_types_query.yaml": [(0, 0, 0, 30)],
    f"{CASSETTES}/test-types/test_types_query_filters_not_allowed_with_typeid.yaml": [400],
    f"{CASSETTES}/test-types/test_types_works.yaml": [(0, 0, 0, 2)],
    f"{CASSETTES}/test-works/test_works_bad_id_warn.yaml": [404],
    f"{CASSETTES}/test-works/test_works_field_queries.yaml": [(20, 800, 62, 18)],
    f"{CASSETTES}/test-works/test_works_field_query_publisher_name.yaml": [(20, 76, 53, 7)],
    f"{CASSETTES}/test-works/test_works_mixed_ids_warn.yaml": [(1, 65, 6, 1), 404, (1, 37, 5, 1)],
    f"{CASSETTES}/test-works/test_works_no_id_withlimit.yaml": [(2, 29, 2, 1)],
    f"{CASSETTES}/test-works/test_works_query.yaml": [(2, 0, 1, 0)],
    f"{CASSETTES}/test-works/test_works_query_filters_not_allowed_with_dois.yaml": [400],
    f"{CASSETTES}/test-works/test_works_sample.yaml": [(1, 0, 1, 1)],
    f"{CASSETTES}/test-works/test_works_with_many_ids.yaml": [
        (1, 55, 11, 1),
        (1, 28, 12, 1),
        (1, 62, 8, 0),
        (1, 3, 2, 1),
        (1, 0, 1, 0),
    ],
    f"{CASSETTES}/test-works/test_works_with_one_id.yaml": [(1, 65, 6, 1)],
    f"{CASSETTES}/test-works/test_works_with_select_param.yaml": [(0, 0, 0, 20)],
    f"{CASSETTES}/test-workscontainer/test_workscontainer_failure_behavior.yaml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{CASSETTES}/test-workscontainer/test_workscontainer_with_cursor.yaml": [
        (4, 19, 12, 5),
        (5, 68, 12, 5),
        (5, 35, 18, 5),
        (5, 40, 17, 4),
    ],
    f"{CASSETTES}/test-workscontainer/test_workscontainer_with_many.yaml": [(4, 19, 12, 5)],
    f"{CASSETTES}/test-workscontainer/test_workscontainer_with_one_id.yaml": [(1, 65, 6, 1)],
    f"{CASSETTES}/test-workscontainer/test_workscontainer_with_two_ids.yaml": [(1, 32, 15, 1), (1, 1, 13, 1)],
    f"{CASSETTES}/test-worksquery/test_worksquery_execute.yaml": [(0, 0, 0, 3)],
    f"{CASSETTES}/test-worksquery/test_worksquery_same_as_wrapped_method_real_requests.yaml": [
        (0, 0, 0, 3),
        (0, 0, 0, 3),
    ],
    f"{PAPERQA}/test_arxiv_doi_is_used_when_available.yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_author_matching.yaml": [(0, 0, 0, 0), 404],
    f"{PAPERQA}/test_bad_dois.yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_bad_titles.yaml": [(0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1)],
    f"{PAPERQA}/test_crossref_journalquality_fields_filtering.yaml": [(0, 0, 0, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_crossref_retraction_status.yaml": [(0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes0].yaml": [(1, 53, 6, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes1].yaml": [(1, 37, 4, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes2].yaml": [(1, 1, 0, 0), (0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes3].yaml": [(1, 36, 4, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_doi_search[paper_attributes4].yaml": [(1, 65, 5, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_ensure_sequential_run.yaml": [404, 404, (1, 55, 2, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_ensure_sequential_run_early_stop.yaml": [404],
    f"{PAPERQA}/test_equations[docling].yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_equations[pymupdf].yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_image_enrichment_normal_use.yaml": [(1, 125, 4, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_minimal_fields_filtering.yaml": [404, (0, 0, 0, 1)],
    f"{PAPERQA}/test_s2_only_fields_filtering.yaml": [404],
    f"{PAPERQA}/test_title_search[paper_attributes0].yaml": [(1, 55, 2, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_title_search[paper_attributes1].yaml": [(0, 0, 0, 0)],
    f"{PAPERQA}/test_title_search[paper_attributes2].yaml": [(1, 58, 6, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1016-j.bbcan.2023.188947-1].yaml": [(1, 43, 6, 1), (0, 0, 0, 1)],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1016-j.semcdb.2016.08.024-1].yaml": [
        (1, 75, 5, 1),
        (0, 0, 0, 1),
    ],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1038-s41598-018-27044-6-1].yaml": [(1, 64, 4, 0), (0, 0, 0, 1)],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1073-pnas.1205508109-3].yaml": [(1, 37, 5, 0), (0, 0, 0, 1)],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1146-annurev.pathol.4.110807.092311-2].yaml": [
        (1, 114, 2, 1),
        (0, 0, 0, 1),
    ],
    f"{PAPERQA}/test_tricky_journal_quality_results[10.1186-1471-2148-11-4-2].yaml": [(1, 43, 2, 1), (0, 0, 0, 1)],
}
"""Recording to what each answer of this service holds: its status where that is not 200, else how many works,
references, people and rejects. Counted in the JSON without the parser (items of a type that is a work with a title and
a `created`; references with a DOI; authors with a name)."""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return Ask(tmp_path / "journal")


def record(**changes: Any) -> dict[str, Any]:
    """The record of a blog post of 2023-10-04, changed."""
    message: dict[str, Any] = json.loads(exchange(BLOG, "10.53731/ybhah-9jy85").body)["message"]
    return message | changes


def listing(*items: Any, term: str = "") -> Exchange:
    message = {"total-results": len(items), "items": list(items)}
    return answer(f"{URL}?query.title={term}&cursor=*" if term else URL, json.dumps({"message": message}))


def single(message: dict[str, Any], fragment: str = "") -> Exchange:
    return answer(f"{URL}/10.1/x{fragment}", json.dumps({"message-type": "work", "message": message}))


# --- recordings ----------------------------------------------------------------------------------------


def test_every_recording_of_the_service_is_in_the_table() -> None:
    assert set(of_host(HOST)) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_every_recorded_answer_gives_what_it_holds(name: str) -> None:
    assert held("crossref", HOST, name) == EVERY[name]


@pytest.mark.parametrize(
    ("name", "doi", "created", "title", "people", "license_", "cites", "citations"),
    [
        (
            BLOG, "10.53731/ybhah-9jy85", datetime(2023, 10, 4, 8, 48, 19, tzinfo=UTC),
            "The rise of the (science) newsletter", [("Martin Fenner", "0000-0003-1419-2405")],
            "https://creativecommons.org/licenses/by/4.0/legalcode",
            ["doi:10.1038/d41586-023-02554-0", "doi:10.24343/c34w2h", "doi:10.53731/9cdnt-2k006"], 0,
        ),
        (
            f"{COMMONMETA}/test_convert.yaml", "10.7554/elife.01567", datetime(2014, 2, 11, 11, 29, 4, tzinfo=UTC),
            "Automated quantitative histology reveals vascular morphodynamics during Arabidopsis hypocotyl secondary "
            "growth",
            [("Martial Sankar", None), ("Kaisa Nieminen", None), ("Laura Ragni", None), ("Ioannis Xenarios", None),
             ("Christian S Hardtke", None)],
            "http://creativecommons.org/licenses/by/3.0/",
            ["doi:10.1038/nature02100", "doi:10.1534/genetics.109.104976", "doi:10.1034/j.1399-3054.2002.1140413.x"],
            36,
        ),
        # the first of two titles; the licence of the printed issue (July) does not hold in April
        (
            f"{COMMONMETA}/test_multipe_titles.yaml", "10.1007/s00120-007-1345-2",
            datetime(2007, 4, 13, 9, 57, 50, tzinfo=UTC), "Penisverletzung durch eine Moulinette",
            [("M. Lehsnau", None)], None, None, 1,
        ),
        (
            f"{COMMONMETA}/test_list_of_pids.yaml", "10.1145/3448016.3452841",
            datetime(2021, 6, 18, 17, 22, 39, tzinfo=UTC), "Vector Quotient Filters", None,
            "https://creativecommons.org/licenses/by/4.0/", None, 37,
        ),
        # issued [[null]]; nobody is named
        (
            f"{CASSETTES}/test-cursor/test_cursor.yaml", "10.1007/978-1-4302-0197-7_9",
            datetime(2007, 9, 8, 13, 37, 48, tzinfo=UTC), "Widget Mania: Using a GUI Widget Framework", [], None, [], 0,
        ),
        # issued 2008-02; a name in one piece
        (
            f"{CASSETTES}/test-cursor/test_cursor_max.yaml", "10.21326/ksdt.2008..18.018",
            datetime(2016, 4, 7, 4, 15, 41, tzinfo=UTC),
            "Study of Widget Advertisements on the Web - Focusing on the Analysis of Visual Characteristics of Widget "
            "Advertisement -", [("조혜린", None)], None, [], 0,
        ),
        # an organisation
        (
            f"{CASSETTES}/test-types/test_types_mixed_ids_works_warn.yaml", "10.15554/pci.cta-17",
            datetime(2022, 10, 10, 17, 7, 51, tzinfo=UTC),
            "CTA #17. Concrete Corbels Attached to Precast Concrete Columns",
            [("Concrete Technology Associates", None)], None, [], 0,
        ),
        # markup and line ends in the title
        (
            f"{PAPERQA}/test_tricky_journal_quality_results[10.1073-pnas.1205508109-3].yaml", "10.1073/pnas.1205508109",
            datetime(2012, 9, 5, 0, 17, 32, tzinfo=UTC),
            "Oncogenic mutations mimic and enhance dynamic events in the natural activation of phosphoinositide "
            "3-kinase p110α ( PIK3CA )", None, None, None, 261,
        ),
        # found by its whole title, among 2,531,297 works with one of the words
        (
            f"{PAPERQA}/test_title_search[paper_attributes2].yaml", "10.1038/s42256-024-00832-8",
            datetime(2024, 5, 8, 10, 3, 31, tzinfo=UTC), "Augmenting large language models with chemistry tools",
            [("Andres M. Bran", None), ("Sam Cox", None), ("Oliver Schilter", "0000-0003-0310-0851"),
             ("Carlo Baldassari", None), ("Andrew D. White", "0000-0002-6647-3965"),
             ("Philippe Schwaller", "0000-0003-3046-6576")],
            "https://creativecommons.org/licenses/by/4.0", None, 232,
        ),
    ],
)  # fmt: skip
def test_a_recorded_work(
    name: str,
    doi: str,
    created: datetime,
    title: str,
    people: list[tuple[str, str | None]] | None,
    license_: str | None,
    cites: list[str] | None,
    citations: int,
) -> None:
    holding = [
        one
        for one in exchanges(name)
        if one.status == 200 and HOST in one.url and doi.encode() in one.body.replace(b"\\", b"")
    ]
    window = day(created.year, created.month, created.day)
    traces = read("crossref", holding[0], window=window)
    work_id = f"doi:{doi}"
    expected = {
        "source": "crossref", "kind": "paper", "event": "created", "event_at": created, "created_at": created,
        "title": title, "status": "active", "license": license_, "native_id": doi, "url": f"https://doi.org/{doi}",
    }  # fmt: skip
    row = by_id(traces)[work_id]
    assert part(row, expected) == expected
    said = [(one["name"], one["orcid"]) for one in traces.rows["people"] if one["work_id"] == work_id]
    if people is not None:
        assert said == people
    if cites is not None:
        assert [target for target, _, _ in references(traces, work_id)][:3] == cites
    assert metrics(traces, work_id) == {"citations": None}  # seen years later: it would be today's
    late = Exchange("GET", holding[0].url, 200, {}, window.end, holding[0].body)
    assert metrics(read("crossref", late, window=window), work_id) == {"citations": citations}


def test_a_reference_says_where_it_stands() -> None:
    traces = read("crossref", exchange(BLOG, "10.53731/ybhah-9jy85"))
    assert references(traces, "doi:10.53731/ybhah-9jy85") == [
        ("doi:10.1038/d41586-023-02554-0", "cites", "reference[0].DOI"),
        ("doi:10.24343/c34w2h", "cites", "reference[1].DOI"),
        ("doi:10.53731/9cdnt-2k006", "cites", "reference[2].DOI"),
    ]
    assert {row["event_at"] for row in traces.rows["references"]} == {datetime(2023, 10, 4, 8, 48, 19, tzinfo=UTC)}


def test_references_without_a_doi_are_counted() -> None:
    book = exchange(f"{COMMONMETA}/test_list_of_pids.yaml", "10.1017/9781108348843")
    traces = read("crossref", book)
    assert len(traces.rows["references"]) == 97
    assert reasons(traces) == [("doi:10.1017/9781108348843 reference", "176 of 273 references have no DOI")]


def test_a_reference_to_arxivs_own_doi_is_the_arxiv_paper() -> None:
    traces = read("crossref", listing(record(reference=[{"key": "1", "DOI": "10.48550/ARXIV.1611.06256"}])))
    assert [row["target_id"] for row in traces.rows["references"]] == ["arxiv:1611.06256"]


@pytest.mark.parametrize(
    ("name", "ends", "preprint", "article"),
    [
        (f"{CASSETTES}/test-journals/test_journals_field_queries.yaml", "works", "doi:10.7287/peerj.preprints.3020",
         "doi:10.7717/peerj.3811"),
        (f"{PAPERQA}/test_image_enrichment_normal_use.yaml", "acs.jctc.2c01235", "doi:10.26434/chemrxiv-2022-qfv02",
         "doi:10.1021/acs.jctc.2c01235"),
    ],
)  # fmt: skip
def test_preprint_and_article_are_the_same_work(name: str, ends: str, preprint: str, article: str) -> None:
    said = next(one for one in exchanges(name) if HOST in one.url and ends in one.url and one.status == 200)
    rows = read("crossref", said).rows["identities"]
    assert [(row["left_id"], row["right_id"], row["evidence"]) for row in rows] == [
        (*sorted((preprint, article)), "crossref:relation.has-preprint[0]")
    ]


def test_an_author_without_any_name_is_counted_and_keeps_his_place() -> None:
    traces = read(
        "crossref", *(e for e in exchanges(f"{CASSETTES}/test-cursor/test_cursor_max.yaml") if e.status == 200)
    )
    work_id = "doi:10.31390/gradschool_theses.6125"
    assert [(r["position"], r["name"]) for r in traces.rows["people"] if r["work_id"] == work_id] == [
        (2, "Joshua Rovira")
    ]
    assert (f"{work_id} author 1", "the author has no name") in reasons(traces)


def test_a_person_with_one_name_among_others() -> None:
    name = f"{CASSETTES}/test-journals/test_journals_mixed_ids_works_warn.yaml"
    traces = read("crossref", exchange(name, "/journals/1803-2427/works"))
    assert names(traces, "doi:10.2478/v10285-012-0032-1") == [
        "Hirabuki Yoshihiko", "Kanno Hiroshi", "Sudesiqin", "Su Gencheng", "Bao Yuhai",
    ]  # fmt: skip


def test_parts_and_containers_are_no_works() -> None:
    """Sixteen figures and tables, and the issue of a journal."""
    name = f"{CASSETTES}/test-members/test_members_mixed_ids_works_warn.yaml"
    figures = [reason for _, reason in reasons(read("crossref", exchange(name, "/members/340/works")))]
    assert sum(reason.endswith("is no work: its type is 'component'") for reason in figures) == 16
    issue = read("crossref", exchange(f"{COMMONMETA}/test_get_random_crossref_id.yaml", "/works"))
    assert reasons(issue) == [("items[0]", "doi:10.1111/cep.1979.6.issue-5 is no work: its type is 'journal-issue'")]


@pytest.mark.parametrize(
    ("name", "doi", "created", "cites", "counted"),
    [
        ("test_1_multiple_authors", "10.1103/physrevb.89.140501", datetime(2014, 4, 4, 21, 13, 30, tzinfo=UTC), 48,
         ["2 of 50 references have no DOI"]),
        ("test_2_abstract", "10.32396/usurj.v1i1.55", datetime(2018, 10, 29, 15, 56, 1, tzinfo=UTC), 0, []),
        ("test_3_conference", "10.1145/3184558.3186235", datetime(2018, 4, 18, 18, 4, 25, tzinfo=UTC), 15,
         ["7 of 22 references have no DOI"]),
        ("test_4_multiple_isbn", "10.1007/978-3-0348-8720-5_13", datetime(2011, 8, 10, 19, 54, 35, tzinfo=UTC), 2,
         ["5 of 7 references have no DOI"]),
        ("test_5_aps_article_number", "10.1103/physreva.106.022212", datetime(2022, 8, 19, 15, 8, 52, tzinfo=UTC), 45,
         ["11 of 56 references have no DOI"]),
    ],
)  # fmt: skip
def test_saved_answers(name: str, doi: str, created: datetime, cites: int, counted: list[str]) -> None:
    traces = read("crossref", answer(f"{URL}/{doi}", file(f"crossref/papis/{name}.json")))
    assert {work: row["event_at"] for work, row in by_id(traces).items()} == {f"doi:{doi}": created}
    assert len(traces.rows["references"]) == cites
    assert [reason for _, reason in reasons(traces)] == counted


@pytest.mark.parametrize(("name", "works", "rejects"), [("crossref-list", 20, 0), ("crossref-list_missing_doi", 19, 1)])
def test_saved_lists(name: str, works: int, rejects: int) -> None:
    items = json.loads(file(f"crossref/fixtures_commonmeta/{name}.json"))["items"]
    traces = read("crossref", listing(*items))
    assert len(by_id(traces)) == works
    assert [row for row in reasons(traces) if row[1] == "a DOI is missing"] == [
        ("items[0]", "a DOI is missing")
    ] * rejects


# --- fields ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["<i>Tridacna maxima</i> and H<sub>2</sub>O"], "Tridacna maxima and H2O"),
        (["ecology &amp; evolution"], "ecology & evolution"),
        (["&lt;i&gt;E. coli&lt;/i&gt; &amp;amp; friends"], "E. coli & friends"),
        (["if x<y and z>w"], "if x<y and z>w"),
        (["<jats:title>One</jats:title>"], "One"),
        (["<mml:math><mml:mi>k</mml:mi></mml:math>-means"], "k-means"),
        (["", "The second"], "The second"),
        ("not in a list", "not in a list"),
        ([None, "after a null"], "after a null"),
    ],
)
def test_a_title_is_plain_text(given: Any, expected: str) -> None:
    assert [row["title"] for row in read("crossref", listing(record(title=given))).rows["works"]] == [expected]


@pytest.mark.parametrize("missing", [None, [], [""], ["<i></i>"], [None], {}], ids=repr)
def test_a_work_without_a_title_is_a_reject(missing: Any) -> None:
    traces = read("crossref", listing(record(title=missing), record(DOI="10.1/other")))
    assert list(by_id(traces)) == []  # 10.1/other is no DOI
    assert reasons(traces)[0] == ("items[0]", "doi:10.53731/ybhah-9jy85 has no title")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"created": None}, "a date is missing or not text: None"),
        ({"created": {"date-parts": [[2023]]}}, "a date is missing or not text: None"),
        ({"created": {"date-parts": [[None]], "date-time": None}}, "a date is missing or not text: None"),
        ({"created": {"date-time": "2023"}}, "not a date: '2023'"),
        ({"DOI": None}, "a DOI is missing"),
        ({"DOI": 5}, "a DOI is missing"),
        ({"author": [None]}, "AttributeError: 'NoneType' object has no attribute 'get'"),
        ({"license": [{"URL": 5, "start": {"date-time": "never"}}]}, "not a date: 'never'"),
    ],
)
def test_one_bad_record_rejects_itself_only(changes: dict[str, Any], reason: str) -> None:
    traces = read("crossref", listing(record(**changes), record(DOI="10.5555/good"), 7))
    assert list(by_id(traces)) == ["doi:10.5555/good"]
    assert reasons(traces) == [("items[0]", reason), ("items[2]", "the work is not an object")]
    assert {row["work_id"] for row in traces.rows["people"]} == {"doi:10.5555/good"}


def test_a_day_of_publication_dates_nothing() -> None:
    """The DOI of 2023-10-04 is registered then, whatever its issue says."""
    issued = {"date-parts": [[1999]]}
    traces = read("crossref", listing(record(issued=issued, published=issued)), window=day(2023, 10, 4))
    assert [row["event_at"] for row in traces.rows["works"]] == [datetime(2023, 10, 4, 8, 48, 19, tzinfo=UTC)]
    other = read("crossref", listing(record(issued=issued)), window=day(1999, 1, 1))
    assert (counts(other), other.outside_window) == ({}, 1)


@pytest.mark.parametrize(
    ("licenses", "expected", "texts"),
    [
        ([("vor", "http://creativecommons.org/licenses/by/4.0/", "2023-10-04")], "by/4.0/", 1),
        ([("tdm", "https://www.elsevier.com/tdm/userlicense/1.0/", "2023-01-01")], None, 0),
        ([("tdm", "https://creativecommons.org/licenses/by-sa/4.0/", "2023-01-01")], "by-sa/4.0/", 1),
        # open from next year on: not known to hold yet
        ([("vor", "http://creativecommons.org/licenses/by/4.0/", "2024-10-04")], None, 0),
        ([("am", "http://a.org/am", "2023-01-01"), ("unspecified", "http://a.org/any", "2023-01-01")], "any", 0),
        ([("unspecified", "http://a.org/any", "2023-01-01"), ("vor", "http://a.org/vor", "2023-01-01")], "vor", 0),
        ([("vor", "http://creativecommons.org/licenses/by-nc-nd/4.0/", "2023-01-01")], "by-nc-nd/4.0/", 0),
        ([("vor", "https://creativecommons.org/publicdomain/zero/1.0/", "2023-01-01")], "zero/1.0/", 1),
    ],
)  # fmt: skip
def test_an_abstract_is_kept_under_an_open_licence_only(
    licenses: list[tuple[str, str, str]], expected: str | None, texts: int
) -> None:
    given = [
        {"content-version": version, "URL": url, "start": {"date-time": f"{start}T00:00:00Z"}}
        for version, url, start in licenses
    ]
    said = record(
        license=given, abstract="<jats:title>Aim</jats:title><jats:p>Ants &amp;\n bees.</jats:p><jats:p>End.</jats:p>"
    )
    traces = read("crossref", listing(said), window=day(2023, 10, 4))
    license_ = traces.rows["works"][0]["license"]
    assert license_ is None if expected is None else license_.endswith(expected)
    assert [row["text"] for row in traces.rows["texts"]] == ["Aim\n\nAnts & bees.\n\nEnd."] * texts


@pytest.mark.parametrize(
    ("updated", "status"),
    [
        ([], "active"),
        ([("correction", "2023-10-04")], "active"),
        ([("retraction", "2023-10-04")], "withdrawn"),
        ([("removal", "2020-01-01")], "withdrawn"),
        ([("retraction", "2023-10-05")], "active"),  # nobody knew that day
    ],
)
def test_a_retraction_counts_from_its_day_on(updated: list[tuple[str, str]], status: str) -> None:
    notices = [{"type": kind, "DOI": "10.1234/n", "updated": {"date-time": f"{on}T00:00:00Z"}} for kind, on in updated]
    traces = read("crossref", listing(record(**{"updated-by": notices})), window=day(2023, 10, 4))
    assert [row["status"] for row in traces.rows["works"]] == [status]


def test_a_work_that_was_taken_back_is_a_row_of_that_day() -> None:
    """Its record, asked for on the day of the notice: no reference and no counter of it is news."""
    said = single(record(), "#withdrawn=2024-05-02T10:00:00Z")
    traces = read("crossref", said, window=day(2024, 5, 2))
    expected = {
        "event": "updated", "status": "withdrawn", "event_at": datetime(2024, 5, 2, 10, tzinfo=UTC),
        "created_at": datetime(2023, 10, 4, 8, 48, 19, tzinfo=UTC), "title": "The rise of the (science) newsletter",
    }  # fmt: skip
    assert part(by_id(traces)["doi:10.53731/ybhah-9jy85"], expected) == expected
    assert counts(traces) == {"works": 1, "people": 1}
    assert read("crossref", said, window=day(2024, 5, 3)).outside_window == 1


@pytest.mark.parametrize(
    ("term", "title", "is_named"),
    [
        ("ant colony", "Ant-Colony optimisation", True),
        ("ant colony", "An ant\ncolony", True),
        ("ant colony", "The colony of the ant", False),
        ("ant colony", "Elephant colony", False),
        ("particle swarm", "Particle physics of a swarm", False),
        ("grey wolf optimizer", "Grey wolf optimizers", True),
        ("a+b (c)", "On a+b (c) and d", True),
    ],
)
def test_what_only_has_a_word_of_the_term_is_left_out(term: str, title: str, is_named: bool) -> None:
    traces = read("crossref", listing(record(title=[title]), term=quote_plus(term)))
    assert len(traces.rows["works"]) == is_named
    assert reasons(traces) == []


@pytest.mark.parametrize(
    ("path", "status", "body", "wrong"),
    [
        ("/works?query.title=x", 200, b'{"message": {"items": [], "total-results": 0}}', ""),
        ("/works?query.title=x", 200, b'{"message": {"items": null, "total-results": 0}}',
         "the page has no items or no total-results"),
        ("/works?query.title=x", 200, b'{"message": {"items": []}}', "the page has no items or no total-results"),
        ("/works?query.title=x", 200, b'{"message": []}', "the answer has no message"),
        ("/works?query.title=x", 200, b"<html>504</html>", "not JSON"),
        ("/works/10.1%2Fx", 200, b'{"message": {"DOI": "10.1/x"}}', ""),
        ("/works/10.1%2Fx", 404, b"Resource not found.", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_asked_again(path: str, status: int, body: bytes, wrong: str) -> None:
    found = crossref.check(f"https://api.crossref.org{path}", status, body)
    assert found.startswith(wrong) and bool(found) == bool(wrong)


# --- whole scrapes --------------------------------------------------------------------------------------


def found(traces: Traces) -> set[str]:
    """One work may be found by several terms."""
    return {row["work_id"] for row in traces.rows["works"]}


def expected_on(at: Any) -> set[str]:
    """DOIs of the sample's world with a term in the title whose (composed) registration lies in the day's window."""
    first = "1980-01-01" if at == OPENING else str(at)
    titled = (p for p in World(at).papers(on_arxiv=False) if p["doi"] and first <= p["published"] <= str(at))
    joined = {p["doi"].lower(): p["title"].lower().replace("-", " ") for p in titled}
    return {
        f"doi:{doi}"
        for doi, title in joined.items()
        if any(f" {term}" in f" {title}" for term in SWARM_INTELLIGENCE.terms)
    }


@pytest.mark.parametrize("at", DAYS, ids=str)
def test_the_sample_is_complete_and_its_works_are_those_with_a_term_in_the_title(at: Any, ask: Ask) -> None:
    with serve(at) as root:
        capture = ask("crossref", root, at)
    assert capture.complete, capture.reason
    assert all(one.url.startswith("sample://crossref/works?query.title=") for one in capture.exchanges)
    traces = normalized("crossref", capture, at)
    assert found(traces) == expected_on(at)
    assert {reason for _, reason in reasons(traces)} == set()
    if at == OPENING:
        assert len(expected_on(at)) > 40
        most = max(json.loads(one.body)["message"]["total-results"] for one in capture.exchanges)
        assert most > CROSSREF_ROWS  # a second page was needed
        cursors = {one.url.partition("cursor=")[2] for one in capture.exchanges}
        assert len(cursors) > 2


def test_a_second_day_asks_for_its_own_dates(ask: Ask) -> None:
    with serve(BUSY) as root, misbehaving(relay(root)) as server:
        ask("crossref", server.url)
    assert {request.parameters["filter"] for request in server.seen} == {
        f"from-created-date:{BUSY},until-created-date:{BUSY}"
    }
    assert [
        request.parameters["query.title"] for request in server.seen if request.parameters["cursor"] == "*"
    ] == list(SWARM_INTELLIGENCE.terms)


@pytest.mark.parametrize(
    ("contact", "agent"),
    [
        ("someone@example.org", "; mailto:someone@example.org)"),
        ("mailto:someone@example.org", "; mailto:someone@example.org)"),
        ("https://example.org/contact", "; https://example.org/contact)"),
    ],
)
def test_the_polite_pool_is_asked_for_in_the_header_and_nothing_is_stored(contact: str, agent: str, ask: Ask) -> None:
    with serve(BUSY) as root, misbehaving(relay(root)) as server:
        capture = ask("crossref", server.url, http={"contact": contact})
    assert {request.headers["user-agent"].endswith(agent) for request in server.seen} == {True}
    assert not any("someone" in target for target in server.targets)
    assert not any("someone" in json.dumps(one.row(1, 1), default=str) for one in capture.exchanges)


def test_two_pages_without_the_term_end_the_search(ask: Ask) -> None:
    """Best first: the service would go on to every work that has one of the words."""

    def endless(request: Seen) -> Step:
        number = 1 if request.parameters["cursor"] == "*" else int(request.parameters["cursor"]) + 1
        title = request.parameters["query.title"] if number in {1, 3} else "A colony of particles"
        items = [record(title=[f"On {title} {number}"], DOI=f"10.5555/{number}")]
        return as_json({"message": {"total-results": 10**6, "items": items, "next-cursor": str(number)}})

    with misbehaving(endless) as server:
        capture = ask("crossref", server.url)
    assert capture.complete, capture.reason
    assert len(server.seen) == 5 * len(SWARM_INTELLIGENCE.terms)


@pytest.mark.parametrize("following", ["*", "again", None])
def test_a_cursor_that_repeats_or_is_missing_is_incomplete(following: str | None, ask: Ask) -> None:
    def same(request: Seen) -> Step:
        items = [record(title=[request.parameters["query.title"]], DOI=f"10.5555/{request.parameters['cursor']}")]
        return as_json({"message": {"total-results": 9, "items": items, "next-cursor": following}})

    with misbehaving(same) as server:
        capture = ask("crossref", server.url)
    assert not capture.complete
    assert "'swarm intelligence': the next cursor repeats or is missing after" in capture.reason
    assert len(server.seen) <= 2 * len(SWARM_INTELLIGENCE.terms)


def test_a_page_that_comes_again_is_incomplete(ask: Ask) -> None:
    def same(request: Seen) -> Step:
        items = [record(title=[request.parameters["query.title"]])]
        following = "a" if request.parameters["cursor"] == "*" else "b"
        return as_json({"message": {"total-results": 9, "items": items, "next-cursor": following}})

    with misbehaving(same) as server:
        capture = ask("crossref", server.url)
    assert capture.reason.startswith("/works: 'swarm intelligence': a page brings nothing new after 1 of 9 works")
    assert len(server.seen) == 2 * len(SWARM_INTELLIGENCE.terms)


def test_an_empty_page_before_the_end_is_told(ask: Ask) -> None:
    empty = as_json({"message": {"total-results": 9, "items": [], "next-cursor": "x"}})
    with misbehaving(lambda _: empty) as server:
        capture = ask("crossref", server.url)
    assert capture.reason.startswith("/works: 0 works came for 'swarm intelligence', 9 were announced")
    assert len(server.seen) == len(SWARM_INTELLIGENCE.terms)


def test_a_scrape_that_died_goes_on_from_its_last_page(ask: Ask) -> None:
    def dies(request: Seen) -> Step | None:
        return (
            Answer(504, b"<html>Gateway Time-out</html>")
            if request.parameters["query.title"] == "firefly algorithm"
            else None
        )

    with serve(OPENING) as root:
        with misbehaving(counting(relay(root), dies)) as broken:
            first = ask("crossref", broken.url, OPENING)
        assert not first.complete and first.resumable and "HTTP 504" in first.reason
        with misbehaving(relay(root)) as healed:
            second = ask("crossref", healed.url, OPENING)
    assert second.complete, second.reason
    asked_twice = set(targets(broken)) & set(targets(healed))
    assert {target for target in asked_twice if "firefly" not in target} == set()
    assert found(normalized("crossref", second, OPENING)) == expected_on(OPENING)


@pytest.mark.parametrize("status", [200, 404])
def test_a_notice_has_the_work_it_takes_back_asked_for(status: int, ask: Ask) -> None:
    moment = f"{BUSY}T07:08:09Z"
    created = {"date-time": moment}
    notice = record(
        DOI="10.5555/notice",
        title=["Retraction: Ant colony of all ants"],
        created=created,
        **{"update-to": [{"DOI": "10.5555/Taken", "type": "retraction"}, {"DOI": "10.5555/c", "type": "correction"}]},
    )
    taken = record(DOI="10.5555/taken", title=["Ant colony of all ants"])

    def play(request: Seen) -> Step:
        if request.path.endswith("/works"):
            items = [notice] if request.parameters["query.title"] == "ant colony" else []
            return as_json({"message": {"total-results": len(items), "items": items, "next-cursor": "x"}})
        return (
            as_json({"message-type": "work", "message": taken})
            if status == 200
            else Answer(404, b"Resource not found.")
        )

    with misbehaving(play) as server:
        capture = ask("crossref", server.url)
    assert capture.complete, capture.reason
    assert [request.target for request in server.seen if not request.path.endswith("/works")] == [
        "/crossref/works/10.5555%2FTaken"
    ]
    kept = [one.url for one in capture.exchanges if "#" in one.url]
    assert kept == [f"sample://crossref/works/10.5555%2FTaken#withdrawn={moment}"]
    traces = normalized("crossref", capture, BUSY)
    withdrawn = [row for row in traces.rows["works"] if row["status"] == "withdrawn"]
    assert [(row["work_id"], row["event_at"]) for row in withdrawn] == [
        ("doi:10.5555/taken", datetime.fromisoformat(moment))
    ] * (status == 200)


@pytest.mark.parametrize(
    "changes",
    [
        {"created": "2019"}, {"update-to": 5}, {"update-to": {"DOI": "10.1/x"}}, {"update-to": [None, "x"]},
        {"update-to": [{"type": "retraction", "DOI": None}]}, {"update-to": [{"type": ["retraction"], "DOI": "x"}]},
        {"title": 7}, {"title": [["ant colony"]]},
    ],
    ids=str,
)  # fmt: skip
def test_a_strange_record_does_not_stop_the_scrape(changes: dict[str, Any], ask: Ask) -> None:
    strange = record(title=["Ant colony"], **{"update-to": [{"type": "retraction", "DOI": "10.1234/x"}]}) | changes
    listed = as_json({"message": {"total-results": 1, "items": [strange, None, 3], "next-cursor": "x"}})
    with misbehaving(lambda _: listed) as server:
        capture = ask("crossref", server.url)
    assert capture.complete, capture.reason
    assert {request.path for request in server.seen} == {"/crossref/works"}


def test_a_refused_search_is_told_with_the_services_words(ask: Ask) -> None:
    failure = {"type": "filter-not-available", "value": "x", "message": "no such filter"}
    refused = as_json({"status": "failed", "message-type": "validation-failure", "message": [failure]}, status=400)
    with misbehaving(lambda _: refused) as server:
        capture = ask("crossref", server.url)
    assert capture.reason.startswith("/works: HTTP 400:") and "no such filter" in capture.reason
    assert len(server.seen) == len(SWARM_INTELLIGENCE.terms)
