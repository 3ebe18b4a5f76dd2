"""Records of healing hubs: each by the last package that it published up to the day, and what it needs and gives.

What a hub has as a work (its data set: scores, who cites it, rewards) is in its record of kind work, which the page
loads beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from coevo_pipelines.report import atlas, links
from coevo_pipelines.report.entities.asked import by_owner, filled, leading, short, words
from coevo_pipelines.report.html import text
from coevo_pipelines.report.page import Page, Records
from coevo_pipelines.report.pages.hubs import where_of
from coevo_pipelines.report.pages.strategies import interval, said
from coevo_pipelines.report.words import amount, counted, kind, measured, shown

if TYPE_CHECKING:
    from coevo_pipelines.report.page import About, Frames

NUMBERS, SPECIES, POSTS, MATCHES, VERSIONS, REFUSED, OUTCOMES, NEAR = 60, 60, 100, 100, 30, 40, 60, 8
"""Most rows of each list in a record; the rest is counted."""
SENTENCE = 400
"""Most characters of a stranger's sentence."""
POINTS = 2_000
"""Most corners of an area that is drawn."""

_LAST = "JOIN hubs.registry r ON r.date = getvariable('day') AND r.hub_id = t.hub_id AND r.published_at = t.event_at"

_HUBS = f"""
WITH last AS (
    SELECT t.hub_id, min(t.date)::VARCHAR AS seen, arg_min(t.raw_sha256, t.date) AS raw
    FROM hubs.packages t {_LAST} WHERE t.date <= getvariable('day') GROUP BY 1)
SELECT r.hub_id, r.kind, r.title, r.description, r.latitude, r.longitude, r.area, r.coarsened_km, r.place,
       r.practices[:30] AS practices, r.capacity, r.languages[:20] AS languages, r.license, r.contact, r.consent_by,
       strftime(r.consent_at, '%Y-%m-%d') AS consent, r.soil, r.climate, r.method,
       strftime(r.since, '%Y-%m-%d') AS since, strftime(r.published_at, '%Y-%m-%d') AS published, r.version, r.versions,
       r.datasets, r.measurements, r.needs, r.offers, l.seen, l.raw
FROM hubs.registry r LEFT JOIN last l USING (hub_id) WHERE r.date = getvariable('day') ORDER BY r.hub_id
"""

_DATASETS = f"""
SELECT t.hub_id, t.resource, t.role, t.format, t.title, t.path, t.rows, t.refused, t.bytes, t.sha256, t.is_checked,
       t.method, t.date::VARCHAR AS date
FROM hubs.datasets t {_LAST} WHERE t.date <= getvariable('day')
ORDER BY t.hub_id, list_position(['measurements', 'outcomes', 'needs', 'offers', 'media'], t.role), t.resource
"""

_SUMS = f"""
SELECT t.hub_id, t.resource, t.quantity, t.unit, count(*) AS number, min(t.value) AS low, avg(t.value) AS mean,
       max(t.value) AS high, strftime(min(t.taken_at), '%Y-%m-%d') AS since,
       strftime(max(t.taken_at), '%Y-%m-%d') AS until, sum(t.people)::BIGINT AS people, max(t.date)::VARCHAR AS date
FROM hubs.measurements t {_LAST} WHERE t.date <= getvariable('day') GROUP BY 1, 2, 3, 4 ORDER BY ALL
"""

_NUMBERS = f"""
SELECT t.hub_id, t.resource, t.row, t.quantity, t.value, t.unit, t.given, t.given_unit,
       strftime(t.taken_at, '%Y-%m-%d') AS taken, t.latitude, t.longitude, t.people, t.date::VARCHAR AS date
FROM hubs.measurements t {_LAST} WHERE t.date <= getvariable('day')
QUALIFY row_number() OVER (PARTITION BY t.hub_id ORDER BY t.taken_at DESC NULLS LAST, t.resource, t.row, t.quantity)
    <= {NUMBERS}
ORDER BY t.hub_id, t.taken_at DESC NULLS LAST, t.resource, t.row, t.quantity
"""

_OUTCOMES = f"""
SELECT t.hub_id, t.row, t.practice, t.quantity, t.better, t.before, t.after, t.unit, t.given_unit, t.n_before,
       t.n_after, t.people, strftime(t.from_at, '%Y-%m-%d') AS since, strftime(t.until_at, '%Y-%m-%d') AS until,
       t.method,
       t.date::VARCHAR AS date
FROM hubs.outcomes t {_LAST} WHERE t.date <= getvariable('day')
QUALIFY row_number() OVER (PARTITION BY t.hub_id ORDER BY t.row) <= {OUTCOMES} ORDER BY t.hub_id, t.row
"""

_POSTS = f"""
SELECT t.hub_id, t.side, t.post_id, t.kind, t.item, t.amount, t.received, t.unit,
       strftime(t.from_at, '%Y-%m-%d') AS since,
       strftime(t.until_at - INTERVAL 1 MICROSECOND, '%Y-%m-%d') AS until, t.most_km, t.by_post, t.priority,
       CASE WHEN t.until_at <= getvariable('day') + INTERVAL 1 DAY THEN 'over' ELSE 'open' END AS state,
       m.matched, u.missing, u.reason, u.why, t.date::VARCHAR AS date,
       count(*) OVER (PARTITION BY t.hub_id, t.side) AS every
FROM hubs.posts t {_LAST}
LEFT JOIN (
    SELECT need_hub AS hub_id, 'need' AS side, need_id AS post_id, sum(amount)::BIGINT AS matched FROM hubs.matches
    WHERE date = getvariable('day') GROUP BY 1, 2, 3
    UNION ALL SELECT offer_hub, 'offer', offer_id, sum(amount)::BIGINT FROM hubs.matches
    WHERE date = getvariable('day') GROUP BY 1, 2, 3) m
    ON m.hub_id = t.hub_id AND m.side = t.side AND m.post_id = t.post_id
LEFT JOIN hubs.unmatched u
    ON u.date = getvariable('day') AND t.side = 'need' AND u.hub_id = t.hub_id AND u.need_id = t.post_id
WHERE t.date <= getvariable('day')
QUALIFY row_number() OVER (PARTITION BY t.hub_id, t.side ORDER BY t.priority DESC, t.until_at, t.post_id) <= {POSTS}
ORDER BY t.hub_id, t.side, t.priority DESC, t.until_at, t.post_id
"""

_MATCHES = f"""
WITH sides AS (
    SELECT need_hub AS hub_id, 'gets' AS way, offer_hub AS other, * FROM hubs.matches WHERE date = getvariable('day')
    UNION ALL
    SELECT offer_hub, 'gives', need_hub, * FROM hubs.matches WHERE date = getvariable('day'))
SELECT s.hub_id, s.way, s.other, s.item, s.amount, s.unit, s.distance_km, s.by_post,
       strftime(s.from_at, '%Y-%m-%d') AS since,
       strftime(s.until_at - INTERVAL 1 MICROSECOND, '%Y-%m-%d') AS until,
       s.need_hub, s.need_id, s.offer_hub, s.offer_id, count(*) OVER (PARTITION BY s.hub_id) AS every
FROM sides s
QUALIFY row_number() OVER (
    PARTITION BY s.hub_id ORDER BY s.priority DESC, s.until_at, s.need_id, s.offer_hub, s.offer_id, s.way) <= {MATCHES}
ORDER BY s.hub_id, s.priority DESC, s.until_at, s.need_id, s.offer_hub, s.offer_id, s.way
"""

_STRATEGIES = """
SELECT unnest(hub_ids) AS hub_id, practice, quantity, verdict, why, measure, unit, effect, low, high, hubs
FROM hubs.strategies WHERE date = getvariable('day') ORDER BY 1, practice, quantity
"""

_SPECIES = f"""
SELECT hub_id, variable, arg_max(label, (event_at, native_id)) AS label, count(*) AS number,
       strftime(max(event_at), '%Y-%m-%d') AS last, min(distance_km) AS nearest,
       arg_max(license, (event_at, native_id)) AS license, arg_max(url, (event_at, native_id)) AS url,
       arg_max(native_id, (event_at, native_id)) AS native, max(date)::VARCHAR AS date,
       count(*) OVER (PARTITION BY hub_id) AS every
FROM hubs.observations WHERE source = 'gbif' AND date <= getvariable('day') GROUP BY hub_id, variable
QUALIFY row_number() OVER (PARTITION BY hub_id ORDER BY max(event_at) DESC, count(*) DESC, variable) <= {SPECIES}
ORDER BY hub_id, max(event_at) DESC, count(*) DESC, variable
"""

_CLIMATE = """
SELECT hub_id, variable, arg_max(unit, event_at) AS unit, count(*) AS days,
       strftime(min(event_at), '%Y-%m-%d') AS since, strftime(max(event_at), '%Y-%m-%d') AS last,
       arg_max(value, event_at) AS value, min(value) AS low,
       avg(value) AS mean, max(value) AS high, max(date)::VARCHAR AS date
FROM hubs.observations WHERE source = 'nasa_power' AND value IS NOT NULL AND date <= getvariable('day')
GROUP BY hub_id, variable ORDER BY hub_id, variable
"""

_VERSIONS = f"""
SELECT hub_id, strftime(event_at, '%Y-%m-%d %H:%M') AS published, version,
       strftime(observed_at, '%Y-%m-%d %H:%M') AS seen, raw_sha256, date::VARCHAR AS date
FROM hubs.packages WHERE date <= getvariable('day')
QUALIFY row_number() OVER (PARTITION BY hub_id ORDER BY event_at DESC) <= {VERSIONS} ORDER BY hub_id, event_at DESC
"""

_REJECTS = f"""
SELECT hub_id, number, resource, "row", "column", found, expected, example, date::VARCHAR AS date,
       count(*) OVER (PARTITION BY hub_id) AS every
FROM (SELECT *, max(date) OVER (PARTITION BY hub_id) AS newest FROM hubs.rejects WHERE date <= getvariable('day'))
WHERE date = newest AND number <= {REFUSED} ORDER BY hub_id, number
"""

QUERIES = {
    "hubs": _HUBS,
    "datasets": _DATASETS,
    "sums": _SUMS,
    "numbers": _NUMBERS,
    "outcomes": _OUTCOMES,
    "posts": _POSTS,
    "matches": _MATCHES,
    "strategies": _STRATEGIES,
    "species": _SPECIES,
    "climate": _CLIMATE,
    "versions": _VERSIONS,
    "rejects": _REJECTS,
}


def records(frames: Frames, _about: About) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One record a hub of the day's registry."""
    hubs = frames["hubs"].to_dicts()
    titles = {row["hub_id"]: row["title"] for row in hubs}
    found = {name: by_owner(frames[name]) for name in frames if name != "hubs"}
    near = nearest([(row["latitude"], row["longitude"]) for row in hubs])
    for place, row in enumerate(hubs):
        hub = row["hub_id"]
        own = {name: rows.get(hub, []) for name, rows in found.items()}
        yield (
            hub,
            filled(
                {
                    **_described(row),
                    "near": [
                        [hubs[other]["hub_id"], words(hubs[other]["title"]), hubs[other]["kind"],
                         hubs[other]["latitude"], hubs[other]["longitude"], short(kilometres)]
                        for other, kilometres in near[place]
                    ],
                    "sets": [
                        [words(name), role, form, words(title), words(path, SENTENCE), rows, refused, size, sha256,
                         checked, words(method, SENTENCE), date]
                        for name, role, form, title, path, rows, refused, size, sha256, checked, method, date
                        in own["datasets"]
                    ],
                    "sums": [
                        [words(name), words(kind(quantity)), quantity, words(shown(low, unit, quantity)[1]), number,
                         *(short(shown(each, unit, quantity)[0]) for each in (low, mean, high)), since, until, people,
                         date, words(measured(quantity))]
                        for name, quantity, unit, number, low, mean, high, since, until, people, date in own["sums"]
                    ],
                    "numbers": [
                        [words(name), line, words(kind(quantity)), quantity, *_read(value, unit, quantity),
                         words(given), words(given_unit), taken, latitude, longitude, people, date]
                        for name, line, quantity, value, unit, given, given_unit, taken, latitude, longitude, people,
                        date in own["numbers"]
                    ],
                    "outcomes": [
                        [line, words(practice), words(kind(quantity)), better, *_read(before, unit, quantity)[:1],
                         *_read(after, unit, quantity), words(given_unit), few, many, people, since, until,
                         words(method, SENTENCE), date]
                        for line, practice, quantity, better, before, after, unit, given_unit, few, many, people, since,
                        until, method, date in own["outcomes"]
                    ],
                    "wants": [_post(post) for post in own["posts"] if post[0] == "need"],
                    "gives": [_post(post) for post in own["posts"] if post[0] == "offer"],
                    "matches": [
                        [way, other, words(titles.get(other)), words(item), words(amount(number, unit)),
                         short(distance), by_post, since, until, *ids]
                        for way, other, item, number, unit, distance, by_post, since, until, *ids, _ in own["matches"]
                    ],
                    "all_matches": own["matches"][0][-1] if own["matches"] else None,
                    "tried": [
                        [words(practice), quantity, words(kind(quantity)), verdict, words(why, SENTENCE),
                         words(said(row_, row_["effect"])), words(interval(row_)), hubs_]
                        for practice, quantity, verdict, why, row_, hubs_ in map(_tried, own["strategies"])
                    ],
                    "species": [
                        [words(name), words(label), number, last, short(distance), words(licence), words(url, 2000),
                         words(native), date]
                        for name, label, number, last, distance, licence, url, native, date, _ in own["species"]
                    ],
                    "all_species": own["species"][0][-1] if own["species"] else None,
                    "weather": [
                        [words(kind(variable)), variable, words(shown(value, unit, variable)[1]), days, since, last,
                         *(short(shown(each, unit, variable)[0]) for each in (value, low, mean, high)), date]
                        for variable, unit, days, since, last, value, low, mean, high, date in own["climate"]
                    ],
                    "versions": [
                        [published, words(version), seen, raw, date]
                        for published, version, seen, raw, date in own["versions"]
                    ],
                    "refused": [
                        [number, words(where_of({"resource": file, "row": line, "column": column}), SENTENCE),
                         words(stands, SENTENCE), words(expected, SENTENCE), words(example, SENTENCE), date]
                        for number, file, line, column, stands, expected, example, date, _ in own["rejects"]
                    ],
                    "all_refused": own["rejects"][0][-1] if own["rejects"] else None,
                }
            ),
        )  # fmt: skip


def _described(row: Mapping[str, Any]) -> dict[str, Any]:
    plain_words = ("capacity", "license", "consent_by", "soil", "climate", "method", "place", "version")
    return {
        **{name: row[name] for name in ("kind", "consent", "since", "published", "seen", "raw")},
        **{name: words(row[name], SENTENCE) for name in plain_words},
        "title": words(row["title"], 1000),
        "description": words(row["description"], 3000),
        "contact": words(row["contact"], 2000),
        "home": row["coarsened_km"],
        "at": [row["latitude"], row["longitude"]],
        "area": outline(row["area"]),
        "practices": [words(each) for each in row["practices"]],
        "languages": [words(each, 40) for each in row["languages"]],
        "counts": [row["datasets"], row["measurements"], row["needs"], row["offers"]],
    }


def outline(area: str | None) -> list[list[list[float]]] | None:
    """The outer and inner rings of a GeoJSON polygon or several, to 10^-5 degrees (1 m); None for anything else."""
    if not area:
        return None
    try:
        given = orjson.loads(area)
        polygons = {"Polygon": [given["coordinates"]], "MultiPolygon": given["coordinates"]}[given["type"]]
        rings = [
            [[round(float(x), 5), round(float(y), 5)] for x, y, *_ in ring] for polygon in polygons for ring in polygon
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    finite = all(math.isfinite(number) for ring in rings for at in ring for number in at)
    return rings if rings and finite and sum(map(len, rings)) <= POINTS else None


def _post(post: Sequence[Any]) -> list[Any]:
    """A need or an offer: id, kind, item, amount, received, since, until, most km, by post, priority, state, matched,
    missing, reason, why, partition, all of its side."""
    (_, name, of, item, number, received, unit, since, until, most_km, by_post, priority, state, matched, missing,
     reason, why, date, every) = post  # fmt: skip

    def told(milli: int | None) -> str | None:
        return None if not milli else words(amount(milli, unit))

    return [words(name), of, words(item), told(number), told(received), since, until, short(most_km), by_post, priority,
            state, told(matched), told(missing), reason, words(why, SENTENCE), date, every]  # fmt: skip


def _read(value: float, unit: str, quantity: str) -> tuple[float | None, str | None]:
    """A number and its unit, as people read it."""
    number, of = shown(value, unit, quantity)
    return short(number), words(of)


def _tried(given: Sequence[Any]) -> tuple[Any, ...]:
    practice, quantity, verdict, why, measure, unit, effect, low, high, hubs = given
    row = {"measure": measure, "unit": unit, "quantity": quantity, "effect": effect, "low": low, "high": high}
    return practice, quantity, verdict, why, row, hubs


def nearest(places: Sequence[tuple[float, float]]) -> list[list[tuple[int, float]]]:
    """Of each place the `NEAR` nearest others, and how far they are: great circle, km."""
    import numpy as np

    if len(places) < 2:
        return [[] for _ in places]
    latitude, longitude = np.radians(np.array(places, dtype=np.float64)).T
    at = np.stack(
        (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)), axis=1
    )
    most = min(NEAR, len(places) - 1)
    found: list[list[tuple[int, float]]] = []
    for first in range(0, len(places), 512):
        block = at[first : first + 512]
        close = block @ at.T
        close[np.arange(len(block)), np.arange(first, first + len(block))] = -2  # itself
        best = np.argpartition(-close, most - 1, axis=1)[:, :most]
        for number, row in enumerate(best):
            chord = np.linalg.norm(at[row] - block[number], axis=1)  # exact for what is near, as a cosine is not
            far = 2 * 6371.0088 * np.arcsin(np.minimum(1, chord / 2))
            found.append(sorted(((int(each), float(km)) for each, km in zip(row, far, strict=True)),
                                key=lambda each: (round(each[1], 6), each[0])))  # fmt: skip
    return found


_LEADING = """
SELECT hub_id, kind, title, place, measurements FROM hubs.registry WHERE date = getvariable('day')
ORDER BY measurements DESC, hub_id LIMIT 20
"""


def body(frames: Frames, about: About) -> str:
    """HTML of the page before a record is in it."""
    rows = (
        f'{atlas.mark(row["kind"])} {links.to("hub", row["hub_id"], row["title"])} <span class="soft">'
        + kind(row["kind"])
        + (f", {text(row['place'], 80)}, " if row["place"] else ", ")
        + links.proof("hubs.registry", about.day, counted(row["measurements"], "measurement"), hub_id=row["hub_id"])
        + "</span>"
        for row in frames["leading"].to_dicts()
    )
    return (
        '<link rel="stylesheet" href="hubs.css">\n'
        + leading(rows, "hub", "hubs")
        + '<p><a href="hubs.html">All hubs, on a map</a></p>\n'
    )


PAGE = Page("hub", "Hub", {"leading": _LEADING}, body, ("entity.js", "hub.js"), in_navigation=False)
RECORDS = Records("hub", QUERIES, records)
