"""What the records of all kinds are asked with: the graph of the day as SQL, the days of a history, rows by owner.

The graph comes from the expressions that the scores were made with (`citations.asof`, `influence.people`), written out
for the catalog, so that a page says what the stages computed.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report.html import seen

if TYPE_CHECKING:
    import polars as pl

HISTORY = 60
"""Most days of a history, the newest of the lake."""
MOST = 200
"""Most rows of a list in a record; the rest is counted."""
LABEL = 160
"""Most characters of a title or name in a list."""

RECENT = f"""
recent AS (
    SELECT date, row_number() OVER (ORDER BY date) - 1 AS place FROM (
        SELECT DISTINCT date FROM lake.commits WHERE date <= getvariable('day') ORDER BY date DESC LIMIT {HISTORY}))
"""
"""CTE (date, place): the days of a history, place 0 is the oldest; as the end of `About.days`."""

_IBIS_TYPES = {
    "string": "string", "int64": "int64", "amount": "decimal(38,0)", "bool": "boolean", "float64": "float64",
    "timestamp": "timestamp('UTC')", "list[string]": "array<string>",
}  # fmt: skip


class Queries(Mapping[str, str]):
    """Questions that are written when they are first asked: Ibis takes a while to load."""

    def __init__(self, write: Callable[[], dict[str, str]]) -> None:
        self._written = functools.cache(write)

    def __getitem__(self, name: str) -> str:
        return self._written()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._written())

    def __len__(self) -> int:
        return len(self._written())


class _Plain:
    """The place where expressions are only written down (`citations.graph.Engine`)."""

    def keep(self, expression: Any) -> Any:
        return expression

    def count(self, expression: Any) -> int:
        raise NotImplementedError("nothing runs while a question is written")


def over_graph(select: str) -> str:
    """`select` over the CTEs `works`, `links`, `credits`, `standing` and `recent`.

    works: `citations.asof.works`; links: `citations.asof.edges`; credits: `influence.people.credits`; standing:
    (id, canonical); all as of the day.
    """
    return f"WITH {_graph()}, {RECENT} {select}"


@functools.cache
def _graph() -> str:
    import ibis

    from coevo_pipelines.citations import asof
    from coevo_pipelines.citations.graph import standing
    from coevo_pipelines.influence.people import credits
    from coevo_pipelines.lake import schemas

    def table(name: str) -> Any:
        columns = {column.name: _IBIS_TYPES[column.type] for column in schemas.table(name).columns}
        return ibis.table({"date": "date", **columns}, name=_upto(name))

    found, people, aliases, nodes, edges = map(table, asof.KNOWN)
    known = asof.Known(date.min, found, people, aliases, nodes, edges, _Plain())  # the day is in the tables
    expression = asof.works(known)
    works = ibis.table(expression.schema(), name="works")
    written = {
        "works": expression,
        "links": asof.edges(known, works),
        "credits": credits(works, people, aliases),
        "standing": standing(aliases),
    }
    tables = (f"{_upto(name)} AS (SELECT * FROM {name} WHERE date <= getvariable('day'))" for name in asof.KNOWN)
    made = (f"{name} AS MATERIALIZED ({ibis.to_sql(each, dialect='duckdb')})" for name, each in written.items())
    return ", ".join([*tables, *made])


def _upto(name: str) -> str:
    return "upto_" + name.replace(".", "_")


def by_owner(frame: pl.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each value of the first column, without it, in their order."""
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in frame.iter_rows():
        found[row[0]].append(row[1:])
    return found


@functools.lru_cache(maxsize=1 << 18)
def words(given: str | None, most: int = LABEL) -> str | None:
    """Strangers' text for a record; null stays null. Kept, as a title stands in the records of all its neighbours."""
    return None if given is None else seen(given, most)


def short(number: float | None) -> float | None:
    """Six significant digits: what a page shows, and a third of the bytes."""
    return None if number is None else float(f"{number:.6g}")


def percent(part: float) -> str:
    """A share of a whole, as web/entity.js writes it."""
    hundredths = 100 * part
    return "0%" if not part else "under 0.001%" if hundredths < 0.001 else f"{hundredths:#.3g}".rstrip(".") + "%"


def placed(places: Sequence[int], values: Sequence[Any], days: int) -> list[Any]:
    """Values at their places among `days`, null elsewhere."""
    line: list[Any] = [None] * days
    for place, value in zip(places, values, strict=True):
        line[place] = short(value) if isinstance(value, float) else value
    return line


def filled(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null, empty or false: most of a record is, and the scripts take what is missing for that."""
    return {name: value for name, value in record.items() if value is not None and value is not False and value != []}


def leading(rows: Iterable[str], kind: str, what: str) -> str:
    """Body of a kind's page: where its script puts the record, and links for who came without an identifier."""
    entries = "".join(f"<li>{row}</li>\n" for row in rows)
    some = f'<ul class="rows">\n{entries}</ul>\n' if entries else f"<p>There are no {what} on this day.</p>\n"
    return (
        '<noscript><p class="note warn">This page shows one record out of files beside it, which takes JavaScript. '
        "Nothing is loaded from anywhere else. The other pages of the report work without it.</p></noscript>\n"
        f'<div id="record" data-kind="{kind}" aria-live="polite"></div>\n'
        f'<section id="leading"><h2>Leading {what}</h2>\n{some}</section>\n'
    )
