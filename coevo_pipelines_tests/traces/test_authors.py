r"""Authors lines: cases by hand, and arXiv's own parse of real lines as independent expected values.

Two of those: Kaggle's snapshot holds `authors` and `authors_parsed` of 200 papers; the official OAI server's answers
hold the line (arXivRaw, arXivOld) and the parsed names (arXiv) of 343. arXiv puts a space behind each initial's dot and
leaves `{\o}` of lines that came escaped twice undecoded: both are levelled before the comparison.
"""

from __future__ import annotations

import re

import pytest

from coevo_pipelines.traces.authors import authors, unescaped
from coevo_pipelines.traces.records import xml_root
from coevo_pipelines_tests.scrapes.recordings import file, json_lines, recordings

OFFICIAL = "arxiv/oai_2026_official_server_output"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        (" , and ", []),
        ("A. Author", ["A. Author"]),
        ("A, B and C (affil)", ["A", "B", "C"]),
        ("A, B, and C", ["A", "B", "C"]),
        ("A,B & C", ["A", "B", "C"]),
        ("A; B; C", ["A", "B", "C"]),
        ("A,\n  B and\n  C", ["A", "B", "C"]),
        ("Andrea Anderson and Sandy Band", ["Andrea Anderson", "Sandy Band"]),
        ("Plato", ["Plato"]),
        ("A. One (1), B. Two (1 and 2) and C. Three ((1) Place, Town; (2) Other (Big) Place)", [
            "A. One", "B. Two", "C. Three",
        ]),
        ("A (Uni, and B", ["A"]),
        ("A) and B", ["A", "B"]),
        ("A. A. Abdumalikov Jr., M. Baur", ["A. A. Abdumalikov Jr.", "M. Baur"]),
        ("A. Martin, Jr., B. Two, III", ["A. Martin Jr.", "B. Two III"]),
        ("W. T. Hill III", ["W. T. Hill III"]),
        ("A. Jung, J. R. Jr", ["A. Jung", "J. R. Jr"]),
        ("HESS Collaboration: A. Abramowski, F. Acero", ["HESS Collaboration", "A. Abramowski", "F. Acero"]),
        ("The BABAR Collaboration, B. Aubert, et al", ["The BABAR Collaboration", "B. Aubert"]),
        ("B. Aubert et al.", ["B. Aubert"]),
        ("A, B, et al.", ["A", "B"]),
        ("A, B, and others", ["A", "B"]),
        ("A. One, B. Two for the CDF Collaboration", ["A. One", "B. Two", "CDF Collaboration"]),
        ("A. One on behalf of the LHCb and Belle II Collaborations", ["A. One", "LHCb and Belle II Collaborations"]),
        ("A. One, for the STAR Collaboration", ["A. One", "STAR Collaboration"]),
        ("Louise Oakes (the CDF Collaboration)", ["Louise Oakes"]),
        ("Institute for Advanced Study", ["Institute for Advanced Study"]),
        (r"Jos\'e A. Mu\~noz and Peter Harremo\"es", ["José A. Muñoz", "Peter Harremoës"]),
        (r"Jos\\'e A. Mu\\~noz and Peter Harremo\\\"es", ["José A. Muñoz", "Peter Harremoës"]),
        (r"V. V. Fran\c{c}a, S{\o}ren K., Stanis{\l}awa Kanas", ["V. V. França", "Søren K.", "Stanisława Kanas"]),
        ("C. Balázs, 某人", ["C. Balázs", "某人"]),
        ("A,, B,", ["A", "B"]),
        ("1, 2, A", ["A"]),
    ],
)  # fmt: skip
def test_authors(line: str, expected: list[str]) -> None:
    assert authors(line) == expected


@pytest.mark.parametrize(
    "line", ["(" * 5000, "a(" * 3000 + ")" * 3000, "{" * 4000, "\\" * 3001, "and " * 5000, ", " * 9999]
)
def test_a_line_that_is_none_ends_in_names_and_not_in_an_exception(line: str) -> None:
    assert all(isinstance(name, str) for name in authors(line))


def test_one_backslash_stays() -> None:
    assert unescaped(r"Jos\'e") == r"Jos\'e"


def level(name: str) -> str:
    """As arXiv's parse and ours can be compared."""
    return re.sub(r"[\s.{}\\]", "", name).lower()


def test_authors_as_arxiv_parsed_them_for_kaggle() -> None:
    rows = json_lines("arxiv/kaggle_snapshot_sample/arxiv-metadata-oai-snapshot.json")
    wrong = {}
    for row in rows:
        parsed = [" ".join(filter(None, (first, last, suffix))) for last, first, suffix, *_ in row["authors_parsed"]]
        ours = authors(row["authors"])
        if [*map(level, ours)] != [*map(level, parsed)]:
            wrong[row["id"]] = (ours, parsed)
    assert (len(rows), wrong) == (200, {})


def test_authors_as_the_official_server_parsed_them() -> None:
    lines: dict[str, str] = {}
    parsed: dict[str, list[str]] = {}
    for page in sorted((recordings() / OFFICIAL).glob("ListRecords_*.xml")):
        for metadata in xml_root(file(f"{OFFICIAL}/{page.name}")).iter("{*}metadata"):
            record = metadata[0]
            number = record.findtext("{*}id") or ""
            if not record.findall(".//{*}keyname"):
                lines[number] = record.findtext("{*}authors") or ""
                continue
            parts = [[one.findtext(f"{{*}}{part}") for part in ("forenames", "keyname", "suffix")]
                     for one in record.iter("{*}author")]  # fmt: skip
            parsed[number] = [" ".join(filter(None, one)) for one in parts]
    both = lines.keys() & parsed.keys()
    wrong = {
        number: (authors(lines[number]), parsed[number])
        for number in both
        if [*map(level, authors(lines[number]))] != [*map(level, parsed[number])]
    }
    assert (len(both), wrong) == (343, {})


@pytest.mark.parametrize(
    "line",
    ["A" + " for a" * 40_000, "group " * 40_000 + ", :", "A" + " for group a" * 30_000, "A" + " for team" * 20_000],
    ids=["for", "group", "for group", "teams"],
)
def test_one_huge_line_takes_no_more_than_its_length(line: str) -> None:
    """The time limit of a test ends what is quadratic: it would take minutes."""
    assert authors(line)
