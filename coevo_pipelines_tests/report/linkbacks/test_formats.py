"""Each format read back by a reader that is not its writer: the same works, whatever their titles hold."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import parse_string

from coevo_pipelines.report.linkbacks import formats
from coevo_pipelines.report.linkbacks.works import Listed, Work
from coevo_pipelines.traces import citation_file, identifiers

PLAIN = Work(
    "arxiv:1306.2257", "paper", "A Survey of Swarms", ("Ada Byron", "Grace Hopper"), date(2013, 6, 10),
    "https://arxiv.org/abs/1306.2257", "10.1000/a_b", "1306.2257", "CC-BY-4.0", 1, 0.25,
)  # fmt: skip
NASTY = (
    "50% of {A} & B_c $x$ #1 ~^\\ \"quoted\" 'x'", "{", "}}", "[a](b) `c` *d* <e> | f", "@everyone", "- x: y\n- z",
    "=1+1", "ends in \\", "خوارزمية", "虫 Φ ≤", "\u202egnp.exe", "null", "2019-03-27", "a, b, c, d", "R and D",
)  # fmt: skip


def listed(*works: Work, world: str = "live", of: int | None = None) -> Listed:
    return Listed("ants", date(2026, 11, 20), world, works, len(works) if of is None else of)


def test_every_format_has_its_own_file() -> None:
    names = [file for file, _ in formats.FORMATS.values()]
    assert sorted(names) == ["CITATION.cff", "works.bib", "works.csv", "works.json", "works.md", "works.yaml"]


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_list_says_what_it_is_also_when_it_is_empty(name: str) -> None:
    written = formats.FORMATS[name][1](listed())
    if name == "csv":
        assert written == "rank,id,kind,title,published,url,doi,arxiv,license,inflow,authors\n"
    else:
        assert "Works on ants as of 2026-11-20: all 0" in written


@pytest.mark.parametrize("name", [name for name in formats.FORMATS if name != "csv"])
def test_only_the_sample_says_that_it_is_made_up(name: str) -> None:
    write = formats.FORMATS[name][1]
    assert "play money" in write(listed(PLAIN, world="sample"))
    assert "play money" not in write(listed(PLAIN))


def test_a_cut_list_says_of_how_many() -> None:
    assert "the 1 most built on of 1,234" in formats.about(listed(PLAIN, of=1234))


@pytest.mark.parametrize("text", NASTY)
def test_bibtex_is_read_back(text: str) -> None:
    works = [replace(PLAIN, id=f"x:{number}", title=text, authors=(text,)) for number in range(2)]
    found = parse_string(formats.bibtex(listed(*works)), "bibtex")
    assert list(found.entries) == ["x:0", "x:1"]
    for entry in found.entries.values():
        assert entry.fields["doi"] == "10.1000/a_b"
        assert len(entry.persons["author"]) == 1


def test_bibtex_names_and_kinds() -> None:
    more = replace(PLAIN, kind="repository", authors=("R and D", "The Lab, Inc., Ltd.", "Yang, Xin-She"), doi=None)
    first, second = parse_string(formats.bibtex(listed(PLAIN, more)), "bibtex").entries.values()
    assert [str(person) for person in first.persons["author"]] == ["Byron, Ada", "Hopper, Grace"]
    assert [str(person) for person in second.persons["author"]] == [
        "{R and D}",
        "{The Lab, Inc., Ltd.}",
        "Yang, Xin-She",
    ]
    assert (first.type, second.type) == ("misc", "software")
    assert "doi" not in second.fields
    assert first.fields["eprint"] == "1306.2257"


def test_keys_that_become_alike_stay_apart() -> None:
    works = [replace(PLAIN, id=each) for each in ("doi:10.1/(a)", "doi:10.1/{a}", "doi:10.1/-A-")]
    assert len(parse_string(formats.bibtex(listed(*works)), "bibtex").entries) == 3


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.lists(st.text(max_size=20), max_size=3))
def test_any_title_and_name(title: str, names: list[str]) -> None:
    """As works.py gives them: in one line, and not empty."""
    work = replace(
        PLAIN,
        title=" ".join(title.split()) or "x",
        authors=tuple(" ".join(each.split()) for each in names if each.strip()),
    )
    made = listed(work, work)
    tree = json.loads(formats.as_json(made))["works"][0]
    assert (tree["title"], tree["authors"]) == (work.title, list(work.authors))
    assert yaml.safe_load(formats.as_yaml(made))["works"][0]["title"] == work.title
    reference: dict[str, Any] = yaml.safe_load(formats.citation(made))["references"][0]
    assert reference["title"] == work.title
    assert [each["name"] for each in reference["authors"]] == (list(dict.fromkeys(work.authors)) or ["anonymous"])
    rows = list(csv.DictReader(io.StringIO(formats.comma_separated(made))))
    assert [row["title"] for row in rows] == [work.title] * 2


@pytest.mark.parametrize("text", NASTY)
def test_the_readers_of_this_project_find_every_work_again(text: str) -> None:
    works = [
        replace(PLAIN, title=text, authors=(text,)),
        replace(PLAIN, id="doi:10.1000/(x)_y", url="https://doi.org/10.1000/(x)_y", doi="10.1000/(x)_y", arxiv=None),
        replace(
            PLAIN, id="github:ants/bees", kind="repository", url="https://github.com/ants/bees", doi=None, arxiv=None
        ),
    ]
    cited = citation_file.read(formats.citation(listed(*works)))
    assert not cited.rejected
    assert {each.relation for each in cited.references} == {"cites"}
    assert {work.id for work in works} <= {each.target for each in cited.references}
    mentioned = {target for _, target in identifiers.in_text(formats.markdown(listed(*works)))}
    assert mentioned == {work.id for work in works}


def test_markdown_calls_nobody_and_marks_nothing() -> None:
    written = formats.markdown(listed(replace(PLAIN, title="@ada *b* <script> [x](y)", authors=("@grace",))))
    assert "@" not in written
    assert r"\*b\* \<script\> \[x\]\(y\)" in written
