# ruff: noqa: B018, PLR1711
# The last line of a cell is what it shows, and marimo ends each with a return.

import marimo

__generated_with = "0.25.2"

app = marimo.App(width="medium", app_title="A walk through the lake")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # A walk through the lake

    A day of the lake, from what came out down to the raw bytes: new works, the graph, the leading works and why,
    a person's reward, its history, and the proof of one number.

    The words of the project are explained in the [glossary](../glossary.md); the columns in the
    [tables](../reference/tables.md).
    """)
    return


@app.cell
def _():
    import hashlib
    import itertools
    import json
    from datetime import date

    import altair as alt
    import duckdb
    import marimo as mo
    import polars as pl

    from coevo_pipelines.lake.catalog import CATALOG, open_catalog
    from coevo_pipelines.settings import load_settings

    return CATALOG, alt, date, duckdb, hashlib, itertools, json, load_settings, mo, open_catalog, pl


@app.cell
def _(load_settings):
    lake = load_settings().lake_root  # COEVO_LAKE, else data_lake
    return (lake,)


@app.cell
def _(CATALOG, lake, open_catalog, pl):
    def ask(sql: str, **parameters: object) -> pl.DataFrame:
        """The answer of the catalog; `$name` in the question is the parameter of that name."""
        with open_catalog(lake / CATALOG) as catalog:
            catalog.execute("SET TimeZone = 'UTC'")
            return pl.from_arrow(catalog.sql(sql, params=parameters).to_arrow_table())

    return (ask,)


@app.cell
def _(ask):
    about = ask("FROM lake.about")
    about
    return (about,)


@app.cell
def _(ask, mo):
    days = [str(day) for day in ask("SELECT DISTINCT date FROM influence.scores ORDER BY date")["date"]]
    mo.stop(not days, mo.md("No day of this lake has scores yet: make one with `coevo run`."))
    chosen_day = mo.ui.dropdown(days, value=days[-1], label="Day")
    chosen_day
    return chosen_day, days


@app.cell
def _(chosen_day, date):
    day = date.fromisoformat(chosen_day.value)
    return (day,)


@app.cell(hide_code=True)
def _(day, mo, new_works):
    mo.md(f"""
    ## What came out

    On {day}, **{new_works["works"].sum()} works** were seen for the first time or again. An `event` is what happened
    to a work on that day. The first day of a lake is the [opening partition](../glossary.md#opening-partition): it
    holds what happened before, too.
    """)
    return


@app.cell
def _(ask, day):
    new_works = ask(
        """
        SELECT kind, event, count(DISTINCT work_id) AS works
        FROM traces.works WHERE date = $day
        GROUP BY ALL ORDER BY works DESC, kind, event
        """,
        day=day,
    )
    new_works
    return (new_works,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Whether to trust it: a partition is `observed` when everything in it was seen in time
    ([vintage](../glossary.md#vintage)), and complete when every source answered everything.
    """)
    return


@app.cell
def _(ask, day):
    health = ask(
        """
        SELECT table_name, rows, vintage, complete FROM lake.commits
        WHERE date = $day AND split_part(table_name, '.', 1) IN ('scrapes', 'traces', 'citations')
        ORDER BY table_name
        """,
        day=day,
    )
    health
    return (health,)


@app.cell(hide_code=True)
def _(edges, mo, nodes):
    mo.md(f"""
    ## The graph

    As of the day there are **{nodes["nodes"].sum():,} nodes** and **{edges["links"].sum():,} links**. A link leads from
    the user of a work to the work used. A [stub](../glossary.md#stub) is a name that somebody uses and nobody has
    listed yet.
    """)
    return


@app.cell
def _(ask, day):
    nodes = ask(
        """
        SELECT coalesce(kind, 'stub') AS kind, count(*) AS nodes
        FROM citations.nodes_as_of($day::DATE) GROUP BY ALL ORDER BY nodes DESC, kind
        """,
        day=day,
    )
    nodes
    return (nodes,)


@app.cell
def _(ask, day):
    edges = ask(
        """
        SELECT year(event_at) AS year, relation, count(*) AS links
        FROM citations.edges_as_of($day::DATE) GROUP BY ALL ORDER BY year, relation
        """,
        day=day,
    )
    return (edges,)


@app.cell
def _(alt, edges):
    links_by_year = (
        alt.Chart(
            edges,
            title="Links by the year in which they were made",
            description="One bar a year, in colours by the kind of use.",
            width=520,
            height=200,
        )
        .mark_bar()
        .encode(
            x=alt.X("year:O", title=None),
            y=alt.Y("links:Q", title="links"),
            color=alt.Color("relation:N", title=None),
            tooltip=["year", "relation", "links"],
        )
    )
    links_by_year
    return (links_by_year,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The leading works, and why

    `inflow` is what readers bring to a work over links, as a share of all that they bring; `guarded_inflow` is the same
    where [no empty account has a voice](../explanation/influence.md), and money goes by it.
    """)
    return


@app.cell
def _(ask, day):
    leading = ask(
        """
        SELECT n.node_id AS work, n.title, round(s.guarded_inflow, 4) AS guarded_inflow, round(s.inflow, 4) AS inflow,
               s.citations
        FROM influence.scores s JOIN citations.nodes_as_of($day::DATE) n USING (node_id)
        WHERE s.date = $day AND NOT n.is_stub AND s.guarded_inflow > 0
        ORDER BY s.guarded_inflow DESC, n.node_id LIMIT 10
        """,
        day=day,
    )
    leading
    return (leading,)


@app.cell
def _(leading, mo):
    mo.stop(leading.is_empty(), mo.md("No work of this day is used by another one: nothing leads yet."))
    works = {f"{row['title'] or ''} ({row['work']})": row["work"] for row in leading.to_dicts()}
    chosen_work = mo.ui.dropdown(works, value=next(iter(works)), label="Work")
    chosen_work
    return (chosen_work,)


@app.cell(hide_code=True)
def _(chosen_work, mo, reasons):
    mo.md(f"""
    The reason of a score is the links that bring it. `{chosen_work.value}` is used by {reasons.height} works;
    `coevo influence explain {chosen_work.value}` says how much each of them brings.
    """)
    return


@app.cell
def _(ask, chosen_work, day):
    reasons = ask(
        """
        SELECT e.source AS used_by, n.title, e.relation, e.event_at::DATE AS since, e.evidence
        FROM citations.edges_as_of($day::DATE) e
        LEFT JOIN citations.nodes_as_of($day::DATE) n ON n.node_id = e.source
        WHERE e.target = $work AND e.weight > 0 ORDER BY since DESC, used_by
        """,
        day=day,
        work=chosen_work.value,
    )
    reasons
    return (reasons,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A person's reward

    A [round](../glossary.md#round) divides a pool in whole minor units (cents). What nobody has claimed waits in
    [escrow](../glossary.md#escrow). These are the receipts of the day; in the sample it is play money.
    """)
    return


@app.cell
def _(ask, day):
    receipts = ask(
        """
        SELECT round, person_id, name, receipt::BIGINT AS receipt, held::BIGINT AS held
        FROM rewards.allocations WHERE date = $day AND receipt > 0
        ORDER BY receipt DESC, round, person_id LIMIT 10
        """,
        day=day,
    )
    receipts
    return (receipts,)


@app.cell
def _(mo, receipts):
    mo.stop(receipts.is_empty(), mo.md("No round of this day gives anybody anything."))
    people = list(dict.fromkeys(receipts["person_id"]))
    chosen_person = mo.ui.dropdown(people, value=people[0], label="Person")
    chosen_person
    return (chosen_person,)


@app.cell(hide_code=True)
def _(allocated, chosen_person, mo, parts):
    mo.md(f"""
    What brings `{chosen_person.value}` an amount of {allocated:,}: {parts.height} parts, which add up to it exactly.
    *use* is a work that others use, *floor* the equal part of everybody who is verified, *rest* what is too small to
    be listed alone. `coevo rewards explain {chosen_person.value}` says the same.
    """)
    return


@app.cell
def _(ask, chosen_person, day, receipts):
    chosen_round = receipts.filter(person_id=chosen_person.value)["round"][0]
    allocated = ask(
        """
        SELECT amount::BIGINT AS amount FROM rewards.allocations
        WHERE date = $day AND person_id = $person AND round = $round
        """,
        day=day,
        person=chosen_person.value,
        round=chosen_round,
    )["amount"][0]
    parts = ask(
        """
        SELECT part, work_id, via, relation, amount::BIGINT AS amount FROM rewards.explanations
        WHERE date = $day AND person_id = $person AND round = $round ORDER BY amount DESC, place
        """,
        day=day,
        person=chosen_person.value,
        round=chosen_round,
    )
    assert parts["amount"].sum() == allocated
    parts.head(8)
    return allocated, chosen_round, parts


@app.cell
def _(alt, parts, pl):
    named = parts.with_columns(by=pl.coalesce("work_id", "part")).group_by("by").agg(pl.col("amount").sum()).sort("by")
    amount_by_work = (
        alt.Chart(
            named,
            title="Where the amount comes from",
            description="One bar for each of the person's works, and for the equal part.",
            width=520,
        )
        .mark_bar()
        .encode(
            x=alt.X("amount:Q", title="minor units"),
            y=alt.Y("by:N", title=None, sort="-x", axis=alt.Axis(labelLimit=240)),
            tooltip=["by", "amount"],
        )
    )
    amount_by_work
    return (amount_by_work,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## History

    How the leading works moved from day to day. A day that was not made is not drawn.
    """)
    return


@app.cell
def _(ask, day, leading):
    history = ask(
        """
        SELECT s.date, n.node_id AS work, any_value(n.title) AS title, any_value(s.guarded_inflow) AS guarded_inflow
        FROM influence.scores s JOIN citations.nodes_as_of($day::DATE) n USING (node_id)
        WHERE s.date <= $day AND n.node_id IN (SELECT unnest($works))
        GROUP BY s.date, n.node_id ORDER BY s.date, n.node_id
        """,
        day=day,
        works=leading["work"].head(5).to_list(),
    )
    return (history,)


@app.cell
def _(alt, history):
    inflow_by_day = (
        alt.Chart(
            history,
            title="Guarded inflow of the five leading works",
            description="One line a work, one point a day.",
            width=520,
            height=220,
        )
        .mark_line(point=True)
        .encode(
            x=alt.X("yearmonthdate(date):O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("guarded_inflow:Q", title="share of all inflow", axis=alt.Axis(format=".0%")),
            color=alt.Color("title:N", title=None, legend=alt.Legend(columns=1, labelLimit=460)),
            tooltip=["work", "title", "date", "guarded_inflow"],
        )
    )
    inflow_by_day
    return (inflow_by_day,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The proof of a number

    The largest part of that amount comes over one link. Who says that the link is so? Each link names the raw answer
    that it was read from, by its SHA-256. The answer itself lies in the Parquet files of `scrapes`, byte for byte.
    """)
    return


@app.cell
def _(ask, day, mo, parts):
    over_links = parts.drop_nulls("via")
    mo.stop(over_links.is_empty(), mo.md("This amount comes over no link: there is nothing to follow."))
    part = over_links.row(0, named=True)
    # A link is stored under the names of its day; what stands for them now is in citations.resolutions.
    link = ask(
        """
        SELECT e.date, e.source, e.relation, e.target, e.evidence, e.raw_sha256
        FROM citations.edges e
        LEFT JOIN citations.resolved_as_of($day::DATE) s ON s.node_id = e.source
        LEFT JOIN citations.resolved_as_of($day::DATE) t ON t.node_id = e.target
        WHERE e.date <= $day AND e.relation = $relation
          AND coalesce(s.resolved_id, e.source) = $via AND coalesce(t.resolved_id, e.target) = $work
        ORDER BY e.event_at, e.source, e.target LIMIT 1
        """,
        day=day,
        relation=part["relation"],
        via=part["via"],
        work=part["work_id"],
    ).row(0, named=True)
    link
    return link, part


@app.cell
def _(duckdb, hashlib, lake, link):
    with duckdb.connect() as parquet:
        source, url, body = parquet.execute(
            """
            SELECT regexp_extract(filename, 'scrapes/([^/]+)/', 1), url, body
            FROM read_parquet($files, filename = true, union_by_name = true) WHERE body_sha256 = $raw
            ORDER BY 1, url LIMIT 1
            """,
            {"files": str(lake / "scrapes/*/date=*/part.parquet"), "raw": link["raw_sha256"]},
        ).fetchone()
    found = {
        "source": source,
        "asked": url.partition("?")[0],
        "bytes": len(body),
        "sha256 of the bytes": hashlib.sha256(body).hexdigest(),
    }
    assert found["sha256 of the bytes"] == link["raw_sha256"]
    found
    return body, found


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    And the files themselves: every commit is a line of the [ledger](../glossary.md#ledger), with the hash of its file
    and of the line before. Here it is recomputed for the tables that this walk went through; `coevo verify` does it for
    all of them, and for the inputs of each.
    """)
    return


@app.cell
def _(ask, day, hashlib, lake, pl):
    committed = ask(
        """
        SELECT table_name, date, file, sha256 FROM lake.commits
        WHERE date = $day AND table_name IN
            ('rewards.allocations', 'rewards.explanations', 'influence.scores', 'citations.edges', 'traces.works')
        ORDER BY table_name
        """,
        day=day,
    )
    recomputed = [hashlib.sha256((lake / file).read_bytes()).hexdigest() for file in committed["file"]]
    proof = committed.select("table_name", "date", agrees=pl.col("sha256") == pl.Series(recomputed, dtype=pl.String))
    assert proof["agrees"].all()
    proof
    return (proof,)


@app.cell
def _(itertools, json, lake, proof):
    lines = [json.loads(line) for line in (lake / "ledger/commits.jsonl").read_text(encoding="utf-8").splitlines()]
    chained = all(after["prev"] == before["hash"] for before, after in itertools.pairwise(lines))
    assert chained
    {"files that are what the ledger says": proof["agrees"].sum(), "the ledger is one chain": chained}
    return (chained,)


if __name__ == "__main__":
    app.run()
