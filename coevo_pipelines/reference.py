"""The pages of docs/ that are made, not written: `python -m coevo_pipelines.reference` (`make docs`).

Settings come from `settings.Settings`, tables from `lake.schemas`, commands from the Typer app, and the walk from the
notebook `docs/notebooks/walk.py`, run on a lake of the sample. What a page says is changed where it comes from: a
description there, then this. Same sources, same bytes: nothing of the machine or the moment goes in.
"""

from __future__ import annotations

import ast
import hashlib
import html
import json
import re
import runpy
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DOCS = Path(__file__).parent.parent / "docs"
NOTEBOOK = DOCS / "notebooks" / "walk.py"
SAMPLE_DAYS = ("2019-03-25", "2019-03-26", "2019-03-27")
"""The days of `make run`."""
WIDTH = 100
"""Columns of the help texts: the same wherever the page is made."""
SOURCE = "[sources.NAME]"
"""The section whose defaults depend on the name."""
LONGEST_DEFAULT = 60
"""Characters; a longer list is shown by its beginning, `coevo settings` has it whole."""
MADE = "<!-- Made by `make docs`. Change {source}, not this page. -->\n"
WORDS: Mapping[Any, str] = {
    str: "text", int: "whole number", float: "number", Decimal: "number", bool: "true or false", date: "date",
    Path: "path", SecretStr: "secret",
}  # fmt: skip
"""Types as people call them."""
BOUNDS: Mapping[str, str] = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def made() -> dict[str, str]:
    """Text by path below docs/ of every page that needs no lake."""
    return {
        "reference/settings.md": settings_page(),
        "reference/tables.md": tables_page(),
        "reference/commands.md": commands_page(),
    }


# --- settings


@dataclass(frozen=True)
class Section:
    """One table of the settings file. `head` as TOML writes it; `defaults` by field where an instance gives them."""

    head: str
    model: type[BaseModel]
    defaults: Mapping[str, Any]


def settings_page() -> str:
    """Every setting with its type, default and meaning."""
    from coevo_pipelines.settings import Settings

    parts = [
        "# Settings\n",
        MADE.format(source="the descriptions in `coevo_pipelines/settings.py`"),
        "Settings are read from, in falling priority: `COEVO_*` variables, the TOML file that `COEVO_CONFIG` names "
        "(else `coevo.toml` in the working directory), the defaults below. `coevo settings` shows what is in force, "
        "with secrets hidden. A misspelt name is an error, never ignored.\n",
        "A variable is the path of a setting in capitals, with two underscores between its parts: `http.retries` is "
        "`COEVO_HTTP__RETRIES`. Lists and tables are given as JSON.\n",
    ]
    for section in _sections(Section("", Settings, {})):
        title = f"`{section.head}`" if section.head else "Top level"
        parts += [f"## {title}\n", _about(section) + "\n" if section.head else "", _fields(section)]
        if section.head == SOURCE:
            parts.append(_services())
    return "\n".join(part for part in parts if part)


def _about(section: Section) -> str:
    return " ".join((section.model.__doc__ or "").split())


def _sections(section: Section) -> Iterator[Section]:
    """The section and all below it, depth first, in the order of the model."""
    yield section
    for name, field in section.model.model_fields.items():
        model, container = _model_in(field.annotation)
        if model is None:
            continue
        path = ".".join(filter(None, (section.head.strip("[]"), name)))
        head = f"[[{path}]]" if container is tuple else f"[{path}.NAME]" if container is dict else f"[{path}]"
        default = _default(section, name, field)
        values = default.__dict__ if isinstance(default, BaseModel) else {}
        yield from _sections(Section(head, model, values))


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, type | None]:
    """The model that a field holds, and in what: alone (None), in a list (tuple) or by name (dict)."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, None
    if origin in (Union, types.UnionType):
        found = [_model_in(each) for each in arguments]
        return next((each for each in found if each[0]), (None, None))
    if origin in (tuple, dict):
        model, _ = _model_in(arguments[0 if origin is tuple else 1])
        return model, origin if model else None
    return None, None


def _default(section: Section, name: str, field: FieldInfo) -> Any:
    if name in section.defaults:
        return section.defaults[name]
    if section.model.__name__ == "Settings" and name == "sources":
        return None  # with the caller's tokens in it: the services below have the defaults
    return field.get_default(call_default_factory=True, validated_data={})


def _fields(section: Section) -> str:
    rows = []
    for name, field in section.model.model_fields.items():
        model, container = _model_in(field.annotation)
        said = field.description or ""
        if model:
            said = said or _about(Section("", model, {}))
            rows.append((f"`{name}`", "table" if container is None else "tables", "", said))
            continue
        default = _default(section, name, field)
        shown = (
            ("below" if section.head == SOURCE else "**required**") if default is PydanticUndefined else _shown(default)
        )
        rows.append((f"`{name}`", _type(field), shown, said))
    return _table(("setting", "type", "default", "meaning"), rows)


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(each, key):g}" if not isinstance(getattr(each, key), int) else f"{sign} {getattr(each, key)}"
        for each in field.metadata
        for key, sign in BOUNDS.items()
        if getattr(each, key, None) is not None
    ]
    patterns = [f"`{each.pattern}`" for each in field.metadata if getattr(each, "pattern", None)]
    return ", ".join([_word(field.annotation), *bounds, *patterns])


def _word(annotation: Any) -> str:
    """A type in words, without None: what is not given is not set."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _word(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_word(each) for each in arguments if each is not type(None))
    if origin is tuple:
        many = "list of" if Ellipsis in arguments else f"{len(arguments)} ×"
        return f"{many} {_word(arguments[0])}"
    if origin is dict:
        return f"table of {_word(arguments[1])}"
    return WORDS[annotation]


def _shown(value: Any) -> str:
    """A default as TOML writes it; nothing where there is none."""
    if value is None or value in ((), {}, ""):
        return ""
    written = _toml(value)
    return f"`{written}`" if len(written) <= LONGEST_DEFAULT else f"`{written[:LONGEST_DEFAULT]}`…"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, int):
        return f"{value:_}"
    return str(value) if isinstance(value, float | Decimal | date) else f'"{value}"'


def _services() -> str:
    """What the sources are by default; their tokens stay out."""
    from coevo_pipelines.scrapes.sources import services

    rows = [
        (f"`{name}`", service.title, f"`{service.defaults.base_url}`", "yes" if service.defaults.enabled else "no",
         f"{service.defaults.min_interval_s:g}", str(service.defaults.page_size),
         f"`{service.token_variable}`" if service.token_variable else "")
        for name, service in services()
    ]  # fmt: skip
    head = ("NAME", "service", "`base_url`", "`enabled`", "`min_interval_s`", "`page_size`", "token's usual variable")
    return "What each source begins with:\n\n" + _table(head, rows)


# --- tables


def tables_page() -> str:
    """The data dictionary: every table and column of the registry, and what the catalog adds."""
    from coevo_pipelines.lake.catalog import COMMITS_COMMENTS
    from coevo_pipelines.lake.schemas import STAGES, TABLES, table

    corpus = table("corpora.blueprint")
    parts = [
        "# Tables\n",
        MADE.format(source="`coevo_pipelines/lake/schemas.py`"),
        "Every table is also an asset of the same name and a folder of Parquet files, one a day; the catalog "
        "`coevo.duckdb` holds all of them. Rows are unique by the key and sorted by it. In the catalog and in the "
        "paths every table has one more column, `date`: the [partition](../glossary.md#partition). "
        "Columns marked *file* are in the Parquet files only. The last column says which columns a value is made of "
        "(`scrapes.*`: of all sources); where it is empty the value is counted, numbered or drawn "
        "here, or a setting.\n",
    ]
    for stage, description in STAGES.items():
        names = [name for name, each in TABLES.items() if each.stage == stage]
        listed = ", ".join(f"[{name.partition('.')[2]}](#{anchor(name)})" for name in names)
        parts += [f"## {stage}\n", f"{description} {listed}.\n"]
        for name in names:
            each = TABLES[name]
            parts.append(_columns(name, each.description, each.key, each.columns, each.not_in_catalog))
        if stage == "corpora":
            parts.append(
                _columns("corpora.blueprint", corpus.description, corpus.key, corpus.columns, corpus.not_in_catalog)
            )
    commits = _table(("column", "meaning"), [(f"`{name}`", said) for name, said in COMMITS_COMMENTS.items()])
    parts += [
        "## In the catalog only\n",
        "### lake.commits\n",
        "The current partition of each table and day, as the [ledger](../glossary.md#ledger) has it.\n",
        commits,
        "### lake.about\n",
        "One row: which `world` the lake holds (sample, live or synthetic), and a `note` of what that means.\n",
        "### Macros\n",
        "`citations.nodes_as_of(day)` and `citations.edges_as_of(day)` are the graph as it stood at the end of a day, "
        "with stubs replaced by the works that they turned out to be; `citations.resolved_as_of(day)` says which "
        "those are.\n",
    ]
    return "\n".join(parts)


def _columns(name: str, description: str, key: Iterable[str], columns: Iterable[Any], in_file: Iterable[str]) -> str:
    from coevo_pipelines.lake.lineage import declared
    from coevo_pipelines.lake.schemas import DUCKDB_TYPES

    rows, sources = [], declared(name)
    for each in columns:
        allowed = []
        if each.enum:
            allowed.append(" ".join(f"`{value}`" for value in each.enum))
        if each.minimum is not None or each.maximum is not None:
            low, high = (None if end is None else f"{end:g}" for end in (each.minimum, each.maximum))
            allowed.append(f"{low} to {high}" if low and high else f"≥ {low}" if low else f"≤ {high}")
        if each.nullable:
            allowed.append("null")
        kind = DUCKDB_TYPES[each.type].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
        shown = f"`{each.name}`" + (" *file*" if each.name in in_file else "")
        made_of = ", ".join(f"`{source}`" for source in sources.get(each.name, ()))
        rows.append((shown, kind, ", ".join(allowed), each.description, made_of))
    keys = ", ".join(f"`{each}`" for each in key)
    return f"### {name}\n\n{description} Key: {keys}.\n\n" + _table(
        ("column", "type", "allowed", "meaning", "made of"), rows
    )


# --- commands


def commands_page() -> str:
    """`--help` of every command, and the exit codes."""
    from typer.main import get_command

    from coevo_pipelines import cli

    parts = [
        "# Commands\n",
        MADE.format(source="the help texts in `cli.py` and the `commands.py` of each stage"),
        "What `--help` says, of every command. Errors are one line with the way out; `--debug` shows the trace.\n",
        "## Exit codes\n",
        _table(("code", "means"), exit_codes(cli.__doc__ or "")),
        "## Shell completion\n",
        "`coevo --install-completion` sets it up for the shell it is called from (bash, zsh, fish, PowerShell); "
        "`coevo --show-completion` prints it instead.\n",
    ]
    parts += [
        f"{'##' if len(path) < 3 else '###'} {' '.join(path)}\n\n```text\n{text}\n```\n"
        for path, text in _helps(get_command(cli.app), ("coevo",), None)
    ]
    return "\n".join(parts)


def exit_codes(told: str) -> list[tuple[str, str]]:
    """Code and meaning, from the sentence on exit codes of a docstring; ValueError when there is none."""
    _, found, sentence = told.partition("Exit codes:")
    codes = re.findall(r"(\d+) ([^;]+?)(?:;|\.?\s*$)", " ".join(sentence.split("\n\n")[0].split()))
    if not found or not codes:
        raise ValueError("the docstring of coevo_pipelines/cli.py has no sentence 'Exit codes: 0 …; 1 …'")
    return [(f"`{code}`", meaning) for code, meaning in codes]


def _helps(command: Any, path: tuple[str, ...], parent: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and help text of a command and of all below it."""
    context = command.context_class(command, info_name=path[-1], parent=parent, terminal_width=WIDTH)
    yield path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _helps(below, (*path, name), context)


# --- the walk


def walk() -> dict[str, str]:
    """Text by path below docs/ of the page of the notebook, run on the lake of the settings, and of its charts."""
    from coevo_pipelines.report.charts import standalone

    written, shown = _cells(NOTEBOOK.read_text(encoding="utf-8")), _outputs()
    parts = ["<!-- Made by `make docs` from `walk.py`, on the sample. Change the notebook, not this page. -->\n"]
    charts = {}
    for cell, output in zip(written, shown, strict=True):
        if not cell.hidden:
            parts.append(f"```python\n{cell.code}\n```\n")
        if type(output).__module__.startswith("altair."):
            path = f"notebooks/walk/{cell.last}.svg"
            charts[path] = standalone(output, output.title, output.description).decode()
            parts.append(_picture(output, f"walk/{cell.last}.svg"))
        elif output is not None:
            parts.append(_output(output))
        if len(parts) == 2:  # below the title
            parts.append(
                "Run it yourself, on the sample or on a lake of your own (`COEVO_LAKE`): "
                "`marimo edit docs/notebooks/walk.py`, or as a script: `python docs/notebooks/walk.py`.\n"
            )
    return {"notebooks/walk.md": "\n".join(parts)} | charts


@dataclass(frozen=True)
class Cell:
    """A cell as it is written; `last` is the name that its last line shows, if it is one."""

    code: str
    hidden: bool
    last: str


def _cells(notebook: str) -> list[Cell]:
    """The cells of a marimo notebook: functions that are decorated with app.cell, without what they take and return."""
    lines = notebook.splitlines()
    cells = []
    for function in ast.parse(notebook).body:
        if not (isinstance(function, ast.FunctionDef) and "app.cell" in ast.unparse(function.decorator_list[0])):
            continue
        body = [each for each in function.body if not isinstance(each, ast.Return)]
        first = function.body[0].lineno - 1
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        code = textwrap.dedent("\n".join(lines[first : body[-1].end_lineno]))
        shown = body[-1].value if isinstance(body[-1], ast.Expr) else None
        hidden = "hide_code" in ast.unparse(function.decorator_list[0])
        cells.append(Cell(code, hidden, shown.id if isinstance(shown, ast.Name) else ""))
    return cells


def _outputs() -> Sequence[Any]:
    """What each cell of the notebook shows."""
    outputs, _ = runpy.run_path(str(NOTEBOOK))["app"].run()
    return list(outputs)


def _picture(chart: Any, path: str) -> str:
    """The chart's picture. Drawings differ by the machine's fonts: what is compared is what it is drawn from."""
    drawn_from = hashlib.sha256(json.dumps(chart.to_dict(), sort_keys=True).encode()).hexdigest()
    return f"![{chart.title}: {chart.description}]({path})\n\n<!-- drawn from {drawn_from[:16]} -->\n"


def _output(shown: Any) -> str:
    """What a cell shows, as Markdown: text, a table, a choice."""
    import polars as pl

    if isinstance(shown, pl.DataFrame):
        return _table(shown.columns, [["" if each is None else str(each) for each in row] for row in shown.rows()])
    if isinstance(shown, dict):
        return _table(("", ""), [(name, str(each)) for name, each in shown.items()])
    if hasattr(shown, "value"):
        return f"Chosen here: `{shown.value}`\n"
    return f"{shown._repr_markdown_()}\n"


# --- writing


def anchor(heading: str) -> str:
    """The part of an address that GitHub gives a heading: small letters, hyphens for spaces, other marks dropped."""
    return re.sub(r"[^\w\- ]", "", html.unescape(heading).strip().lower()).replace(" ", "-")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def write(docs: Path, pages: Mapping[str, str]) -> list[str]:
    """Write what differs; the paths of that."""
    changed = []
    for path, text in pages.items():
        place = docs / path
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    """Make all pages; the walk from the lake of the settings, which must be the sample's three days."""
    from coevo_pipelines.lake.store import Lake
    from coevo_pipelines.settings import load_settings

    lake = Lake(load_settings().lake_root)
    days = [commit.date for commit in lake.snapshot().index.partitions("influence.scores")]
    if lake.world != "sample" or days != list(SAMPLE_DAYS):
        sys.exit(f"{lake.root} is not the sample of {SAMPLE_DAYS[0]} to {SAMPLE_DAYS[-1]}: make one with `make run`")
    changed = write(DOCS, made() | walk())
    print("\n".join(f"docs/{path}" for path in changed) or "docs/ is current")


if __name__ == "__main__":
    main()
