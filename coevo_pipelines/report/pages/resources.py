"""Needs and resources of the day: who could give what to whom, what is wanted, and what stays unmet and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import atlas
from coevo_pipelines.report.html import name, rest, share, text
from coevo_pipelines.report.links import proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.pages import hubs
from coevo_pipelines.report.words import amount, counted, folded, kind, percent, short

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

ITEMS, UNMET, MATCHES, OPEN, PAIRS = 200, 200, 200, 12, 5_000
"""Most rows shown of items, unmet needs and matches; of each without a click; pairs of hubs on the map."""

_HUBS = """SELECT hub_id, kind, title, latitude, longitude, coarsened_km, place FROM hubs.registry
    WHERE date = getvariable('day') ORDER BY hub_id"""
QUERIES = {
    "hubs": _HUBS,
    "met": hubs.MET,
    "markets": f"""SELECT * REPLACE (objective::VARCHAR AS objective, bound::VARCHAR AS bound),
            count(*) OVER () AS every
        FROM hubs.markets WHERE date = getvariable('day')
        ORDER BY needs DESC, offers DESC, kind, item, unit LIMIT {ITEMS}""",
    "solved": """SELECT count(*) AS markets, count(*) FILTER (objective = bound) AS best,
            coalesce(sum(objective), 0)::VARCHAR AS objective, coalesce(sum(bound), 0)::VARCHAR AS bound,
            coalesce(sum(offers), 0)::BIGINT AS offers
        FROM hubs.markets WHERE date = getvariable('day')""",
    "pairs": f"""SELECT offer_hub, need_hub, count(*) AS matches FROM hubs.matches WHERE date = getvariable('day')
        GROUP BY ALL ORDER BY matches DESC, offer_hub, need_hub LIMIT {PAIRS}""",
    "matches": f"""SELECT *, count(*) OVER () AS every FROM hubs.matches WHERE date = getvariable('day')
        ORDER BY priority DESC, until_at, need_hub, need_id, offer_hub, offer_id LIMIT {MATCHES}""",
    "reasons": """SELECT reason, count(*) AS needs, avg(missing / wanted) AS missing,
            count(*) FILTER (priority >= 4) AS urgent
        FROM hubs.unmatched WHERE date = getvariable('day') GROUP BY reason ORDER BY needs DESC, reason""",
    "unmet": f"""SELECT *, count(*) OVER () AS every FROM hubs.unmatched WHERE date = getvariable('day')
        ORDER BY priority DESC, until_at, missing / wanted DESC, hub_id, need_id LIMIT {UNMET}""",
}
REASONS: Mapping[str, tuple[str, str]] = {
    "no_such_offer": (
        "nobody offers it",
        "Who has it can offer it. Only the same words for an item meet: look at how others write theirs below.",
    ),
    "other_unit": (
        "it is offered in another unit only",
        "One side writes it in the unit of the other: kilograms and boxes cannot be compared.",
    ),
    "too_far": (
        "every offer is too far away",
        "A larger <code>most_km</code> on either side, or <code>by_post</code> where it can be sent.",
    ),
    "other_time": (
        "it is offered at another time",
        "Other dates in <code>from</code> and <code>until</code>, on either side.",
    ),
    "taken": (
        "what is offered is given to others",
        "More of it has to be offered: needs that are more urgent, or whose hubs are served least, come first.",
    ),
    "not_worth_it": (
        "the way costs more than it is worth",
        "A higher priority, or an offer nearer by: the points of the settings <code>hubs.*_points</code> weigh both.",
    ),
}
"""Of each reason why a need is not met: what it says, and the way out (HTML)."""
_WHAT = (
    '<p class="lead">What hubs need and what hubs could give, brought together: the most urgent and the least served '
    "first, nothing given twice. A match is a proposal to both sides; nothing is sent.</p>\n"
)


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    known = {row["hub_id"]: row for row in frames["hubs"].to_dicts()}
    if frames["markets"].is_empty():
        why = "no hub has published any that is open" if known else "there is no hub yet"
        return (
            f"{_WHAT}<p>There is no open need and no open offer on {about.day}: {why}.</p>\n"
            '<p><a href="hubs.html">The hubs</a></p>\n'
        )
    return "".join(
        (
            f'<link rel="stylesheet" href="hubs.css">\n{_WHAT}',
            _numbers(frames, about),
            _flows(frames, known, about),
            _unmet(frames, known, about),
            _items(frames, about),
        )
    )


def hub(identifier: str, known: Mapping[str, Row]) -> str:
    """A link to a hub of the day."""
    if identifier in known:
        return to("hub", identifier, short(known[identifier]["title"], 60))
    return f"<code>{text(identifier, 120)}</code>"


def _numbers(frames: Frames, about: About) -> str:
    met, solved = frames["met"], frames["solved"].row(0, named=True)
    needs, unmet = int(met["needs"].sum()), int(met["unmet"].sum())
    matches = frames["matches"]["every"][0] if frames["matches"].height else 0
    cards = (
        ("Open needs", proof("hubs.markets", about.day, f"{needs:,}")),
        ("Open offers", proof("hubs.markets", about.day, f"{solved['offers']:,}")),
        ("Matches", proof("hubs.matches", about.day, f"{matches:,}")),
        ("Met, of the needs", percent(hubs.met_share(met))),
        ("Needs not wholly met", proof("hubs.unmatched", about.day, f"{unmet:,}")),
    )
    told = "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in cards)
    rows = [
        [
            f"{atlas.mark(row['kind'])} {kind(row['kind'])}",
            f"{row['needs']:,}",
            f"{row['offers']:,}",
            share(round(1000 * row["met"]), 1000 * row["needs"]) if row["needs"] else "–",
        ]
        for row in met.to_dicts()
    ]
    table = folded("By what it restores", ("Kind", "Needs#", "Offers#", "Met, of the needs"), rows, OPEN)
    return f'<dl>{told}</dl>\n{table}<p class="soft">{best(solved)}</p>\n'


def best(solved: Row) -> str:
    """How good the matching is, from its own proof, in words."""
    markets = solved["markets"]
    objective, bound = int(solved["objective"]), int(solved["bound"])
    if objective == bound:
        return (
            f"No other matching is worth more: in {'the one market' if markets == 1 else f'all {markets:,} markets'} "
            "the worth of the matches is the bound that the solver proved."
        )
    gap = (bound - objective) / abs(bound) if bound else 0.0
    return (
        f"In {solved['best']:,} of {counted(markets, 'market')} no other matching is worth more. Over all, another one "
        f"could be worth at most {'under 0.1%' if gap < 0.001 else percent(gap)} more, by the bound that the solver "
        "proved."
    )


def _flows(frames: Frames, known: Mapping[str, Row], about: About) -> str:
    head = '<section><h2 id="flows">Who could give what to whom</h2>\n'
    matches = frames["matches"].to_dicts()
    if not matches:
        return f"{head}<p>No offer meets a need on this day; the reasons are below.</p></section>\n"
    pairs = [row for row in frames["pairs"].to_dicts() if row["need_hub"] in known and row["offer_hub"] in known]
    lines = [
        atlas.Line(_at(known[row["offer_hub"]]), _at(known[row["need_hub"]]), row["matches"])
        for row in pairs
        if row["need_hub"] != row["offer_hub"]
    ]
    within = sum(row["matches"] for row in pairs if row["need_hub"] == row["offer_hub"])
    part = {each for row in pairs for each in (row["need_hub"], row["offer_hub"])}
    inside = f"; {counted(within, 'match')} inside one hub" if within else ""
    words = (
        f"{counted(matches[0]['every'], 'match')} between {counted(len(part), 'hub')}{inside}. A line leads from who "
        "gives to who gets, where it ends in a ring; it is thicker where more matches are. Amounts of different things "
        "cannot be added."
    )
    drawn = hubs.maps([known[each] for each in sorted(part)], lines, "Flows of resources", words) if part else ""
    rows = [
        [
            f"{name(short(row['item']))} <span class=\"soft\">{kind(row['kind'])}</span>",
            proof("hubs.matches", about.day, amount(row["amount"], row["unit"]), need_hub=row["need_hub"],
                  need_id=row["need_id"], offer_hub=row["offer_hub"], offer_id=row["offer_id"]),
            hub(row["offer_hub"], known),
            hub(row["need_hub"], known),
            "by post" if row["by_post"] else _distance(row["distance_km"]),
            _until(row),
            f"{row['priority']}",
        ]
        for row in matches
    ]  # fmt: skip
    heads = ("What", "How much#", "From", "To", "Way", "Until", "Priority#")
    caption = "Proposals, the most urgent first; priority 5 is urgent, 1 can wait"
    more = rest(matches[0]["every"] - len(matches), "matches", "hubs.matches")
    return f"{head}{drawn}{folded(caption, heads, rows, OPEN)}{more}</section>\n"


def _at(row: Row) -> tuple[float, float]:
    return row["latitude"], row["longitude"]


def _distance(kilometres: float) -> str:
    return "same place" if kilometres < 0.05 else "under 1 km" if kilometres < 1 else f"{kilometres:,.0f} km"


def _until(row: Row) -> str:
    """The last day of a time that ends before a moment."""
    return str((row["until_at"] - timedelta(microseconds=1)).date())


def _unmet(frames: Frames, known: Mapping[str, Row], about: About) -> str:
    head = '<section><h2 id="unmet">Unmet needs</h2>\n'
    unmet = frames["unmet"].to_dicts()
    if not unmet:
        none = "Every need is met." if int(frames["met"]["needs"].sum()) else "No hub needs anything on this day."
        return f"{head}<p>{none}</p></section>\n"
    reasons = frames["reasons"].to_dicts()
    every = sum(row["needs"] for row in reasons)
    why = [
        [
            REASONS[row["reason"]][0],
            proof("hubs.unmatched", about.day, f"{row['needs']:,}", reason=row["reason"]),
            share(row["needs"], every),
            f"{row['urgent']:,}",
            REASONS[row["reason"]][1],
        ]
        for row in reasons
    ]
    rows = [
        [
            f"{name(short(row['item']))} <span class=\"soft\">{kind(row['kind'])}</span>",
            hub(row["hub_id"], known),
            proof("hubs.unmatched", about.day, amount(row["missing"], row["unit"]), hub_id=row["hub_id"],
                  need_id=row["need_id"])
            + ("" if row["missing"] == row["wanted"]
               else f'<br><span class="soft">of {text(amount(row["wanted"], row["unit"]))}</span>'),
            f'{REASONS[row["reason"]][0]}<div class="below">{text(row["why"], 300)}</div>',
            _until(row),
            f"{row['priority']}",
        ]
        for row in unmet
    ]  # fmt: skip
    told = '<p class="told">Needs that got nothing, or not all of it, with the first reason that holds.</p>\n'
    causes = folded("Why needs stay unmet", ("Reason", "Needs#", "Of the unmet", "Urgent#", "The way out"), why, OPEN)
    heads = ("What", "Hub", "Missing#", "Why", "Until", "Priority#")
    more = rest(unmet[0]["every"] - len(unmet), "unmet needs", "hubs.unmatched")
    listed = folded("The most urgent first, of these those that end first", heads, rows, OPEN)
    return f"{head}{told}{causes}{listed}{more}</section>\n"


def _items(frames: Frames, about: About) -> str:
    markets = frames["markets"].to_dicts()
    rows = [
        [
            f'{name(short(row["item"]))}<div class="below">{atlas.mark(row["kind"])} {kind(row["kind"])}, in '
            f"{text(amount(2000, row['unit']).removeprefix('2').strip() or 'numbers')}</div>",
            proof("hubs.markets", about.day, amount(row["wanted"], ""), kind=row["kind"], item=row["item"],
                  unit=row["unit"]) + f' <span class="soft">{counted(row["needs"], "need")}</span>',
            f'{amount(row["offered"], "")} <span class="soft">{counted(row["offers"], "offer")}</span>',
            amount(row["matched"], ""),
            share(row["matched"], row["wanted"]) if row["wanted"] else "–",
            "–" if row["gini"] is None else f"{row['gini']:.2f}",
            solved(row),
        ]
        for row in markets
    ]  # fmt: skip
    told = (
        '<p class="told">One market for each thing and unit. Gini: how unequally the met parts of needs are spread '
        "over hubs, 0 is alike, towards 1 one hub has all; a dash for fewer than two.</p>\n"
    )
    heads = ("What", "Wanted#", "Offered#", "Matched#", "Of what is wanted", "Gini#", "Is it the best?")
    return (
        f'<section><h2 id="items">By item</h2>\n{told}{folded("Most needed first", heads, rows, OPEN)}'
        + rest(markets[0]["every"] - len(markets), "items", "hubs.markets")
        + '<p><a href="hubs.html">The hubs</a></p>\n</section>\n'
    )


def solved(row: Row) -> str:
    """A market's objective against its bound, in words."""
    objective, bound = int(row["objective"]), int(row["bound"])
    if not row["pairs"]:
        return '<span class="soft">no need and offer can meet</span>'
    if objective == bound:
        return "the best there is"
    gap = (bound - objective) / abs(bound) if bound else 0.0
    return f"at most {'under 0.1%' if gap < 0.001 else percent(gap)} below the best"


PAGE = Page("resources", "Resources", QUERIES, body)
