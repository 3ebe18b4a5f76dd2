"""The card as the Hub and a reader see it: front matter, numbers, escaping, and code that runs."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from coevo_pipelines.corpora import blueprints
from coevo_pipelines.corpora.releases import card, release
from coevo_pipelines_tests.corpora.releases.test_release import NASTY, made


def page(folder: Path, name: str = "README.md", **changes: Any) -> str:
    release.write(folder / "out", made(**changes))
    return (folder / "out" / name).read_text("utf-8")


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(tmp_path_factory.mktemp("card"))


def front(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Apache-2.0 (or later)", "Apache-2.0 (or later)"),
        ("|x|", r"\|x\|"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("a\nb\r\n# c\u2028d", r"a b \# c d"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("12) item", r"12\) item"),
        ("[a](https://x.y)", r"\[a\](https\://x.y)"),
        ("www.x.y", r"www\.x.y"),
        ("`_*~$@^{}\\", r"\`\_\*\~\$\@\^\{\}\\"),
        ("moc\u202egnp", "moc gnp"),
        ("zero\u200bwidth\x00", "zero width"),
        ("日本語 é", "日本語 é"),
        (3, "3"),
    ],
)
def test_escaped_is_text_on_one_line(given: object, expected: str) -> None:
    assert card.escaped(given) == expected


@given(st.text(st.sampled_from("a1 .)(:/w|<>&;#-+=_*`~[]!\\\\\"'\n\u202e"), max_size=12))
def test_escaped_reads_as_it_was_in_markdown(text: str) -> None:
    shown = html.escape(re.sub("[\n\u202e]+", " ", text).strip())
    markdown = MarkdownIt().enable(["table", "strikethrough"])
    assert html.unescape(markdown.render(f"- {card.escaped(text)}")) == html.unescape(
        f"<ul>\n<li>{shown}</li>\n</ul>\n" if shown else "<ul>\n<li></li>\n</ul>\n"
    )
    cells = markdown.render(f"| a | b |\n|---|---|\n| {card.escaped(text)} | c |\n")
    assert html.unescape(f"<td>{shown}</td>\n<td>c</td>") in html.unescape(cells)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, ""),
        ("https://x.y/a?b=c#d", "[https\\://x.y/a?b=c\\#d](<https://x.y/a?b=c#d>)"),
        ("https://x.y/a) [b](c>\n|", r"[https\://x.y/a) \[b\](c&gt; \|](<https://x.y/a%29%20%5Bb%5D%28c%3E%0A%7C>)"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("https:///nowhere", r"https\:///nowhere"),
        ("http://[bad", r"http\://\[bad"),
    ],
)
def test_only_web_addresses_are_links(url: str | None, expected: str) -> None:
    assert card.link(url) == expected


def test_front_matter_names_configs_licences_and_size(readme: str) -> None:
    found = front(readme)
    assert found["license"] == ["apache-2.0", "cc-by-4.0", "mit"]
    assert found["language"] == ["code", "en"]
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"][0] == {
        "config_name": "sequences",
        "data_files": [
            {"split": "train", "path": "data/sequences/train-*.parquet"},
            {"split": "test", "path": "data/sequences/test-*.parquet"},
        ],
        "default": True,
    }
    assert [each["config_name"] for each in found["dataset_info"]] == ["sequences", "documents"]


@pytest.mark.parametrize(
    ("licenses", "expected", "ids"),
    [
        (["MIT"], ["mit"], ["MIT"]),
        ([None], ["unknown"], []),
        (["GPL-3.0-or-later WITH GCC-exception-3.1"], ["gpl-3.0"], ["GPL-3.0-or-later"]),
        (["(MIT AND LicenseRef-x) OR 0BSD", "GPL-2.0+"], ["gpl-2.0", "mit", "other"],
         ["0BSD", "GPL-2.0+", "LicenseRef-x", "MIT"]),
    ],
)  # fmt: skip
def test_licences_as_the_hub_names_them(
    tmp_path: Path, licenses: list[str | None], expected: list[str], ids: list[str]
) -> None:
    documents = made().documents
    column = pl.Series("license", (licenses * 5)[: len(documents)], dtype=pl.String)
    corpus = made(documents=documents.with_columns(column))
    assert card.licenses(corpus) == ids
    release.write(tmp_path / "out", corpus)
    assert front((tmp_path / "out/README.md").read_text("utf-8"))["license"] == expected


def test_the_numbers_are_those_of_the_frames(readme: str) -> None:
    assert "5 documents of 4 works and 3 repositories, 3,073 tokens" in readme
    assert "| train | 2 | 10 | 8 |" in readme  # one mask of five tokens leaves two out
    assert r"| near\_duplicate | 3 | 10 |" in readme and "| **all** | 6 | 40 |" in readme
    assert "EMAIL 2" in readme


def test_counts_sum_to_all_documents_and_tokens() -> None:
    counts = card.summary(made())
    for column, found in counts["by"].items():
        assert sum(each["documents"] for each in found.values()) == counts["documents"], column
        assert sum(each["tokens"] for each in found.values()) == counts["tokens"], column


def test_consent_is_told_from_the_contract(tmp_path: Path) -> None:
    contract = {
        "status": "accepted", "created_at": "2026-11-01T10:00:00Z",
        "participants": {"human": {"name": "A|B <i>"}, "model": {
            "id": "coevo/sample", "revision": "1", "config": {"how": "recorded", "by": "Ada"}}},
    }  # fmt: skip
    text = page(tmp_path, contract=json.dumps(contract).encode())
    assert "| status | accepted |" in text and "| when | 2026-11-01T10:00:00Z |" in text
    assert r"| with | A\|B &lt;i&gt; |" in text and "| model | coevo/sample |" in text
    assert "| how the answer came | recorded |" in text and "| who says so | Ada |" in text


@pytest.mark.parametrize("contract", [b"", b"[]", b"\xff", b"3", b'{"participants":3}', b"[" * 100_000])
def test_a_contract_that_cannot_be_read_claims_nothing(tmp_path: Path, contract: bytes) -> None:
    text = page(tmp_path, contract=contract)
    assert "| status |" not in text and "| hash |" in text
    assert (tmp_path / "out/contract.json").read_bytes() == contract


@pytest.mark.parametrize("name", ["README.md", "DATA_STATEMENT.md", "ATTRIBUTION.md", "jsonl/README.md"])
@pytest.mark.parametrize(
    ("world", "label"), [("sample", "is a **sample**"), ("synthetic", "is **synthetic**"), ("live", None)]
)
def test_a_sample_says_so_everywhere(tmp_path: Path, name: str, world: str, label: str | None) -> None:
    text = page(tmp_path, name, world=world)
    assert (label in text) if label else not re.search(r"is a \*\*sample|is \*\*synthetic|\(sample\)", text)


def test_the_statement_has_bender_and_friedmans_headings(tmp_path: Path) -> None:
    assert re.findall(r"^## (.*)$", page(tmp_path, "DATA_STATEMENT.md"), re.MULTILINE) == [
        "A. Curation rationale", "B. Language variety", "C. Speaker demographic", "D. Annotator demographic",
        "E. Speech situation", "F. Text characteristics", "G. Recording quality", "H. Other",
        "I. Provenance appendix",
    ]  # fmt: skip


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    documents = made().documents.with_columns(stage=pl.lit(NASTY), kind=pl.lit(NASTY), language=pl.lit(NASTY))
    blueprint = blueprints.load("sample").model_copy(update={"description": f"{NASTY}\n---\n"})
    numbers = {NASTY: [NASTY], "natural_languages": {"en": 1, "../x": 1, "de": 2}}
    hostile: dict[str, Any] = {
        "documents": documents,
        "blueprint": blueprint,
        "numbers": numbers,
        "code_version": NASTY,
    }
    for name in ("README.md", "DATA_STATEMENT.md", "ATTRIBUTION.md"):
        text = page(tmp_path, name, **hostile)
        assert "<script>" not in text and "\u202e" not in text and "\n# no" not in text
    text = page(tmp_path, **hostile)
    assert front(text)["language"] == ["de", "en"]
    rows = [line for line in text.splitlines() if line.startswith("| a")]
    assert rows and all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)


def test_what_the_lake_was_set_to_is_said(tmp_path: Path) -> None:
    near = {"jaccard": 0.8, "ngram": 5}
    text = page(tmp_path, numbers={"personal_data": "kept", "notebooks": "stripped", "near_duplicates": near})
    assert "**Personal data was kept.**" in text and "Outputs of notebooks were taken out." in text
    assert "3 near-duplicates at a Jaccard similarity of 0.8 or more (MinHash over runs of 5 words" in text
