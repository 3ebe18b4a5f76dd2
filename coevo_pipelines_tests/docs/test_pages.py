"""Links lead somewhere, commands exist, settings load, questions are answered, words are explained."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from coevo_pipelines.cli import app
from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.traces import register
from coevo_pipelines_tests.docs.pages import (
    PAGES,
    WRITTEN,
    anchors,
    blocks,
    calls,
    commands,
    links,
    name,
    named,
    prose,
    text,
    wrong,
)
from coevo_pipelines_tests.runs import ROOT

DOCS = ROOT / "docs"
COMMAND = get_command(app)
REGISTER = {"claims", "optouts", "shares"}
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=name)


def _blocks(language: str) -> list[object]:
    return [
        pytest.param(body, id=f"{name(page)}-{number}")
        for page in PAGES
        for number, body in enumerate(blocks(page, language))
    ]


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"https?:", target):
            continue
        path, _, place = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name(page)}: {target}: no such file"
        assert file.is_relative_to(ROOT), f"{name(page)}: {target} leads out of the project"
        if place:
            assert place in anchors(file), f"{name(page)}: {target}: no such heading"


@EACH_PAGE
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in commands(page):
        assert not (what := wrong(words, COMMAND)), f"{name(page)}: coevo {' '.join(words)}: {what}"
    for words in named(page):
        assert not (what := wrong(words, COMMAND, whole=False)), f"{name(page)}: coevo {' '.join(words)}: {what}"


def test_the_pages_have_commands_to_check() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 80


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("coevo nothing", "no command"),
        ("coevo rewards nothing", "no command"),
        ("coevo status --nothing", "no option"),
        ("coevo run --date", "needs a value"),
        ("coevo query", "needs 1 argument"),
        ("coevo status now", "takes 0 arguments"),
        ("COEVO_LAKE=x coevo status --json | head -1", ""),
        ("ls # coevo nothing", None),
    ],
)
def test_wrong_commands_are_seen(line: str, what: str | None) -> None:
    found = [wrong(words, COMMAND) for words in calls(line)]
    assert found == [] if what is None else what in found[0] and bool(found[0]) == bool(what)


def test_every_target_of_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    used = {
        target for page in PAGES for block in blocks(page, "sh") for target in re.findall(r"\bmake ([a-z]+)", block)
    }
    assert {"run", "dev", "setup"} <= used
    for target in used:
        assert f"\n{target}:" in makefile, target


@pytest.mark.parametrize("body", _blocks("sql"))
def test_every_question_is_answered(sample: Settings, body: str) -> None:
    with open_catalog(sample.lake_root / CATALOG) as catalog:
        for question in filter(str.strip, body.split(";")):
            assert catalog.execute(question).fetchall(), question


def test_every_question_of_a_command_is_answered(sample: Settings) -> None:
    asked = [words[1] for page in WRITTEN for words in commands(page) if words[0] == "query"]
    assert len(asked) >= 5
    with open_catalog(sample.lake_root / CATALOG) as catalog:
        for question in asked:
            catalog.execute(question).fetchall()


@pytest.mark.parametrize("body", _blocks("toml"))
def test_every_table_of_settings_loads(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tomllib.loads(body)
    if given.keys() <= REGISTER:
        assert not register.read(body.encode(), datetime(2026, 12, 31, tzinfo=UTC)).rejected
        return
    place = tmp_path / "here"
    place.mkdir()
    shipped = resources.files("coevo_pipelines.corpora") / "blueprints"
    for file in given.get("corpora", {}).get("blueprints", ()):  # files that the page says to make
        if file.endswith(".toml"):
            (place / file).write_bytes((shipped / "sample.toml").read_bytes())
    for file in given.get("corpora", {}).get("evaluation_sets", {}).values():
        (place / file).write_text('{"question": "?"}\n', encoding="utf-8")
    body = re.sub(r"<64 hex digits[^>]*>", "0" * 64, body)
    (place / "coevo.toml").write_text(body, encoding="utf-8")
    monkeypatch.chdir(place)
    assert load_settings().model_fields_set >= given.keys()


@pytest.mark.parametrize("body", _blocks("yaml"))
def test_every_block_of_yaml_is_yaml(body: str) -> None:
    assert isinstance(yaml.safe_load(body), dict)


@pytest.mark.parametrize("body", _blocks("python"))
def test_every_block_of_python_is_python(body: str) -> None:
    compile(body, "block", "exec")


def test_the_swarm_of_the_page_runs() -> None:
    block = blocks(DOCS / "explanation" / "swarm.md", "python")[0]
    exec(compile(block.replace("organisms=300", "organisms=40").replace("< 100", "< 5"), "block", "exec"), {})


@EACH_PAGE
def test_no_page_names_a_place_on_a_machine(page: Path) -> None:
    assert not re.findall(r"(?<![\w.:/])/(?:home|root|Users|work|tmp)/\S+", text(page))


def test_the_map_names_every_page() -> None:
    mapped = {(DOCS / target.partition("#")[0]).resolve() for target in links(DOCS / "README.md")}
    pages = {page.resolve() for page in PAGES if page.is_relative_to(DOCS)}
    assert pages - mapped == {(DOCS / "README.md").resolve()}


def test_no_word_is_explained_twice_and_each_is_used() -> None:
    glossary = DOCS / "glossary.md"
    words = re.findall(r"^### (.+)$", text(glossary), re.MULTILINE)
    assert len(words) == len(set(words)) > 40
    linked = {target.partition("#")[2] for page in PAGES for target in links(page) if "glossary.md#" in target}
    linked |= {target[1:] for target in links(glossary) if target.startswith("#")}
    sections = dict(zip(words, re.split(r"^### .+$", text(glossary), flags=re.MULTILINE)[1:], strict=True))
    for word, section in sections.items():
        assert section.strip(), word
        assert word.lower().replace(", ", "-").replace(" ", "-") in linked, f"no page links to {word!r}"


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if page.parent.name in ("how-to", "explanation", "notebooks")], ids=name
)
def test_every_page_leads_to_the_glossary(page: Path) -> None:
    assert any("glossary.md" in target for target in links(page)), name(page)


def test_the_code_names_pages_that_exist() -> None:
    for file in sorted((ROOT / "coevo_pipelines").rglob("*.py")):
        for page in re.findall(r"\((docs/[\w/-]+\.md)", file.read_text(encoding="utf-8")):
            assert (ROOT / page).is_file(), f"{file}: {page}"


def test_the_readme_leads_to_every_kind_of_page() -> None:
    targets = " ".join(links(ROOT / "README.md"))
    for kind in ("tutorial.md", "how-to/", "reference/", "explanation/", "glossary.md", "notebooks/"):
        assert f"docs/{kind}" in targets


def test_lines_of_prose_are_not_endless() -> None:
    """Diffs are read by people."""
    for page in WRITTEN:
        if page.name == "walk.md":
            continue
        for line in prose(page).splitlines():
            assert len(line) <= 400 or line.startswith(("|", "- ")), f"{name(page)}: {line[:60]}…"


def test_the_pages_lie_in_rooms() -> None:
    """By what a reader wants: at the top only the map, the tutorial and the words."""
    assert {path.name for path in DOCS.glob("*.md")} == {"README.md", "tutorial.md", "glossary.md"}
    assert {path.name for path in DOCS.iterdir() if path.is_dir()} == {
        "explanation", "how-to", "notebooks", "reference"
    }  # fmt: skip
