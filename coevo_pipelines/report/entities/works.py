"""Records of works: every node of the day's graph, works that are only named (stubs) too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import links
from coevo_pipelines.report.entities import people
from coevo_pipelines.report.entities.asked import (
    HISTORY,
    MOST,
    RECENT,
    Queries,
    by_owner,
    filled,
    leading,
    over_graph,
    percent,
    placed,
    short,
    words,
)
from coevo_pipelines.report.page import Page, Records

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.report.page import About, Frames

SCORES = (
    "influence", "inflow", "guarded_influence", "guarded_inflow", "rescaled_influence", "traffic", "in_degree",
    "citations", "cd_index", "betweenness", "betweenness_is_exact", "field", "neighbours_in", "neighbours_out",
    "delta_in", "delta_out", "fields_in", "fields_out", "integrative_potential",
)  # fmt: skip
"""Order of `scores` in a record, as web/work.js has it."""
AUTHORS, ALIASES, BONDS, EVENTS, PAYEES, RULES = 100, 30, 12, 40, 20, 20

_WORKS = f"""
, latest AS (
    SELECT coalesce(a.canonical, w.work_id) AS node_id,
           arg_max(w.url, (w.work_id = coalesce(a.canonical, w.work_id), w.event_at, w.date)) AS url,
           arg_max(w.version, (w.work_id = coalesce(a.canonical, w.work_id), w.event_at, w.date)) AS version
    FROM upto_traces_works w LEFT JOIN standing a ON a.id = w.work_id GROUP BY 1),
described AS (
    SELECT coalesce(a.canonical, w.work_id) AS node_id,
           arg_max({{d: w.date, w: w.work_id, s: w.source, e: strftime(w.event_at, '%Y-%m-%d')}},
                   (w.work_id = coalesce(a.canonical, w.work_id), w.event_at, w.date, w.source)) AS found
    FROM upto_traces_works w LEFT JOIN standing a ON a.id = w.work_id GROUP BY 1),
ranked AS (
    SELECT *, rank() OVER (ORDER BY influence DESC) AS place, count(*) OVER () AS everyone
    FROM influence.scores WHERE date = getvariable('day')),
listed AS (SELECT node_id, min(date)::VARCHAR AS first FROM upto_citations_nodes GROUP BY 1)
SELECT w.node_id, w.kind, w.title, w.is_stub, w.owner, w.status, w.license,
       strftime(w.created_at, '%Y-%m-%d') AS created, n.first, strftime(w.event_at, '%Y-%m-%d') AS named,
       w.fields[:20] AS fields, w.tags[:30] AS tags, w.topics[:20] AS topics, len(w.tags) AS all_tags,
       u.url, u.version, d.found.d::VARCHAR AS found_date, d.found.w AS found_id, d.found.s AS found_source,
       r.place, r.everyone, l.chamber_id, l.core_number, l.persistence, l.is_crystalline,
       c.size AS chamber_size, c.leading_terms[:5] AS chamber_terms,
       {", ".join(f"r.{name} AS score_{name}" for name in SCORES)}
FROM works w LEFT JOIN latest u USING (node_id) LEFT JOIN described d USING (node_id) LEFT JOIN listed n USING (node_id)
LEFT JOIN ranked r USING (node_id)
LEFT JOIN influence.lattice l ON l.node_id = w.node_id AND l.date = getvariable('day')
LEFT JOIN influence.chambers c ON c.chamber_id = l.chamber_id AND c.date = getvariable('day')
ORDER BY w.node_id
"""

_LINKS = f"""
, facts AS (
    SELECT coalesce(s.canonical, e.source) AS source, coalesce(t.canonical, e.target) AS target, e.relation,
           arg_min({{evidence: e.evidence, raw: e.raw_sha256, date: e.date, source: e.source, target: e.target}},
                   (e.event_at, e.date, e.source, e.target)) AS fact
    FROM upto_citations_edges e LEFT JOIN standing s ON s.id = e.source LEFT JOIN standing t ON t.id = e.target
    GROUP BY ALL),
scored AS (SELECT node_id, influence FROM influence.scores WHERE date = getvariable('day')),
placed AS (
    SELECT l.source, l.target, l.relation, l.own, strftime(l.event_at, '%Y-%m-%d') AS dated, f.fact,
           a.influence AS source_influence, b.influence AS target_influence,
           row_number() OVER (PARTITION BY l.target ORDER BY a.influence DESC NULLS LAST, l.source, l.relation) AS i,
           row_number() OVER (PARTITION BY l.source ORDER BY b.influence DESC NULLS LAST, l.target, l.relation) AS o
    FROM links l JOIN facts f USING (source, target, relation)
    LEFT JOIN scored a ON a.node_id = l.source LEFT JOIN scored b ON b.node_id = l.target
    WHERE l.source <> l.target)
SELECT source, target, relation, own, dated, fact.evidence[:300] AS evidence, fact.raw[:8] AS raw,
       fact.date::VARCHAR AS date, nullif(fact.source, source) AS as_source, nullif(fact.target, target) AS as_target,
       source_influence, target_influence, i, o
FROM placed WHERE i <= {MOST} OR o <= {MOST} ORDER BY source, target, relation
"""

_COUNTS = """
, sides AS (
    SELECT target AS node_id, relation, 1 AS used, 0 AS uses FROM links WHERE source <> target
    UNION ALL SELECT source, relation, 0, 1 FROM links WHERE source <> target)
SELECT node_id, relation, sum(used)::BIGINT AS used, sum(uses)::BIGINT AS uses FROM sides GROUP BY ALL ORDER BY ALL
"""

_HISTORY = f"""
WITH {RECENT}, ranked AS (
    SELECT s.node_id, r.place, s.influence, s.inflow,
           rank() OVER (PARTITION BY s.date ORDER BY s.influence DESC) AS ranking
    FROM influence.scores s JOIN recent r USING (date))
SELECT node_id, list(place ORDER BY place), list(influence ORDER BY place), list(inflow ORDER BY place),
       list(ranking ORDER BY place)
FROM ranked GROUP BY 1 ORDER BY 1
"""

_METRICS = """
, counted AS (
    SELECT coalesce(a.canonical, m.work_id) AS node_id, m.metric, m.date,
           arg_max({value: m.value, id: m.work_id, source: m.source},
                   (m.value IS NOT NULL, m.work_id = coalesce(a.canonical, m.work_id), m.observed_at, m.work_id)) AS c
    FROM traces.metrics m LEFT JOIN standing a ON a.id = m.work_id WHERE m.date <= getvariable('day') GROUP BY 1, 2, 3)
SELECT node_id, metric, list(r.place ORDER BY r.place) FILTER (r.place IS NOT NULL) AS places,
       list(c.value ORDER BY r.place) FILTER (r.place IS NOT NULL) AS counts,
       arg_max({date: k.date::VARCHAR, value: c.value, id: c.id, source: c.source}, k.date)
           FILTER (c.value IS NOT NULL) AS last
FROM counted k LEFT JOIN recent r USING (date) GROUP BY 1, 2 ORDER BY 1, 2
"""

_EVENTS = f"""
, each AS (
    SELECT coalesce(a.canonical, w.work_id) AS node_id, w.*,
           row_number() OVER (PARTITION BY coalesce(a.canonical, w.work_id)
                              ORDER BY w.date DESC, w.event_at DESC, w.source, w.work_id) AS i
    FROM upto_traces_works w LEFT JOIN standing a ON a.id = w.work_id)
SELECT node_id, date::VARCHAR AS date, strftime(event_at, '%Y-%m-%d %H:%M') AS dated, event, source, status, version,
       license, nullif(work_id, node_id) AS known_as
FROM each WHERE i <= {EVENTS} ORDER BY node_id, i
"""

_BONDS = f"""
, sides AS (
    SELECT work_id AS node_id, other_id, together, days, true AS first FROM influence.bonds
    WHERE date = getvariable('day')
    UNION ALL SELECT other_id, work_id, together, days, false FROM influence.bonds WHERE date = getvariable('day')),
placed AS (
    SELECT b.*, s.influence, row_number() OVER (
        PARTITION BY b.node_id ORDER BY b.together DESC, s.influence DESC NULLS LAST, b.other_id) AS i,
        count(*) OVER (PARTITION BY b.node_id) AS n
    FROM sides b LEFT JOIN influence.scores s ON s.node_id = b.other_id AND s.date = getvariable('day'))
SELECT node_id, n, other_id, together, days, first FROM placed WHERE i <= {BONDS} ORDER BY node_id, i
"""

_CREDITS = f"""
SELECT node_id, persons, person_id, name, position FROM credits WHERE position <= {AUTHORS} ORDER BY node_id, position
"""

_ALIASES = f"""
, placed AS (
    SELECT canonical, id, row_number() OVER (PARTITION BY canonical ORDER BY id) AS i,
           count(*) OVER (PARTITION BY canonical) AS n
    FROM standing WHERE id <> canonical)
SELECT canonical AS node_id, n, id FROM placed WHERE i <= {ALIASES} ORDER BY canonical, id
"""

_REWARDS = f"""
WITH {RECENT}, sums AS (
    SELECT e.date, e.round, e.work_id, e.person_id, sum(e.amount) AS amount
    FROM rewards.explanations e JOIN recent USING (date) WHERE e.work_id IS NOT NULL GROUP BY ALL),
placed AS (
    SELECT *, sum(amount) OVER (PARTITION BY round, work_id) AS total,
           row_number() OVER (PARTITION BY round, work_id ORDER BY amount DESC, person_id) AS i,
           count(*) OVER (PARTITION BY round, work_id) AS n
    FROM sums WHERE date = getvariable('day'))
SELECT p.work_id, p.round, r.currency, r.decimals, p.total::VARCHAR AS total, p.n, p.person_id, a.name,
       p.amount::VARCHAR AS amount
FROM placed p JOIN rewards.rounds r ON r.round = p.round AND r.date = p.date
LEFT JOIN rewards.allocations a ON a.round = p.round AND a.date = p.date AND a.person_id = p.person_id
WHERE p.i <= {PAYEES} ORDER BY p.work_id, p.round, p.i
"""

_EARNED = f"""
WITH {RECENT}, sums AS (
    SELECT e.work_id, e.round, r.place, sum(e.amount)::DOUBLE AS amount
    FROM rewards.explanations e JOIN recent r USING (date) WHERE e.work_id IS NOT NULL GROUP BY ALL)
SELECT work_id, round, list(place ORDER BY place), list(amount ORDER BY place) FROM sums GROUP BY 1, 2 ORDER BY 1, 2
"""

_HELD = """
SELECT subject, round, held, count(*) AS people, (sum(merit) / 1e18)::DOUBLE AS merit
FROM rewards.eligibility WHERE date = getvariable('day') AND held IS NOT NULL AND subject <> person_id
GROUP BY ALL ORDER BY ALL
"""

_CORPORA = f"""
WITH sums AS (
    SELECT work_id, blueprint, rule, count(*) AS documents, sum(tokens)::BIGINT AS tokens,
           min(doc_id) AS example, arg_min(detail, doc_id) AS detail
    FROM corpora.documents WHERE date = getvariable('day') GROUP BY ALL),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY work_id ORDER BY blueprint, rule NULLS FIRST) AS i FROM sums)
SELECT work_id, blueprint, rule, documents, tokens, example, detail FROM placed WHERE i <= {RULES} ORDER BY work_id, i
"""


def _queries() -> dict[str, str]:
    return {
        "works": over_graph(_WORKS),
        "links": over_graph(_LINKS),
        "counts": over_graph(_COUNTS),
        "history": _HISTORY,
        "metrics": over_graph(_METRICS),
        "events": over_graph(_EVENTS),
        "bonds": over_graph(_BONDS),
        "credits": over_graph(_CREDITS),
        "aliases": over_graph(_ALIASES),
        "rewards": _REWARDS,
        "earned": _EARNED,
        "held": _HELD,
        "corpora": _CORPORA,
        "standing": over_graph("SELECT id, canonical FROM standing ORDER BY id"),
        **people.WHO,
    }


def records(frames: Frames, about: About) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One record a work as of the day, and for each other identifier of one the work that it `is`."""
    days = min(len(about.days), HISTORY)
    who = people.who(frames)
    titles = dict(frames["works"].select("node_id", "title").iter_rows())
    kinds = dict(frames["works"].select("node_id", "kind").iter_rows())
    users, uses = _links(frames["links"], titles, kinds)
    rest = {name: by_owner(frames[name]) for name in frames if name not in ("works", "links", "standing")}
    for row in frames["works"].iter_rows(named=True):
        node = row["node_id"]
        counts = rest["counts"].get(node, [])
        credits = rest["credits"].get(node, [])
        bonds = rest["bonds"].get(node, [])
        aliases = rest["aliases"].get(node, [])
        yield (
            node,
            filled(
                {
                    **_described(row, who),
                    "scores": None if row["place"] is None else [_score(row[f"score_{name}"]) for name in SCORES],
                    "rank": None if row["place"] is None else [row["place"], row["everyone"]],
                    "lattice": _lattice(row),
                    "authors": [[who.page(person), who.name(person, name)] for _, person, name, _ in credits],
                    "all_authors": credits[0][0] if credits else None,
                    "aliases": [words(each) for _, each in aliases],
                    "all_aliases": aliases[0][0] if aliases else None,
                    "used": {relation: used for relation, used, _ in counts if used} or None,
                    "uses": {relation: number for relation, _, number in counts if number} or None,
                    "users": users.get(node),
                    "builds_on": uses.get(node),
                    "bonds": [[other, words(titles.get(other)), *found] for _, other, *found in bonds],
                    "all_bonds": bonds[0][0] if bonds else None,
                    "history": _history(rest["history"].get(node), days),
                    "metrics": [_metric(each, days) for each in rest["metrics"].get(node, [])],
                    "events": [[*e[:5], words(e[5]), words(e[6]), words(e[7])] for e in rest["events"].get(node, [])],
                    "rewards": _rewards(rest["rewards"].get(node, []), rest["earned"].get(node, []), days, who),
                    "held": [[*each[:3], short(each[3])] for each in rest["held"].get(node, [])],
                    "corpora": [
                        [words(name), rule, documents, tokens, words(example), words(detail)]
                        for name, rule, documents, tokens, example, detail in rest["corpora"].get(node, [])
                    ],
                }
            ),
        )
    for other, canonical in frames["standing"].iter_rows():
        if other not in titles and canonical in titles:
            yield other, {"is": canonical}


def _described(row: Mapping[str, Any], who: people.Who) -> dict[str, Any]:
    owner = row["owner"]
    return {
        "title": words(row["title"], 1000),
        "kind": row["kind"],
        "stub": row["is_stub"],
        "created": row["created"],
        "named": row["named"],
        "first": row["first"],
        "status": row["status"],
        "licence": words(row["license"]),
        "owner": None if owner is None else [who.page(owner), who.name(owner, owner)],
        "url": words(row["url"], 2000),
        "version": words(row["version"]),
        "found": None if row["found_date"] is None else [row["found_date"], row["found_id"], row["found_source"]],
        "fields": [words(each) for each in row["fields"] or []],
        "topics": [words(each) for each in row["topics"] or []],
        "tags": [words(each) for each in row["tags"] or []],
        "all_tags": row["all_tags"],
    }


def _score(value: Any) -> Any:
    return short(value) if isinstance(value, float) else words(value) if isinstance(value, str) else value


def _lattice(row: Mapping[str, Any]) -> list[Any] | None:
    """chamber, its size and terms, core number, persistence, crystalline."""
    if row["core_number"] is None:
        return None
    chamber = row["chamber_id"] if row["chamber_size"] is not None else None
    terms = [words(each) for each in row["chamber_terms"] or []]
    return [chamber, row["chamber_size"], terms, row["core_number"], short(row["persistence"]), row["is_crystalline"]]


def _links(
    found: pl.DataFrame, titles: Mapping[str, str | None], kinds: Mapping[str, str | None]
) -> tuple[dict[str, list[list[Any]]], dict[str, list[list[Any]]]]:
    """Links into and out of each work, of the most influential other ends first.

    A link: other, title, kind, relation, influence of the other, when, evidence, first of its raw_sha256, why it
    weighs nothing, date of its partition, and source and target there where they have another identifier since.
    """
    into: dict[str, list[tuple[int, list[Any]]]] = {}
    out: dict[str, list[tuple[int, list[Any]]]] = {}
    for (
        source, target, relation, own, dated, evidence, raw, date, as_source, as_target, above, below, place_in,
        place_out,
    ) in found.iter_rows():  # fmt: skip
        tail = [dated, words(evidence, 300), raw, own, date]
        if as_source or as_target:
            tail += [as_source, as_target]
        if place_in <= MOST:
            link = [source, words(titles.get(source)), kinds.get(source), relation, short(above), *tail]
            into.setdefault(target, []).append((place_in, link))
        if place_out <= MOST:
            link = [target, words(titles.get(target)), kinds.get(target), relation, short(below), *tail]
            out.setdefault(source, []).append((place_out, link))
    return _in_order(into), _in_order(out)


def _in_order(found: Mapping[str, list[tuple[int, list[Any]]]]) -> dict[str, list[list[Any]]]:
    return {node: [link for _, link in sorted(links, key=lambda each: each[0])] for node, links in found.items()}


def _history(found: list[tuple[Any, ...]] | None, days: int) -> list[list[Any]] | None:
    """Lines of influence, inflow and rank."""
    if not found:
        return None
    places, *lines = found[0]
    return [placed(places, line, days) for line in lines]


def _metric(found: tuple[Any, ...], days: int) -> list[Any]:
    """metric, line, and the last count: date, value, identifier that it was counted for, source; null: never."""
    metric, places, values, last = found
    line = placed(places or [], values or [], days)
    return [metric, line, None if last is None else [last["date"], last["value"], last["id"], last["source"]]]


def _rewards(
    found: list[tuple[Any, ...]], earned: list[tuple[Any, ...]], days: int, who: people.Who
) -> list[list[Any]]:
    """Of each round: name, currency, decimals, total, payees in all, payees, line of totals.

    A payee: page, name, amount, identifier in the tables (null for who has no page).
    """
    lines = {name: placed(places, amounts, days) for name, places, amounts in earned}
    rounds: dict[str, list[Any]] = {}
    for name, currency, decimals, total, number, person, given, amount in found:
        own = rounds.setdefault(name, [words(name), words(currency), decimals, total, number, [], lines.get(name)])
        page = who.page(person)
        own[5].append([page, who.name(person, given or person), amount, person if page else None])
    return list(rounds.values())


_LEADING = """
SELECT s.node_id, n.title, n.kind, s.influence FROM influence.scores s
JOIN citations.nodes_as_of(getvariable('day')) n USING (node_id)
WHERE s.date = getvariable('day') AND NOT n.is_stub ORDER BY s.influence DESC, s.node_id LIMIT 20
"""


def body(frames: Frames, about: About) -> str:
    """HTML of the page before a record is in it."""
    rows = (
        f'{links.to("work", node, title or node)} <span class="soft">{kind}, '
        f"{links.proof('influence.scores', about.day, percent(influence), node_id=node)} of all influence</span>"
        for node, title, kind, influence in frames["leading"].iter_rows()
    )
    return leading(rows, "work", "works") + '<p><a href="works.html">All works, with a search</a></p>\n'


PAGE = Page("work", "Work", {"leading": _LEADING}, body, ("entity.js", "work.js"), in_navigation=False)
RECORDS = Records("work", Queries(_queries), records)
