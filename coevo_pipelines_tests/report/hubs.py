"""Hubs for the tests of pages: a small made-up day in all tables of the stage, hostile words, and many hubs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from coevo_pipelines.lake.schemas import HUB_KINDS
from coevo_pipelines_tests.report.asked import DAY, Rows
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED

AT = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)
LONG = f"{HOSTILE}{STACKED} {'long' * 125} \u0645\u0642\u0627\u0644\u0629"
AREA = '{"type":"Polygon","coordinates":[[[11.62,52.12],[11.65,52.12],[11.65,52.14],[11.62,52.14],[11.62,52.12]]]}'

PLACES = (
    ("green-valley", "food", 52.13, 11.63, "Magdeburg"),
    ("river-house", "housing", 52.52, 13.4, "Berlin"),
    ("second-thread", "clothing", 51.05, 13.74, "Dresden"),
    ("open-workshop", "professionalization", 51.34, 12.37, "Leipzig"),
    ("quiet-clinic", "health_care", 53.55, 9.99, "Hamburg"),
    ("choir", "connection_and_expression", 50.98, 11.03, "Erfurt"),
    ("shamba", "food", -1.29, 36.82, "Nairobi"),
    ("community-farm", "food", 40.65, -73.95, "New York"),
    ("harbour-shelter", "housing", -33.87, 151.21, "Sydney"),
    ("hill-garden", "food", 52.2, 11.7, "Burg"),
)


def hub(name: str, kind: str, latitude: float, longitude: float, place: str | None, **own: Any) -> dict[str, Any]:
    """A row of the registry and, less its counts, of the packages."""
    return {
        "hub_id": f"hub:{name}",
        "kind": kind,
        "title": name.replace("-", " ").title(),
        "latitude": latitude,
        "longitude": longitude,
        "place": place,
        "practices": ["compost", "cover crops"],
        "languages": ["de", "en"],
        "license": "CC-BY-4.0",
        "contact": f"https://example.org/{name}",
        "consent_by": "the members' meeting",
        "consent_at": AT - timedelta(days=90),
        "since": AT - timedelta(days=400),
        "capacity": "40 people a week",
        "soil": "loam",
        "climate": "Cfb",
        "method": "ISO 10694",
        "version": "1.1.0",
        **own,
    }


def day(homes: Sequence[str] = ("quiet-clinic",)) -> Rows:
    """The tables of a day with ten hubs, matches of every sort, and what nobody could meet."""
    hubs = [hub(*each, coarsened_km=1.0 if each[0] in homes else None) for each in PLACES]
    hubs[0] |= {"area": AREA, "description": "A garden that gives to its neighbours.", "version": "1.1.0"}
    registry = [
        {
            **each,
            "published_at": AT,
            "versions": 1 + (place == 0),
            "datasets": 3,
            "measurements": 4,
            "needs": 1,
            "offers": 1,
        }
        for place, each in enumerate(hubs)
    ]
    packages = [{**each, "event_at": AT, "observed_at": AT, "raw_sha256": "a" * 64} for each in hubs]
    packages.append(
        {
            **packages[0],
            "event_at": AT - timedelta(days=30),
            "version": "1.0.0",
            "date": DAY - timedelta(days=30),
            "raw_sha256": "b" * 64,
        }
    )
    of = {"hub_id": "hub:green-valley", "event_at": AT, "observed_at": AT, "raw_sha256": "a" * 64}
    measurements = [
        {
            **of,
            "resource": "soil",
            "row": row,
            "quantity": "soil_organic_carbon",
            "value": 0.018 + row / 1000,
            "unit": "kg/kg",
            "given": str(18 + row),
            "given_unit": "g/kg",
            "taken_at": AT - timedelta(days=row),
            "latitude": 52.12 + row / 500,
            "longitude": 11.63 + row / 400,
        }
        for row in (1, 2, 3, 4)
    ]
    posts = [
        {
            **of,
            "hub_id": each["hub_id"],
            "side": side,
            "post_id": f"{side[0]}{place}",
            "kind": "food",
            "item": item,
            "amount": 40_000,
            "received": 5_000 if side == "need" else 0,
            "unit": unit,
            "from_at": AT - timedelta(days=1),
            "until_at": AT + timedelta(days=9 + place),
            "latitude": each["latitude"],
            "longitude": each["longitude"],
            "by_post": bool(place % 2),
            "priority": 1 + place % 5 if side == "need" else 3,
        }
        for place, each in enumerate(hubs)
        for side, item, unit in (("need", "seed potatoes", "kg"), ("offer", "compost", "{meal}"))
    ]
    pairs = ((1, 0), (0, 6), (8, 2), (3, 0), (9, 0), (0, 9), (4, 5))
    matches = [
        {
            "need_hub": hubs[need]["hub_id"],
            "need_id": f"n{need}",
            "offer_hub": hubs[offer]["hub_id"],
            "offer_id": f"o{offer}",
            "kind": "food",
            "item": "seed potatoes",
            "unit": "kg",
            "amount": 12_500,
            "distance_km": 3.2 + 900 * (offer == 0),
            "by_post": offer == 0,
            "from_at": AT,
            "until_at": AT + timedelta(days=9),
            "priority": 1 + need % 5,
        }
        for offer, need in pairs
    ]
    reasons = ("no_such_offer", "other_unit", "too_far", "other_time", "taken", "not_worth_it")
    unmatched = [
        {
            "hub_id": hubs[place]["hub_id"],
            "need_id": f"n{place}",
            "kind": "food",
            "item": "seed potatoes",
            "unit": "kg",
            "wanted": 35_000,
            "missing": 35_000 if place % 2 else 10_000,
            "reason": reason,
            "why": "the nearest is 81 km away, it may come 50 km",
            "until_at": AT + timedelta(days=9),
            "priority": 1 + place % 5,
        }
        for place, reason in enumerate(reasons)
    ]
    market = {
        "kind": "food",
        "item": "seed potatoes",
        "unit": "kg",
        "needs": 10,
        "offers": 9,
        "wanted": 350_000,
        "offered": 400_000,
        "matched": 87_500,
        "pairs": 40,
        "objective": 9_000,
        "bound": 9_000,
        "gini": 0.31,
    }
    markets = [
        market,
        {
            **market,
            "item": "compost",
            "unit": "{meal}",
            "needs": 0,
            "wanted": 0,
            "matched": 0,
            "pairs": 0,
            "objective": 0,
            "bound": 0,
            "gini": None,
        },
        {**market, "kind": "housing", "item": "bed", "unit": "{bed_night}", "needs": 3, "bound": 9_100},
    ]
    every = [each["hub_id"] for each in hubs]
    ratio = {"measure": "log_ratio", "unit": "1", "level": 0.95, "evidence": ["a" * 64], "cases": 9}
    strategies = [
        {
            **ratio,
            "practice": "compost",
            "quantity": "soil_organic_carbon",
            "better": "up",
            "hubs": 6,
            "hubs_better": 6,
            "hubs_worse": 0,
            "effect": 0.18,
            "low": 0.09,
            "high": 0.27,
            "tau": 0.05,
            "i2": 0.4,
            "prediction_low": 0.02,
            "prediction_high": 0.34,
            "comparable": 0.8,
            "verdict": "works",
            "why": "six hubs, all better",
            "hub_ids": every[:6],
        },
        {
            **ratio,
            "practice": "sprinklers",
            "quantity": "water_use",
            "better": "down",
            "hubs": 4,
            "hubs_better": 0,
            "hubs_worse": 4,
            "effect": 0.4,
            "low": 0.2,
            "high": 0.6,
            "verdict": "harms",
            "why": "all use more",
            "hub_ids": every[:4],
        },
        {
            **ratio,
            "practice": "cover crops",
            "quantity": "yield",
            "better": "up",
            "hubs": 5,
            "hubs_better": 3,
            "hubs_worse": 2,
            "effect": -0.02,
            "low": -0.3,
            "high": 9.0,
            "verdict": "unclear",
            "why": "the interval holds no change",
            "hub_ids": every[:5],
        },
        {
            **ratio,
            "measure": "difference",
            "unit": "s",
            "practice": "evening classes",
            "quantity": "training_hours",
            "better": "up",
            "hubs": 4,
            "hubs_better": 4,
            "hubs_worse": 0,
            "effect": 43_200.0,
            "low": 10_800.0,
            "high": 75_600.0,
            "verdict": "works",
            "why": "four hubs",
            "hub_ids": every[:4],
        },
        {
            **ratio,
            "practice": "sheep",
            "quantity": "species_count",
            "better": "up",
            "hubs": 1,
            "hubs_better": 1,
            "hubs_worse": 0,
            "verdict": "too_few",
            "why": "1 hub of the 4 that it takes",
            "hub_ids": every[:1],
        },
    ]
    return {
        "hubs.registry": registry,
        "hubs.packages": packages,
        "hubs.datasets": [
            {
                **of,
                "resource": "soil",
                "role": "measurements",
                "format": "csv",
                "path": "soil.csv",
                "rows": 4,
                "refused": 1,
                "bytes": 1234,
                "sha256": "c" * 64,
                "is_checked": True,
                "method": "dry combustion",
            },
            {
                **of,
                "resource": "photo",
                "role": "media",
                "format": "image",
                "path": "https://example.org/a.jpg",
                "title": "Before",
                "refused": 0,
                "sha256": "d" * 64,
                "is_checked": False,
            },
        ],
        "hubs.measurements": measurements,
        "hubs.outcomes": [
            {
                **of,
                "row": 1,
                "practice": "compost",
                "quantity": "soil_organic_carbon",
                "better": "up",
                "before": 0.018,
                "after": 0.022,
                "unit": "kg/kg",
                "given_unit": "g/kg",
                "n_before": 12,
                "n_after": 12,
                "from_at": AT - timedelta(days=900),
                "until_at": AT - timedelta(days=20),
                "method": "dry combustion",
            },
        ],
        "hubs.posts": posts,
        "hubs.matches": matches,
        "hubs.unmatched": unmatched,
        "hubs.markets": markets,
        "hubs.strategies": strategies,
        "hubs.rejects": [
            {
                "hub_id": "hub:green-valley",
                "number": 1,
                "resource": "soil.csv",
                "row": 3,
                "column": "soc",
                "found": "ten",
                "expected": "a number above 0",
                "example": "12.5",
                "event_at": AT,
            },
            {
                "hub_id": "https://example.org/broken/datapackage.json",
                "number": 1,
                "resource": "",
                "column": "hub.consent",
                "found": "nothing",
                "expected": "who agreed to publish",
                "example": '{"given": true}',
                "event_at": AT,
            },
        ],
        "hubs.observations": [
            {
                "hub_id": "hub:green-valley",
                "source": "gbif",
                "variable": "Apis mellifera",
                "native_id": str(number),
                "event_at": AT - timedelta(days=number),
                "value": 2.0,
                "unit": "{individual}",
                "distance_km": 1.2 + number,
                "label": "Apidae",
                "license": "CC0-1.0",
                "url": f"https://www.gbif.org/occurrence/{number}",
            }
            for number in (1, 2)
        ]
        + [
            {
                "hub_id": "hub:green-valley",
                "source": "nasa_power",
                "variable": "temperature",
                "native_id": "",
                "event_at": AT - timedelta(days=number),
                "value": 280.0 + number,
                "unit": "K",
            }
            for number in (1, 2, 3)
        ],
        "traces.works": [
            {"work_id": "hub:green-valley", "source": "hubs", "kind": "hub_dataset", "title": "Green Valley"},
            {"work_id": "arxiv:one", "source": "arxiv", "kind": "paper", "title": "A paper on gardens"},
        ],
        "citations.nodes": [{"node_id": "hub:green-valley", "node": 0}, {"node_id": "arxiv:one", "node": 1}],
        "citations.edges": [
            {
                "source": "arxiv:one",
                "target": "hub:green-valley",
                "relation": "cites",
                "evidence": "[3]",
                "raw_sha256": "0" * 64,
            }
        ],
        "influence.scores": [{"node_id": each, "influence": 0.5} for each in ("hub:green-valley", "arxiv:one")],
    }


def hostile() -> Rows:
    """The same day, with every text that strangers write hostile and long."""
    own = {
        "title",
        "description",
        "place",
        "practices",
        "capacity",
        "license",
        "contact",
        "consent_by",
        "soil",
        "climate",
        "method",
        "version",
        "languages",
        "item",
        "why",
        "found",
        "expected",
        "example",
        "resource",
        "column",
        "path",
        "practice",
        "quantity",
        "given",
        "given_unit",
        "label",
        "url",
        "variable",
        "post_id",
        "unit",
        "area",
    }
    kept = {"hubs.strategies": {"unit"}}

    def worse(table: str, row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: ([LONG, "x"] if isinstance(value, list) else LONG)
            if name in own - kept.get(table, set()) and isinstance(value, str | list)
            else value
            for name, value in row.items()
        }

    rows = day()
    return {
        name: [worse(name, dict(row)) for row in given] if name.startswith("hubs.") else given
        for name, given in rows.items()
    }


def many(number: int) -> Rows:
    """So many hubs all over the land's latitudes, each with a need; a match for every second one."""
    random.seed(7)
    spots = [(math.degrees(math.asin(random.uniform(-0.6, 0.85))), random.uniform(-179, 179)) for _ in range(number)]
    hubs = [
        hub(f"h{place}", HUB_KINDS[place % 6], round(lat, 3), round(lon, 3), f"Place {place}")
        for place, (lat, lon) in enumerate(spots)
    ]
    matches = [
        {
            "need_hub": f"hub:h{place}",
            "need_id": "n",
            "offer_hub": f"hub:h{place * 7 % number}",
            "offer_id": "o",
            "kind": "food",
            "item": "bread",
            "unit": "kg",
            "amount": 1000,
            "distance_km": 20.0,
            "from_at": AT,
            "until_at": AT,
            "priority": 3,
        }
        for place in range(0, number, 2)
    ]
    return {
        "hubs.registry": [{**each, "published_at": AT, "measurements": 3, "datasets": 1, "needs": 1} for each in hubs],
        "hubs.packages": [{**each, "event_at": AT} for each in hubs],
        "hubs.matches": matches,
        "hubs.unmatched": [
            {
                "hub_id": f"hub:h{place}",
                "need_id": "n",
                "item": "bread",
                "unit": "kg",
                "wanted": 1000,
                "missing": 1000,
                "priority": 3,
                "until_at": AT,
                "reason": "taken",
                "why": "all gone",
            }
            for place in range(1, number, 2)
        ],
        "hubs.markets": [{"item": "bread", "unit": "kg", "needs": number, "offers": number // 2, "pairs": number}],
    }
