"""What the command prints: progress while it works, tables when it is done. No logic of the pipeline."""

from __future__ import annotations

import csv
import json
import logging
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coevo_pipelines.lake.catalog import CATALOG
from coevo_pipelines.report.words import counted
from coevo_pipelines.sample.label import SAMPLE_NOTE

if TYPE_CHECKING:
    from coevo_pipelines.lake.ledger import Commit
    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.orchestration.run import Outcome
    from coevo_pipelines.settings import Settings

WIDE = 400  # columns of what is not a terminal: nothing is cut where a program may read it


def out() -> Console:
    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else WIDE)


def err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def say(text: str, *, style: str | None = None, error: bool = False) -> None:
    """One line as it is, without markup."""
    (err() if error else out()).print(Text(text, style=style or ""))


def json_out(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


class _Lines(logging.Handler):
    """Log lines of the pipeline, above the bar, which a line about a finished parts (attribute `parts`) moves."""

    def __init__(self, console: Console, done: Callable[[Iterable[object], str], None]) -> None:
        super().__init__(logging.INFO)
        self._console = console
        self._done = done

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        self._console.print(Text(f"  {message}", style=style))
        self._done(getattr(record, "parts", ()), message)


@contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """While a run works: a line for each thing done, and below them a bar where there is a terminal to show it on.
    Yields `expect(parts)`: how many parts the work has."""
    logger = logging.getLogger("coevo_pipelines")
    logger.propagate = False
    if quiet:
        logger.setLevel(logging.ERROR)
        yield lambda _: None
        return
    logger.setLevel(logging.INFO)
    console = err()
    console.print(Text(f"coevo run: {title}", style="bold"))
    with bar("") as advance:
        parts: set[object] = set()
        expected = 0

        def expect(total: int) -> None:
            nonlocal expected
            expected = total
            advance(0, total, "starting")

        def done(finished: Iterable[object], message: str) -> None:
            parts.update(finished)
            # Days that are out of date are made again too: how many is known when they are.
            advance(len(parts), max(expected, len(parts)), message[:60])

        handler = _Lines(console, done)
        logger.addHandler(handler)
        try:
            yield expect
        finally:
            logger.removeHandler(handler)


class Advance(Protocol):
    """How far it is: parts done, of how many, and a word on what comes next."""

    def __call__(self, done: int, of: int, said: str = "") -> None: ...


@contextmanager
def bar(title: str, *, quiet: bool = False) -> Iterator[Advance]:
    """A bar with elapsed time, rate and remaining time for countable work, where there is a terminal to show it on."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = err()
    columns = (
        TextColumn("{task.description}"), TimeElapsedColumn(), BarColumn(bar_width=20), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), TextColumn("{task.fields[said]}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as display:
        task = display.add_task(title, total=None, rate="", said="")

        def advance(done: int, of: int, said: str = "") -> None:
            speed = display.tasks[0].speed
            display.update(task, completed=done, total=of, said=said, rate=_rate(speed))

        yield advance


def _rate(speed: float | None) -> str:
    """Per second, or seconds for each where that is the larger number."""
    if not speed:
        return ""
    return f"{speed:,.1f}/s" if speed >= 1 else f"{1 / speed:,.1f} s each"


def show_outcome(
    settings: Settings,
    outcome: Outcome,
    snapshot: Snapshot,
    first: date,
    last: date,
    incomplete: Sequence[Commit],
) -> None:
    """The summary of a run."""
    console = out()
    span = f"{first}" if first == last else f"{first} to {last}"
    table = Table(title=f"Snapshot {span}", title_justify="left", box=None, pad_edge=False)
    table.add_column("table", no_wrap=True)
    commits_of = {name: snapshot.index.partitions(name) for name in _in_stage_order(snapshot.index.tables)}
    days = sorted({c.date for commits in commits_of.values() for c in commits if first <= c.day <= last})
    shown_days = days[-7:]
    for day in shown_days:
        table.add_column(day, justify="right")
    table.add_column("in the lake", justify="right", style="bold")
    for name, commits in commits_of.items():
        cells = {c.date: f"{c.rows:,}{'' if c.complete else ' !'}" for c in commits}
        table.add_row(name, *(cells.get(day, "-") for day in shown_days), f"{sum(c.rows for c in commits):,}")
    console.print(table)
    if shown_days and shown_days[0] == settings.opening.isoformat() and settings.history < settings.opening:
        say(f"{settings.opening} is the opening partition: it also holds what happened from {settings.history} on.")
    for line in _in_words(settings.lake_root / CATALOG):
        say(line)
    times = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in outcome.seconds.items())
    say(f"Time: {outcome.total_seconds:.1f} s in all ({times})", style="dim")
    for warning in outcome.warnings:
        if not warning.partition(": ")[2].startswith("complete:"):
            say(f"note: {warning}", style="yellow")
    for commit in incomplete:
        say(f"incomplete: {commit.table} date={commit.date}: {commit.note}", style="yellow", error=True)
    for failure in outcome.failures:
        say(f"failed: {failure.step}: {failure.error}", style="red", error=True)
    if incomplete:
        say(
            "Run the same command again when the source answers: what is there is kept, the rest is asked for.",
            error=True,
        )
    if settings.source == "sample":
        say(SAMPLE_NOTE, style="cyan")
    if outcome.success and not incomplete:
        say(f"Done: {settings.lake_root}", style="bold green")
        catalog = settings.lake_root / CATALOG
        _next_steps(
            settings.lake_root / "report" / "snapshot" / f"date={last}" / "index.html",
            _asked(catalog, MOST_INFLUENTIAL),
            _asked(catalog, MOST_PAID),
        )


def _in_words(catalog: Path) -> Iterator[str]:
    """The graph in three sentences; nothing when there is no catalog or nothing in it."""
    if not catalog.exists():
        return
    from coevo_pipelines.lake.catalog import open_catalog

    with open_catalog(catalog) as connection:
        kinds = connection.execute(
            """SELECT coalesce(kind, ''), count(*) FROM citations.nodes_as_of(DATE '9999-12-31')
            GROUP BY ALL ORDER BY 2 DESC, 1"""
        ).fetchall()
        relations = connection.execute(
            "SELECT relation, count(*) FROM citations.edges GROUP BY ALL ORDER BY 2 DESC, 1"
        ).fetchall()
        used = connection.execute(
            """SELECT any_value(n.title), count(*) FROM citations.edges e
            JOIN citations.nodes_as_of(DATE '9999-12-31') n ON n.node_id = e.target AND NOT n.is_stub
            WHERE e.weight = 1 GROUP BY e.target ORDER BY 2 DESC, e.target LIMIT 3"""
        ).fetchall()
        leading = connection.execute(
            """SELECT coalesce(n.title, s.node_id), round(100 * s.inflow, 1), s.date
            FROM influence.scores s JOIN citations.nodes_as_of(DATE '9999-12-31') n USING (node_id)
            WHERE s.date = (SELECT max(date) FROM influence.scores) AND n.kind = 'paper' AND s.inflow > 0
            ORDER BY s.inflow DESC, s.node_id LIMIT 3"""
        ).fetchall()
        chambers = connection.execute(
            """SELECT count(*), arg_max(leading_terms, size)[:4] FROM influence.chambers
            WHERE date = (SELECT max(date) FROM influence.chambers)"""
        ).fetchall()[0]
        paid = connection.execute(
            """SELECT r.round, r.budget, r.currency, r.decimals,
                (SELECT count(*) FROM rewards.receipts p WHERE (p.date, p.round, p.kind) = (r.date, r.round, 'round')),
                r.receipts, r.escrow, r.reserve
            FROM rewards.rounds r WHERE r.is_paid AND r.date = (SELECT max(date) FROM rewards.rounds)
            ORDER BY r.round"""
        ).fetchall()
        grown = connection.execute(
            """SELECT m.date, m.repositories, m.packed, m.text_bytes, m.root,
                (SELECT count(*) FROM genome.changes c WHERE c.date = m.date),
                (SELECT list(repo || ' (' || why || ')' ORDER BY place) FROM genome.repositories r
                 WHERE r.date = m.date AND r.status <> 'packed')
            FROM genome.manifest m ORDER BY m.date DESC LIMIT 1"""
        ).fetchall()
        corpora = connection.execute(
            """SELECT r.blueprint, r.model_id, r.status, r.why, r.candidates, r.documents, r.train_tokens, r.budget,
                r.sequences,
                (SELECT list(rule || ' ' || n ORDER BY n DESC, rule) FROM
                    (SELECT d.rule, count(*) AS n FROM corpora.documents d
                     WHERE (d.date, d.blueprint) = (r.date, r.blueprint) AND d.rule IS NOT NULL GROUP BY ALL))
            FROM corpora.releases r WHERE r.date = (SELECT max(date) FROM corpora.releases)
            ORDER BY r.status, r.blueprint"""
        ).fetchall()
        swarm = connection.execute(
            """SELECT m.date, m.tick, m.organisms, m.cells, m.minus, m.zero, m.plus, m.pending, m.mode,
                (SELECT sum(resolved) FROM swarm.metrics), (SELECT sum(observed) FROM swarm.metrics),
                (SELECT sum(uses) FROM swarm.metrics),
                (SELECT count(*) FROM swarm.review_queue r WHERE r.date = m.date AND r.status = 'open')
            FROM swarm.metrics m ORDER BY m.tick DESC LIMIT 1"""
        ).fetchall()
        hubs = connection.execute(
            """SELECT r.date, count(*),
                (SELECT count(*) FROM hubs.matches m WHERE m.date = r.date),
                (SELECT sum(needs) FROM hubs.markets m WHERE m.date = r.date),
                (SELECT list(n || ' ' || replace(reason, '_', ' ') ORDER BY n DESC, reason) FROM
                    (SELECT reason, count(*) AS n FROM hubs.unmatched u WHERE u.date = r.date GROUP BY ALL)),
                (SELECT list(practice || ' (' || quantity || ')' ORDER BY practice, quantity) FROM hubs.strategies s
                 WHERE s.date = r.date AND s.verdict = 'works'),
                (SELECT count(*) FROM hubs.strategies s WHERE s.date = r.date)
            FROM hubs.registry r WHERE r.date = (SELECT max(date) FROM hubs.registry) GROUP BY r.date"""
        ).fetchall()
    if not kinds:
        return
    plural = {"repository": "repositories", "hub_dataset": "hub data sets"}
    works = ", ".join(
        f"{count:,} {kind if count == 1 else plural.get(kind, kind + 's')}" for kind, count in kinds if kind
    )
    stubs = sum(count for kind, count in kinds if not kind)
    yield f"In the graph: {works or 'no works'}; {stubs:,} more are only named by them so far."
    if relations:
        links = ", ".join(f"{count:,} {relation}" for relation, count in relations)
        yield f"They are joined by {sum(count for _, count in relations):,} links: {links}."
    if used:
        yield "Most built on: " + "; ".join(f"{title} ({count})" for title, count in used) + "."
    if leading:
        shares = "; ".join(f"{title} ({share} %)" for title, share, _ in leading)
        yield f"Papers with the largest share of the influence that flows over links on {leading[0][2]}: {shares}."
    for name, budget, currency, decimals, people, *parts in paid:
        receipts, escrow, reserve = (money(part, decimals, currency) for part in parts)
        yield (
            f"Round {name} divided {money(budget, decimals, currency)} among the people behind the works: {receipts} "
            f"for {people} whom the register knows, {escrow} waits in escrow to be claimed, {reserve} is in reserve."
        )
    for day, repositories, files, size, root, changed, left_out in grown:
        yield (
            f"The genome of {day}: {repositories} repositories, {files:,} files, {size / 1e3:,.1f} kB of text, "
            f"{changed:,} files changed on the day; root {root[:16]}…"
            + (f" Not in it: {'; '.join(left_out)}." if left_out else "")
        )
    for name, model, status, why, candidates, documents, tokens, budget, sequences, lost in corpora:
        if status == "withheld":
            yield f"The corpus {name} is withheld: {why}"
            continue
        of_budget = f" of {budget:,}" if budget else ""
        yield (
            f"The corpus {name}, for {model}, which accepted: {documents} of {candidates} documents, "
            f"{tokens:,}{of_budget} tokens to train on in {sequences} sequences"
            + (f"; left out: {', '.join(lost)}." if lost else ".")
        )
    for day, tick, organisms, cells, minus, zero, plus, pending, mode, decided, observed, uses, waiting in swarm:
        yield (
            f"The simulated swarm of {day}, after {tick:,} ticks: {organisms:,} organisms with {cells:,} cells "
            f"({plus:,} verified, {zero:,} uncertain, {minus:,} failed), {decided:,} decided, {pending:,} open; "
            f"{observed:,} of {uses:,} outcomes were observed; Nyx is {'awake' if mode == 'AWAKE' else 'asleep'}; "
            f"{waiting:,} questions wait for a person."
        )
    for day, places, matches, needs, unmet, worked, looked_at in hubs:
        yield (
            f"Healing hubs of {day}: {counted(places, 'hub')}; for {counted(int(needs or 0), 'open need')} "
            f"{counted(matches, 'match')} could be made"
            + (f", not or not wholly met: {', '.join(unmet)}" if unmet else "")
            + f". What worked, of {looked_at:,} looked at: {', '.join(worked) or 'nothing that is sure yet'}."
        )
    if chambers[0]:
        yield f"{chambers[0]} resonance chambers (communities); the largest is about {', '.join(chambers[1])}."


def money(amount: Any, decimals: int, currency: str) -> str:
    """Minor units as people write them: 123456 with 2 decimals is `1,234.56 EUR`."""
    whole, part = divmod(int(amount), 10**decimals)
    return f"{whole:,}{f'.{part:0{decimals}}' if decimals else ''} {currency}"


MOST_INFLUENTIAL = """SELECT s.node_id FROM influence.scores s
JOIN citations.nodes_as_of(DATE '9999-12-31') n USING (node_id)
WHERE s.date = (SELECT max(date) FROM influence.scores) AND n.kind = 'paper' AND s.inflow > 0
ORDER BY s.inflow DESC, s.node_id LIMIT 1"""
"""The paper with the largest inflow on the last day."""
MOST_PAID = """SELECT person_id FROM rewards.receipts WHERE kind = 'round'
AND date = (SELECT max(date) FROM rewards.receipts) ORDER BY amount DESC, person_id LIMIT 1"""
"""Who gets most on the last day that paid."""


def _asked(catalog: Path, question: str) -> list[str]:
    """The answer in one column; empty when there is no catalog."""
    if not catalog.exists():
        return []
    from coevo_pipelines.lake.catalog import open_catalog

    with open_catalog(catalog) as connection:
        return [str(row[0]) for row in connection.execute(question).fetchall()]


def _next_steps(page: Path, leading: Sequence[str], payees: Sequence[str]) -> None:
    started_as = Path(sys.argv[0]).absolute()
    coevo = "coevo"
    if shutil.which(coevo) is None and started_as.name == coevo:
        coevo = _from_here(started_as)
    question = "FROM influence.people ORDER BY date DESC, inflow DESC LIMIT 5"
    steps = (
        (f'{coevo} query "{question}"', "who is behind what is used"),
        *((f"{coevo} influence explain {work}", "why that work's influence is what it is") for work in leading),
        *((f"{coevo} rewards explain {person}", "why that person gets what it gets") for person in payees),
        (f"open {_from_here(page)}", "the report: what came out, why, and whether to trust it"),
        (f"{coevo} review list", "decisions of the swarm that wait for a person"),
        (f"{coevo} verify", "recompute every hash, from the graph down to the raw bytes"),
        ("make dev", "the same in the Dagster UI: materialize a day, backfill a range"),
    )
    say("Next:")
    for command, why in steps:
        say(f"  {command}")
        say(f"      {why}", style="dim")


def _from_here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def rows_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table of text."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out().print(table)


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], output: str) -> None:
    """A query's result as table, CSV or JSON (one array of objects)."""
    if output == "json":
        json_out([dict(zip(columns, map(plain, row), strict=True)) for row in rows])
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(plain(value)) for value in row] for row in rows)
    else:
        table = Table(*columns)
        for row in rows:
            table.add_row(*(Text("" if value is None else str(value)) for value in row))
        out().print(table)
        say(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}", style="dim")


def plain(value: Any) -> Any:
    """A value as JSON knows it: no NaN (null), numbers as numbers, bytes in hexadecimal, times in ISO form."""
    if isinstance(value, float):
        value = value if math.isfinite(value) else None
    elif isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)  # money to the last digit
    elif isinstance(value, bytes):
        value = value.hex()
    elif isinstance(value, list | tuple):
        value = [plain(item) for item in value]
    elif isinstance(value, dict):
        value = {str(name): plain(item) for name, item in value.items()}
    elif isinstance(value, datetime | date):
        value = value.isoformat()
    return value


def _cell(value: Any) -> Any:
    """A CSV cell: lists and objects as JSON, true and false as such."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict | bool) else value


def show_status(root: Path, world: str, rows: Sequence[dict[str, Any]]) -> None:
    """The lake at a glance."""
    say(f"{root} ({world})", style="bold")
    if not rows:
        say("empty: run `coevo run --date YYYY-MM-DD` first")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("table", "days", "first", "last", "rows", "MB", "vintage", "complete"):
        right = heading in {"days", "rows", "MB"}
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "table")
    by_name = {row["table"]: row for row in rows}
    for name in _in_stage_order(list(by_name)):
        row = by_name[name]
        rebuilt = row["partitions"] - row["observed"]
        vintage = "observed" if not rebuilt else f"{row['observed']} observed, {rebuilt} reconstructed"
        state = "yes" if not row["incomplete"] else f"no: {', '.join(row['incomplete'][:5])}"
        if row["stale"]:
            state += f"; out of date: {', '.join(row['stale'][:5])} (the next run renews it)"
        table.add_row(
            name, str(row["partitions"]), row["first"], row["last"], f"{row['rows']:,}", f"{row['bytes'] / 1e6:.2f}",
            vintage, Text(state, style="" if state == "yes" else "yellow"),
        )  # fmt: skip
    out().print(table)
    if world == "sample":
        say(SAMPLE_NOTE, style="cyan")


def show_settings(values: dict[str, Any], file: Path | None) -> None:
    """Name and value of each setting, nested ones with dots."""
    say(f"file: {file or 'none (coevo.toml in the working directory, or COEVO_CONFIG)'}", style="dim")
    for name, value in _flat("", values):
        say(f"{name} = {value}")


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _flat(f"{prefix}[{number}]", inner)
    else:
        yield prefix, json.dumps(value, ensure_ascii=False)


def _in_stage_order(tables: Sequence[str]) -> list[str]:
    from coevo_pipelines.lake.schemas import TABLES

    order = {name: position for position, name in enumerate(TABLES)}
    return sorted(tables, key=lambda name: order.get(name, len(order)))
