"""The pages that are made are current, and say what they are made from."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typer.main import get_command

from coevo_pipelines import reference
from coevo_pipelines.cli import app
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.reference import DOCS, Section, anchor, exit_codes, made, main, write
from coevo_pipelines.settings import Settings

RENEW = "docs/{} is not current: renew it with `make docs` (python -m coevo_pipelines.reference)"


@pytest.mark.parametrize("path", sorted(made()))
def test_the_page_is_current(path: str) -> None:
    assert (DOCS / path).read_text(encoding="utf-8") == made()[path], RENEW.format(path)


def test_the_pages_are_the_same_for_every_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token must not reach a page that is committed; nor must the width of a terminal, or the folder."""
    before = made()
    monkeypatch.setenv("GITHUB_TOKEN", "a-secret-token")
    monkeypatch.setenv("COLUMNS", "41")
    monkeypatch.setenv("COEVO_LAKE", "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert made() == before
    assert "a-secret-token" not in "".join(before.values())


def test_every_setting_says_what_it_means() -> None:
    for section in reference._sections(Section("", Settings, {})):
        assert section.model.__doc__, section.model
        for name, field in section.model.model_fields.items():
            model, _ = reference._model_in(field.annotation)
            assert field.description or model, f"{section.head} {name}"


def test_every_setting_is_on_the_page() -> None:
    page = made()["reference/settings.md"]
    for name in Settings.model_fields:
        assert f"| `{name}` |" in page
    for head in ("[[topics]]", "[sources.NAME]", "[[rounds.policies]]", "[swarm.minds.chrysalis]", "[genome]"):
        assert f"\n## `{head}`\n" in page


def test_every_column_is_on_the_page() -> None:
    page = made()["reference/tables.md"]
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    for table in TABLES.values():
        for column in table.columns:
            assert f"| `{column.name}`" in sections[table.name]
            assert " ".join(column.description.replace("|", "\\|").split()) in sections[table.name]


def test_every_command_is_on_the_page() -> None:
    page = made()["reference/commands.md"]
    command: Any = get_command(app)
    for name, group in command.commands.items():
        assert f"\n## coevo {name}\n" in page
        for below in getattr(group, "commands", {}):
            assert f"\n### coevo {name} {below}\n" in page
    assert max(map(len, page.splitlines())) <= 200


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ("X.\n\nExit codes: 0 fine; 1 ran, and\nsomething is wrong (a, b); 130 interrupted.\n",
         [("`0`", "fine"), ("`1`", "ran, and something is wrong (a, b)"), ("`130`", "interrupted")]),
        ("Exit codes: 0 fine.\n\n2 more", [("`0`", "fine")]),
    ],
)  # fmt: skip
def test_exit_codes(told: str, codes: list[tuple[str, str]]) -> None:
    assert exit_codes(told) == codes


@pytest.mark.parametrize("told", ["", "nothing of it", "Exit codes: none"])
def test_without_exit_codes(told: str) -> None:
    with pytest.raises(ValueError, match="Exit codes"):
        exit_codes(told)


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("The audit", "the-audit"),
        ("traces.works", "tracesworks"),
        ("[swarm.minds.chrysalis]", "swarmmindschrysalis"),
        ("sample, live", "sample-live"),
        ("Time: what a day is", "time-what-a-day-is"),
        ("near_duplicate & co", "near_duplicate--co"),
    ],
)
def test_anchor(heading: str, place: str) -> None:
    assert anchor(heading) == place


class Inner(BaseModel):
    """Inside. With more to say."""

    a: int = Field(default=3, ge=1, description="a | b")


class Outer(BaseModel):
    """Outside."""

    word: str = Field(pattern="^x$", description="w")
    half: Annotated[Decimal, Field(ge=0, le=1)] = Field(default=Decimal("0.5"), description="h")
    either: Literal["b", "c"] | None = Field(default=None, description="e")
    four: tuple[int, int] = Field(default=(1, 20_000), description="f")
    since: date = Field(default=date(2026, 1, 2), description="s")
    yes: bool = Field(default=True, description="y")
    long: tuple[str, ...] = Field(default=("x" * 80,), description="l")
    inner: Inner = Inner(a=7)
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = Field(default_factory=dict, description="n")


def test_sections_and_fields() -> None:
    outer, inner, many, named = reference._sections(Section("", Outer, {}))
    assert [each.head for each in (outer, inner, many, named)] == ["", "[inner]", "[[many]]", "[named.NAME]"]
    rows = [line.split(" | ") for line in reference._fields(outer).splitlines()[2:]]
    assert [row[1:3] for row in rows] == [
        ["text, `^x$`", "**required**"],
        ["number, ≥ 0, ≤ 1", "`0.5`"],
        ["`b` or `c`", ""],
        ["2 × whole number", "`[1, 20_000]`"],
        ["date", "`2026-01-02`"],
        ["true or false", "`true`"],
        ["list of text", f'`["{"x" * 58}`…'],
        ["table", ""],
        ["tables", ""],
        ["tables", ""],
    ]
    assert rows[7][3] == "Inside. With more to say. |"
    assert reference._fields(inner).splitlines()[2] == r"| `a` | whole number, ≥ 1 | `7` | a \| b |"
    assert "| `3` |" in reference._fields(many)


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    pages = {"a/b.md": "one\n", "c.md": "two\n"}
    assert write(tmp_path, pages) == ["a/b.md", "c.md"]
    assert write(tmp_path, pages) == []
    (tmp_path / "c.md").write_text("else")
    assert write(tmp_path, pages) == ["c.md"]
    assert (tmp_path / "c.md").read_text() == "two\n"


def test_no_walk_of_another_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEVO_LAKE", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match=r"is not the sample .* make one with `make run`"):
        main()
