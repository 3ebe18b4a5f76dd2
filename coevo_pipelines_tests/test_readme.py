"""The README tells the truth: its queries answer, its folders exist, its commands are real."""

from __future__ import annotations

import re

import pytest

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


def test_there_are_five_queries() -> None:
    assert len(QUERIES) == 5


@pytest.mark.parametrize("number", range(5))
def test_each_query_answers(sample: Settings, number: int) -> None:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        rows = connection.execute(QUERIES[number]).fetchall()
    assert rows, QUERIES[number]


def test_the_lineage_query_follows_two_generations(sample: Settings) -> None:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        steps = {row[3] for row in connection.execute(QUERIES[1]).fetchall()}
    assert {1, 2} <= steps


def test_the_changing_repository_changes(sample: Settings) -> None:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        rows = connection.execute(QUERIES[2]).fetchall()
    days, events, _, tags, stars = zip(*rows, strict=True)
    assert len(days) == 3
    assert events == ("created", "updated", "updated")
    assert len(tags[2]) == len(tags[1]) + 1
    assert stars[0] < stars[2]


def test_the_map_names_every_folder() -> None:
    package = ROOT / "coevo_pipelines"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    mapped = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    assert mapped == folders


def test_every_folder_says_what_belongs_in_it() -> None:
    for path in (ROOT / "coevo_pipelines").glob("*/__init__.py"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert lines[0].startswith('"""'), path
        assert not any(line.startswith(("import ", "from ")) for line in lines), f"{path} imports"


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
