"""Who is named, with which licence, and which texts travel along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from coevo_pipelines.corpora.releases import attribution, release
from coevo_pipelines_tests.corpora.releases.test_release import made


def cells(page: str, work: str) -> list[str]:
    (row,) = [line for line in page.splitlines() if f"({work})" in line]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_each_work_has_its_people_licence_address_commit_and_counts() -> None:
    assert cells(attribution.page(made()), "github:acme/one") == [
        "About github:acme/one (github:acme/one)",
        r"Ada &lt;b&gt;L&lt;/b&gt;, Grace\|H",
        "MIT OR Apache-2.0",
        r"[https\://example.org/github:acme/one](<https://example.org/github:acme/one>)",
        "c" * 40,
        "2",
        "52",
    ]


@pytest.mark.parametrize(
    ("people", "owner", "expected"),
    [(["Ada"], "acme", "Ada"), ([], "acme", "acme"), (None, None, "not known"), ([None, ""], "acme", "acme")],
)
def test_who_is_named_where_people_are_not_known(people: list[str] | None, owner: str | None, expected: str) -> None:
    works = made().works.with_columns(
        people=pl.lit(people, pl.List(pl.String)), owner=pl.lit(owner, pl.String), title=pl.lit("T")
    )
    assert cells(attribution.page(made(works=works)), "github:acme/one")[1] == expected


def test_works_without_documents_are_not_named_and_twins_once() -> None:
    first = made()
    more = first.works[:1].with_columns(work_id=pl.lit("github:acme/unused"), title=pl.lit("Unused"))
    page = attribution.page(replace(first, works=pl.concat([first.works, first.works, more])))
    assert page == attribution.page(first) and "Unused" not in page


def test_licences_differ_within_a_work() -> None:
    documents = made().documents.with_columns(
        license=pl.when(pl.col("doc_id") == "acme/one:a.py").then(None).otherwise("license")
    )
    assert cells(attribution.page(made(documents=documents)), "github:acme/one")[2] == "not stated, MIT OR Apache-2.0"


def test_licence_files_travel_along_under_names_that_no_repository_chooses(tmp_path: Path) -> None:
    release.write(tmp_path / "out", made())
    found = {path.name: path.read_text("utf-8") for path in (tmp_path / "out/LICENSES").iterdir()}
    assert found == {
        "MIT-3bd786ae82f69182.txt": "MIT License: one\n",
        "notice-b3d6523e4d527256.txt": "NOTICE: two\n",
    }
    page = (tmp_path / "out/ATTRIBUTION.md").read_text("utf-8")
    for name in found:
        assert f"](LICENSES/{name})" in page
    assert "MIT License: unused" not in found.values()


@pytest.mark.parametrize(
    ("spdx", "start"),
    [("MIT", "MIT-"), ("../../x", "x-"), ("(MIT OR Apache-2.0)", "MIT-OR-Apache-2.0-"), ("...", "notice-"),
     ("L" * 300, "L" * 60 + "-")],
)  # fmt: skip
def test_names_of_licence_files_are_safe(spdx: str, start: str) -> None:
    notices = made().notices[:1].with_columns(license=pl.lit(spdx))
    (name,) = attribution.notices(made(notices=notices))
    assert name.startswith(f"LICENSES/{start}") and name.count("/") == 1 and len(name) < 100


def test_equal_texts_are_one_file_and_both_are_told() -> None:
    notices = made().notices.with_columns(text=pl.lit("the same"), license=pl.lit("ISC"))
    given = made(notices=notices)
    (name,) = attribution.notices(given)
    assert attribution.page(given).count(f"]({name})") == 2


def test_repositories_without_a_licence_file_are_said() -> None:
    page = attribution.page(made(notices=made().notices.clear()))
    assert "Repositories without such a file: acme/one, acme/two, a\\|b" in page
    assert "## Licence and notice files" not in page
