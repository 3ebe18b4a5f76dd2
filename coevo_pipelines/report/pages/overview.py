"""What is new on the day, what leads, whether to trust it: the page that opens first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import charts
from coevo_pipelines.report.entities.asked import Queries
from coevo_pipelines.report.html import long, name, rest, table, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.pages import health, hubs, strategies
from coevo_pipelines.report.pages.works import LEADING, described, percent_of, reasons
from coevo_pipelines.report.words import counted, kind, percent, short, size
from coevo_pipelines.terminal import money

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

NEW, CHANGED, LINKS, LEADERS, DAYS = 20, 12, 8, 7, 60
"""Most rows shown: new works, changed works, links, leading works, days of history."""

_KNOWN = """WITH latest AS (
    SELECT id, arg_max(node_id, date) AS node_id FROM citations.aliases WHERE date <= getvariable('day') GROUP BY 1),
seen AS (
    SELECT coalesce(l.node_id, w.work_id) AS node_id, w.work_id, w.source, w.kind, w.event, w.event_at, w.status,
           w.title, w.tags
    FROM traces.works w LEFT JOIN latest l ON l.id = w.work_id WHERE w.date = getvariable('day'))
"""

_OWN = {
    "new": f"""{_KNOWN} SELECT node_id, min_by(kind, source) AS kind, min_by(title, source) AS title,
            list_sort(list(DISTINCT source)) AS sources, min(work_id) AS work_id
        FROM seen WHERE event = 'created' GROUP BY node_id ORDER BY 2, node_id""",
    "changed": f"""{_KNOWN} FROM (
            SELECT node_id, min_by(kind, source) AS kind, min_by(title, source) AS title, min(source) AS source,
                   min_by(status, source) AS status, min_by(work_id, source) AS work_id
            FROM seen WHERE event = 'updated' GROUP BY node_id)
        ORDER BY status = 'active', node_id""",
    "topics": """SELECT DISTINCT unnest(topics) AS topic FROM traces.works WHERE date = getvariable('day')
        ORDER BY topic LIMIT 10""",
    "relations": """SELECT relation, count(*) AS links, count(*) FILTER (weight > 0) AS counting,
            count(*) FILTER (target_is_stub) AS named
        FROM citations.edges WHERE date = getvariable('day') GROUP BY ALL ORDER BY links DESC, relation""",
    "links": f"""SELECT e.source, e.target, list_sort(list(e.relation)) AS relations,
            any_value(s.title) AS source_title, any_value(t.title) AS target_title
        FROM citations.edges e
        LEFT JOIN citations.nodes_as_of(getvariable('day')) s ON s.node_id = e.source
        LEFT JOIN citations.nodes_as_of(getvariable('day')) t ON t.node_id = e.target
        WHERE e.date = getvariable('day') AND e.weight > 0 AND NOT e.target_is_stub
        GROUP BY e.source, e.target ORDER BY max(e.event_at) DESC, e.source, e.target LIMIT {LINKS}""",
    "resolved": """SELECT count(*) FILTER (was_stub) AS became, count(*) FILTER (NOT was_stub) AS joined
        FROM citations.resolutions WHERE date = getvariable('day')""",
    "graph": """SELECT count(*) FILTER (NOT is_stub) AS works, count(*) FILTER (is_stub) AS named,
            (SELECT count(*) FROM citations.edges_as_of(getvariable('day'))) AS links
        FROM citations.nodes_as_of(getvariable('day'))""",
    "chambers": """SELECT chamber_id, size, leading_terms[:4] AS terms, event FROM influence.chambers
        WHERE date = getvariable('day') ORDER BY size DESC, chamber_id""",
    "round": "FROM rewards.rounds WHERE date = getvariable('day') ORDER BY round",
    "paid": """SELECT a.round, a.person_id, a.name, a.receipt FROM rewards.allocations a
        WHERE a.date = getvariable('day') AND a.receipt > 0
        QUALIFY row_number() OVER (PARTITION BY a.round ORDER BY a.receipt DESC, a.person_id) = 1 ORDER BY a.round""",
    "genome": """SELECT date, root, repositories, files, tokens, text_bytes FROM genome.manifest
        WHERE date <= getvariable('day') ORDER BY date DESC LIMIT 2""",
    "corpora": """SELECT blueprint, status, documents, train_tokens FROM corpora.releases
        WHERE date = getvariable('day') ORDER BY status, blueprint""",
    "swarm": """SELECT organisms, pending, sum(resolved) OVER () AS resolved, sum(clasps) OVER () AS clasps, tick
        FROM swarm.metrics WHERE date = getvariable('day') ORDER BY tick DESC LIMIT 1""",
    "history": f"""WITH latest AS (
            SELECT id, arg_max(node_id, date) AS node_id FROM citations.aliases WHERE date <= getvariable('day')
            GROUP BY id)
        SELECT date, kind, count(DISTINCT coalesce(l.node_id, w.work_id)) AS works
        FROM traces.works w LEFT JOIN latest l ON l.id = w.work_id
        WHERE event = 'created' AND date BETWEEN getvariable('day') - {DAYS - 1} AND getvariable('day')
        GROUP BY ALL ORDER BY ALL""",
    "edges": f"""SELECT date, relation, count(*) AS links FROM citations.edges
        WHERE date BETWEEN getvariable('day') - {DAYS - 1} AND getvariable('day') GROUP BY ALL ORDER BY ALL""",
}
_HUBS = {
    "hubs": """SELECT count(*) AS hubs, coalesce(sum(measurements), 0)::BIGINT AS measurements FROM hubs.registry
        WHERE date = getvariable('day')""",
    "met": hubs.MET,
    **strategies.QUERIES,
}
QUERIES = Queries(lambda: {**health.QUERIES, **LEADING, **_OWN, **_HUBS})


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    return "".join(
        (
            _lead(frames, about),
            '<div class="columns">',
            _cards(frames, about),
            _trust(frames, about),
            "</div>\n",
            _new(frames, about),
            _leading(frames, about),
            _changed(frames, about),
            _linked(frames, about),
            _rest_of_day(frames, about),
            _history(frames, about),
        )
    )


def _lead(frames: Frames, about: About) -> str:
    """The day in one paragraph."""
    new, links = frames["new"].height, int(frames["relations"]["links"].sum())
    graph = frames["graph"].row(0, named=True)
    topics = [f"“{text(each, 60)}”" for each in frames["topics"]["topic"].to_list()]
    on = f" on {_and(topics)}" if topics else ""
    first = (
        " It is the first day of this lake: with it came what was known from before."
        if about.days and about.day == about.days[0]
        else ""
    )
    told = [
        f"On {long(about.day)}, {counted(new, 'new work')}{on} came out, and {counted(links, 'link')} from works to "
        f"what they build on.{first}"
        if new or links
        else f"On {long(about.day)}, nothing new came out{on}."
    ]
    if graph["works"]:
        told.append(f"The graph now joins {counted(graph['works'], 'work')}.")
    leading = frames["leading"].head(1).to_dicts()
    if leading:
        top = leading[0]
        told.append(f"Most is built on {to('work', top['node_id'], short(top['title'] or top['node_id'], 80))}.")
    told += [_round(row, frames["paid"].to_dicts()) for row in frames["round"].head(1).to_dicts()]
    return f'<p class="lead">{" ".join(told)}</p>\n'


def _round(row: Row, largest: Sequence[Row]) -> str:
    """Who gets how much of a round, in a sentence."""

    def amount(of: Any) -> str:
        return money(of, row["decimals"], text(row["currency"]))

    best = next((each for each in largest if each["round"] == row["round"]), None)
    if not best:
        return f"The round of {amount(row['budget'])} pays nobody yet: {amount(row['escrow'])} wait in escrow."
    # Whoever is paid has claimed the works in public; who opted out is in no receipt.
    who = to("person", best["person_id"], best["name"] or best["person_id"])
    verb = "was divided" if row["is_paid"] else "would be divided"
    return (
        f"The pool of {amount(row['budget'])} {verb}: {amount(row['receipts'])} to people, the largest part "
        f"({amount(best['receipt'])}) to {who}; {amount(row['escrow'])} wait until works are claimed."
    )


def _cards(frames: Frames, about: About) -> str:
    graph = frames["graph"].row(0, named=True)
    new, changed = frames["new"].height, frames["changed"].height
    links = int(frames["relations"]["links"].sum())
    cards = [
        ("New works", proof("traces.works", about.day, f"{new:,}", event="created")),
        ("Changed works", proof("traces.works", about.day, f"{changed:,}", event="updated")),
        ("New links", proof("citations.edges", about.day, f"{links:,}")),
        ("Works in the graph", f'<a class="proof" href="works.html">{graph["works"]:,}</a>'),
        ("Links in the graph", f'<a class="proof" href="graph.html">{graph["links"]:,}</a>'),
        ("Chambers", proof("influence.chambers", about.day, f"{frames['chambers'].height:,}")),
        ("Healing hubs", f'<a class="proof" href="hubs.html">{frames["hubs"]["hubs"][0]:,}</a>'),
        ("Open needs", f'<a class="proof" href="resources.html">{int(frames["met"]["needs"].sum()):,}</a>'),
    ]
    told = "".join(f"<div><dt>{what}</dt><dd>{number}</dd></div>" for what, number in cards)
    return f'<section><h2 class="first">In numbers</h2><dl>{told}</dl>{_WHAT}</section>\n'


def _trust(frames: Frames, about: About) -> str:
    found = health.checks(frames, about)
    state, words = health.verdict(found)
    shown = [each for each in found if each.state in ("bad", "warn")] or [
        each for each in found if each.what in ("Sources", "Vintage", "Rejects", "Quarantine")
    ]
    items = "".join(f"<li>{health.state_of(each.state, text(each.what))} {each.words}</li>" for each in shown[:5])
    more = counted(len(found) - len(shown[:5]), "more check")
    return (
        '<section class="panel trust"><h2>Can it be trusted?</h2>'
        f'<p>{health.state_of(state, words)}</p><ul class="rows">{items}</ul>'
        f'<p><a href="health.html">Data health</a> has {more}. To check every byte yourself: '
        "<kbd>coevo verify</kbd>.</p></section>\n"
    )


def _new(frames: Frames, about: About) -> str:
    new = frames["new"]
    head = '<h2 id="new">New works</h2>\n'
    if new.is_empty():
        return f"{head}<p>No new work came out on this day.</p>\n"
    counts = new.explode("sources").group_by("sources", "kind").len().sort("sources", "kind")
    chips = "".join(
        f"<li>{health.TITLES.get(source, source)}: {counted(number, of)}</li>"
        for source, of, number in counts.iter_rows()
    )
    items = "".join(
        f'<li>{to("work", row["node_id"], short(row["title"] or row["node_id"], 160))} '
        f'<span class="chip">{kind(row["kind"])}</span> <span class="soft">'
        + proof(
            "traces.works", about.day, _and([health.TITLES.get(each, each) for each in row["sources"]]),
            work_id=row["work_id"],
        )
        + "</span></li>"
        for row in _mixed(new)
    )  # fmt: skip
    more = rest(new.height - NEW, "new works", "traces.works")
    return f'{head}<ul class="chips">{chips}</ul>\n<ul class="rows">{items}</ul>\n{more}'


def _mixed(new: pl.DataFrame) -> list[Row]:
    """Some of each kind when there is no room for all: the first of each, the second of each, …"""
    import polars as pl

    turn = pl.int_range(pl.len()).over("kind")
    chosen = new.with_columns(turn.alias("turn")).sort("turn", "kind", maintain_order=True).head(NEW)
    return list(chosen.sort("kind", "turn", maintain_order=True).iter_rows(named=True))


def _changed(frames: Frames, about: About) -> str:
    changed = frames["changed"]
    if changed.is_empty():
        return '<h2 id="changed">Changed works</h2>\n<p>No known work changed on this day.</p>\n'
    items = "".join(
        f"<li>{to('work', row['node_id'], short(row['title'] or row['node_id'], 160))} "
        f'<span class="chip">{kind(row["kind"])}</span> '
        + ("" if row["status"] == "active" else f"{health.state_of('warn', 'now ' + row['status'])} ")
        + '<span class="soft">'
        + proof("traces.works", about.day, health.TITLES.get(row["source"], row["source"]), work_id=row["work_id"])
        + "</span></li>"
        for row in changed.head(CHANGED).iter_rows(named=True)
    )
    more = rest(changed.height - CHANGED, "changed works", "traces.works")
    told = '<p class="told">New commits, revisions or another standing, of works that were known before.</p>\n'
    return f'<h2 id="changed">Changed works</h2>\n{told}<ul class="rows">{items}</ul>\n{more}'


def _linked(frames: Frames, about: About) -> str:
    head = '<h2 id="links">What was linked</h2>\n'
    relations = frames["relations"]
    if relations.is_empty():
        return f"{head}<p>No new link on this day.</p>\n"
    rows = [
        [_RELATIONS.get(row["relation"], text(row["relation"])),
         proof("citations.edges", about.day, f"{row['links']:,}", relation=row["relation"]),
         f"{row['counting']:,}", f"{row['named']:,}"]
        for row in relations.iter_rows(named=True)
    ]  # fmt: skip
    resolved = frames["resolved"].row(0, named=True)
    turned = []
    if resolved["became"]:
        turned.append(f"{counted(resolved['became'], 'name')} that had only been mentioned can now be seen as a work")
    if resolved["joined"]:
        turned.append(f"{counted(resolved['joined'], 'work')} turned out to be the same as another")
    also = f"<p>{'; '.join(turned)}.</p>\n" if turned else ""
    items = "".join(
        f"<li>{to('work', row['source'], short(row['source_title'] or row['source'], 90))} "
        f'<span class="soft">{_and([_RELATIONS[each] for each in row["relations"]])}</span> '
        f"{to('work', row['target'], short(row['target_title'] or row['target'], 90))}</li>"
        for row in frames["links"].iter_rows(named=True)
    )
    heads = ("Relation", "Links#", "Count#", "To a name only#")
    told = (
        '<p class="told">From the work that uses to the work used. Links inside one owner’s or one group of authors’ '
        "works are kept, and count for nothing.</p>\n"
    )
    shown = f'<h3>For instance</h3>\n<ul class="rows">{items}</ul>\n' if items else ""
    return f"{head}{told}{table('New links by relation', heads, rows)}{also}{shown}"


_RELATIONS = {
    "derives_from": "derives from", "trained_on": "is trained on", "depends_on": "depends on", "cites": "cites",
    "mentions": "mentions",
}  # fmt: skip


def _leading(frames: Frames, about: About) -> str:
    head = '<h2 id="leading">What leads</h2>\n'
    leading = frames["leading"].head(LEADERS)
    if leading.is_empty():
        return f"{head}<p>Nothing leads yet: no link between works counts.</p>\n"
    why = reasons(frames["reasons"])
    items = "".join(
        f"<li>{to('work', row['node_id'], short(row['title'] or row['node_id'], 160))} "
        + proof("influence.scores", about.day, percent_of(row["inflow"]), node_id=row["node_id"])
        + f' <span class="soft">of all inflow</span><div class="below">{described(row)}<br>Why: '
        + why.get(row["node_id"], "no link counts")
        + "</div></li>"
        for row in leading.iter_rows(named=True)
    )
    told = (
        '<p class="told">What others build on: the share of all attention that reaches a work over links, and the '
        "links that bring most of it.</p>\n"
    )
    return f'{head}{told}<ol class="rows">{items}</ol>\n<p><a href="works.html">All works, with a search</a></p>\n'


def _rest_of_day(frames: Frames, about: About) -> str:
    lines = (
        ("Chambers", "chambers.html", _chambers(frames["chambers"])),
        ("Rewards", "rewards.html", _rounds(frames, about)),
        ("Genome", "genome.html", _genome(frames["genome"], about)),
        ("Corpora", "corpora.html", _corpora(frames["corpora"])),
        ("Hubs", "hubs.html", _hubs(frames)),
        ("Swarm", "swarm.html", _swarm(frames["swarm"])),
    )
    items = "".join(f'<div><dt><a href="{page}">{title}</a></dt><dd>{said}</dd></div>' for title, page, said in lines)
    return f'<h2 id="rest">The rest of the day</h2>\n<dl class="facts">{items}</dl>\n'


def _chambers(chambers: pl.DataFrame) -> str:
    if chambers.is_empty():
        return "No resonance chamber: works need links to form communities."
    events = chambers.group_by("event").len().sort("len", "event", descending=[True, False])
    said = ", ".join(f"{number:,} {event}" for event, number in events.iter_rows())
    largest = chambers.row(0, named=True)
    about = ", ".join(largest["terms"]) or largest["chamber_id"]
    return (
        f"{counted(chambers.height, 'resonance chamber')} (communities of works): {said}. The largest has "
        f"{counted(largest['size'], 'work')}, about {to('chamber', largest['chamber_id'], about)}."
    )


def _rounds(frames: Frames, about: About) -> str:
    rows = frames["round"].to_dicts()
    if not rows:
        return "No round divides money on this day."
    return " ".join(f"{_round(row, frames['paid'].to_dicts())} Gini {_gini(row['gini'])}." for row in rows[:3])


def _gini(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _genome(manifest: pl.DataFrame, about: About) -> str:
    rows = manifest.to_dicts()
    if not rows or rows[0]["date"] != about.day:
        return "No genome of this day: no repository could be packed."
    last = rows[0]
    grown = ""
    if len(rows) > 1:
        more = last["text_bytes"] - rows[1]["text_bytes"]
        grown = f", {size(more, '+')} since {rows[1]['date']}" if more else f", as on {rows[1]['date']}"
    root = proof("genome.manifest", about.day, last["root"][:12], root=last["root"])
    return (
        f"{counted(last['repositories'], 'repository')} packed into one text: {counted(last['files'], 'file')}, "
        f"{size(last['text_bytes'])}{grown}. Merkle root <code>{root}</code>."
    )


def _corpora(releases: pl.DataFrame) -> str:
    if releases.is_empty():
        return "No blueprint, no corpus."
    said = [
        f"{name(row['blueprint'])} released ({counted(row['documents'], 'document')}, {row['train_tokens']:,} tokens)"
        if row["status"] == "released"
        else f"{name(row['blueprint'])} withheld"
        for row in releases.iter_rows(named=True)
    ]
    shown = said[:4] + ([f"{len(said) - 4:,} more"] if len(said) > 4 else [])
    return f"{counted(len(said), 'training corpus')}: {_and(shown)}."


def _hubs(frames: Frames) -> str:
    number, measurements = frames["hubs"].row(0)
    if not number:
        return "No healing hub has published anything yet."
    met = frames["met"]
    needs, part = int(met["needs"].sum()), hubs.met_share(met)
    said = "no open need" if part is None else f"{counted(needs, 'open need')}, {percent(part)} met"
    return (
        f"{counted(number, 'healing hub')} with {counted(measurements, 'measurement')}; "
        f'<a href="resources.html">{said}</a>; {strategies.works(frames)}.'
    )


def _swarm(metrics: pl.DataFrame) -> str:
    if metrics.is_empty():
        return "No simulation ran on this day."
    row = metrics.row(0, named=True)
    return (
        f"Simulated: {counted(row['organisms'], 'organism')} taught one another {counted(row['clasps'], 'time')}; "
        f"{counted(row['resolved'], 'decision')} made, {row['pending']:,} open."
    )


def _history(frames: Frames, about: About) -> str:
    head = '<h2 id="history">The last days</h2>\n'
    days = about.days[1:][-DAYS:]
    if len(days) < 2:
        return f"{head}<p>There is nothing to compare with yet: charts need two days after the first one.</p>\n"
    import polars as pl

    works = frames["history"].filter(pl.col("date") >= days[0]).select("date", pl.col("kind").alias("of"), n="works")
    links = frames["edges"].filter(pl.col("date") >= days[0]).select("date", pl.col("relation").alias("of"), n="links")
    drawn = "".join(
        _chart(title, each.with_columns(pl.col("of").map_elements(kind, pl.String)), about)
        for title, each in (("New works a day", works), ("New links a day", links))
        if each.height
    )
    none = "" if drawn else "<p>Nothing came out on these days.</p>\n"
    first = about.days[0]
    told = (
        f'<p class="told">Without {first}, the first day of the lake, which also holds what was known before.</p>\n'
        if drawn
        else ""
    )
    return f'{head}{told}{none}<div class="charts">{drawn}</div>\n' if drawn else head + none


def _chart(title: str, rows: pl.DataFrame, about: About) -> str:
    import altair as alt
    import polars as pl

    first = max(about.days[1], about.day - timedelta(days=DAYS - 1))
    stacked = rows.sort("date", "of").with_columns(
        day="date", next=pl.col("date") + timedelta(days=1), top=pl.col("n").cum_sum().over("date")
    )
    shown = stacked.with_columns(bottom=pl.col("top") - pl.col("n"))
    total, today = int(rows["n"].sum()), int(rows.filter(pl.col("date") == about.day)["n"].sum())
    told = f"{today:,} on {about.day}, {total:,} since {first}."

    def draw(width: int) -> alt.Chart:
        drawn: alt.Chart = (
            alt.Chart(shown)
            .mark_rect()
            .encode(
                x=charts.days(first, about.day, width),
                x2="next:T",
                y=alt.Y("bottom:Q", title=None, axis=alt.Axis(tickMinStep=1)),
                y2="top:Q",
                color=alt.Color("of:N", sort=sorted(set(rows["of"]))),
            )
            .properties(width=width, height=200)
        )
        return drawn

    return charts.figure(title, told, draw)


_WHAT = (
    '<h2 id="what">What this is</h2>\n<p>Open research leaves traces: papers, repositories, models, data sets. Each '
    "day this project takes a snapshot of them, links what uses what, measures who influences whom, divides a reward "
    "pool among the people behind the works, packs the repositories into one checked text (the genome), cuts training "
    "corpora from it, and lets a simulated swarm work on the result. Nothing from after the day is in the day’s "
    "numbers.</p>\n<p>Every number with a fine line under it leads to its row, and on to the raw answers that it was "
    'made from: <a href="proof.html">data and proof</a>.</p>\n'
)


def _and(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


PAGE = Page("index", "What came out", QUERIES, body)
