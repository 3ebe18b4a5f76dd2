"""The reward rounds of the day: where all of each pool went, to whom, why, how unequally, and what waits.

Whoever opted out, in person or as owner, is not named here: their parts stand in sums only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from coevo_pipelines.report import charts
from coevo_pipelines.report.html import name, rest, share, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.words import counted, folded, percent, short
from coevo_pipelines.rewards.asked import TO_DO
from coevo_pipelines.rewards.concentration import Concentration, concentration, lorenz
from coevo_pipelines.rewards.persons import Register, identified, register
from coevo_pipelines.terminal import money

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

PAID, OPEN, WAITING, PARTS, DAYS, ALERTS = 100, 10, 50, 3, 60, 50
"""Most rows shown: who is paid, of them without a click, who could claim, parts of an amount, days, alerts."""
OUT = ("opted_out", "owner_opted_out", "work_opted_out")
"""Reasons for which a part is held that name nobody."""

QUERIES = {
    "rounds": "FROM rewards.rounds WHERE date = getvariable('day') ORDER BY round",
    "history": f"""SELECT date, round, budget, receipts, escrow, reserve, recipients, gini, is_paid, currency, decimals
        FROM rewards.rounds WHERE date BETWEEN getvariable('day') - {DAYS - 1} AND getvariable('day')
        ORDER BY round, date""",
    "allocations": """SELECT round, person_id, name, amount, floor, receipt, held, is_capped, is_dropped
        FROM rewards.allocations WHERE date = getvariable('day') ORDER BY round, amount DESC, person_id""",
    "explanations": f"""WITH paid AS (
            SELECT round, person_id FROM rewards.allocations WHERE date = getvariable('day') AND receipt > 0
            QUALIFY row_number() OVER (PARTITION BY round ORDER BY receipt DESC, person_id) <= {PAID + 1}),
        n AS (SELECT node_id, title FROM citations.nodes_as_of(getvariable('day')))
        SELECT e.round, e.person_id, e.place, e.part, e.work_id, w.title AS work, e.via, v.title AS via_title,
            e.relation, e.amount
        FROM rewards.explanations e SEMI JOIN paid USING (round, person_id)
        LEFT JOIN n w ON w.node_id = e.work_id LEFT JOIN n v ON v.node_id = e.via
        WHERE e.date = getvariable('day') ORDER BY e.round, e.person_id, e.place""",
    "escrow": """SELECT round, person_id, subject, held, opened, expires, amount, state, released_to, holding_id
        FROM rewards.escrow WHERE date = getvariable('day') ORDER BY holding_id""",
    "claims": "FROM traces.claims WHERE date = getvariable('day') ORDER BY person_id, subject",
    "optouts": "FROM traces.optouts WHERE date = getvariable('day') ORDER BY scope, subject",
    "aliases": """SELECT id, arg_max(node_id, date) AS canonical FROM citations.aliases
        WHERE date <= getvariable('day') GROUP BY id ORDER BY id""",
    "alerts": "FROM rewards.alerts WHERE date = getvariable('day') ORDER BY kind, score DESC, alert",
    "titles": """SELECT n.node_id, n.title FROM citations.nodes_as_of(getvariable('day')) n
        SEMI JOIN (SELECT unnest(works) AS node_id FROM rewards.alerts WHERE date = getvariable('day')) a
        USING (node_id) WHERE n.title IS NOT NULL ORDER BY n.node_id""",
}
_WHAT = (
    '<p class="lead">A round is a pool of money that is divided among the people behind the works, by how much the '
    "works are used. Every cent has a place: it goes to somebody, waits for somebody, or stays in reserve.</p>\n"
)
_KINDS = {
    "reciprocity": "two that mostly use each other",
    "burst": "many links at once from accounts that have nothing else",
    "closed_clique": "a circle that uses itself and is used by nobody else",
    "self_citation": "mostly one's own works",
    "split_repositories": "one thing in many repositories",
}
_HELD = {
    "retracted": "the work was withdrawn",
    "licence": "the licence is not one that the round pays for",
    "work_opted_out": "the work was taken out by its people",
    "owner_opted_out": "the owner of the works opted out",
    "opted_out": "the person opted out",
    "disputed": "two people claim it",
    "unknown_person": "the source names nobody",
    "unverified": "nobody has claimed it yet",
}


class Units:
    """How amounts of a round are written: minor units as people write them, with the name of the currency as given."""

    def __init__(self, row: Row) -> None:
        self.of = (int(row["decimals"]), str(row["currency"]))

    def __call__(self, amount: Any) -> str:
        return money(amount, *self.of)


def body(frames: Frames, about: About) -> str:
    """HTML of the page; `frames` as `QUERIES` ask for them."""
    play = (
        '<p class="note">This is play money: the round, its claims and its opt-outs are made up for the sample.</p>\n'
        if about.world == "sample"
        else ""
    )
    rounds = frames["rounds"].to_dicts()
    if not rounds:
        why = "no round is set up, or its first day has not come (setting <code>rounds</code>)"
        return f"{_WHAT}{play}<p>No round divides money on {about.day}: {why}.</p>\n{_alerts(frames, set(), about)}"
    known = register(frames["claims"], frames["optouts"], frames["aliases"])
    unnamed = _unnamed(frames, known)
    parts = [_WHAT, play]
    for row in rounds:
        own = {name: frames[name].filter(pl.col("round") == row["round"])
               for name in ("history", "allocations", "explanations", "escrow")}  # fmt: skip
        parts.append(_round(row, own, unnamed, about))
    return "".join((*parts, _alerts(frames, unnamed, about), _check()))


def _unnamed(frames: Frames, known: Register) -> set[str]:
    """Who is not to be named: people who opted out under any of their names, as of the day, and owners who did."""
    escrow, given = frames["escrow"], frames["allocations"]
    held_for = escrow.filter(pl.col("held").is_in(OUT))["person_id"]
    members = frames["alerts"]["members"].explode().drop_nulls()
    ids = pl.concat(
        each.cast(pl.String).alias("person_id")
        for each in (given["person_id"], escrow["person_id"], escrow["released_to"].drop_nulls(), members)
    )
    raw = ids.unique().sort()
    said = identified(pl.DataFrame({"person_id": raw}), known)["held"]
    owners = set(known.owners_out["key"])
    out = {each for each, held in zip(raw, said, strict=True) if held == "opted_out" or each.lower() in owners}
    # Of somebody all of whose money is held for a work that was taken out, the name would say whose work that is.
    whole = escrow.group_by("person_id").agg(pl.col("held").is_in(OUT).all())
    return out | set(whole.filter("held")["person_id"]) & set(held_for)


def _round(row: Row, own: Frames, unnamed: set[str], about: About) -> str:
    units, given, day = Units(row), own["allocations"], about.day
    amounts = [int(each) for each in given["amount"] if each > 0]
    return (
        f'<h2 id="round-{text(row["round"])}">Round {text(row["round"])}</h2>\n'
        + _standing(row)
        + _numbers(row, given, units, day)
        + _pool(row, units, day)
        + _rules(row, units)
        + _paid(row, own, unnamed, units, about)
        + _concentration(row, concentration(amounts), units, about)
        + _held(row, own, unnamed, units, about)
        + _history(row, own["history"], units)
    )


def _standing(row: Row) -> str:
    if row["is_paid"]:
        return '<p><span class="state good">Paid</span> and entered in the reward ledger on this day.</p>\n'
    why = row["why_not"] or "its period has not ended"
    state = "Not paid" if row["closes"] else "Not paid yet"
    return f'<p><span class="state warn">{state}</span>: {text(why)}. This is what it would pay.</p>\n'


def _numbers(row: Row, given: pl.DataFrame, units: Units, day: Any) -> str:
    payees = given.filter(pl.col("receipt") > 0).height
    capped, dropped = int(given["is_capped"].sum()), int(given["is_dropped"].sum())
    numbers = [
        ("Divided", proof("rewards.rounds", day, units(row["budget"]), round=row["round"])),
        ("People who are paid" if row["is_paid"] else "People who may be paid", f"{payees:,}"),
        ("With a share in all", f"{row['recipients']:,}"),
        ("Held down by the cap", f"{capped:,}"),
        ("Below the minimum", f"{dropped:,}"),
    ]
    return "<dl>" + "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in numbers) + "</dl>\n"


_PLACES = (("receipts", "for people"), ("escrow", "in escrow"), ("reserve", "in reserve"))


def _pool(row: Row, units: Units, day: Any) -> str:
    """The equation that adds up, and its picture."""
    terms = " + ".join(
        f"{proof('rewards.rounds', day, units(row[name]), round=row['round'])} {what}" for name, what in _PLACES
    )
    whole = int(row["budget"])
    source = f"{units(row['pool'])} pool"
    if row["returned"]:
        source += f" + {units(row['returned'])} back from expired escrow = {units(whole)}"
    equation = f"<p>{text(source)} = {terms}</p>\n"
    if not whole:
        return f"{equation}<p>The pool is empty, so there is nothing to divide.</p>\n"
    values = [
        {"what": what, "order": order, "share": int(row[name]) / whole}
        for order, (name, what) in enumerate(_PLACES)
        if row[name]
    ]
    told = "; ".join(f"{percent(int(row[name]) / whole)} {what}" for name, what in _PLACES)

    def draw(width: int) -> charts.Chart:
        import altair as alt

        x = alt.X("share:Q", title=None, axis=alt.Axis(format=charts.SHARES, tickCount=4), stack="zero",
                  scale=alt.Scale(domain=[0, 1]))  # fmt: skip
        colour = alt.Color("what:N", scale=alt.Scale(domain=[what for _, what in _PLACES]),
                           legend=alt.Legend(columns=3 if width == charts.WIDE else 2))  # fmt: skip
        bar = alt.Chart(pl.DataFrame(values)).mark_bar(size=34)
        done: charts.Chart = bar.encode(x=x, color=colour, order="order:Q").properties(width=width, height=92)
        return done

    return equation + charts.figure("Where the pool went", f"{told}.", draw)


def _rules(row: Row, units: Units) -> str:
    rules = json.loads(row["policy"])
    facts = [
        ("Divided", {"day": "each day", "week": "each week, on Sunday", "month": "each month, on its last day"}.get(
            rules.get("period"), str(rules.get("period"))) + f", since {rules.get('start')}"),
        ("Floor", f"{_part(rules.get('floor'))} of the pool ({units(row['floor'])}) is divided equally among verified "
                  "people"),
        ("By merit", _policies(rules.get("policies") or [], units)),
        ("Merit", f"{_part(1 - float(rules.get('integration') or 0))} by how much a work is used, "
                  f"{_part(rules.get('integration'))} by use times integrative potential; a work keeps "
                  f"{_part(rules.get('keep'))} and passes the rest to what it stands on"),
        ("Cap", f"nobody gets more than {units(row['cap'])}" if row["cap"] is not None else "none for one person"),
        ("Minimum", f"less than {units(row['minimum'])} is not paid out" if row["minimum"] else "none"),
        ("Waits", f"held money waits {counted(int(rules.get('escrow_days') or 0), 'day')}, then goes back to the pool"),
    ]  # fmt: skip
    if row["owner_cap"] is not None:
        facts.append(("Owners", f"all works of one account bring {units(row['owner_cap'])} at most"))
    if rules.get("topic"):
        facts.append(("Topic", f"only works of {rules['topic']} count"))
    if rules.get("licenses") is not None:
        facts.append(("Licences", f"only works under {', '.join(rules['licenses']) or 'none'} are paid"))
    listed = "".join(f"<div><dt>{what}</dt><dd>{text(told)}</dd></div>" for what, told in facts)
    return f'<h3>The rules</h3>\n<dl class="facts">{listed}</dl>\n'


def _part(given: Any) -> str:
    return f"{100 * float(given or 0):g}%"


def _policies(policies: Sequence[Row], units: Units) -> str:
    whole = sum(float(each["share"]) for each in policies) or 1
    told = []
    for each in policies:
        match each["name"]:
            case "IMMEDIATE":
                days = int(each["days"])
                words = "by the merit of the day" if days == 1 else f"by the merit of the last {days:,} days"
            case "RECENT":
                words = (
                    f"by the merit of the last {counted(int(each['lookback']), 'day')}, which fades by "
                    f"{_part(each['discount'])} a day"
                )
            case "BALANCED":
                words = "to whoever has got less than their share so far"
            case _:
                most = "" if each["most"] is None else f", at most {units(each['most'])}"
                words = f"set apart{most}: {each['memo']}"
        told.append(f"{_part(float(each['share']) / whole)} {words}")
    return "; ".join(told) if policies else "nothing"


def _paid(row: Row, own: Frames, unnamed: set[str], units: Units, about: About) -> str:
    everyone = own["allocations"].filter(pl.col("receipt") > 0).sort("receipt", "person_id", descending=[True, False])
    title = f"<h3>{'Who is paid, and why' if row['is_paid'] else 'Who would be paid, and why'}</h3>\n"
    if everyone.is_empty():
        return f"{title}<p>Nobody: no part of this round belongs to anyone who has claimed it with a proof.</p>\n"
    named = [each for each in everyone.head(PAID + len(unnamed)).to_dicts() if each["person_id"] not in unnamed][:PAID]
    why: dict[str, list[Row]] = {}
    for part in own["explanations"].to_dicts():
        why.setdefault(part["person_id"], []).append(part)
    rows = [
        [
            to("person", each["person_id"], each["name"] or each["person_id"]),
            _owed(each, "receipt", row, units, about),
            share(int(each["receipt"]), int(row["budget"])),
            _why(why.get(each["person_id"], []), int(each["receipt"]), units),
        ]
        for each in named
    ]
    heads = ("Person", "Gets#", "Of the pool", "What brings it")
    total = sum(int(each) for each in everyone["receipt"])
    caption = f"{counted(everyone.height, 'person')}, {units(total)} together"
    return (
        f"{title}{folded(caption, heads, rows, OPEN)}"
        + rest(everyone.height - len(rows), "people", "rewards.allocations")
        + '<p class="soft">The parts of an amount add up to it. All of them, and what would change without one: '
        f"<kbd>coevo rewards explain ID --round {text(row['round'])} --what-if</kbd></p>\n"
    )


def _owed(each: Row, column: str, row: Row, units: Units, about: About) -> str:
    number = proof("rewards.allocations", about.day, units(each[column]), round=row["round"],
                   person_id=each["person_id"])  # fmt: skip
    return f'{number}<br><span class="soft">held down by the cap</span>' if each["is_capped"] else number


def _why(parts: Sequence[Row], amount: int, units: Units) -> str:
    """The largest parts, and what is left: together the amount."""
    links = [part for part in parts if part["part"] in {"use", "lineage"}][:PARTS]
    floor = [part for part in parts if part["part"] == "floor"]
    lines = [(part["amount"], _link(part)) for part in links]
    lines += [(part["amount"], "the equal part") for part in floor]
    left = amount - sum(int(part["amount"]) for part in (*links, *floor))
    if left:
        past = bool(parts) and all(part["part"] in {"past", "floor"} for part in parts)
        smaller = counted(max(1, len(parts) - len(links) - len(floor)), "smaller part")
        lines.append((left, "from earlier days" if past else f"in {smaller}"))
    return "".join(f'<div class="part"><span>{text(units(each))}</span><div>{what}</div></div>' for each, what in lines)


_USES = {"derives_from": "built on by", "trained_on": "used in training by", "depends_on": "needed by",
         "cites": "cited by", "mentions": "mentioned by"}  # fmt: skip


def _link(part: Row) -> str:
    own = to("work", part["work_id"], short(part["work"] or part["work_id"], 60)) if part["work_id"] else "a work"
    if not part["via"]:
        return own
    verb = _USES.get(part["relation"] or "", "used by")
    credit = " (passed on to what it stands on)" if part["part"] == "lineage" else ""
    via = to("work", part["via"], short(part["via_title"] or part["via"], 60))
    return f'{own} <span class="soft">{verb}</span> {via}{credit}'


def _concentration(row: Row, found: Concentration, units: Units, about: About) -> str:
    title = "<h3>How unequally</h3>\n"
    if found.gini is None or found.top_10 is None or found.top_tenth is None:
        return f"{title}<p>Nobody gets anything, so there is nothing to compare.</p>\n"
    gini = proof("rewards.rounds", about.day, f"{float(found.gini):.3f}", round=row["round"])
    told = (
        f"<p>Gini coefficient {gini} (0: all get the same; 1: one gets all). The ten largest of "
        f"{counted(found.recipients, 'share')} have {percent(float(found.top_10))}, the largest tenth has "
        f"{percent(float(found.top_tenth))}. Held parts count as their people's.</p>\n"
    )
    half = next((float(y) for x, y in found.lorenz if x >= 0.5), 1.0)

    words = (
        f"Lorenz curve: the half that gets least has {percent(half)} of the {units(found.total)}. Dashed: all get the "
        "same."
    )
    return title + told + charts.figure("Who has how much of the sum", words, partial(lorenz, found))


def _held(row: Row, own: Frames, unnamed: set[str], units: Units, about: About) -> str:
    escrow = own["escrow"]
    waiting = escrow.filter(pl.col("state") == "open")
    title = "<h3>Unclaimed and held back</h3>\n"
    moved = _released(escrow, own["allocations"], unnamed, units, about)
    if waiting.is_empty():
        return f"{title}<p>Nothing waits in escrow.</p>\n{moved}"
    total = sum(int(each) for each in waiting["amount"])
    fresh = sum(int(each) for each in waiting.filter(pl.col("opened") == str(about.day))["amount"])
    told = (
        f"<p>{proof('rewards.escrow', about.day, units(total), round=row['round'])} wait in escrow, "
        f"{text(units(fresh))} of it from this day. The first of it goes back to the "
        f"pool on {text(min(waiting['expires']))}.</p>\n"
    )
    reasons = []
    for reason, what in _HELD.items():
        part = waiting.filter(pl.col("held") == reason)
        if part.height:
            amount = sum(int(each) for each in part["amount"])
            people = part["person_id"].n_unique()
            number = proof("rewards.escrow", about.day, units(amount), round=row["round"], held=reason)
            reasons.append([what.capitalize(), number, share(amount, total), f"{people:,}", _code(TO_DO[reason])])
    heads = ("Why", "Amount#", "Of all that waits", "People#", "What can be done")
    by_reason = folded("What waits, by reason", heads, reasons, len(_HELD))
    return f"{title}{told}{by_reason}" + _claimable(row, waiting, own["allocations"], unnamed, units, about) + moved


def _code(told: str) -> str:
    """Our own words, with names of settings between backticks."""
    return re.sub("`(.*?)`", r"<code>\1</code>", text(told))


def _claimable(
    row: Row, waiting: pl.DataFrame, given: pl.DataFrame, unnamed: set[str], units: Units, about: About
) -> str:
    """For whom money waits: by name only those who did not opt out."""
    names = dict(given.select("person_id", "name").iter_rows())
    mine = waiting.filter(~pl.col("held").is_in(OUT))
    people = mine.group_by("person_id").agg(
        pl.col("amount").sum(), pl.col("expires").min(), pl.col("held").unique().sort()
    )
    ordered = people.sort("amount", "person_id", descending=[True, False])
    shown = [each for each in ordered.to_dicts() if each["person_id"] not in unnamed]
    if not shown:
        return ""
    rows = [
        [
            to("person", each["person_id"], names.get(each["person_id"]) or each["person_id"])
            + f'<br><code class="id">{name(each["person_id"])}</code>',
            proof("rewards.escrow", about.day, units(each["amount"]), round=row["round"], person_id=each["person_id"]),
            text(each["expires"]),
            text(", ".join(_HELD.get(reason, reason) for reason in each["held"])),
        ]
        for each in shown[:WAITING]
    ]
    hidden = waiting.filter(pl.col("held").is_in(OUT) | pl.col("person_id").is_in(sorted(unnamed)))
    apart = (
        f'<p class="soft">{text(units(sum(map(int, hidden["amount"]))))} more are held because people, owners '
        "or works opted out. They are not named.</p>\n"
        if hidden.height
        else ""
    )
    heads = ("For", "Waits#", "Until", "Why")
    caption = "For whom it waits, the largest amounts first; until: when the first part of it goes back"
    return (
        f"{folded(caption, heads, rows, OPEN)}{rest(len(shown) - WAITING, 'people', 'rewards.escrow')}{apart}"
        '<p class="note">Is that you? Ask the keeper of the round for an entry in <code>register.toml</code>: a '
        "<code>[[claims]]</code> with your name in it, what you claim (an account, an ORCID iD, or the author's place "
        "as it stands above) and where you have said so in public. Who wants to be left out says so there too.</p>\n"
    )


def _released(escrow: pl.DataFrame, given: pl.DataFrame, unnamed: set[str], units: Units, about: About) -> str:
    names = dict(given.select("person_id", "name").iter_rows())
    told = []
    released = escrow.filter((pl.col("state") == "released") & pl.col("released_to").is_not_null())
    for person, amount in released.group_by("released_to").agg(pl.col("amount").sum()).sort("released_to").iter_rows():
        if person not in unnamed:
            number = proof("rewards.escrow", about.day, units(amount), state="released", released_to=person)
            told.append(
                f"{number} were released to {to('person', person, names.get(person) or person)}, who claimed them"
            )
    expired = escrow.filter(pl.col("state") == "expired")
    if expired.height:
        number = proof("rewards.escrow", about.day, units(sum(int(e) for e in expired["amount"])), state="expired")
        told.append(f"{number} expired and go back to the pool")
    return f"<p>On this day {'; '.join(told)}.</p>\n" if told else ""


def _history(row: Row, history: pl.DataFrame, units: Units) -> str:
    title = "<h3>Day by day</h3>\n"
    if history.height < 2:
        return f"{title}<p>This is the first day of the round.</p>\n"
    days = history.to_dicts()
    values = []
    for each in days:
        reached = 0
        for column, what in _PLACES:
            below, reached = reached, reached + int(each[column])
            scaled = [amount / 10 ** int(each["decimals"]) for amount in (below, reached)]
            values.append((each["date"], each["date"] + timedelta(days=1), what, *scaled))
    drawn = pl.DataFrame(values, ("day", "next", "what", "below", "reached"), orient="row")

    def draw(width: int) -> charts.Chart:
        import altair as alt

        y = alt.Y("below:Q", title=str(row["currency"]))
        colour = alt.Color("what:N", scale=alt.Scale(domain=[what for _, what in _PLACES]),
                           legend=alt.Legend(columns=3 if width == charts.WIDE else 2))  # fmt: skip
        x = charts.days(days[0]["date"], days[-1]["date"], width)
        bars = alt.Chart(drawn).mark_rect(stroke=charts.PAPER)
        encoded = bars.encode(x=x, x2="next:T", y=y, y2="reached:Q", color=colour)
        done: charts.Chart = encoded.properties(width=width, height=220)
        return done

    rows = [
        [
            proof("rewards.rounds", each["date"], str(each["date"]), round=row["round"]),
            *(text(units(each[name])) for name in ("budget", "receipts", "escrow", "reserve")),
            f"{each['recipients']:,}",
            "–" if each["gini"] is None else f"{each['gini']:.3f}",
            "paid" if each["is_paid"] else "shown only",
        ]
        for each in reversed(days)
    ]
    heads = ("Day", "Divided#", "For people#", "Escrow#", "Reserve#", "Shares#", "Gini#", "Paid?")
    words = f"What each day divides: {units(days[0]['budget'])} on {days[0]['date']}, {units(days[-1]['budget'])} now."
    numbers = folded(f"The last {DAYS} days, newest first", heads, rows, DAYS)
    return (
        f"{title}{charts.figure('The round over the days', words, draw)}"
        f"<details><summary>The days in numbers</summary>{numbers}</details>\n"
    )


def _alerts(frames: Frames, unnamed: set[str], about: About) -> str:
    alerts = frames["alerts"]
    title = '<h2 id="alerts">What looks arranged</h2>\n'
    if alerts.is_empty():
        return f"{title}<p>Nothing in the graph of {about.day} looks made for the score.</p>\n"
    titles = dict(frames["titles"].iter_rows())
    rows = []
    for each in alerts.head(ALERTS).to_dicts():
        hidden = unnamed.intersection(each["members"])
        members = [text(short(member, 80)) for member in each["members"][:5] if member not in hidden]
        members += ["somebody who opted out"] * bool(hidden)
        reason = "" if hidden else f'<br><span class="soft">{text(each["reason"])}</span>'
        rows.append(
            [
                f"{_KINDS.get(each['kind'], each['kind']).capitalize()}{reason}",
                "<br>".join((*members, *_more(len(each["members"]) - 5))),
                "<br>".join((*_works(each["works"][:3], titles), *_more(len(each["works"]) - 3))),
                proof("rewards.alerts", about.day, f"{each['score']:.2f}", alert=each["alert"]),
            ]
        )
    heads = ("What it looks like", "Who", "Works", "Score#")
    told = '<p class="told">For a person to look at. No money depends on it.</p>\n'
    caption = "By kind, the farthest from usual first; scores compare inside a kind"
    return f"{title}{told}{folded(caption, heads, rows, OPEN)}" + rest(
        alerts.height - ALERTS, "alerts", "rewards.alerts"
    )


def _works(works: Iterable[str], titles: Mapping[str, str]) -> list[str]:
    return [to("work", work, short(titles.get(work, work), 60)) for work in works]


def _more(number: int) -> list[str]:
    return [f'<span class="soft">and {number:,} more</span>'] if number > 0 else []


def _check() -> str:
    return (
        '<h2 id="check">Check it</h2>\n<ul class="rows">'
        "<li><kbd>coevo rewards replay</kbd> divides nothing anew: it replays the reward ledger from its first line, "
        "checks every hash, sum and cap, and compares it with the tables.</li>"
        "<li><kbd>coevo rewards explain ID</kbd> says for a person which links bring the amount, adding up to it.</li>"
        "<li><kbd>coevo rewards show</kbd> is this page in the terminal.</li></ul>\n"
    )


PAGE = Page("rewards", "Rewards", QUERIES, body)
