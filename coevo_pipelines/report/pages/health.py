"""Sources, completeness, vintage, rejects, checks: whether to trust the day.

`checks` says in words and in a colour's shape what was looked at and how it stands; the overview shows the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from coevo_pipelines.lake.schemas import SOURCES, STAGES
from coevo_pipelines.report.html import name, rest, table, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, size

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.lake.ledger import Commit
    from coevo_pipelines.report.page import About, Frames

State = Literal["good", "warn", "bad", "none"]
Row = Mapping[str, Any]

USUAL_DAYS, USUAL_LEAST = 14, 5
"""A source that usually has so many works a day (median of the days before) and has none is worth a look."""
FAILURES, REJECTS, QUARANTINED = 20, 20, 20
"""Most rows shown."""

TITLES = {
    "arxiv": "arXiv", "github": "GitHub", "huggingface": "Hugging Face", "openalex": "OpenAlex", "register": "Register",
    "semanticscholar": "Semantic Scholar", "crossref": "Crossref", "arxiv_oai": "arXiv OAI-PMH",
    "hubs": "Healing hubs", "gbif": "GBIF", "nasa_power": "NASA POWER",
}  # fmt: skip
"""What people call the sources."""


def _of_sources(select: str) -> str:
    """`select` over the day's exchanges of each source, one after the other."""
    return " UNION ALL ".join(
        f"SELECT '{source}' AS source, {select.format(exchanges=f'scrapes.{source}')}" for source in SOURCES
    )


QUERIES = {
    "exchanges": _of_sources(
        "count(*) AS asked, count(*) FILTER (error IS NULL AND status < 400) AS answered, "
        "count(*) FILTER (error IS NULL AND status >= 400) AS refused, count(*) FILTER (error IS NOT NULL) AS errors, "
        "coalesce(sum(body_bytes), 0)::BIGINT AS bytes, coalesce(max(capture), 0) AS captures "
        "FROM {exchanges} WHERE date = getvariable('day')"
    )
    + " ORDER BY source",
    "failures": "SELECT source, status, error, count(*) AS times, min(url) AS example FROM ("
    + _of_sources(
        "status, error, url FROM {exchanges} WHERE date = getvariable('day') AND (error IS NOT NULL OR status >= 400)"
    )
    + f") GROUP BY ALL ORDER BY times DESC, source, status, error LIMIT {FAILURES}",
    "usual": f"""SELECT source, date, count(*) AS works FROM traces.works
        WHERE date BETWEEN getvariable('day') - {USUAL_DAYS} AND getvariable('day')
        GROUP BY ALL ORDER BY ALL""",
    "rejects": """SELECT source, reason, count(*) AS times, min(locator) AS locator,
            arg_min(raw_sha256, locator) AS raw_sha256
        FROM traces.rejects WHERE date = getvariable('day') GROUP BY ALL ORDER BY times DESC, source, reason""",
    "quarantine": "FROM citations.quarantine WHERE date = getvariable('day') ORDER BY source, target, relation",
    "quarantined": """SELECT count(*) AS links, count(DISTINCT date) AS days FROM citations.quarantine
        WHERE date <= getvariable('day')""",
    "counters": """SELECT source, metric, count(*) AS asked, count(value) AS known FROM traces.metrics
        WHERE date = getvariable('day') GROUP BY ALL ORDER BY ALL""",
    "audits": """SELECT repo, level, checked, differing, differences FROM genome.audits
        WHERE date = getvariable('day') AND status = 'failed' ORDER BY repo, level""",
    "mirrors": """SELECT repo, status, error FROM genome.ecosystem
        WHERE date = getvariable('day') AND status <> 'fetched' ORDER BY repo""",
    "rounds": """SELECT round, closes, is_paid, why_not, receipts + escrow + reserve = budget AS adds_up
        FROM rewards.rounds WHERE date = getvariable('day') ORDER BY round""",
    "alerts": "SELECT count(*) AS alerts FROM rewards.alerts WHERE date = getvariable('day')",
    "reviews": """SELECT count(*) AS reviews FROM swarm.review_queue
        WHERE date = getvariable('day') AND status = 'open'""",
}


@dataclass(frozen=True)
class Check:
    """Something that was looked at: `words` are HTML; `bad` and `warn` are for a person to look at."""

    what: str
    state: State
    words: str


def checks(frames: Frames, about: About) -> list[Check]:
    """What was looked at, what is wrong first."""
    found = [
        *_completeness(about),
        _vintage(about),
        *_silence(frames["usual"], about),
        _rejected(frames["rejects"]),
        _apart(frames),
        _audited(frames["audits"], about),
        _mirrored(frames["mirrors"], about),
        *_paid(frames, about),
        _counted(frames["counters"]),
        _waiting(frames["reviews"], about),
    ]
    order = ("bad", "warn", "good", "none")
    return sorted(found, key=lambda each: order.index(each.state))


def verdict(found: Sequence[Check]) -> tuple[State, str]:
    """The worst state, and all of it in one sentence."""
    wrong = [sum(each.state == state for each in found) for state in ("bad", "warn")]
    if wrong[0]:
        also = f", and {counted(wrong[1], 'thing')} to look at" if wrong[1] else ""
        return "bad", f"{counted(wrong[0], 'thing')} {'is' if wrong[0] == 1 else 'are'} wrong{also}."
    if wrong[1]:
        return "warn", f"Nothing is wrong; {counted(wrong[1], 'thing')} to look at."
    return "good", "All is well."


def state_of(state: State, words: str) -> str:
    return f'<span class="state {state}">{words}</span>'


def _of_day(about: About) -> dict[str, Commit]:
    """The day's partition of each table that has one."""
    day = about.day.isoformat()
    found = {each: about.commits.get(each, day) for each in about.commits.tables}
    return {each: commit for each, commit in found.items() if commit is not None}


def _absent(about: About) -> list[str]:
    """Tables that the lake's day before has and this one has not."""
    before = max((day for day in about.days if day < about.day), default=None)
    if before is None:
        return []
    held, here = about.commits, about.day.isoformat()
    return [each for each in held.tables if held.get(each, before.isoformat()) and not held.get(each, here)]


def _completeness(about: About) -> Iterator[Check]:
    here = _of_day(about)
    if not here:
        yield Check("Tables", "bad", "The lake has nothing of this day.")
        return
    absent = _absent(about)
    if absent:
        shown = ", ".join(f"<code>{text(each)}</code>" for each in absent[:5])
        more = f" and {len(absent) - 5:,} more" if len(absent) > 5 else ""
        yield Check("Tables", "bad", f"{counted(len(absent), 'table')} of the day before not made: {shown}{more}.")
    else:
        rows = sum(each.rows for each in here.values())
        yield Check("Tables", "good", f"All {len(here)} tables were made: {rows:,} rows.")
    partial = [each for each in here.values() if not each.complete]
    sources = [each for each in partial if each.table.startswith("scrapes.")]
    for each in sources:
        source = each.table.partition(".")[2]
        why = text(each.note or "it did not answer everything")
        yield Check(TITLES.get(source, source), "bad", f"Incomplete: {why}. The next run asks for what is missing.")
    if not sources and not partial:
        asked = sum(each.startswith("scrapes.") for each in here)
        yield Check("Sources", "good", f"{counted(asked, 'source')} answered everything they were asked.")
    others = len(partial) - len(sources)
    if others:
        yield Check("What is built on them", "warn", f"{counted(others, 'table')} made from incomplete input.")


def _vintage(about: About) -> Check:
    late = sorted(
        each.table
        for each in _of_day(about).values()
        if each.vintage != "observed" and each.table.partition(".")[0] in ("scrapes", "traces")
    )
    if late:
        return Check(
            "Vintage",
            "warn",
            "Reconstructed: seen later than 48 hours after the day’s end. Dated facts hold; counters of then are "
            "unknown, and no round pays on it.",
        )
    return Check("Vintage", "good", "Observed: everything was seen by the day’s end plus 48 hours.")


def _silence(usual: pl.DataFrame, about: About) -> Iterator[Check]:
    by_source: dict[str, dict[date, int]] = defaultdict(dict)
    for source, day, works in usual.iter_rows():
        by_source[source][day] = works
    before = [day for day in about.days[1:] if day < about.day][-USUAL_DAYS:]
    for source, works in sorted(by_source.items()):
        often = median([works.get(day, 0) for day in before]) if before else 0
        if often >= USUAL_LEAST and not works.get(about.day):
            words = f"No work today; on half of the days before there were {often:,.0f} or more."
            yield Check(TITLES.get(source, source), "warn", words)


def _rejected(rejects: pl.DataFrame) -> Check:
    number = int(rejects["times"].sum())
    if number:
        why = text(rejects["reason"][0], 200)
        return Check("Rejects", "warn", f"{counted(number, 'entry')} could not be used; most often: {why}.")
    return Check("Rejects", "good", "Every entry that came could be read.")


def _apart(frames: Frames) -> Check:
    today, ever = frames["quarantine"].height, int(frames["quarantined"]["links"].sum())
    words = f"{counted(today, 'link')} left out today, {ever:,} ever: their target appeared after what names it."
    return Check("Quarantine", "none", words if ever else "No link was left out.")


def _audited(failed: pl.DataFrame, about: About) -> Check:
    if failed.height:
        repos = failed["repo"].unique().sort().to_list()
        shown = ", ".join(name(each) for each in repos[:3])
        return Check("Genome", "bad", f"The audit failed for {counted(len(repos), 'repository')}: {shown}.")
    if "genome.audits" not in _of_day(about):
        return Check("Genome", "none", "No genome was made.")
    return Check("Genome", "good", "No audit failed: every object that was packed is what its hash says.")


def _mirrored(mirrors: pl.DataFrame, about: About) -> Check:
    if mirrors.height:
        shown = ", ".join(f"{name(repo)} ({status})" for repo, status, _ in mirrors.head(3).iter_rows())
        more = f" and {mirrors.height - 3:,} more" if mirrors.height > 3 else ""
        return Check("Mirrors", "warn", f"{counted(mirrors.height, 'repository')} not fetched: {shown}{more}.")
    made = "genome.ecosystem" in _of_day(about)
    return Check("Mirrors", "good" if made else "none", "All remotes answered." if made else "No remote was asked.")


def _paid(frames: Frames, about: About) -> Iterator[Check]:
    rounds = frames["rounds"].to_dicts()
    if not rounds:
        yield Check("Rewards", "none", "No round on this day.")
    for row in rounds:
        called = f"Round {text(row['round'])}"
        if not row["adds_up"]:
            yield Check(called, "bad", "Receipts, escrow and reserve do not add up to the budget.")
        elif row["closes"] and not row["is_paid"]:
            yield Check(called, "warn", f"It closed and was not paid: {text(row['why_not'] or 'no reason given')}.")
        else:
            paid = "It closed and was paid" if row["is_paid"] else "It goes on; the amounts are a preview"
            yield Check(called, "good", f"{paid}. Receipts, escrow and reserve add up to the budget.")
    alerts = int(frames["alerts"]["alerts"].sum())
    if alerts:
        words = f"{counted(alerts, 'structure')} that may be arranged, for a person to look at"
        yield Check("Alerts", "warn", f'{words}: <a href="rewards.html">see Rewards</a>.')


def _counted(counters: pl.DataFrame) -> Check:
    asked, known = int(counters["asked"].sum()), int(counters["known"].sum())
    if not asked:
        return Check("Counters", "none", "No counter (stars, downloads, citations) was looked at.")
    if known < asked:
        words = f"{asked - known:,} of {asked:,} counters are unknown: nobody looked in time, and they are left empty."
        return Check("Counters", "none", words)
    return Check("Counters", "good", f"All {asked:,} counters of the day were observed in time.")


def _waiting(reviews: pl.DataFrame, about: About) -> Check:
    waiting = int(reviews["reviews"].sum())
    if waiting:
        words = f"{counted(waiting, 'decision')} wait for a person"
        return Check("Swarm", "none", f'{words}: <a href="swarm.html">see Swarm</a>.')
    return Check("Swarm", "none", "No decision waits for a person.")


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    found = checks(frames, about)
    state, words = verdict(found)
    rows = [[text(each.what), state_of(each.state, _WORDS[each.state]), each.words] for each in found]
    return "".join(
        (
            '<p class="lead">What was asked, what answered, and what is missing: whether to trust this day.</p>\n',
            f'<p class="note {state}">{state_of(state, words)} {_MEANS[state]}</p>\n',
            table("What was looked at, what is wrong first", ("What", "State~", "In words~"), rows),
            _sources(frames, about),
            _failures(frames["failures"], about),
            _rejects(frames["rejects"], about),
            _quarantine(frames["quarantine"], about),
            _counters(frames["counters"], about),
            _genome(frames, about),
            _tables(about),
            _verify(about),
        )
    )


_WORDS: Mapping[State, str] = {"good": "good", "warn": "look", "bad": "wrong", "none": "to know"}
_MEANS: Mapping[State, str] = {
    "good": "Every source answered, every table was made, everything adds up.",
    "warn": "The numbers of the day hold; what is marked below limits them.",
    "bad": "Do not pass the day’s numbers on before what is marked below is settled.",
    "none": "",
}


def _sources(frames: Frames, about: About) -> str:
    rows = []
    for row in frames["exchanges"].iter_rows(named=True):
        source = row["source"]
        commit = about.commits.get(f"scrapes.{source}", about.day.isoformat())
        if commit is None and not row["asked"]:
            continue
        complete = commit is not None and commit.complete
        state = state_of("good", "complete") if complete else state_of("bad", "incomplete")
        seen = _moment(commit.observed_until) if commit else "–"
        note = text(commit.note) if commit and commit.note else ""
        rows.append(
            [TITLES.get(source, source), state, _number(f"scrapes.{source}", row["asked"], about),
             f"{row['answered']:,}", f"{row['refused']:,}", f"{row['errors']:,}", size(row["bytes"]),
             f"{commit.vintage if commit else '–'}, until {seen}{f'<br>{note}' if note else ''}"]
        )  # fmt: skip
    off = [TITLES[each] for each in SOURCES if about.commits.get(f"scrapes.{each}", about.day.isoformat()) is None]
    heads = ("Source", "State~", "Asked#", "Answered#", "Refused#", "No answer#", "Bytes#", "Seen")
    told = (
        '<p class="told">Each question to a source is kept with its answer. Refused: answered with a status of 400 or '
        "more, such as a file that is not there. What fails is asked again; the source is complete when nothing is "
        "left to ask.</p>\n"
    )
    none = f'<p class="soft">Not asked (off in the settings): {", ".join(off)}.</p>\n' if off else ""
    shown = table("Sources of the day", heads, rows) if rows else "<p>No source was asked on this day.</p>\n"
    return f'<h2 id="sources">Sources</h2>\n{told}{shown}{none}'


def _failures(failures: pl.DataFrame, about: About) -> str:
    if failures.is_empty():
        return ""
    rows = [
        [TITLES.get(row["source"], row["source"]),
         text(row["error"]) if row["error"] else f"status {row['status']}",
         proof(f"scrapes.{row['source']}", about.day, f"{row['times']:,}",
               **({} if row["status"] is None else {"status": row["status"]})),
         f"<code>{text(row['example'], 300)}</code>"]
        for row in failures.iter_rows(named=True)
    ]  # fmt: skip
    heads = ("Source", "What came", "Times#", "For instance")
    return "<h3>Answers that were none</h3>\n" + table(f"The {len(rows)} most frequent", heads, rows)


def _rejects(rejects: pl.DataFrame, about: About) -> str:
    head = '<h2 id="rejects">Rejects</h2>\n'
    if rejects.is_empty():
        return f"{head}<p>None: every entry that came could be read, and belongs to the day.</p>\n"
    rows = [
        [text(row["reason"]), TITLES.get(row["source"], row["source"]),
         proof("traces.rejects", about.day, f"{row['times']:,}", source=row["source"], reason=row["reason"]),
         f"<code>{text(row['locator'], 200)}</code>"]
        for row in rejects.head(REJECTS).iter_rows(named=True)
    ]  # fmt: skip
    number = int(rejects["times"].sum())
    heads = ("Why", "Source", "Times#", "For instance")
    more = rest(rejects.height - REJECTS, "reasons", "traces.rejects")
    told = '<p class="told">What could not be read or does not belong to the day. Nothing is dropped silently.</p>\n'
    return head + told + table(f"{counted(number, 'entry')} rejected, by reason", heads, rows) + more


def _quarantine(links: pl.DataFrame, about: About) -> str:
    head = '<h2 id="quarantine">Links left out</h2>\n'
    if links.is_empty():
        return f"{head}<p>None on this day.</p>\n"
    rows = [
        [to("work", row["source"], row["source"]), row["relation"].replace("_", " "),
         to("work", row["target"], row["target"]),
         proof("citations.quarantine", about.day, row["reason"].replace("_", " "), source=row["source"],
               target=row["target"], relation=row["relation"])]
        for row in links.head(QUARANTINED).iter_rows(named=True)
    ]  # fmt: skip
    told = (
        '<p class="told">A work cannot build on what appeared well after it: such links wait here and count for '
        "nothing.</p>\n"
    )
    more = rest(links.height - QUARANTINED, "links", "citations.quarantine")
    caption = f"{counted(links.height, 'link')} in quarantine"
    return head + told + table(caption, ("Work", "Relation", "Names", "Why it is left out"), rows) + more


def _counters(counters: pl.DataFrame, about: About) -> str:
    head = '<h2 id="counters">Counters</h2>\n'
    if counters.is_empty():
        return f"{head}<p>No counter was looked at on this day.</p>\n"
    rows = [
        [text(row["metric"]), TITLES.get(row["source"], row["source"]),
         proof("traces.metrics", about.day, f"{row['known']:,}", source=row["source"], metric=row["metric"]),
         f"{row['asked'] - row['known']:,}"]
        for row in counters.iter_rows(named=True)
    ]  # fmt: skip
    told = (
        '<p class="told">Stars, downloads and the like are true only when somebody looked. What was not observed in '
        "time stays empty; today’s number is never written into the past.</p>\n"
    )
    return head + told + table("Counters of the day", ("Counter", "Source", "Observed#", "Not observed#"), rows)


def _genome(frames: Frames, about: About) -> str:
    told = []
    if frames["audits"].height:
        rows = [
            [name(row["repo"]),
             proof("genome.audits", about.day, str(row["level"]), repo=row["repo"], level=row["level"]),
             f"{row['differing']:,}", f"<code>{text('; '.join(row['differences'][:3]), 300)}</code>"]
            for row in frames["audits"].iter_rows(named=True)
        ]  # fmt: skip
        heads = ("Repository", "Level", "What differs#", "First differences")
        told.append(table("Audits that failed", heads, rows))
    if frames["mirrors"].height:
        rows = [
            [name(row["repo"]), proof("genome.ecosystem", about.day, row["status"], repo=row["repo"]),
             text(row["error"] or "no reason given")]
            for row in frames["mirrors"].iter_rows(named=True)
        ]  # fmt: skip
        told.append(table("Remotes that were not fetched", ("Repository", "State", "Why"), rows))
    return f'<h2 id="repositories">Repositories</h2>\n{"".join(told)}' if told else ""


def _tables(about: About) -> str:
    day, here = about.day.isoformat(), _of_day(about)
    if not about.commits.tables:
        return ""
    absent = _absent(about)
    told = [
        '<h2 id="tables">Tables</h2>\n<p class="told">Each table of the lake has one file a day. An empty day is an '
        "empty file: a table without one was not made. What has never been made is not listed.</p>\n"
    ]
    for stage, names in groupby(about.commits.tables, key=lambda each: each.partition(".")[0]):
        own = list(names)
        commits = [here[each] for each in own if each in here]
        worst: State = (
            "bad"
            if any(each in absent for each in own)
            else "warn"
            if any(not each.complete for each in commits)
            else "good"
        )
        rows = [_table_row(each, here.get(each), each in absent, about) for each in own]
        summary = (
            f"{state_of(worst, text(stage))} <span class=soft>{counted(len(own), 'table')}, "
            f"{sum(each.rows for each in commits):,} rows</span>"
        )
        told.append(
            f"<details{'' if worst == 'good' else ' open'}><summary>{summary}</summary>"
            f'<p class="soft">{text(STAGES.get(stage, ""))}</p>'
            + table(f"{stage} on {day}", ("Table", "State~", "Rows#", "Bytes#", "Vintage", "Note"), rows)
            + "</details>\n"
        )
    return "".join(told)


def _table_row(called: str, commit: Commit | None, missed: bool, about: About) -> list[str]:
    if commit is None:
        state = state_of("bad" if missed else "none", "not made")
        return [text(called), state, "", "", "", "the day before has it" if missed else "an earlier day has it"]
    state = state_of("good", "complete") if commit.complete else state_of("warn", "incomplete")
    return [
        proof(called, about.day, called),
        state,
        f"{commit.rows:,}",
        size(commit.bytes),
        commit.vintage,
        text(commit.note),
    ]


def _verify(about: About) -> str:
    return (
        '<h2 id="verify">Check it yourself</h2>\n<p>Every file of the lake is an entry in a hash-chained ledger, with '
        "the hashes of what it was made from. These recompute all of it, down to the raw answers:</p>\n"
        '<pre dir="ltr">coevo verify\ncoevo rewards replay</pre>\n'
        '<p>Any number here leads to its row and its proof: <a href="proof.html">Data and proof</a>.</p>\n'
    )


def _number(table: str, number: int, about: About) -> str:
    return proof(table, about.day, f"{number:,}")


def _moment(observed: str | None) -> str:
    return "–" if observed is None else text(observed.replace("T", " ")[:16])


PAGE = Page("health", "Data health", QUERIES, body)
