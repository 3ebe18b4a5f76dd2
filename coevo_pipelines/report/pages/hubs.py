"""Healing hubs of the day: where they are, what they do and take, what worked, what of their packages was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coevo_pipelines.report import atlas
from coevo_pipelines.report.html import name, rest, text
from coevo_pipelines.report.links import address, proof, to
from coevo_pipelines.report.page import Page
from coevo_pipelines.report.pages import strategies
from coevo_pipelines.report.words import counted, folded, kind, percent, short

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.report.page import About, Frames

Row = Mapping[str, Any]

LISTED, OPEN, PRACTICES, REFUSED = 250, 25, 5, 100
"""Most hubs in the table, of them without a click; practices named of one; refused things shown."""
LAND = 0.15
"""Degrees by which the coasts of the maps of single hubs are simplified."""

HUBS = """
SELECT hub_id, kind, title, latitude, longitude, coarsened_km, place, practices, capacity, languages, license, versions,
       datasets, measurements, needs, offers
FROM hubs.registry WHERE date = getvariable('day') ORDER BY lower(title), hub_id
"""
MET = """
WITH asked AS (SELECT kind, sum(needs)::BIGINT AS needs, sum(offers)::BIGINT AS offers FROM hubs.markets
               WHERE date = getvariable('day') GROUP BY kind),
left_over AS (SELECT kind, count(*) AS unmet, sum(missing / wanted) AS missing FROM hubs.unmatched
              WHERE date = getvariable('day') GROUP BY kind)
SELECT a.kind, a.needs, a.offers, coalesce(l.unmet, 0) AS unmet,
       greatest(0, a.needs - coalesce(l.missing, 0))::DOUBLE AS met
FROM asked a LEFT JOIN left_over l USING (kind) ORDER BY a.kind
"""
"""Of each kind: needs and offers that are open, needs that got not all, and the sum of the needs' met parts."""
REJECTS = f"""
WITH seen AS (SELECT *, max(date) OVER (PARTITION BY hub_id) AS newest FROM hubs.rejects
              WHERE date <= getvariable('day')),
since AS (SELECT hub_id, max(date) AS date FROM hubs.packages WHERE date <= getvariable('day') GROUP BY 1),
standing AS (
    SELECT s.* FROM seen s LEFT JOIN since p USING (hub_id)
    WHERE s.date = s.newest AND (p.date IS NULL OR p.date <= s.date))
SELECT hub_id, number, resource, "row", "column", found, expected, example, date,
       count(*) OVER () AS every, p.hub_id IS NOT NULL AS is_hub
FROM standing LEFT JOIN (SELECT hub_id FROM hubs.registry WHERE date = getvariable('day')) p USING (hub_id)
ORDER BY date DESC, hub_id, number LIMIT {REFUSED}
"""
QUERIES = {"hubs": HUBS, "met": MET, "rejects": REJECTS, **strategies.QUERIES}
_WHAT = (
    "A healing hub is a place that restores something: food, housing, clothing, work, health, connection. Hubs publish "
    "what they learned as open data with its context."
)


def body(frames: Frames, about: About) -> str:
    """HTML of the page."""
    hubs = frames["hubs"].to_dicts()
    titles = {row["hub_id"]: row["title"] for row in hubs}
    if not hubs:
        return (
            f'<p class="lead">{_WHAT}</p>\n<p>There is no hub on {about.day}: no package was published up to then. '
            "<kbd>coevo hubs init</kbd> begins one, <kbd>coevo hubs add</kbd> brings it here.</p>\n"
            + refused(frames["rejects"].to_dicts(), about)
        )
    return "".join(
        (
            f'<link rel="stylesheet" href="hubs.css">\n<p class="lead">{_WHAT}</p>\n',
            _numbers(hubs, frames, about),
            '<section><h2 id="map">Where they are</h2>\n',
            maps(hubs),
            "</section>\n",
            _table(hubs, about),
            strategies.section(frames, about, titles),
            refused(frames["rejects"].to_dicts(), about),
        )
    )


def met_share(met: pl.DataFrame) -> float | None:
    """The mean over needs of the part that is met; None without needs."""
    needs = int(met["needs"].sum())
    return float(met["met"].sum()) / needs if needs else None


def _numbers(hubs: Sequence[Row], frames: Frames, about: About) -> str:
    met = frames["met"]
    verdicts = dict(frames["verdicts"].iter_rows())
    needs, part = int(met["needs"].sum()), met_share(met)
    cards = (
        ("Hubs", proof("hubs.registry", about.day, f"{len(hubs):,}")),
        ("Data sets", proof("hubs.datasets", about.day, f"{sum(row['datasets'] for row in hubs):,}")),
        ("Measurements", proof("hubs.measurements", about.day, f"{sum(row['measurements'] for row in hubs):,}")),
        ("Open needs", f'<a class="proof" href="resources.html">{needs:,}</a>'),
        ("Met, of the needs", f'<a class="proof" href="resources.html">{percent(part)}</a>'),
        ("Practices that work", f'<a class="proof" href="#worked">{verdicts.get("works", 0):,}</a>'),
    )
    return "<dl>" + "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in cards) + "</dl>\n"


def place_of(row: Row) -> atlas.Place:
    """A hub on a map."""
    where = f", {row['place']}" if row["place"] else ""
    words = short(f"{row['title']} ({kind(row['kind'])}{where})", 160)
    home = row["coarsened_km"] is not None
    return atlas.Place(row["latitude"], row["longitude"], row["kind"], home, address("hub", row["hub_id"]), words,
                       short(row["title"], 26))  # fmt: skip


def maps(hubs: Sequence[Row], lines: Sequence[atlas.Line] = (), title: str = "Hubs of the day", words: str = "") -> str:
    """The world, and its parts where hubs stand close together, with what the marks mean."""
    places = [place_of(row) for row in hubs]
    counts = Counter(place.kind for place in places)
    grids = {row["coarsened_km"] for row in hubs if row["coarsened_km"] is not None}
    legend = atlas.legend(counts, sum(place.is_home for place in places), min(grids) if len(grids) == 1 else None)
    world, *parts = atlas.views([(place.latitude, place.longitude) for place in places])
    many = (
        " Discs stand for several hubs, in the colour of the most frequent kind." if len(places) > atlas.MARKS else ""
    )
    told = words or (
        f"{counted(len(places), 'hub')}, each by its kind. The table below says the same in words and leads to "
        f"each.{many}"
    )
    drawn = [atlas.figure(title, told, world, places, lines, parts)]
    for number, view in enumerate(parts, 1):
        inside = [place for place in places if view.holds(place.latitude, place.longitude)]
        where = _middle_of(inside, hubs, view)
        told = f"{counted(len(inside), 'hub')} in a part {view.kilometres:,.0f} km wide{where}."
        drawn.append(atlas.figure(f"Part {number}", told, view, places, lines))
    more = f'<div class="charts">{"".join(drawn[1:])}</div>\n' if parts else ""
    return f"{legend}{drawn[0]}{more}"


def _middle_of(inside: Sequence[atlas.Place], hubs: Sequence[Row], view: atlas.View) -> str:
    """Which named place is nearest to the middle, in words."""
    held = {place.address for place in inside}
    named = [row for row in hubs if row["place"] and address("hub", row["hub_id"]) in held]
    if not named:
        return ""
    far = [abs(row["latitude"] - view.latitude) + abs(row["longitude"] - view.longitude) for row in named]
    near = named[far.index(min(far))]
    return f", around {short(near['place'], 60)}"


def _table(hubs: Sequence[Row], about: About) -> str:
    rows = []
    for row in hubs[:LISTED]:
        home = (
            f' <span class="soft">private home, moved to a {row["coarsened_km"]:g} km grid</span>'
            if row["coarsened_km"] is not None
            else ""
        )
        practices = [name(short(each, 60)) for each in row["practices"][:PRACTICES]]
        more = f" and {len(row['practices']) - PRACTICES:,} more" if len(row["practices"]) > PRACTICES else ""
        place = name(short(row["place"], 60)) if row["place"] else f"{row['latitude']:.2f}°, {row['longitude']:.2f}°"
        rows.append(
            [
                f'{to("hub", row["hub_id"], short(row["title"]))}<div class="below">{atlas.mark(row["kind"])} '
                f"{kind(row['kind'])}</div>",
                place + home,
                f'<span class="soft">{", ".join(practices) or "none given"}{more}</span>',
                name(short(row["capacity"], 80)) if row["capacity"] else "–",
                ", ".join(text(each, 20) for each in row["languages"][:6]) or "–",
                text(row["license"], 60),
                proof("hubs.registry", about.day, f"{row['needs']:,}", hub_id=row["hub_id"]),
                f"{row['offers']:,}",
            ]
        )
    heads = ("Hub", "Place", "Practices", "Capacity", "Languages", "Licence", "Needs#", "Offers#")
    told = (
        '<p class="told">Each by the last package that it published; needs and offers are those open on the day.</p>\n'
    )
    return (
        f'<section><h2 id="all">All hubs</h2>\n{told}{folded("By name", heads, rows, OPEN)}'
        + rest(len(hubs) - LISTED, "hubs", "hubs.registry, or search works.html for their data sets")
        + "</section>\n"
    )


def refused(rows: Sequence[Row], about: About) -> str:
    """What of the packages could not be taken and is not put right yet, in words for whoever wrote it."""
    head = '<section><h2 id="refused">Refused</h2>\n'
    if not rows:
        return f"{head}<p>Nothing of the packages that hubs published last was refused.</p></section>\n"
    cells = [
        [
            to("hub", row["hub_id"], row["hub_id"]) if row["is_hub"] else f"<code>{text(row['hub_id'], 120)}</code>",
            f"<code>{text(where_of(row), 200)}</code>",
            proof("hubs.rejects", row["date"], short(row["found"], 90) or "nothing", hub_id=row["hub_id"],
                  number=row["number"]),
            name(short(row["expected"], 160)),
            f"<code>{text(row['example'], 120)}</code>" if row["example"] else "–",
        ]
        for row in rows
    ]  # fmt: skip
    told = (
        '<p class="told">Things of the last package of each hub that could not be taken, for whoever wrote it. '
        "<kbd>coevo hubs validate</kbd> says the same before a package is published.</p>\n"
    )
    heads = ("Hub", "Where", "What stands there", "What should", "For instance")
    return (
        f"{head}{told}{folded('Newest first', heads, cells, 10)}"
        + rest(rows[0]["every"] - len(rows), "refused things", "hubs.rejects")
        + "</section>\n"
    )


def where_of(row: Row) -> str:
    """`needs.csv row 3, column amount`; the descriptor is `datapackage.json`."""
    parts = [row["resource"] or "datapackage.json"]
    if row["row"] is not None:
        parts[0] += f" row {row['row']}"
    if row["column"]:
        parts.append(f"{'column' if row['row'] is not None else 'property'} {row['column']}")
    return ", ".join(parts)


def data(frames: Frames, about: About) -> Iterator[tuple[str, Any]]:
    """Coasts for the maps of single hubs: polygons, rings, numbers in turn: longitude, latitude."""
    if frames["hubs"].height:
        yield "hubs/land", [[[n for at in ring for n in at] for ring in rings] for rings in atlas.land(LAND)]


PAGE = Page("hubs", "Hubs", QUERIES, body, data=data)
