"""The corpora of the day: released or withheld, how large, under which licences, what was left out, who agreed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from coevo_pipelines.report import charts
from coevo_pipelines.report.html import name, rest, share, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, folded, percent, short

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

OPEN, SOURCES, LICENCES, PAIRS, EXAMPLES, REASONS, DAYS = 10, 60, 60, 30, 3, 3, 60
"""Most rows shown: without a click, sources, licences, pairs, documents and reasons of a rule, days."""
BARS = 8
"""Licences drawn; the others are one bar."""
LAKE = "../../../"
"""From a report's folder to the lake's."""
UNNAMED = ("opted_out", "withdrawn")
"""Rules of which no document is named: to be left out is what was asked for."""

_IN = "date = getvariable('day') AND rule IS NULL"
QUERIES = {
    "releases": "FROM corpora.releases WHERE date = getvariable('day') ORDER BY blueprint",
    "losses": """SELECT blueprint, step, rule, sum(documents)::BIGINT AS documents,
            sum(documents_out)::BIGINT AS documents_out, sum(tokens)::BIGINT AS tokens,
            sum(tokens_out)::BIGINT AS tokens_out
        FROM corpora.losses WHERE date = getvariable('day') GROUP BY blueprint, step, rule ORDER BY blueprint, step""",
    "reasons": f"""SELECT blueprint, rule, detail, count(*) AS documents FROM corpora.documents
        WHERE date = getvariable('day') AND rule IS NOT NULL AND detail IS NOT NULL
        GROUP BY blueprint, rule, detail
        QUALIFY row_number() OVER (PARTITION BY blueprint, rule ORDER BY count(*) DESC, detail) <= {REASONS}
        ORDER BY blueprint, rule, documents DESC, detail""",
    "examples": f"""SELECT blueprint, rule, doc_id, work_id, kept_id FROM corpora.documents
        WHERE date = getvariable('day') AND rule IS NOT NULL AND rule NOT IN {UNNAMED}
        QUALIFY row_number() OVER (PARTITION BY blueprint, rule ORDER BY influence DESC, doc_id) <= {EXAMPLES}
        ORDER BY blueprint, rule, influence DESC, doc_id""",
    "stages": f"""SELECT blueprint, coalesce(stage, '') AS stage, coalesce(split, '') AS split, count(*) AS documents,
            sum(tokens)::BIGINT AS tokens, sum(used)::BIGINT AS used, max(times) AS times
        FROM corpora.documents WHERE {_IN} GROUP BY ALL ORDER BY ALL""",
    "kinds": f"""SELECT blueprint, kind, count(*) AS documents, sum(tokens)::BIGINT AS tokens
        FROM corpora.documents WHERE {_IN} GROUP BY ALL ORDER BY documents DESC, kind, blueprint""",
    "licences": f"""SELECT blueprint, coalesce(license, 'none known') AS license, count(*) AS documents,
            sum(tokens)::BIGINT AS tokens, list(DISTINCT license_from ORDER BY license_from) AS said
        FROM corpora.documents WHERE {_IN} GROUP BY ALL ORDER BY documents DESC, license, blueprint""",
    "sources": """SELECT d.blueprint, coalesce(d.repo, d.work_id) AS source, d.repo IS NULL AS is_work,
            any_value(n.title ORDER BY n.title) AS title, count(*) AS documents, sum(d.tokens)::BIGINT AS tokens
        FROM corpora.documents d
        LEFT JOIN citations.nodes_as_of(getvariable('day')) n ON d.repo IS NULL AND n.node_id = d.work_id
        WHERE d.date = getvariable('day') AND d.rule IS NULL GROUP BY ALL
        ORDER BY documents DESC, tokens DESC NULLS LAST, source, blueprint""",
    "duplicates": "FROM corpora.duplicates WHERE date = getvariable('day') ORDER BY jaccard DESC, doc_id, other_id",
    "contracts": """FROM corpora.contracts WHERE date = getvariable('day')
        ORDER BY created_at DESC NULLS LAST, file""",
    "chrysalides": "FROM corpora.chrysalides WHERE date = getvariable('day') ORDER BY blueprint, run_id",
    "history": f"""SELECT date, blueprint, status, candidates, documents, train_tokens FROM corpora.releases
        WHERE date BETWEEN getvariable('day') - {DAYS - 1} AND getvariable('day') ORDER BY blueprint, date""",
}
_WHAT = (
    '<p class="lead">A corpus is a training text that is made for one model, by a blueprint that says what goes in. '
    "It is released only where the model was asked and accepted, and each document has a licence that allows it.</p>\n"
)
_RULES = {
    "selection": "not what the blueprint selects",
    "excluded_path": "a path that the blueprint excludes",
    "withdrawn": "the work was withdrawn",
    "opted_out": "its people asked to be left out",
    "license": "the licence does not allow it",
    "backup": "a backup copy beside a file",
    "vendored": "somebody else’s code, carried along",
    "generated": "written by a program",
    "log": "a log",
    "test": "a test",
    "legal": "a licence text: it goes beside the corpus",
    "secret": "holds a key or token",
    "instructions": "addresses models",
    "natural_language": "in another language",
    "quality": "fails a measured rule of quality",
    "contaminated": "holds questions of an evaluation",
    "no_stage": "no stage takes it",
    "exact_duplicate": "the same as another",
    "near_duplicate": "nearly the same as another",
    "budget": "the budget had no room",
}
"""By the name of the rule (corpora/deciding.py), in few words."""
_ANSWERS = {
    "accepted": "accepted",
    "declined": "said no",
    "ambiguous": "gave no clear answer",
    "invited": "has not answered yet",
    "revoked": "took its consent back",
    "damaged": "is unknown: the record cannot be read",
}


def body(frames: Frames, about: About) -> str:
    """HTML of the page; `frames` as `QUERIES` ask for them."""
    releases = frames["releases"].to_dicts()
    if not releases:
        why = "no blueprint is set up (setting <code>corpora.blueprints</code>), or the day was not made yet"
        return f"{_WHAT}<p>There is no corpus of {about.day}: {why}.</p>\n{_contracts(frames['contracts'], about)}"
    ordered = sorted(releases, key=lambda row: (row["status"] != "released", row["blueprint"]))
    parts = [_WHAT]
    for row in ordered:
        own = {
            each: frame.filter(pl.col("blueprint") == row["blueprint"])
            for each, frame in frames.items()
            if "blueprint" in frame.columns
        }
        parts.append(_corpus(row, own, frames["contracts"], about))
    parts += [_duplicates(frames["duplicates"], about), _contracts(frames["contracts"], about)]
    return "".join(parts)


def _corpus(row: Row, own: Frames, contracts: pl.DataFrame, about: About) -> str:
    return (
        f'<h2 id="corpus-{text(row["blueprint"])}">Corpus {name(row["blueprint"])}</h2>\n'
        + _standing(row, contracts, about)
        + _numbers(row, about)
        + _left_out(row, own, about)
        + _inside(row, own, about)
        + _chrysalides(own["chrysalides"], about)
        + _history(own["history"])
    )


def _standing(row: Row, contracts: pl.DataFrame, about: About) -> str:
    """Released or withheld and why, for whom, and what that model said."""
    asked = contracts.filter(
        (pl.col("model_id") == row["model_id"]) & (pl.col("model_revision") == row["model_revision"])
    )
    model = f"{name(row['model_id'])} (revision {text(row['model_revision'])})"
    if asked.is_empty():
        answer = f"For {model}, which nobody has asked yet."
    else:
        last = asked.row(0, named=True)
        who = f" by {name(last['human'])}" if last["human"] else ""
        when = f" on {last['created_at']:%Y-%m-%d}" if last["created_at"] else ""
        said = proof("corpora.contracts", about.day, _ANSWERS[last["status"]], file=last["file"])
        asked_by = f" (asked{who}{when})" if who or when else ""
        force = "" if last["is_in_force"] else f" That is not in force: {text(last['why'] or 'no reason is given')}"
        answer = f"For {model}, which {said}{asked_by}.{force}"
    if row["status"] == "released":
        state = '<span class="state good">Released</span>.'
    else:
        state = f'<span class="state warn">Withheld</span>: {text(row["why"] or "no reason is given")}'
    return f"<p>{state}</p>\n<p>{answer}</p>\n{_folder(row)}"


def _folder(row: Row) -> str:
    if not row["folder"]:
        return ""
    where = LAKE + quote(row["folder"])
    links = (
        ("README.md", "the card"), ("ATTRIBUTION.md", "who is in it"), ("DATA_STATEMENT.md", "the data statement"),
        ("release.json", "all hashes"), ("contract.json", "the contract"),
    )  # fmt: skip
    listed = "".join(f'<li><a href="{text(where, 5000)}/{file}" download>{told}</a></li>' for file, told in links)
    return (
        f'<p>It lies beside this report in <a href="{text(where, 5000)}/"><code>{text(row["folder"], 5000)}</code></a>'
        f'. Digest <code class="id">{text(row["digest"] or "")}</code>.</p>\n<ul class="chips">{listed}</ul>\n'
        f'<p class="soft">Checked once more and taken out of the lake: '
        f"<kbd>coevo corpora export {text(row['blueprint'])} --out FOLDER</kbd></p>\n"
    )


def _numbers(row: Row, about: About) -> str:
    def of(column: str) -> str:
        return proof("corpora.releases", about.day, f"{row[column]:,}", blueprint=row["blueprint"])

    numbers = [
        ("Documents looked at", of("candidates")),
        ("In the corpus" if row["folder"] else "Would be in it", of("documents")),
    ]
    if row["status"] == "released":
        budget = "" if row["budget"] is None else f" <small>of {row['budget']:,}</small>"
        numbers += [
            ("Sequences", of("sequences")),
            ("Tokens to train on", of("train_tokens") + budget),
            ("Held out: validation", of("validation_tokens")),
            ("Held out: test", of("test_tokens")),
        ]
    listed = "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in numbers)
    short_of = (
        f"<p>{row['shortfall']:,} tokens of the budget could not be filled: there was no text for them.</p>\n"
        if row["shortfall"]
        else ""
    )
    return f"<dl>{listed}</dl>\n{short_of}"


def _left_out(row: Row, own: Frames, about: About) -> str:
    """From candidates to corpus: what each rule took, with its reasons and examples."""
    title = "<h3>What was left out, and why</h3>\n"
    losses = own["losses"].filter(pl.col("documents_out") > 0).to_dicts()
    if not row["candidates"]:
        return f"{title}<p>There was no document to look at.</p>\n"
    if not losses:
        return f"{title}<p>Nothing: every document that was looked at is in.</p>\n"
    reasons, examples = own["reasons"].to_dicts(), own["examples"].to_dicts()
    rows = [
        [
            f'{text(_RULES.get(each["rule"], each["rule"]))}<br><code class="id">{text(each["rule"])}</code>',
            proof("corpora.losses", about.day, f"{each['documents_out']:,}", blueprint=row["blueprint"],
                  rule=each["rule"]),
            share(each["documents_out"], row["candidates"]),
            f"{each['tokens_out']:,}" if each["tokens_out"] is not None else "–",
            "<br>".join(_reasons(each["rule"], reasons)),
            "<br>".join(_examples(each["rule"], examples)),
        ]
        for each in losses
    ]  # fmt: skip
    lost = sum(each["documents_out"] for each in losses)
    heads = ("Rule, in the order of trying", "Documents#", "Of all", "Tokens#", "Reasons", "For instance")
    told = (
        f"<p>{counted(row['candidates'], 'document')} − {lost:,} left out = "
        f"{counted(row['candidates'] - lost, 'document')} in the corpus. The first rule that holds counts. "
        f"<kbd>coevo corpora explain DOCUMENT</kbd> says it for any of them.</p>\n"
    )
    return title + told + _waterfall(row, losses) + folded("What each rule took", heads, rows, OPEN)


def _reasons(rule: str, reasons: Iterable[Row]) -> list[str]:
    if rule in UNNAMED:
        return []
    return [
        f'{text(short(each["detail"], 60))} <span class="soft">{each["documents"]:,}</span>'
        for each in reasons
        if each["rule"] == rule
    ]


def _examples(rule: str, examples: Iterable[Row]) -> list[str]:
    return [
        f"{name(short(each['doc_id'], 70))}"
        + (f'<br><span class="soft">kept: {name(short(each["kept_id"], 70))}</span>' if each["kept_id"] else "")
        for each in examples
        if each["rule"] == rule
    ]


def _waterfall(row: Row, losses: Sequence[Row]) -> str:
    """Bars from all candidates down to the corpus."""
    left, steps = int(row["candidates"]), [("looked at", 0, int(row["candidates"]), "all")]
    for each in losses:
        steps.append((each["rule"].replace("_", " "), left - each["documents_out"], left, "left out"))
        left -= each["documents_out"]
    steps.append(("in the corpus", 0, left, "in"))
    drawn = pl.DataFrame(steps, ("step", "from", "to", "what"), orient="row")
    order = [step for step, *_ in steps]

    def draw(width: int) -> charts.Chart:
        import altair as alt

        x = alt.X("from:Q", title="documents", axis=alt.Axis(tickMinStep=1))
        y = alt.Y("step:N", title=None, sort=order)
        colours = [charts.COLOURS[each] for each in (5, 1, 0)]
        scale = alt.Scale(domain=["all", "left out", "in"], range=colours)
        colour = alt.Color("what:N", legend=None, scale=scale)
        bars = alt.Chart(drawn).mark_bar().encode(x=x, x2="to:Q", y=y, color=colour)
        done: charts.Chart = bars.properties(width=width, height=40 + 28 * len(order))
        return done

    told = f"{row['candidates']:,} documents were looked at; " + ", ".join(
        f"{each['rule'].replace('_', ' ')} took {each['documents_out']:,}" for each in losses
    )
    return charts.figure("From all documents to the corpus", f"{told}. That leaves {left:,}.", draw)


def _inside(row: Row, own: Frames, about: About) -> str:
    title = "<h3>What is in it</h3>\n"
    if not row["documents"]:
        return f"{title}<p>Nothing.</p>\n"
    meanwhile = "" if row["status"] == "released" else "<p>This is what would be in it; no sequence was made.</p>\n"
    kinds = "; ".join(
        f"{counted(each['documents'], 'document')} of kind {text(each['kind'])}" for each in own["kinds"].to_dicts()
    )
    return (
        f"{title}{meanwhile}<p>{kinds}.</p>\n"
        + _stages(own["stages"], about, row)
        + _licences(own["licences"], row, about)
        + _sources(own["sources"], row, about)
    )


def _stages(stages: pl.DataFrame, about: About, row: Row) -> str:
    rows = [
        [
            name(each["stage"] or "no stage"),
            text(each["split"] or "–"),
            proof("corpora.documents", about.day, f"{each['documents']:,}", blueprint=row["blueprint"],
                  **{key: each[key] for key in ("stage", "split") if each[key]}),
            _or_none(each["tokens"]),
            _or_none(each["used"]),
            _or_none(each["times"]),
        ]
        for each in stages.to_dicts()
    ]  # fmt: skip
    heads = ("Stage", "Split", "Documents#", "Tokens#", "In sequences#", "Most repeats#")
    caption = "The curriculum, stage by stage; in sequences: with markup and repeats"
    return folded(caption, heads, rows, OPEN)


def _or_none(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _licences(licences: pl.DataFrame, row: Row, about: About) -> str:
    every = licences.to_dicts()
    whole = sum(each["documents"] for each in every)
    rows = [
        [
            name(each["license"]),
            proof("corpora.documents", about.day, f"{each['documents']:,}", blueprint=row["blueprint"],
                  license=each["license"]) if each["license"] != "none known" else f"{each['documents']:,}",
            share(each["documents"], whole),
            _or_none(each["tokens"]),
            text(", ".join(each["said"])),
        ]
        for each in every[:LICENCES]
    ]  # fmt: skip
    drawn = [(short(each["license"], 22), each["documents"]) for each in every[:BARS]]
    others = sum(each["documents"] for each in every[BARS:])
    drawn += [("others", others)] * bool(others)
    told = f"{_first(every, 'license', whole)}."
    chart = charts.figure("Documents by licence", told, _bars(drawn, "documents")) if len(every) > 1 else ""
    heads = ("Licence", "Documents#", "Of all", "Tokens#", "Said by")
    return (
        f"<h4>Licences</h4>\n{chart}"
        + folded("Licences of the documents in it", heads, rows, OPEN)
        + rest(len(every) - LICENCES, "licences", "corpora.documents")
    )


def _first(every: Sequence[Row], column: str, whole: int) -> str:
    return ", ".join(f"{short(each[column], 40)} {percent(each['documents'] / whole)}" for each in every[:3])


def _bars(rows: Sequence[tuple[str, int]], what: str) -> Callable[[int], charts.Chart]:
    frame = pl.DataFrame(rows, ("name", "number"), orient="row").group_by("name", maintain_order=True).sum()
    order = frame["name"].to_list()

    def draw(width: int) -> charts.Chart:
        import altair as alt

        x = alt.X("number:Q", title=what, axis=alt.Axis(tickMinStep=1))
        bars = alt.Chart(frame).mark_bar().encode(x=x, y=alt.Y("name:N", title=None, sort=order))
        done: charts.Chart = bars.properties(width=width, height=40 + 28 * len(order))
        return done

    return draw


def _sources(sources: pl.DataFrame, row: Row, about: About) -> str:
    every = sources.to_dicts()
    rows = [
        [
            to("work", each["source"], short(each["title"] or each["source"]))
            if each["is_work"]
            else f'{name(each["source"])} <span class="soft">of the genome</span>',
            proof("corpora.documents", about.day, f"{each['documents']:,}", blueprint=row["blueprint"],
                  **{"work_id" if each["is_work"] else "repo": each["source"]}),
            _or_none(each["tokens"]),
        ]
        for each in every[:SOURCES]
    ]  # fmt: skip
    heads = ("Source", "Documents#", "Tokens#")
    return (
        "<h4>Sources</h4>\n"
        + folded(f"{counted(len(every), 'source')}, those with most documents first", heads, rows, OPEN)
        + rest(len(every) - SOURCES, "sources", "corpora.documents")
    )


def _chrysalides(runs: pl.DataFrame, about: About) -> str:
    title = "<h3>Continued training</h3>\n"
    if runs.is_empty():
        return f"{title}<p>No model was trained on this release yet (<kbd>coevo chrysalis run</kbd>).</p>\n"
    words = {"succeeded": "good", "worse": "warn", "failed": "bad", "killed": "bad"}
    rows = [
        [
            proof("corpora.chrysalides", about.day, each["run_id"], run_id=each["run_id"]),
            f'<span class="state {words[each["status"]]}">{text(each["status"])}</span>',
            f"{each['steps']:,}",
            f"{each['tokens']:,}",
            _loss(each["loss_before"]),
            _loss(each["loss_after"]),
            text(each["error"] or ""),
        ]
        for each in runs.to_dicts()
    ]
    heads = ("Chrysalis", "How it ended", "Steps#", "Tokens#", "Loss before#", "Loss after#", "Error")
    return title + folded("Held-out loss in nats a token: less is better", heads, rows, OPEN)


def _loss(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"


def _history(history: pl.DataFrame) -> str:
    if history.height < 2:
        return ""
    rows = [
        [
            proof("corpora.releases", each["date"], str(each["date"]), blueprint=each["blueprint"]),
            text(each["status"]),
            f"{each['candidates']:,}",
            f"{each['documents']:,}",
            f"{each['train_tokens']:,}",
        ]
        for each in reversed(history.to_dicts())
    ]
    heads = ("Day", "Status", "Looked at#", "Documents#", "Tokens to train on#")
    numbers = folded(f"The last {DAYS} days, newest first", heads, rows, DAYS)
    return f"<details><summary>This corpus on other days</summary>{numbers}</details>\n"


def _duplicates(pairs: pl.DataFrame, about: About) -> str:
    title = '<h2 id="duplicates">Near-duplicates</h2>\n'
    if pairs.is_empty():
        return f"{title}<p>No two documents that a corpus asked for were the same or nearly so.</p>\n"
    rows = [
        [
            name(short(each["doc_id"], 90)),
            name(short(each["other_id"], 90)),
            proof("corpora.duplicates", about.day, f"{each['jaccard']:.2f}", doc_id=each["doc_id"],
                  other_id=each["other_id"]),
        ]
        for each in pairs.head(PAIRS).to_dicts()
    ]  # fmt: skip
    told = (
        f'<p class="told">{counted(pairs.height, "verified pair")}. Overlap: shared runs of five words, of all that '
        "either has. Of each group one copy is kept: the most influential, then the earliest.</p>\n"
    )
    heads = ("Document", "Is much the same as", "Overlap#")
    return f"{title}{told}{folded('The largest overlap first', heads, rows, OPEN)}" + rest(
        pairs.height - PAIRS, "pairs", "corpora.duplicates"
    )


def _contracts(contracts: pl.DataFrame, about: About) -> str:
    title = '<h2 id="contracts">Who was asked</h2>\n'
    told = (
        '<p class="told">A model is asked before anything is made for it. No, and anything unclear, ends without a '
        "contract.</p>\n"
    )
    if contracts.is_empty():
        return f"{title}{told}<p>No model was asked yet (<kbd>coevo contract ask</kbd>).</p>\n"
    rows = [
        [
            f"{name(each['model_id'] or 'unknown')}"
            + (f'<br><span class="soft">revision {text(each["model_revision"])}</span>' if each["model_id"] else ""),
            f"{each['created_at']:%Y-%m-%d}" if each["created_at"] else "–",
            name(each["human"] or "–"),
            proof("corpora.contracts", about.day, _ANSWERS[each["status"]], file=each["file"]),
            '<span class="state good">in force</span>'
            if each["is_in_force"]
            else f'<span class="state none">not in force</span><br><span class="soft">{text(each["why"] or "")}</span>',
            f'<a href="{text(LAKE + quote(each["file"]), 5000)}" download>question, answer, signature</a>',
        ]
        for each in contracts.to_dicts()
    ]
    heads = ("Model", "Asked", "By", "It", "Contract", "Record")
    return f"{title}{told}{folded('Records, newest first', heads, rows, OPEN)}"


PAGE = Page("corpora", "Corpora", QUERIES, body)
