"""Where a number comes from: its row, the file it is in, the ledger's entry of that file and what it was made from.

Without a question the page is the data dictionary: every table of the lake, what it holds, and its state on the day.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from coevo_pipelines.lake import schemas
from coevo_pipelines.report import html, links
from coevo_pipelines.report.page import Page

if TYPE_CHECKING:
    from coevo_pipelines.lake.ledger import Commit, Index, Input
    from coevo_pipelines.report.page import About, Frames

MOST_PARTITIONS = 366
"""Entries of a table that a report carries, newest first: a report must not grow with the age of the lake. Older ones
are in the reports of their own days, and in the ledger."""
MOST_WITH_INPUTS = 31
"""Of these, how many say what they were made from."""
FIELDS = (
    "date", "rows", "bytes", "sha256", "complete", "vintage", "observed_until", "note", "seq", "hash", "run_id",
    "committed_at", "code_version",
)  # fmt: skip
"""Of an entry, in the order in which the data files hold them (so in web/proof.js)."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
QUOTED = frozenset({"references", "offset", "at", "lambda", "column"})
"""Names of the registry that DuckDB reserves."""


@dataclass(frozen=True)
class State:
    """A table as of the day."""

    schema: schemas.Table
    commits: Sequence[Commit]
    """In order of date."""
    parents: Sequence[str]
    """Tables that the newest of them was made from."""

    @property
    def last(self) -> Commit | None:
        return self.commits[-1] if self.commits else None


def body(frames: Frames, about: About) -> str:
    """HTML of the page: the place for one proof, how to check everything, and the dictionary."""
    states = states_of(about.commits)
    children = {name: sorted(each for each, state in states.items() if name in state.parents) for name in states}
    stages = "".join(
        f'<section><h2 id="{stage}">{stage}</h2>\n<p class="told">{html.text(told)}</p>\n'
        + "".join(
            _dictionary(state, children[name], about) for name, state in states.items() if name.startswith(f"{stage}.")
        )
        + "</section>\n"
        for stage, told in schemas.STAGES.items()
    )
    return (
        '<p class="lead">Every number of this report comes from a row of a table, and every table from others, down to '
        "the raw answers of the sources. Follow a number to this page and it shows the row, the file, the ledger's "
        "entry for that file, and what it was made from.</p>\n"
        '<div id="proof" hidden></div>\n'
        f'<div id="tables">{CHECK}{stages}</div>\n'
    )


CHECK = """<section class="panel"><h2 id="check">Check all of it</h2>
<p>The lake is a folder of Parquet files. The ledger (<a href="../../../ledger/commits.jsonl">ledger/commits.jsonl</a>)
has one line for each file that was written: its sha256, and the digests of what it was made from. Each line holds the
hash of the line before it, so that nothing in it can be changed unseen.</p>
<pre><code>coevo verify</code></pre>
<p class="told">It recomputes every hash and the chain, replays the ledger of rewards, and names the first thing that
differs.</p></section>
"""


def states_of(index: Index) -> dict[str, State]:
    """Every table of the registry, and the corpora that the lake has, by stage in the order that data flows."""
    found = {}
    known = schemas.tables(index.tables)
    for stage in schemas.STAGES:
        for schema in known:
            if schema.stage == stage:
                commits = index.partitions(schema.name)
                inputs = commits[-1].inputs if commits else ()
                found[schema.name] = State(schema, commits, sorted({each.table for each in inputs if each.partitions}))
    return found


def ancestors(states: Mapping[str, State], name: str) -> list[str]:
    """All tables that `name` goes back to, in the order that data flows; itself too when it goes back to its own
    earlier days."""
    found: set[str] = set()
    waiting = list(states[name].parents)
    while waiting:
        each = waiting.pop()
        if each not in found and each in states:
            found.add(each)
            waiting.extend(states[each].parents)
    return [each for each in states if each in found]


def in_sql(name: str) -> str:
    """A column or table as DuckDB reads it, quoted only where it must be."""
    return name if _PLAIN.fullmatch(name) and name not in QUOTED else f'"{name}"'


def _dictionary(state: State, children: Sequence[str], about: About) -> str:
    schema = state.schema
    columns = "".join(
        f"<div><dt><code>{html.text(each.name)}</code></dt><dd>{_column(each, schema)}</dd></div>\n"
        for each in schema.columns
    )
    return (
        f'<details class="dictionary" id="{html.text(schema.name)}"><summary><code>{html.text(schema.name)}</code> '
        f'<span class="soft">{_in_short(state, about)}</span><span class="what">{html.text(schema.description)}</span>'
        "</summary>\n"
        f"<p>{_state(state)}</p>\n"
        f"{_named('Made from', state.parents)}{_named('Goes into', children)}"
        f'<dl class="facts"><div><dt><code>date</code></dt><dd>DATE, key: the partition</dd></div>\n{columns}</dl>'
        "</details>\n"
    )


def _in_short(state: State, about: About) -> str:
    if state.last is None:
        return "no partition yet"
    if state.last.day == about.day:
        return f"{_rows(state.last.rows)} of this day"
    return f"last on {state.last.date}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _state(state: State) -> str:
    if state.last is None:
        return (
            '<span class="state none">nothing</span> No day of this lake has it: what makes it is off, or has not run.'
        )
    rows, size = sum(each.rows for each in state.commits), sum(each.bytes for each in state.commits)
    days = f"{len(state.commits):,} day{'' if len(state.commits) == 1 else 's'}"
    last = links.proof(state.schema.name, state.last.day, f"{state.last.date}: {_rows(state.last.rows)}")
    whole = (
        '<span class="state good">complete</span>'
        if state.last.complete
        else f'<span class="state warn">incomplete</span> {html.text(state.last.note)}'
    )
    return f"{_rows(rows)} on {days}, {size / 1e3:,.1f} kB; the newest {last}, {state.last.vintage}. {whole}"


def _named(head: str, tables: Iterable[str]) -> str:
    shown = ", ".join(f'<a href="#{html.text(name)}"><code>{html.text(name)}</code></a>' for name in tables)
    return f'<p class="soft">{head}: {shown}</p>\n' if shown else ""


def _column(column: schemas.Column, schema: schemas.Table) -> str:
    said = [schemas.DUCKDB_TYPES[column.type]]
    said += ["key"] if column.name in schema.key else []
    said += ["may be null"] if column.nullable else []
    said += ["only in the Parquet file"] if column.name in schema.not_in_catalog else []
    one_of = f" One of {html.text(', '.join(column.enum), 2000)}." if column.enum else ""
    return f'{html.text(column.description)}.{one_of} <span class="soft">{html.text(", ".join(said))}</span>'


def data(frames: Frames, about: About) -> Iterator[tuple[str, Any]]:
    """`ledger/<table>`: how to ask for its rows, and its entries; `inputs/<stage>`: what these were made from.

    Tables of a stage are made together, from the same: their inputs are held once."""
    states = states_of(about.commits)
    inputs: dict[str, dict[str, Any]] = {stage: {} for stage in schemas.STAGES}
    for name, state in states.items():
        schema = state.schema
        held = inputs[schema.stage]
        entries = []
        for place, commit in enumerate(reversed(state.commits[-MOST_PARTITIONS:])):
            given = ""
            if place < MOST_WITH_INPUTS and commit.inputs:
                given = _digest(commit.inputs)
                held[given] = [list(asdict(each).values()) for each in commit.inputs]
            entries.append([*(getattr(commit, field) for field in FIELDS), given])
        yield (
            f"ledger/{name}",
            {
                "sql": f"{in_sql(schema.stage)}.{in_sql(schema.short_name)}",
                "columns": {each.name: [in_sql(each.name), each.type] for each in schema.columns},
                "key": list(schema.key),
                "not_in_catalog": list(schema.not_in_catalog),
                "partitions": len(state.commits),
                "entries": entries,
                "inputs_of": MOST_WITH_INPUTS,
                "ancestors": ancestors(states, name),
            },
        )
    for stage, sets in inputs.items():
        yield f"inputs/{stage}", sets


def _digest(inputs: Sequence[Input]) -> str:
    text = json.dumps([asdict(each) for each in inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


PAGE = Page("proof", "Data and proof", {}, body, ("proof.js",), data=data)
