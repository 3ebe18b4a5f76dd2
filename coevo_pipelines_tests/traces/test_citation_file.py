"""CITATION.cff: every recorded file with what it names, worked out by hand; and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coevo_pipelines.traces import citation_file
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.files import decode
from coevo_pipelines_tests.scrapes.parsing import quick
from coevo_pipelines_tests.scrapes.recordings import file, recordings

REAL = "citation_cff/real/"
SPEC = "citation_cff/spec_examples_1.2.0/pass/"
CITES, MENTIONS = "cites", "mentions"
TOOL = [("doi:10.5281/zenodo.1234", CITES, "line 9 (doi)")]  # the specification's "My Research Tool"

NAMED: dict[str, list[tuple[str, str, str]]] = {
    f"{REAL}Future-House__paper-qa.cff": [
        ("arxiv:2409.13740", CITES, "line 28 (identifiers[0])"),
        ("github:future-house/paper-qa", MENTIONS, "line 33 (repository-code)"),
        ("arxiv:2409.13740", CITES, "line 60 (preferred-citation.doi)"),
    ],
    f"{REAL}J535D165__pyalex.cff": [("github:j535d165/pyalex", MENTIONS, "line 10 (url)")],
    f"{REAL}Mearman__openalex-api-spec.cff": [
        ("doi:10.5281/zenodo.10975811", CITES, "line 6 (doi)"),
        ("github:mearman/openalex-api-spec", MENTIONS, "line 9 (repository-code)"),
    ],
    f"{REAL}NVIDIA-NeMo__Curator.cff": [("github:nvidia-nemo/curator", MENTIONS, "line 5 (url)")],
    f"{REAL}SOM-Research__HFCommunity.cff": [
        ("doi:10.1109/saner56733.2023.00080", CITES, "line 32 (identifiers[0])"),
        ("github:som-research/hfcommunity", MENTIONS, "line 34 (repository-code)"),
        ("doi:10.1109/saner56733.2023.00080", CITES, "line 64 (preferred-citation.doi)"),
    ],
    f"{REAL}X-lab2017__open-digger.cff": [("github:x-lab2017/open-digger", MENTIONS, "line 13 (url)")],
    f"{REAL}ecosyste-ms__packages.cff": [("github:ecosyste-ms/packages", MENTIONS, "line 12 (repository-code)")],
    f"{REAL}front-matter__commonmeta-py.cff": [
        ("doi:10.5281/zenodo.8340375", CITES, "line 3 (doi)"),
        ("github:front-matter/commonmeta-py", MENTIONS, "line 21 (repository-code)"),
    ],
    f"{REAL}huggingface__datatrove.cff": [("github:huggingface/datatrove", MENTIONS, "line 17 (repository-code)")],
    f"{REAL}thieu1995__mealpy.cff": [
        ("doi:10.5281/zenodo.3711948", CITES, "line 12 (doi)"),
        ("github:thieu1995/mealpy", MENTIONS, "line 14 (url)"),
        ("doi:10.1016/j.sysarc.2023.102871", CITES, "line 24 (preferred-citation.doi)"),
    ],
    f"{SPEC}minimal/CITATION.cff": [],
    f"{SPEC}short/CITATION.cff": [],
    f"{SPEC}simple/CITATION.cff": TOOL,
    f"{SPEC}software-with-a-doi/CITATION.cff": TOOL,
    f"{SPEC}software-with-a-doi-expanded/CITATION.cff": [
        ("doi:10.5281/zenodo.1234", CITES, "line 12 (doi)"),
        ("github:sdruskat/my-research-tool", MENTIONS, "line 14 (repository-code)"),
    ],
    f"{SPEC}software-without-a-doi/CITATION.cff": [("github:doe/mrt", MENTIONS, "line 10 (repository-code)")],
    f"{SPEC}software-without-a-doi-closed-source/CITATION.cff": [],
    f"{SPEC}software-container/CITATION.cff": [("github:doe/docker-brew-mrt-core", MENTIONS, "line 10 (url)")],
    f"{SPEC}software-executable/CITATION.cff": [],
    f"{SPEC}software-with-reference/CITATION.cff": [
        ("doi:10.5281/zenodo.1234", CITES, "line 14 (doi)"),
        ("doi:10.9999/hardscifi-lang.42132", CITES, "line 30 (references[0].doi)"),
    ],
    f"{SPEC}reference-art/CITATION.cff": TOOL,
    f"{SPEC}reference-blog/CITATION.cff": TOOL,
    f"{SPEC}reference-book/CITATION.cff": TOOL,
    f"{SPEC}reference-edited-work/CITATION.cff": TOOL,
    f"{SPEC}reference-report/CITATION.cff": TOOL,
    f"{SPEC}reference-thesis/CITATION.cff": TOOL,
    f"{SPEC}reference-article/CITATION.cff": [
        *TOOL,
        ("doi:10.7717/peerj-cs.86", CITES, "line 32 (references[0].doi)"),
    ],
    # collection-doi names the proceedings, which are not what is meant
    f"{SPEC}reference-conference-paper/CITATION.cff": [
        *TOOL,
        ("doi:10.5281/zenodo.1234", CITES, "line 35 (references[0].doi)"),
    ],
    f"{SPEC}bjmorgan/bsym/CITATION.cff": [
        ("doi:10.5281/zenodo.596912", CITES, "line 9 (doi)"),
        ("github:bjmorgan/bsym", MENTIONS, "line 10 (repository-code)"),
        ("doi:10.21105/joss.00370", CITES, "line 22 (references[0].doi)"),
    ],
    f"{SPEC}esalmela/haplowinder/CITATION.cff": [
        ("doi:10.5281/zenodo.3901323", CITES, "line 11 (doi)"),
        ("doi:10.5281/zenodo.3901323", CITES, "line 18 (references[0].doi)"),
        ("github:esalmela/haplowinder", CITES, "line 19 (references[0].url)"),
        ("doi:10.1111/j.1469-1809.2008.00487.x", CITES, "line 47 (references[1].doi)"),
    ],
    f"{SPEC}ls1mardyn/ls1-mardyn/CITATION.cff": [
        ("doi:10.1021/ct500169q", CITES, "line 64 (references[0].doi)"),
    ],
    f"{SPEC}tue-excellent-buildings/bso-toolbox/CITATION.cff": [
        ("doi:10.5281/zenodo.3823893", CITES, "line 11 (doi)"),
    ],
    f"{SPEC}xenon-middleware_xenon-adaptors-cloud/CITATION.cff": [
        ("doi:10.5281/zenodo.3245389", CITES, "line 18 (doi)"),
        ("github:xenon-middleware/xenon-adaptors-cloud", MENTIONS, "line 20 (repository-code)"),
        ("doi:10.5281/zenodo.597993", CITES, "line 24 (references[0].doi)"),
    ],
}  # fmt: skip
LONG = {
    f"{REAL}allenai__dolma.cff", f"{REAL}front-matter__commonmeta_fixture.cff",
    f"{SPEC}key-complete/CITATION.cff", f"{SPEC}poc/CITATION.cff",
}  # fmt: skip
"""Tested below, by what matters in them."""


def named(text: str) -> list[tuple[str, str, str]]:
    found = citation_file.read(text)
    assert found.rejected == []
    return [(each.target, each.relation, each.place) for each in found.references]


def test_every_recorded_file_is_in_the_table() -> None:
    folder = recordings()
    there = {path.relative_to(folder).as_posix() for path in Path(folder, "citation_cff").rglob("*.cff")}
    assert there == NAMED.keys() | LONG


@pytest.mark.parametrize("name", sorted(NAMED))
def test_what_a_recorded_file_names(name: str) -> None:
    assert named(decode(file(name))) == NAMED[name]


def test_the_long_recorded_files() -> None:
    dolma = named(decode(file(f"{REAL}allenai__dolma.cff")))
    assert ("github:allenai/dolma", MENTIONS) in {each[:2] for each in dolma}
    ruby = named(decode(file(f"{REAL}front-matter__commonmeta_fixture.cff")))
    assert [each[0] for each in ruby if each[1] == CITES][:3] == [
        "doi:10.5281/zenodo.1184077",
        "doi:10.5281/zenodo.1003149",
        "doi:10.5281/zenodo.5171937",
    ]
    complete = citation_file.read(decode(file(f"{SPEC}key-complete/CITATION.cff")))
    assert {each.target for each in complete.references} == {"doi:10.5281/zenodo.1003150"}
    proof = citation_file.read(decode(file(f"{SPEC}poc/CITATION.cff")))
    repository = "github:citation-file-format/citation-file-format"
    assert {(each.target, each.relation) for each in proof.references} == {(repository, MENTIONS)}
    ((place, reason),) = proof.rejected  # 10.0000.1234/… is allowed by the schema's pattern and registered by nobody
    assert place.endswith("(identifiers[0])") and reason.startswith("not a DOI: '10.0000.1234/")


@pytest.mark.parametrize("version", ["1.0.3", "1.1.0", "1.2.0", "9", ""])
def test_the_version_of_the_format_changes_nothing(version: str) -> None:
    text = f"cff-version: {version}\nreferences:\n- type: article\n  doi: 10.1000/182\n"
    assert named(text) == [("doi:10.1000/182", CITES, "line 4 (references[0].doi)")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("doi:\nurl: ~\nreferences: []\npreferred-citation:\n", []),
        ("\ufeffdoi: 10.1000/1\r\nurl: https://github.com/o/n\r\n", [("doi:10.1000/1", CITES, "line 1 (doi)"),
         ("github:o/n", MENTIONS, "line 2 (url)")]),
        ("preferred-citation: &p\n  doi: 10.1000/1\nreferences:\n- *p\n- doi: 10.1000/2\n",
         [("doi:10.1000/1", CITES, "line 2 (preferred-citation.doi)"),
          ("doi:10.1000/2", CITES, "line 5 (references[1].doi)")]),
        ("references:\n- doi: 10.48550/arXiv.2401.01234\n  url: https://arxiv.org/abs/2401.01234v2\n",
         [("arxiv:2401.01234", CITES, "line 2 (references[0].doi)")]),
        ("identifiers:\n- {type: swh, value: 'swh:1:rel:99f6850374dc6597af01bd0ee1d3fc0699301b9f'}\n", []),
        ("identifiers:\n- {type: DOI, value: 10.1000/1}\n", [("doi:10.1000/1", CITES, "line 2 (identifiers[0])")]),
        ("title: a\u2028b\u2029c\x85d\ndoi: 10.1000/1\n", [("doi:10.1000/1", CITES, "line 2 (doi)")]),
        ("abstract: see https://github.com/o/n\nauthors: [{website: 'https://github.com/o/m'}]\n", []),
        ("doi: !!python/object/apply:os.system ['x']\nurl: !x https://github.com/o/n\n", None),
    ],
)  # fmt: skip
def test_small_files(text: str, expected: list[tuple[str, str, str]] | None) -> None:
    if expected is None:
        found = citation_file.read(text)
        assert [each.target for each in found.references] == ["github:o/n"]
        assert found.rejected == [("line 1 (doi)", "not a text")]
    else:
        assert named(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("\n# nothing yet\n---\n", "the file is empty"),
        ("~", "the file is empty"),
        ("- doi: 10.1000/1\n", "line 1: not a mapping of fields"),
        ("<html>\n", "line 1: not a mapping of fields"),
        ("title: a: b\n", "line 1: not YAML: mapping values are not allowed in this context"),
        ("title: x\n\tdoi: y\n", "line 2: not YAML: found a tab character"),
        ("doi: *nothing\n", "line 1: an alias of nothing: 'nothing'"),
        ("doi: 1\x00", "not YAML: unacceptable character"),
        ("a: " + "[" * 100, "line 1: deeper than 64 levels"),
        ("#" * (1 << 20) + "\n", "the file is longer than 1024 KiB"),
    ],
)
def test_what_is_no_citation_file(text: str, reason: str) -> None:
    with pytest.raises(ParseError) as error:
        citation_file.read(text)
    assert str(error.value).startswith(reason)


def test_a_wrong_entry_rejects_itself_only() -> None:
    text = (
        "doi: soon\ndoi: 10.1000/9\nidentifiers: none\nreferences:\n- just text\n- doi: [10.1000/1]\n"
        "- doi: 10.1000/2\n  identifiers:\n  - {type: doi, value: tbd}\n? [a]\n: b\n---\ndoi: 10.1000/3\n"
    )
    found = citation_file.read(text)
    assert [each.target for each in found.references] == ["doi:10.1000/2"]
    assert sorted(found.rejected) == [
        ("line 1 (doi)", "not a DOI: 'soon'"),
        ("line 10", "a key that is no text"),
        ("line 12", "a second document; only the first is read"),
        ("line 2", "'doi' is given twice; the first counts"),
        ("line 3 (identifiers)", "not a list"),
        ("line 5 (references[0])", "not a mapping of fields"),
        ("line 6 (references[1].doi)", "not a text"),
        ("line 9 (references[2].identifiers[0])", "not a DOI: 'tbd'"),
    ]


def test_an_identifier_without_its_type_is_no_silent_loss() -> None:
    found = citation_file.read("identifiers:\n- value: 10.1000/1\n- 10.1000/2\n-\n- {type: doi, value: 10.1000/3}\n")
    assert [each.target for each in found.references] == ["doi:10.1000/3"]
    assert [each[0] for each in found.rejected] == ["line 2 (identifiers[0])", "line 3 (identifiers[1])"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\n" + "".join(f"a{n}: &a [" + ", ".join(["*a"] * 9) + "]\n" for n in range(40)) + "references: *a\n",
        "a: &a\n  references: *a\nreferences: &r [*a, *r]\n",
        "identifiers: &i\n" + "- {type: x, value: y}\n" * 9_000 + "references:\n" + "- identifiers: *i\n" * 9_000,
        "references: [&r {doi: 10.1000/1}" + ", *r" * 50_000 + "]",
        "k: v\n" * 15_000,
    ],
    ids=["billion laughs", "in itself", "lists in lists", "one alias", "one key"],
)
def test_aliases_and_repetition_take_no_more_than_the_length_of_the_file(text: str) -> None:
    """The time limit of a test ends what is quadratic."""
    found = citation_file.read(text)
    assert len(found.references) <= 1


@quick
@given(st.text(max_size=60) | st.lists(st.sampled_from(
    ["doi: ", "10.1000/1", "\n", "- ", "  ", "references:", "&a ", "*a", "[", "]", "{", "}", "identifiers:",
     "type: doi", "value: ", ": ", "? ", "|", ">", "!!x ", "'", '"', "---", "...", "%YAML 1.2", "\t",
     "\x85", "\ufeff"]), max_size=14
    ).map("".join))  # fmt: skip
def test_any_text_is_read_or_is_a_parse_error(text: str) -> None:
    try:
        found = citation_file.read(text)
    except ParseError:
        return
    assert all(each.place.startswith("line ") for each in found.references)
