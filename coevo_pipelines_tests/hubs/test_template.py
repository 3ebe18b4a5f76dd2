"""What `coevo hubs init` writes: valid as it is, and with its examples made rows; for us and for frictionless."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from coevo_pipelines.hubs.contents import Contents, read_contents
from coevo_pipelines.hubs.package import Package, read_descriptor
from coevo_pipelines.hubs.tables import COLUMNS, REQUIRED_CONTEXT
from coevo_pipelines.hubs.template import Facts, files, name_of, title_of
from coevo_pipelines.lake.schemas import HUB_KINDS
from coevo_pipelines_tests.hubs.packages import RULES


def facts(kind: str, *, private: bool = False) -> Facts:
    return Facts("green-valley", kind, "Grünes Tal", 52.1301, 11.6302, private, date(2019, 3, 28))


def read(made: dict[str, str]) -> tuple[Package, Contents]:
    package, problems = read_descriptor(made["datapackage.json"].encode(), RULES)
    assert package is not None and problems == []
    contents = read_contents(package, lambda path: made[path].encode(), RULES)
    assert [each.line() for each in contents.problems] == []
    return package, contents


def as_rows(made: dict[str, str]) -> dict[str, str]:
    """With the examples made rows: the sign before them taken away."""
    return {name: text.replace("\n#", "\n") if name.endswith(".csv") else text for name, text in made.items()}


@pytest.mark.parametrize("kind", HUB_KINDS)
@pytest.mark.parametrize("private", [False, True])
def test_it_is_valid_and_claims_nothing(kind: str, private: bool) -> None:
    package, contents = read(files(facts(kind, private=private)))
    assert (package.kind, package.title, package.is_private) == (kind, "Grünes Tal", private)
    assert package.created.date() == package.since.date() == package.consent_at.date() == date(2019, 3, 28)
    assert contents.posts == contents.outcomes == contents.measurements == []
    assert [package.soil, package.climate, package.method] == [None, None, None]


@pytest.mark.parametrize("kind", HUB_KINDS)
def test_its_examples_are_rows_that_hold(kind: str) -> None:
    _, contents = read(as_rows(files(facts(kind))))
    assert sorted(each["side"] for each in contents.posts) == ["need", "offer"]
    assert len(contents.outcomes) == 1
    assert len(contents.measurements) >= 1
    assert {each["rows"] for each in contents.datasets} == {1}


@pytest.mark.parametrize("kind", HUB_KINDS)
def test_its_readme_tells_all_columns_and_the_context(kind: str) -> None:
    made = files(facts(kind))
    readme = made["README.md"]
    for role in ("needs", "offers", "outcomes"):
        for column in COLUMNS[role]:
            assert f"| `{column.name}` | {'yes' if column.required else 'no'} |" in readme
    for name in REQUIRED_CONTEXT[kind]:
        assert f"`{name}`" in readme
        assert name in json.loads(made["datapackage.json"])["hub"]["context"]
    assert "private home" not in readme and "private home" in files(facts(kind, private=True))["README.md"]


@pytest.mark.parametrize("made", [files(facts("food")), as_rows(files(facts("health_care")))], ids=["new", "filled"])
def test_the_frictionless_command_finds_it_valid(made: dict[str, str], tmp_path: Path) -> None:
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("frictionless")), "validate", "datapackage.json", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["valid"], done.stdout
    assert report["stats"]["tasks"] == 4


def test_the_frictionless_command_would_find_what_is_wrong(tmp_path: Path) -> None:
    made = as_rows(files(facts("food")))
    made["needs.csv"] = made["needs.csv"].replace(",25,", ",much,")
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("frictionless")), "validate", "datapackage.json", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1 and not json.loads(done.stdout)["valid"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my-garden", "my-garden"), ("My Garden_2", "my-garden-2"),
        ("Große Wiese", "grosse-wiese"), ("Žižkov!", "zizkov"),
        ("a", None), ("", None), ("花園", None), ("x" * 80, "x" * 63), ("--ab--", "ab"),
    ],
)  # fmt: skip
def test_a_name_of_a_folder(text: str, name: str | None) -> None:
    assert name_of(text) == name


def test_a_title_of_a_name() -> None:
    assert title_of("green-valley") == "Green valley"
