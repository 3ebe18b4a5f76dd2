"""Needs and offers: the best matching beside a search through all of them, reasons, places on the globe, bad input."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.hubs.matching import pairs as searching
from coevo_pipelines.hubs.matching.match import Matching, match
from coevo_pipelines.hubs.matching.points import SCALE, Points
from coevo_pipelines.hubs.matching.stability import changed, stability
from coevo_pipelines.lake.schemas import TABLES

DAY = datetime(2019, 3, 25, tzinfo=UTC)
POINTS = Points(fairness=400)
COLUMNS = {
    column.name: TABLES["hubs.posts"].polars_schema()[column.name]
    for column in TABLES["hubs.posts"].columns
    if column.name not in ("event_at", "observed_at", "raw_sha256", "given")
}

Post = dict[str, Any]


def post(hub: str, number: str, amount: float, **other: Any) -> Post:
    """A row: amounts in units, days from DAY on, at (52, 11) unless told."""
    begin, end = other.pop("days", (0, 10))
    row: Post = {
        "hub_id": f"hub:{hub}", "side": "need", "post_id": number, "kind": "food", "item": "potatoes",
        "amount": round(amount * 1000), "received": 0, "unit": "kg", "from_at": DAY + timedelta(days=begin),
        "until_at": DAY + timedelta(days=end), "latitude": 52.0, "longitude": 11.0, "most_km": None,
        "by_post": False, "priority": 3,
    }  # fmt: skip
    unknown = set(other) - set(row)
    assert not unknown, unknown
    return row | other


def frame(rows: list[Post]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS)


def matched(needs: list[Post], offers: list[Post], points: Points = POINTS, **other: Any) -> Matching:
    done = match(frame(needs), frame(offers), points, **other)
    sound(needs, offers, done, points)
    return done


def sound(needs: list[Post], offers: list[Post], done: Matching, points: Points = POINTS) -> None:
    """What holds for any matching: the tables' contracts, nothing lost, nothing twice, and the proof that it is the
    best."""
    for name in ("markets", "matches", "unmatched"):
        table = TABLES[f"hubs.{name}"]
        made: pl.DataFrame = getattr(done, name)
        assert dict(made.schema) == dict(table.polars_schema()), name
        assert not made.select(table.key).is_duplicated().any()
        for column in table.columns:
            values = made[column.name].to_list()
            assert column.nullable or None not in values, (name, column.name)
            if column.enum:
                assert set(values) <= set(column.enum)
    given: dict[tuple[str, str], int] = {}
    got: dict[tuple[str, str], int] = {}
    by_name = {(row["hub_id"], row["post_id"]): row for row in offers}
    asked = {(row["hub_id"], row["post_id"]): row for row in needs}
    for row in done.matches.to_dicts():
        need, offer = asked[row["need_hub"], row["need_id"]], by_name[row["offer_hub"], row["offer_id"]]
        assert possible(need, offer, points) and row["amount"] > 0
        assert row["from_at"] < row["until_at"]
        got[need["hub_id"], need["post_id"]] = got.get((need["hub_id"], need["post_id"]), 0) + row["amount"]
        given[offer["hub_id"], offer["post_id"]] = given.get((offer["hub_id"], offer["post_id"]), 0) + row["amount"]
    assert all(amount <= by_name[which]["amount"] for which, amount in given.items())
    missing = {(row["hub_id"], row["need_id"]): row["missing"] for row in done.unmatched.to_dicts()}
    for which, need in asked.items():
        assert got.get(which, 0) + missing.get(which, 0) == max(need["amount"] - need["received"], 0)
    for row in done.unmatched.to_dicts():
        plain = reason(asked[row["hub_id"], row["need_id"]], offers, points)
        assert row["reason"] == plain or (plain == "" and row["reason"] in ("taken", "not_worth_it"))
        assert row["why"]
    assert done.markets["objective"].to_list() == done.markets["bound"].to_list()


def reason(need: Post, offers: list[Post], points: Points) -> str:
    """The first that holds; empty where an offer could meet the need."""
    for name, same in (("no_such_offer", ("kind", "item")), ("other_unit", ("kind", "item", "unit"))):
        others = [row for row in offers if row["hub_id"] != need["hub_id"]]
        offers = [row for row in others if all(row[column] == need[column] for column in same)]
        if not offers:
            return name
    always = {"from_at": DAY, "until_at": DAY + timedelta(days=1)}
    if not any(possible(need | always, row | always, points) for row in offers):
        return "too_far"
    return "" if any(possible(need, row, points) for row in offers) else "other_time"


def kilometres(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """The haversine formula."""
    p, q = math.radians(a["latitude"]), math.radians(b["latitude"])
    along = math.radians(b["longitude"] - a["longitude"])
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(along / 2) ** 2
    return 2 * 6371.0088 * math.asin(min(math.sqrt(h), 1))


def cost(need: Post, offer: Post, points: Points = POINTS) -> int | None:
    """Of a unit; None where they cannot meet."""
    if any(need[column] != offer[column] for column in ("kind", "item", "unit")) or need["hub_id"] == offer["hub_id"]:
        return None
    if max(need["from_at"], offer["from_at"]) >= min(need["until_at"], offer["until_at"]):
        return None
    ways = []
    reach = min(points.farthest_km if row["most_km"] is None else row["most_km"] for row in (need, offer))
    if kilometres(need, offer) <= reach:
        ways.append(round(kilometres(need, offer) * points.km * SCALE))
    if need["by_post"] and offer["by_post"]:
        ways.append(points.post * SCALE)
    return min(ways, default=None)


def possible(need: Post, offer: Post, points: Points = POINTS) -> bool:
    return cost(need, offer, points) is not None


def worth(amount: int, received: int, got: int, base: int, fairness: Fraction) -> int:
    """Of `got` whole units above what was received, by the definition: tenths of the amount, each at its middle."""
    total = 0
    for part in range(10):
        low, high = (max(amount * end // 10, received) for end in (part, part + 1))
        if low < high:
            each = base + round(fairness * (1 - Fraction(low + high, 2 * amount)))
            total += each * (min(max(received + got, low), high) - low)
    return total


def best(needs: list[Post], offers: list[Post], points: Points) -> int:
    """The most that any way to give whole units is worth: all of them are tried."""

    def shares(left: int, open_: list[int], room: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if not open_:
            yield (0,) * len(needs)
            return
        for some in range(min(left, room[open_[0]]) + 1):
            for rest in shares(left - some, open_[1:], room):
                yield tuple(value + (some if at == open_[0] else 0) for at, value in enumerate(rest))

    wanted = tuple(max(need["amount"] - need["received"], 0) // 1000 for need in needs)
    reached: dict[tuple[int, ...], int] = {(0,) * len(needs): 0}
    for offer in offers:
        costs = [cost(need, offer, points) for need in needs]
        open_ = [at for at, each in enumerate(costs) if each is not None]
        after: dict[tuple[int, ...], int] = {}
        for got, paid in reached.items():
            room = tuple(most - have for most, have in zip(wanted, got, strict=True))
            for share in shares(offer["amount"] // 1000, open_, room):
                state = tuple(a + b for a, b in zip(got, share, strict=True))
                price = paid + sum(n * (costs[at] or 0) for at, n in enumerate(share) if n)
                after[state] = min(after.get(state, price), price)
        reached = after
    hubs: dict[tuple[str, ...], list[int]] = {}
    for at, need in enumerate(needs):
        hubs.setdefault(tuple(need[name] for name in ("kind", "item", "unit", "hub_id")), []).append(at)
    most = 0
    fairness = points.fairness * SCALE
    for got, paid in reached.items():
        total = -paid
        for members in hubs.values():
            half = fairness // 2 if len(members) > 1 else fairness
            for at in members:
                need = needs[at]
                base = (1000 + points.priority * (need["priority"] - 1)) * SCALE
                amount, received = need["amount"] // 1000, need["received"] // 1000
                total += worth(amount, min(received, amount), got[at], base, Fraction(half))
            if len(members) > 1:
                amount = sum(needs[at]["amount"] for at in members) // 1000
                received = sum(min(needs[at]["received"], needs[at]["amount"]) for at in members) // 1000
                total += worth(amount, received, sum(got[at] for at in members), 0, Fraction(fairness - half))
        most = max(most, total)
    return most * 1000


def posts(side: str) -> st.SearchStrategy[list[Post]]:
    row = st.builds(
        lambda hub, amount, received, start, length, place, most, sent, priority: {
            "hub": f"h{hub}", "amount": amount, "received": min(received, amount) if side == "need" else 0,
            "days": (start, start + length), "latitude": 52 + place * 0.13, "most_km": most, "by_post": sent,
            "priority": priority if side == "need" else 3,
        },
        st.integers(0, 4), st.integers(1, 4), st.integers(0, 2), st.integers(0, 3), st.integers(0, 6),
        st.integers(0, 6), st.sampled_from([None, 0, 20, 700]), st.booleans(), st.integers(1, 5),
    )  # fmt: skip
    return st.lists(row, max_size=4 if side == "need" else 3).map(
        lambda rows: [
            post(row.pop("hub"), f"{side}{at}", row.pop("amount"), unit="{bed}", side=side, **row)
            | {"received": row.get("received", 0) * 1000}
            for at, row in enumerate(rows)
        ]
    )


@given(posts("need"), posts("offer"), st.sampled_from([0, 400, 3000]), st.sampled_from([2, 40]))
@settings(max_examples=150, deadline=None)
def test_nothing_is_better(needs: list[Post], offers: list[Post], fairness: int, km: int) -> None:
    points = Points(fairness=fairness, km=km)
    done = match(frame(needs), frame(offers), points)
    sound(needs, offers, done)
    assert sum(map(int, done.markets["objective"])) == best(needs, offers, points)


@given(posts("need"), posts("offer"), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(needs: list[Post], offers: list[Post], order: random.Random) -> None:
    first = match(frame(needs), frame(offers), POINTS)
    order.shuffle(needs)
    order.shuffle(offers)
    again = match(frame(needs), frame(offers), POINTS)
    for name in ("markets", "matches", "unmatched"):
        assert getattr(first, name).equals(getattr(again, name))


@given(posts("need"), posts("offer"))
@settings(max_examples=60, deadline=None)
def test_more_offers_are_never_worth_less(needs: list[Post], offers: list[Post]) -> None:
    def total(some: list[Post]) -> int:
        return sum(map(int, match(frame(needs), frame(some), POINTS).markets["objective"]))

    if offers:
        assert total(offers) >= total(offers[:-1])


def crowd(seed: int, needs: int, offers: int, hubs: int, spread: float, sent: float) -> tuple[list[Post], list[Post]]:
    """Rows of one market around one place."""
    chance = random.Random(seed)
    places = [(52 + chance.gauss(0, spread), 11 + chance.gauss(0, spread)) for _ in range(hubs)]

    def row(side: str, number: int) -> Post:
        hub = chance.randrange(hubs)
        start = chance.randrange(60)
        return post(
            f"h{hub}", f"{side}{number}", chance.randrange(1, 200) / 4, side=side, latitude=places[hub][0],
            longitude=places[hub][1], days=(start, start + chance.randrange(1, 40)), by_post=chance.random() < sent,
            most_km=chance.choice([None, 5.0, 30.0, 400.0]), priority=chance.randrange(1, 6) if side == "need" else 3,
        )  # fmt: skip

    return [row("need", at) for at in range(needs)], [row("offer", at) for at in range(offers)]


@pytest.mark.parametrize(("sent", "offers"), [(0.0, 120), (0.4, 120), (1.0, 120), (0.4, 40)])
def test_the_linear_program_of_all_pairs_is_worth_the_same(sent: float, offers: int) -> None:
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    wants, gives = crowd(3, 150, offers, 40, 0.4, sent)
    found = int(matched(wants, gives).markets["objective"].sum())
    arcs = [
        (i, j, price)
        for j, need in enumerate(wants)
        for i, offer in enumerate(gives)
        if (price := cost(need, offer)) is not None
    ]
    hubs: dict[str, list[int]] = {}
    for j, need in enumerate(wants):
        hubs.setdefault(need["hub_id"], []).append(j)
    fairness = POINTS.fairness * SCALE
    value: list[float] = [float(price) for _, _, price in arcs]
    upper: list[float | None] = [None] * len(arcs)
    rows: list[tuple[int, int, float]] = []
    for at, (i, j, _) in enumerate(arcs):
        rows += [(i, at, 1.0), (len(gives) + j, at, 1.0)]
    limit = [float(offer["amount"]) for offer in gives] + [0.0] * len(wants)
    for members in hubs.values():
        several = len(members) > 1
        if several:
            limit.append(0.0)
        for of, base, weight, row in [
            *((wants[j]["amount"], (1000 + 200 * (wants[j]["priority"] - 1)) * SCALE,
               fairness // 2 if several else fairness, len(gives) + j) for j in members),
            *([(sum(wants[j]["amount"] for j in members), 0, fairness - fairness // 2, len(limit) - 1)] * several),
        ]:  # fmt: skip
            for part in range(10):
                low, high = of * part // 10, of * (part + 1) // 10
                value.append(-float(base + round(weight * (1 - Fraction(low + high, 2 * of)))))
                upper.append(high - low)
                rows.append((row, len(value) - 1, -1.0))
                if several and row < len(limit) - 1:
                    rows.append((len(limit) - 1, len(value) - 1, 1.0))
    row_at, column_at, factors = zip(*rows, strict=True)
    equations = coo_array((factors, (row_at, column_at)), shape=(len(limit), len(value))).tocsr()
    solved = linprog(
        value,
        A_ub=equations[: len(gives)],
        b_ub=limit[: len(gives)],
        A_eq=equations[len(gives) :],
        b_eq=limit[len(gives) :],
        bounds=[(0, most) for most in upper],
        method="highs",
    )
    assert found == pytest.approx(-solved.fun, rel=1e-9)


@pytest.mark.parametrize(("sent", "times"), [(0.0, 2), (0.5, 2), (1.0, 2), (0.5, 0)])
def test_pairs_that_are_held_back_change_nothing(sent: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many pairs to hold, those that are asked for by price lead to the same."""
    wants, gives = crowd(7, 120, 80, 30, 0.3, sent)
    whole = matched(wants, gives)
    for name, few in (("MOST", 0), ("NEAREST", 1), ("AROUND", 1), ("ROOM", 1)):
        monkeypatch.setattr(searching, name, few)
    monkeypatch.setattr("coevo_pipelines.hubs.matching.flow.NEAREST", 1)
    monkeypatch.setattr("coevo_pipelines.hubs.matching.flow.AT_FIRST", times)
    fewer = matched(wants, gives)
    assert fewer.rounds > 1
    same = ("objective", "bound", "pairs", "wanted", "offered")
    assert fewer.markets.select(same).equals(whole.markets.select(same))


def test_the_bound_holds_where_it_ends_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    wants, gives = crowd(7, 120, 80, 30, 0.3, 1.0)
    best_of_all = int(matched(wants, gives).markets["objective"].sum())
    monkeypatch.setattr(searching, "AROUND", 1)
    monkeypatch.setattr("coevo_pipelines.hubs.matching.flow.ROUNDS", 1)
    found = match(frame(wants), frame(gives), POINTS).markets
    assert int(found["objective"].sum()) < best_of_all <= int(found["bound"].sum())


@pytest.mark.parametrize("points", [Points(50, 0, 0, 0, 0), Points(50, 10_000, 10_000, 1_000, 10_000), Points(0)])
def test_any_setting(points: Points) -> None:
    wants, gives = crowd(9, 80, 60, 20, 0.3, 0.5)
    matched(wants, gives, points)


def test_pairs_are_counted_as_they_are() -> None:
    wants, gives = crowd(11, 60, 70, 12, 0.3, 0.5)
    expected = sum(possible(need, offer) for need in wants for offer in gives)
    assert matched(wants, gives).markets["pairs"].to_list() == [expected]


NEED = post("a", "n", 10)
EAST = {"longitude": 11.5}  # 34 km away
REASONS: dict[str, tuple[Post, list[Post], str, str]] = {
    "nobody": (NEED, [], "no_such_offer", "no one offers potatoes"),
    "itself": (NEED, [post("a", "o", 10)], "no_such_offer", "only the hub itself offers potatoes"),
    "other kind": (NEED, [post("b", "o", 9, kind="housing")], "no_such_offer",
                   "no one offers potatoes as food; it is offered as housing"),
    "other unit": (NEED, [post("b", "o", 9, unit="{bag}"), post("a", "o", 9, unit="L")], "other_unit",
                   "potatoes is offered in {bag}, not in kg: hub:b/o"),
    "own unit": (NEED, [post("b", "o", 9, unit="{bag}"), post("a", "o", 9)], "other_unit",
                 "potatoes is offered in {bag}, not in kg: hub:b/o"),
    "far": (NEED, [post("b", "o", 9, latitude=53), post("c", "o", 9, latitude=54)], "too_far",
            "the nearest offer of potatoes is 111 km away, it goes 50 km at most: hub:b/o"),
    "not fetched": (NEED | {"most_km": 5.0}, [post("b", "o", 9, **EAST)], "too_far",
                    "the nearest offer of potatoes is 34 km away, it is fetched from 5.0 km at most: hub:b/o"),
    "not sent": (NEED, [post("b", "o", 9, latitude=53, by_post=True)], "too_far",
                 "the nearest offer of potatoes is 111 km away, it goes 50 km at most: hub:b/o"),
    "early": (NEED, [post("b", "o", 9, days=(-9, -3)), post("c", "o", 9, days=(14, 19))], "other_time",
              "the offer of potatoes that is nearest in time ends on 2019-03-22, before 2019-03-25: hub:b/o"),
    "late": (NEED | {"by_post": True},
             [post("b", "o", 9, days=(-9, -6)), post("c", "o", 9, days=(12, 19), by_post=True, latitude=9)],
             "other_time",
             "the offer of potatoes that is nearest in time begins on 2019-04-06, after 2019-04-04: hub:c/o"),
    "no time": (NEED | {"until_at": DAY}, [post("b", "o", 9)], "other_time",
                "the offer of potatoes that is nearest in time begins on 2019-03-25, after 2019-03-25: hub:b/o"),
    "never open": (NEED, [post("b", "o", 9, days=(4, 4))], "other_time",
                   "potatoes is offered for no time at all: it ends as it begins"),
    "taken": (NEED | {"priority": 1}, [post("b", "o", 9, **EAST)], "taken",
              "the one offer of potatoes that could meet it is given to others; "
              "the nearest is 34 km away: hub:b/o"),
    "not worth it": (NEED | {"most_km": 2000.0}, [post("b", "o", 99, latitude=66.0, most_km=2000.0)], "not_worth_it",
                     "the one offer of potatoes could meet it, but the way costs 3,114 points at least, "
                     "and the need is worth 1,780; the nearest is 1,557 km away: hub:b/o"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REASONS))
def test_why_a_need_stays_unmet(case: str) -> None:
    need, offers, expected, why = REASONS[case]
    urgent = [post("u", "n", 9, priority=5, **EAST)] if case == "taken" else []
    done = matched([need, *urgent], [row | {"side": "offer"} for row in offers])
    (row,) = done.unmatched.filter(pl.col("hub_id") == "hub:a").to_dicts()
    assert (row["reason"], row["why"]) == (expected, why)
    assert row["missing"] == row["wanted"] == 10_000


def test_what_is_scarce_goes_to_the_urgent_then_to_the_least_served() -> None:
    urgent, other = post("a", "n", 10, priority=5), post("b", "n", 10)
    done = matched([urgent, other], [post("c", "o", 10)])
    assert done.matches.select("need_hub", "amount").rows() == [("hub:a", 10_000)]
    served, hungry = post("a", "n", 10, received=5_000), post("b", "n", 10)
    done = matched([served, hungry], [post("c", "o", 5)])
    assert done.matches.select("need_hub", "amount").rows() == [("hub:b", 5_000)]


def test_equals_get_equal_parts_whatever_they_ask_for() -> None:
    done = matched([post("a", "n", 10), post("b", "n", 40)], [post("c", "o", 25)])
    assert done.matches.select("need_hub", "amount").rows() == [("hub:a", 5_000), ("hub:b", 20_000)]
    assert done.markets["gini"].to_list() == [0]


def test_who_splits_a_need_gains_nothing() -> None:
    rows = [post("a", f"n{at}", 1) for at in range(10)]
    done = matched([*rows, post("b", "n", 10)], [post("c", "o", 10)])
    got = dict(done.matches.group_by("need_hub").agg(pl.col("amount").sum()).rows())
    assert got == {"hub:a": 5_000, "hub:b": 5_000}


def test_what_is_counted_stays_whole() -> None:
    rows = [post(f"h{at}", "n", 1, unit="{bed}") for at in range(3)]
    done = matched(rows, [post("c", "o", 2, unit="{bed}")])
    assert done.matches["amount"].to_list() == [1_000, 1_000]
    assert done.markets["gini"].to_list() == [pytest.approx(1 / 3)]


def test_gini_is_null_below_two_hubs_and_zero_where_nobody_has_anything() -> None:
    assert matched([post("a", "n", 1)], []).markets["gini"].to_list() == [None]
    assert matched([post("a", "n", 1), post("b", "n", 1)], []).markets["gini"].to_list() == [0]
    assert matched([], [post("a", "o", 1)]).markets["gini"].to_list() == [None]


def test_it_is_sent_where_that_is_cheaper_or_the_only_way() -> None:
    need = post("a", "n", 10, by_post=True, most_km=300.0)
    near, wide, far = ({"latitude": latitude, "by_post": True, "most_km": 300.0} for latitude in (52.3, 53, 70))
    for place, sent in ((near, False), (wide, True), (far, True)):
        (row,) = matched([need], [post("b", "o", 10, **place)]).matches.to_dicts()
        assert row["by_post"] is sent
    (row,) = matched([need], [post("b", "o", 10, **near)], Points(post=0)).matches.to_dicts()
    assert row["by_post"] is True


@pytest.mark.parametrize(
    ("need", "offer", "distance"),
    [
        ((0.0, 179.9), (0.0, -179.9), 22.239),
        ((89.9, 0.0), (89.9, 180.0), 22.239),
        ((-89.9, 10.0), (-89.9, -80.0), 15.725),
        ((90.0, 0.0), (90.0, 77.0), 0.0),
        ((52.0, 180.0), (52.0, -180.0), 0.0),
    ],
)
def test_places_where_coordinates_end(need: tuple[float, float], offer: tuple[float, float], distance: float) -> None:
    at = [{"latitude": latitude, "longitude": longitude} for latitude, longitude in (need, offer)]
    (row,) = matched([post("a", "n", 1, **at[0])], [post("b", "o", 1, **at[1])]).matches.to_dicts()
    assert row["distance_km"] == pytest.approx(distance, abs=0.002)


def test_windows_that_only_touch_do_not_meet() -> None:
    assert not matched([post("a", "n", 1, days=(0, 5))], [post("b", "o", 1, days=(5, 9))]).matches.height
    (row,) = matched([post("a", "n", 1, days=(0, 5))], [post("b", "o", 1, days=(4, 9))]).matches.to_dicts()
    assert (row["from_at"], row["until_at"]) == (DAY + timedelta(days=4), DAY + timedelta(days=5))


def test_nothing_to_match() -> None:
    for needs, offers in itertools.product(([], [post("a", "n", 1)]), ([], [post("b", "o", 1, item="beans")])):
        done = matched(needs, offers)
        assert not done.matches.height
        assert done.markets.height == len(needs) + len(offers)
        assert done.unmatched.height == len(needs)
    met = matched([post("a", "n", 1, received=5_000)], [post("b", "o", 1)])
    assert not met.matches.height and not met.unmatched.height
    assert met.markets["wanted"].to_list() == [0]


def test_amounts_as_large_as_they_can_be() -> None:
    needs = [post(f"n{at}", "n", 10**9, priority=1 + at % 5) for at in range(40)]
    offers = [post(f"o{at}", "o", 7 * 10**8) for at in range(50)]
    assert matched(needs, offers).markets["matched"].to_list() == [35 * 10**12]
    most = 2**63 - 1
    done = match(frame([post("a", "n", 1) | {"amount": most}]), frame([post("b", "o", 1) | {"amount": most}]), POINTS)
    assert done.matches["amount"].to_list() == [2**61]
    assert done.markets["objective"].to_list() == done.markets["bound"].to_list()


def test_one_need_and_very_many_offers() -> None:
    count = 20_000
    offers = frame([post("b", "o", 1)]).select(pl.all().repeat_by(count).explode()).with_columns(
        pl.concat_str(pl.lit("o"), pl.int_range(count).cast(pl.String)).alias("post_id"),
        pl.Series("latitude", 52 + np.arange(count) / count / 3),
    )  # fmt: skip
    done = match(frame([post("a", "n", 100)]), offers, POINTS)
    assert done.markets.select("matched", "pairs").row(0) == (100_000, count)
    assert done.matches["distance_km"].max() == pytest.approx(
        99 / count / 3 * 111.195, abs=0.05
    )  # a tenth of a point is 50 m
    assert done.markets["objective"].to_list() == done.markets["bound"].to_list()


def test_bad_rows_are_named() -> None:
    twice = [post("a", "n", 1), post("a", "n", 2)]
    with pytest.raises(ValueError, match="need hub:a/n stands twice"):
        match(frame(twice), frame([]), POINTS)
    with pytest.raises(ValueError, match="offers to match: column 'unit' is missing"):
        match(frame([]), frame([]).drop("unit"), POINTS)
    nowhere = post("b", "o", 1, latitude=math.nan, most_km=math.nan)
    assert matched([post("a", "n", 1)], [nowhere | {"most_km": None}]).matches.height == 0


def test_a_change_is_measured() -> None:
    base = matched([post("a", "n", 4)], [post("b", "o", 3), post("c", "o", 1)]).matches
    assert changed(base, base).pairs == 0 and changed(base, base).share == 0
    assert changed(base, base.filter(pl.col("offer_hub") == "hub:b")).share == pytest.approx(0.25)
    assert changed(base, base.clear()).share == 1 and changed(base.clear(), base.clear()).share == 0


@pytest.mark.parametrize("sent", [0.0, 0.6])
def test_one_row_changes_little(sent: float) -> None:
    wants, gives = crowd(5, 200, 200, 40, 0.25, sent)
    needs, offers = frame(wants), frame(gives)
    settled, left = (
        float(np.mean([each.share for each in stability(needs, offers, POINTS, 12, settle=settle)]))
        for settle in (True, False)
    )
    assert settled < 0.06  # a row is a part in 200 of its side
    assert settled < left / 3
