"""Identifiers: every accepted spelling gives the one canonical form; everything else is a ParseError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError

quick = settings(max_examples=150, deadline=None, derandomize=True)


def regression(reason: str, *values: Any) -> Any:
    """A case that once went wrong, and how."""
    return pytest.param(*values, id=reason)


@pytest.mark.parametrize(
    ("text", "work_id", "version"),
    [
        ("2401.01234", "arxiv:2401.01234", None),
        ("0704.0001", "arxiv:0704.0001", None),
        ("2401.01234v1", "arxiv:2401.01234", "v1"),
        ("2401.01234V12", "arxiv:2401.01234", "v12"),
        ("  2401.01234v2\n", "arxiv:2401.01234", "v2"),
        ("arXiv:2401.01234", "arxiv:2401.01234", None),
        ("arxiv:1810.04805", "arxiv:1810.04805", None),
        ("arXiv: 2401.01234v3", "arxiv:2401.01234", "v3"),
        ("http://arxiv.org/abs/2202.12139v1", "arxiv:2202.12139", "v1"),
        ("https://arxiv.org/abs/2401.01234?context=cs.NE", "arxiv:2401.01234", None),
        ("https://arxiv.org/abs/2401.01234#comments", "arxiv:2401.01234", None),
        ("https://arxiv.org/pdf/2401.01234v2.pdf", "arxiv:2401.01234", "v2"),
        ("https://arxiv.org/pdf/2401.01234", "arxiv:2401.01234", None),
        ("https://arxiv.org/html/2401.01234v1", "arxiv:2401.01234", "v1"),
        ("https://export.arxiv.org/abs/2401.01234", "arxiv:2401.01234", None),
        ("hep-th/9901001", "arxiv:hep-th/9901001", None),
        ("http://arxiv.org/abs/quant-ph/0210005v1", "arxiv:quant-ph/0210005", "v1"),
        ("http://arxiv.org/abs/cs/0503050v1", "arxiv:cs/0503050", "v1"),
        ("arXiv:astro-ph/0601001", "arxiv:astro-ph/0601001", None),
        ("HEP-TH/9901001", "arxiv:hep-th/9901001", None),
        regression(
            "a subject class is no part of the identifier: math.GT/0309136 and math/0309136 are one paper",
            "math.GT/0309136v2",
            "arxiv:math/0309136",
            "v2",
        ),
    ],
)
def test_arxiv(text: str, work_id: str, version: str | None) -> None:
    assert identifiers.arxiv(text) == (work_id, version)


@pytest.mark.parametrize(
    "text",
    [
        "2401.123",
        "2401.012345",
        "24011.01234",
        "hep-th/99010011",
        "hep-th/990100",
        "https://arxiv.org/list/cs.NE/recent",
        "https://arxiv.org/api/errors#start_must_be_an_integer",
        "https://example.org/2401.01234",
        "swarm intelligence",
        "x2401.01234",
        regression(r"\d takes digits of every script", "٢٤٠١.٠١٢٣٤"),
        regression("text after a bare identifier is accepted and dropped", "2401.01234 and more"),
        regression("any word before a slash passes for an archive", "foo/1234567"),
    ],
)
def test_not_arxiv(text: str) -> None:
    with pytest.raises(ParseError, match="not an arXiv identifier"):
        identifiers.arxiv(text)


@pytest.mark.parametrize(
    ("text", "work_id"),
    [
        ("10.1000/182", "doi:10.1000/182"),
        ("10.1109/ICSTW55395.2022.00035", "doi:10.1109/icstw55395.2022.00035"),
        ("doi:10.57967/hf/3569", "doi:10.57967/hf/3569"),
        ("DOI: 10.1000/182", "doi:10.1000/182"),
        ("https://doi.org/10.1007/S11721-007-0002-0", "doi:10.1007/s11721-007-0002-0"),
        ("http://dx.doi.org/10.1214/07-STS246B", "doi:10.1214/07-sts246b"),
        ("10.1142/9789812701893_0020", "doi:10.1142/9789812701893_0020"),
        ("10.1000/182.", "doi:10.1000/182"),
        ("10.1000/182,", "doi:10.1000/182"),
        ("10.1000/182;", "doi:10.1000/182"),
        ('"10.1000/182"', "doi:10.1000/182"),
        ("(10.1000/182)", "doi:10.1000/182"),
        ("(see 10.1000/182).", "doi:10.1000/182"),
        ("[10.1000/182]", "doi:10.1000/182"),
        ("<10.1000/182>", "doi:10.1000/182"),
        ("10.1016/s0048-9697(99)00312-5", "doi:10.1016/s0048-9697(99)00312-5"),
        ("10.1016/S0140-6736(05)67889(X)", "doi:10.1016/s0140-6736(05)67889(x)"),
        ("(10.1016/S0140-6736(05)67889(X))", "doi:10.1016/s0140-6736(05)67889(x)"),
        (
            "https://doi.org/10.1890/0012-9658(2006)87%5B2832:TIOPMA%5D2.0.CO;2",
            "doi:10.1890/0012-9658(2006)87[2832:tiopma]2.0.co;2",
        ),
        ("https://doi.org/10.1000%2F182", "doi:10.1000/182"),
        ("10.48550/arXiv.2401.01234", "arxiv:2401.01234"),
        ("https://doi.org/10.48550/ARXIV.2401.01234", "arxiv:2401.01234"),
        ("10.48550/arXiv.2401.01234v2", "arxiv:2401.01234"),
        ("10.48550/arXiv.2401.01234.", "arxiv:2401.01234"),
        ("10.48550/arXiv.hep-th/9901001", "arxiv:hep-th/9901001"),
        regression(
            "a DOI with a SICI holds < and >: it is cut there and becomes another DOI",
            "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O",
            "doi:10.1002/(sici)1097-4571(199806)49:8<693::aid-asi4>3.0.co;2-o",
        ),
        regression("emphasis inside a bracket stays", "(**10.1000/182**)", "doi:10.1000/182"),
    ],
)
def test_doi(text: str, work_id: str) -> None:
    assert identifiers.doi(text) == work_id


@pytest.mark.parametrize(
    "text",
    [
        "10.1000",
        "10.1000/",
        "10.12/182",
        "11.1000/182",
        "doi:",
        "https://doi.org/",
        "10.48550/arXiv.foo",
        "https://doi.org/10.1000/%3C",
        regression("only punctuation after the slash leaves a prefix without a suffix", "10.1000/..."),
        regression("the dot is trimmed before arXiv's own prefix is recognised", "10.48550/arXiv."),
        regression(r"\d takes digits of every script", "10.١٢٣٤/abc"),
    ],
)
def test_not_a_doi(text: str) -> None:
    with pytest.raises(ParseError):
        identifiers.doi(text)


@pytest.mark.parametrize(
    ("name", "work_id"),
    [
        ("ljvmiranda921/pyswarms", "github:ljvmiranda921/pyswarms"),
        ("PyGithub/PyGithub", "github:pygithub/pygithub"),
        ("RuudBurger/CouchPotatoV1", "github:ruudburger/couchpotatov1"),
        ("sigmavirus24/github3.py", "github:sigmavirus24/github3.py"),
        ("a/b", "github:a/b"),
        (" a/b\n", "github:a/b"),
        ("a--b/-_-", "github:a--b/-_-"),
        ("x" * 39 + "/" + "y" * 100, "github:" + "x" * 39 + "/" + "y" * 100),
    ],
)
def test_github(name: str, work_id: str) -> None:
    assert identifiers.github(name) == work_id


@pytest.mark.parametrize(
    "name",
    [
        "pyswarms",
        "a/b/c",
        "/b",
        "a/",
        "-a/b",
        "a b/c",
        "a/é",
        "ｘ/b",
        "x" * 40 + "/r",
        "a/" + "y" * 101,
        "https://github.com/a/b",
        regression("'.' and '..' cannot name a repository", "a/.."),
    ],
)
def test_not_a_github_name(name: str) -> None:
    with pytest.raises(ParseError, match="not a GitHub repository name"):
        identifiers.github(name)


@pytest.mark.parametrize(
    ("kind", "name", "work_id"),
    [
        ("model", "google-bert/bert-base-uncased", "hf:model/google-bert/bert-base-uncased"),
        ("model", "gpt2", "hf:model/gpt2"),
        ("model", "Qwen/Qwen2.5-7B_v1", "hf:model/Qwen/Qwen2.5-7B_v1"),
        ("dataset", "mozilla-foundation/common_voice_6_0", "hf:dataset/mozilla-foundation/common_voice_6_0"),
        ("dataset", "squad_v2", "hf:dataset/squad_v2"),
        ("space", "O/N ", "hf:space/O/N"),
    ],
)
def test_huggingface(kind: str, name: str, work_id: str) -> None:
    assert identifiers.huggingface(kind, name) == work_id


@pytest.mark.parametrize(
    "name",
    [
        "a/b/c",
        "/b",
        "a/",
        "a b",
        "https://huggingface.co/a/b",
        "x" * 97,
        "o/" + "x" * 97,
        regression("a path that leaves its folder passes for a name", "../.."),
    ],
)
def test_not_a_huggingface_name(name: str) -> None:
    with pytest.raises(ParseError, match="not a Hugging Face dataset name"):
        identifiers.huggingface("dataset", name)


@pytest.mark.parametrize(
    ("text", "work_id"),
    [
        ("W2741809807", "openalex:W2741809807"),
        ("https://openalex.org/W2741809807", "openalex:W2741809807"),
        ("https://openalex.org/A5035075703", "openalex:A5035075703"),
        ("https://api.openalex.org/works/W1", "openalex:W1"),
        (" https://openalex.org/authors/A5 ", "openalex:A5"),
    ],
)
def test_openalex(text: str, work_id: str) -> None:
    assert identifiers.openalex(text) == work_id


@pytest.mark.parametrize(
    "text",
    [
        "I57328836",
        "https://openalex.org/I57328836",
        "W",
        "W12x",
        "xW12",
        "https://openalex.org/",
        "W" + "1" * 20,
        regression(r"\d takes digits of every script", "W١٢٣"),
    ],
)
def test_not_openalex(text: str) -> None:
    with pytest.raises(ParseError, match="not an OpenAlex id"):
        identifiers.openalex(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("https://orcid.org/0000-0002-7676-917X", "0000-0002-7676-917X"),
        ("http://orcid.org/0009-0004-6712-9754", "0009-0004-6712-9754"),
        ("0000-0002-1825-009", None),
        ("0000-0002-1825-00971", None),
        ("https://orcid.org/", None),
        ("nobody", None),
        ("", None),
        (None, None),
        (3, None),
        (["0000-0002-1825-0097"], None),
        regression(r"\d takes digits of every script", "٠٠٠٠-0002-1825-0097", None),
        regression("digits before the first group are dropped", "12340000-0002-1825-0097", None),
    ],
)
def test_orcid(text: Any, bare: str | None) -> None:
    assert identifiers.orcid(text) == bare


def arxiv_id(value: Any) -> str:
    return identifiers.arxiv(value)[0]


def model(value: Any) -> str:
    return identifiers.huggingface("model", value)


READERS = [arxiv_id, identifiers.doi, identifiers.github, model, identifiers.openalex]
Reader = Callable[[Any], str]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("value", [None, 0, 7, 1.5, True, b"10.1000/182", [], {}, ["2401.01234"], "", " ", "\n\t"])
def test_what_is_no_text_is_missing(read: Reader, value: Any) -> None:
    with pytest.raises(ParseError, match="is missing"):
        read(value)


@pytest.mark.parametrize("read", READERS)
def test_the_message_names_the_text_and_stays_short(read: Reader) -> None:
    with pytest.raises(ParseError, match="nonsense") as raised:
        read("total nonsense! " * 1000)
    assert len(str(raised.value)) < 150


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("See https://arxiv.org/abs/2401.01234v2 for the proof.", ["arxiv:2401.01234"]),
        ("https://arxiv.org/abs/2401.01234", ["arxiv:2401.01234"]),
        ("arXiv:2401.01234 opens the line", ["arxiv:2401.01234"]),
        ("(arXiv preprint arXiv:hep-th/9901001v3)", ["arxiv:hep-th/9901001"]),
        ("[paper](https://arxiv.org/pdf/1712.06567.pdf)", ["arxiv:1712.06567"]),
        ("https://arxiv.org/abs/2401.01234, arXiv:2401.01234v3", ["arxiv:2401.01234"]),
        ("https://arxiv.org/abs/2401.01234 https://arxiv.org/abs/2401.01235", ["arxiv:2401.01234", "arxiv:2401.01235"]),
        ("version 2401.01234 of the file", []),
        ("2401.01234: a bare number opens the line", []),
        ("[paper](https://doi.org/10.1007/s11721-007-0002-0).", ["doi:10.1007/s11721-007-0002-0"]),
        ("<https://doi.org/10.1000/182>", ["doi:10.1000/182"]),
        ("`10.1000/182`", ["doi:10.1000/182"]),
        ("  doi = {10.21105/joss.00433},", ["doi:10.21105/joss.00433"]),
        ("doi: 10.48550/arXiv.2401.01234", ["arxiv:2401.01234"]),
        ("https://github.com/ljvmiranda921/pyswarms", ["github:ljvmiranda921/pyswarms"]),
        ("http://www.github.com/NiaOrg/NiaPy.", ["github:niaorg/niapy"]),
        ("(https://github.com/o/n/blob/main/README.md)", ["github:o/n"]),
        ("pip install git+https://github.com/O/N.git@v1", ["github:o/n"]),
        ("https://github.com/o/n#readme", ["github:o/n"]),
        ("https://github.com/o/n.js, https://github.com/o/n.js", ["github:o/n.js"]),
        ("https://github.com/topics/swarm-intelligence", []),
        ("https://github.com/orgs/NiaOrg", []),
        ("https://github.com/NiaOrg", []),
        ("https://raw.githubusercontent.com/o/n/main/logo.png", []),
        ("https://img.shields.io/github/stars/o/n", []),
        ("https://huggingface.co/google-bert/bert-base-uncased", ["hf:model/google-bert/bert-base-uncased"]),
        ("https://hf.co/O/N).", ["hf:model/O/N"]),
        ("https://huggingface.co/datasets/O/N/tree/main", ["hf:dataset/O/N"]),
        ("https://huggingface.co/spaces/O/N?x=1", ["hf:space/O/N"]),
        ("https://huggingface.co/docs/hub", []),
        ("https://huggingface.co/papers/2401.01234", ["arxiv:2401.01234"]),
        ("https://hf.co/papers/2401.01234#community", ["arxiv:2401.01234"]),
        ("https://huggingface.co/papers/month/2401.01234", []),
        ("[code](https://github.com/o/n_) or <https://github.com/o/m.>.", ["github:o/n_", "github:o/m."]),
        ("_https://github.com/o/n_ and (https://github.com/o/m.)", ["github:o/n", "github:o/m"]),
        ("https://GitHub.com/O/N and https://HuggingFace.co", ["github:o/n"]),
        (
            "[![DOI](https://img.shields.io/badge/DOI-10.5281%2Fzenodo.12-blue)](https://doi.org/10.1000/1)",
            ["doi:10.1000/1"],
        ),
        ("https://doi.org/10.1016%2FS0048-9697%2899%2900312-5", ["doi:10.1016/s0048-9697(99)00312-5"]),
        ("https://arxiv.org/abs/hep-th%2F9901001", ["arxiv:hep-th/9901001"]),
        ("10.1000/a%2Fb is a DOI with a percent sign", ["doi:10.1000/a%2fb"]),
        ("https://link.springer.com/content/pdf/10.1007/s11721-007-0002-0.pdf", ["doi:10.1007/s11721-007-0002-0"]),
        ("https://www.frontiersin.org/articles/10.3389/fnbot.2020.00001/full)", ["doi:10.3389/fnbot.2020.00001"]),
        ("https://journals.plos.org/plosone/article?id=10.1371/journal.pone.1", ["doi:10.1371/journal.pone.1"]),
        ("https://doi.org/10.1000/abstract", ["doi:10.1000/abstract"]),
        ("  eprint={2106.09685},", ["arxiv:2106.09685"]),
        ('  Eprint = "2106.09685v2", archivePrefix={arXiv}', ["arxiv:2106.09685"]),
        ("  eprint={hal-01234567},", []),
        ("    $ git clone https://github.com/o/n.git  # in a code block", ["github:o/n"]),
        ("https://huggingface.co/gpt2", []),
        ("time: 10:30, ratio 1/2, version 10.2", []),
        ("", []),
        ("plain prose without any of it", []),
        regression(
            "Zenodo's badge, the usual way to give a DOI in a README, becomes one long false DOI",
            "[![DOI](https://zenodo.org/badge/DOI/10.5281/zenodo.1234.svg)](https://doi.org/10.5281/zenodo.1234)",
            ["doi:10.5281/zenodo.1234"],
        ),
        regression(
            "a Markdown link whose text is the DOI becomes one long false DOI",
            "[10.1000/182](https://doi.org/10.1000/182)",
            ["doi:10.1000/182"],
        ),
        regression("a host that only ends in github.com is taken", "https://gist.github.com/user/abcdef", []),
        regression("a host that only ends in github.com is taken", "https://docs.github.com/en/actions", []),
        regression("a host that only ends in github.com is taken", "http://developer.github.com/v3/markdown", []),
        regression("a host that only ends in github.com is taken", "https://notgithub.com/o/n", []),
        regression("a host that only ends in hf.co is taken", "https://nothf.co/o/n", []),
        regression("a host that only ends in huggingface.co", "https://discuss.huggingface.co/t/topic", []),
        regression("a page of the Hub is taken for an owner", "https://huggingface.co/collections/o/n", []),
        regression("a page of the Hub is taken for an owner", "https://huggingface.co/api/models/o/n", []),
        regression(
            "a dataset without owner is taken for a model of the owner 'datasets'",
            "https://huggingface.co/datasets/squad",
            ["hf:dataset/squad"],
        ),
        regression("an ssh remote names a repository too", "git@github.com:o/n.git", ["github:o/n"]),
        regression(
            "several DOIs joined by punctuation become one",
            "https://doi.org/10.1000/182;https://doi.org/10.1000/183",
            ["doi:10.1000/182", "doi:10.1000/183"],
        ),
    ],
)
def test_in_text(line: str, found: list[str]) -> None:
    assert [identifier for _, identifier in identifiers.in_text(line)] == found


def test_in_text_counts_lines_as_editors_do() -> None:
    text = "\x0c page \u2028 two\r\nhttps://github.com/o/n\rhttps://github.com/o/m"
    assert list(identifiers.in_text(text)) == [(2, "github:o/n"), (3, "github:o/m")]


HUGE: tuple[str, ...] = (
    "10.1234/a" + ")" * 200_000,  # took 57 s
    "10.1234/" + "()" * 50_000 + ")" * 100_000,
    "10.1234/a<" * 20_000,
    "arxiv:" + " " * 200_000 + "arxiv:" * 30_000,
    "eprint" + " " * 200_000 + "eprint=" * 30_000 + "{",
    "huggingface.co/" * 15_000 + "datasets/" + "a." * 100_000,
    "https://github.com/" * 10_000 + "%2f" * 50_000,
    "https://img.shields.io/10." * 10_000,
    "http://" * 100_000 + " %",
    "10.1234/,a" + "," * 200_000,
    "10.1234/;a" + ",;" * 100_000 + "x",
    "10.1/x/full" + "/full" * 40_000 + "!",
    "https://x/10.1234/a" + ".pdf" * 40_000 + "!",
    "https://x/10.1234/a" + "/full" * 40_000 + "x",
)


@pytest.mark.parametrize("line", HUGE, ids=lambda line: line[:12])
def test_one_huge_line_takes_no_more_than_its_length(line: str) -> None:
    """The time limit of a test ends what is quadratic: it would take minutes."""
    list(identifiers.in_text(line))


@pytest.mark.parametrize(
    "line",
    [
        "not 10.1000",
        "arXiv:24.1",
        "https://github.com/-/x",
        regression("raises ParseError, so every other link of the file is lost", "10.48550/arXiv.foo"),
        regression("raises ParseError, so every other link of the file is lost", "https://doi.org/10.1000/%3Cid%3E"),
        regression(
            "raises ParseError, so every other link of the file is lost", "https://hf.co/" + "x" * 100 + "/model"
        ),
    ],
)
def test_in_text_skips_what_only_looks_like_one(line: str) -> None:
    text = f"{line}\nhttps://github.com/o/n\n"
    assert list(identifiers.in_text(text)) == [(2, "github:o/n")]


def test_in_text_counts_lines_from_one_and_gives_each_line_its_own() -> None:
    text = "# Title\n\nhttps://github.com/a/b\r\nsee https://github.com/a/b and https://hf.co/a/b\n"
    assert list(identifiers.in_text(text)) == [(3, "github:a/b"), (4, "github:a/b"), (4, "hf:model/a/b")]


@pytest.mark.parametrize(
    ("name", "decoded"),
    [
        ('G\\"odel', "Gödel"),
        ("Erd\\H{o}s", "Erdős"),
        ("{\\L}ukasz", "Łukasz"),
        ("Fran\\c{c}ois", "François"),
        ('Bj{\\"o}rn M\\"{u}ller', "Björn Müller"),
        ("{\\v S}koda \\v{S}", "Škoda Š"),
        ("Ren\\'e", "René"),
        ("S{\\o}ren", "Søren"),
        ("{ATLAS Collaboration}", "ATLAS Collaboration"),
        ("José Raúl Romero", "José Raúl Romero"),
        ("Беспалов Дмитрий", "Беспалов Дмитрий"),
        ("Aurora Ram{\\'i}rez Иван", "Aurora Ramírez Иван"),
        ("王小云", "王小云"),
        ("Single", "Single"),
        ("", ""),
    ],
)
def test_decode_latex(name: str, decoded: str) -> None:
    assert identifiers.decode_latex(name) == decoded


@pytest.mark.parametrize(
    "name",
    [
        "\\",
        "{",
        "}",
        "$",
        "\\unknown{x}",
        "\\begin{a",
        regression("pylatexenc raises IndexError, which nothing above catches", "\\verb"),
        regression("pylatexenc raises KeyError", "\\sqrt["),
        regression("pylatexenc raises RecursionError, which nothing above catches", "{" * 3000),
    ],
)
def test_decode_latex_never_fails(name: str) -> None:
    assert isinstance(identifiers.decode_latex(name), str)


PIECES = (
    "arXiv:", "arxiv.org/abs/", "2401.01234", "hep-th/9901001", "v2", "10.", "10.1000/", "10.48550/arXiv.", "%", "%2F",
    "github.com/", "huggingface.co/", "hf.co/", "datasets/", "https://", "a/b", ".git", "W12", "openalex.org/",
    "(", ")", "[", "]", "{", "}", "<", ">", "*", "_", ".", ",", "\n", "\r", "\u2028", " ", "é", "İ", "٣", "\x00",
)  # fmt: skip
messy = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=8).map("".join) | st.text(max_size=80)
values = messy | st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.lists(st.text())


@quick
@given(values)
@pytest.mark.parametrize("read", READERS)
def test_a_reader_raises_nothing_but_parse_errors(read: Reader, value: Any) -> None:
    try:
        identifier = read(value)
    except ParseError:
        return
    assert identifier.partition(":")[0] in {"arxiv", "doi", "github", "hf", "openalex"}
    assert identifier.partition(":")[2].strip()


@quick
@given(values)
def test_orcid_raises_nothing(value: Any) -> None:
    found = identifiers.orcid(value)
    assert found is None or (len(found) == 19 and found in value)


@quick
@given(messy)
def test_in_text_raises_nothing_but_parse_errors(text: str) -> None:
    try:
        found = list(identifiers.in_text(text))
    except ParseError:
        return
    assert len(found) == len(set(found))
    assert all(1 <= line <= len(text.splitlines()) for line, _ in found)
    assert [line for line, _ in found] == sorted(line for line, _ in found)


@quick
@example("10.48550/arXiv.foo")
@given(messy)
def test_in_text_raises_nothing(text: str) -> None:
    assert all(":" in identifier for _, identifier in identifiers.in_text(text))


@quick
@example("\\verb")
@given(st.text(alphabet="\\{}[]$%&~^_abverbsqrtfcno 1\"'", max_size=20))
def test_decode_latex_raises_nothing(name: str) -> None:
    assert isinstance(identifiers.decode_latex(name), str)


@quick
@given(st.text(max_size=60).filter(lambda name: not set(name) & set("\\{$")))
def test_a_name_without_latex_comes_back_unchanged(name: str) -> None:
    assert identifiers.decode_latex(name) == name


archives = st.sampled_from(["hep-th", "astro-ph", "cs", "math", "cond-mat", "q-bio", "quant-ph", "gr-qc"])
arxiv_bare = st.from_regex(r"[0-9]{4}\.[0-9]{4,5}", fullmatch=True) | st.builds(
    "{}/{:07d}".format, archives, st.integers(0, 9_999_999)
)
doi_bare = st.from_regex(r"10\.[0-9]{4,9}/[A-Za-z0-9]([A-Za-z0-9./:;()_-]{0,30}[A-Za-z0-9])?", fullmatch=True)
github_bare = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_-]{1,60}", fullmatch=True)
hub_bare = st.from_regex(r"[A-Za-z0-9]{1,30}/[A-Za-z0-9._-]{0,30}[A-Za-z0-9]", fullmatch=True)
openalex_bare = st.from_regex(r"[WA][0-9]{1,19}", fullmatch=True)


@quick
@given(arxiv_bare, st.none() | st.integers(1, 99))
def test_arxiv_ids_are_fixed_points(bare: str, version: int | None) -> None:
    written = bare if version is None else f"{bare}v{version}"
    work_id, found = identifiers.arxiv(written)
    assert (work_id, found) == (f"arxiv:{bare}", None if version is None else f"v{version}")
    assert identifiers.arxiv(work_id) == (work_id, None)
    for spelling in (f"https://arxiv.org/abs/{written}", f"https://arxiv.org/pdf/{written}.pdf", f"arXiv:{written}"):
        assert identifiers.arxiv(spelling) == (work_id, found)
        assert list(identifiers.in_text(f"see {spelling}.")) == [(1, work_id)]
    assert identifiers.doi(f"10.48550/arXiv.{written}") == work_id


@quick
@given(doi_bare)
def test_dois_are_fixed_points(bare: str) -> None:
    work_id = identifiers.doi(bare)
    assert work_id == f"doi:{bare.lower()}"
    for spelling in (work_id, bare.upper(), f"https://doi.org/{bare}", f'"{bare}".', f"doi:{bare},"):
        assert identifiers.doi(spelling) == work_id
        assert list(identifiers.in_text(spelling)) == [(1, work_id)]


@quick
@given(github_bare)
def test_github_ids_are_fixed_points(bare: str) -> None:
    work_id = identifiers.github(bare)
    assert identifiers.github(work_id.removeprefix("github:")) == work_id == identifiers.github(bare.upper())


@quick
@given(hub_bare, st.sampled_from(["model", "dataset", "space"]))
def test_hugging_face_ids_are_fixed_points(bare: str, kind: str) -> None:
    work_id = identifiers.huggingface(kind, bare)
    assert identifiers.huggingface(kind, work_id.removeprefix(f"hf:{kind}/")) == work_id
    folder = "" if kind == "model" else f"{kind}s/"
    pages = {"blog", "docs", "join", "learn", "login", "models", "papers", "posts", "pricing", "settings", "tasks"}
    if bare.partition("/")[0] not in pages | {"datasets", "spaces"}:
        assert list(identifiers.in_text(f"[it](https://huggingface.co/{folder}{bare}).")) == [(1, work_id)]


@quick
@given(openalex_bare)
def test_openalex_ids_are_fixed_points(bare: str) -> None:
    work_id = identifiers.openalex(bare)
    assert identifiers.openalex(work_id.removeprefix("openalex:")) == work_id
    assert identifiers.openalex(f"https://openalex.org/{bare}") == work_id


@pytest.mark.parametrize(
    "text",
    [
        "10.1000/a%5Bb%5D",
        "10.48550/arXiv.2401.01234v2",
        "(10.1000/a(b))",
        regression("percent signs are decoded again each time", "10.1000/a%2525"),
        regression("what is trimmed after a bracket is less than what is trimmed before", "(10.1000/a_)"),
    ],
)
def test_a_canonical_doi_gives_itself(text: str) -> None:
    once = identifiers.doi(text)
    again = arxiv_id(once) if once.startswith("arxiv:") else identifiers.doi(once)
    assert again == once
