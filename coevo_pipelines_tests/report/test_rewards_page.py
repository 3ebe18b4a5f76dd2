"""The page of the rewards: every cent has its place on it as in the tables, and who opted out is not named."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.lake.catalog import CATALOG, open_catalog
from coevo_pipelines.lake.schemas import HELD, table
from coevo_pipelines.report.pages import rewards
from coevo_pipelines.report.pages.rewards import PAGE
from coevo_pipelines.rewards.asked import TO_DO
from coevo_pipelines.settings import Policy, Round, Settings
from coevo_pipelines.terminal import money
from coevo_pipelines_tests.report.asked import BEFORE, DAY, LATER, links, page_of, said, shown, tags
from coevo_pipelines_tests.report.browser import HOSTILE
from coevo_pipelines_tests.runs import DAYS

MIX = (
    Policy(name="IMMEDIATE", share=Decimal("0.6"), days=30),
    Policy(name="RECENT", share=Decimal("0.2"), lookback=90),
    Policy(name="BALANCED", share=Decimal("0.1")),
    Policy(name="SPECIAL", share=Decimal("0.1"), recipient="ada", memo="the <b>hive</b>"),
)
ROUND = Round(name="open", start=BEFORE, pool=90_000, cap=Decimal("0.25"), minimum=200, escrow_days=90, policies=MIX)


def round_row(**more: Any) -> dict[str, Any]:
    return {
        "round": "open", "closes": True, "is_paid": True, "currency": "EUR", "decimals": 2, "pool": 90_000,
        "returned": 10_000, "budget": 100_000, "receipts": 60_000, "escrow": 39_999, "reserve": 1, "floor": 10_000,
        "cap": 25_000, "minimum": 200, "recipients": 4, "gini": 0.2, "policy": ROUND.model_dump_json(),
    } | more  # fmt: skip


def share_of(person: str, receipt: int, held: int = 0, **more: Any) -> dict[str, Any]:
    return {"round": "open", "person_id": person, "name": person.title(), "receipt": receipt, "held": held,
            "amount": receipt + held, "merit": 1} | more  # fmt: skip


def waits(person: str, amount: int, held: str = "unverified", **more: Any) -> dict[str, Any]:
    return {"holding_id": f"{person}-{held}-{amount}", "round": "open", "opened": str(DAY), "expires": "2027-02-18",
            "person_id": person, "subject": person, "held": held, "amount": amount, "state": "open"} | more  # fmt: skip


def part(person: str, place: int, what: str, amount: int, work: str | None = None, via: str | None = None,
         relation: str | None = None) -> dict[str, Any]:  # fmt: skip
    return {"round": "open", "person_id": person, "place": place, "part": what, "amount": amount, "work_id": work,
            "via": via, "relation": relation}  # fmt: skip


def world(**more: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "rewards.rounds": [
            round_row(),
            round_row(date=BEFORE, returned=0, budget=90_000, receipts=50_000, escrow=40_000, reserve=0, is_paid=False,
                      why_not="late"),
        ],
        "rewards.allocations": [
            share_of("ada", 40_000, is_capped=True), share_of("bob", 20_000), share_of("eve", 0, 30_000),
            share_of("dan", 0, 9_999), share_of("cat", 0, 0, is_dropped=True),
        ],
        "rewards.explanations": [
            part("ada", 1, "use", 20_000, "w1", "w2", "cites"),
            part("ada", 2, "lineage", 9_000, "w1", "w3", "depends_on"), part("ada", 3, "floor", 5_000),
            part("ada", 4, "use", 3_000, "w1"), part("ada", 5, "use", 2_000, "w2"),
            part("ada", 6, "rest", 1_000), part("bob", 1, "past", 20_000),
        ],
        "rewards.escrow": [
            waits("eve", 30_000), waits("dan", 9_999, "disputed"),
            waits("eve", 1, opened=str(BEFORE), expires="2027-02-17"),
            waits("bob", 700, state="released", released_to="bob"), waits("cat", 55, state="expired"),
        ],
        "citations.nodes": [{"node_id": each, "title": title, "kind": "paper", "date": BEFORE}
                            for each, title in (("w1", "Ant trails"), ("w2", "Bee dances"), ("w3", "Hive"))],
    } | more  # fmt: skip


def test_every_cent_has_its_place() -> None:
    words = said(page_of(PAGE, world()))
    for each in (
        "900.00 EUR pool + 100.00 EUR back from expired escrow = 1,000.00 EUR = 600.00 EUR for people + "
        "399.99 EUR in escrow + 0.01 EUR in reserve",
        "60.0% for people; 40.0% in escrow; 0.0% in reserve.",
        "Divided 1,000.00 EUR People who are paid 2 With a share in all 4 Held down by the cap 1 Below the minimum 1",
        "2 people, 600.00 EUR together",
        "Ada 400.00 EUR held down by the cap 40.0% 200.00 EUR Ant trails cited by Bee dances 90.00 EUR Ant trails "
        "needed by Hive (passed on to what it stands on) 30.00 EUR Ant trails 50.00 EUR the equal part 30.00 EUR in 2 "
        "smaller parts",
        "Bob 200.00 EUR 20.0% 200.00 EUR from earlier days",
        "400.00 EUR wait in escrow, 399.99 EUR of it from this day. The first of it goes back to the pool on "
        "2027-02-17.",
        "Two people claim it 99.99 EUR 25.0% 1",
        "Nobody has claimed it yet 300.01 EUR 75.0% 1",
        "Eve eve 300.01 EUR 2027-02-17 nobody has claimed it yet Dan dan 99.99 EUR 2027-02-18 two people claim it",
        "On this day 7.00 EUR were released to Bob, who claimed them; 0.55 EUR expired and go back to the pool.",
        "Paid and entered in the reward ledger on this day.",
        "2026-11-20 1,000.00 EUR 600.00 EUR 399.99 EUR 0.01 EUR 4 0.200 paid 2026-11-19 900.00 EUR",
        "coevo rewards replay", "coevo rewards explain ID --round open --what-if",
    ):  # fmt: skip
        assert each in words, each
    assert "play money" not in words and "play money" in said(page_of(PAGE, world(), "sample"))


def test_the_rules_in_words() -> None:
    words = said(page_of(PAGE, world()))
    for each in (
        "Divided each month, on its last day, since 2026-11-19",
        "Floor 10% of the pool (100.00 EUR) is divided equally among verified people",
        "60% by the merit of the last 30 days; 20% by the merit of the last 90 days, which fades by 50% a day; 10% to "
        "whoever has got less than their share so far; 10% set apart: the <b>hive</b>",
        "75% by how much a work is used, 25% by use times integrative potential; a work keeps 50%",
        "Cap nobody gets more than 250.00 EUR",
        "Minimum less than 2.00 EUR is not paid out",
        "held money waits 90 days",
    ):
        assert each in words, each
    rules = json.loads(ROUND.model_dump_json()) | {"topic": "bees", "licenses": ["MIT"]}
    row = round_row(cap=None, minimum=0, owner_cap=20_000, policy=json.dumps(rules))
    words = said(page_of(PAGE, world(**{"rewards.rounds": [row]})))
    for each in ("Cap none for one person", "Minimum none", "all works of one account bring 200.00 EUR at most",
                 "only works of bees count", "only works under MIT are paid"):  # fmt: skip
        assert each in words, each


def test_how_unequally() -> None:
    words = said(page_of(PAGE, world()))
    # 99.99, 200, 300, 400 of 999.99: Gini = (2·(1·9999 + 2·20000 + 3·30000 + 4·40000))/(4·99999) - 5/4.
    assert f"Gini coefficient {2 * (9999 + 40000 + 90000 + 160000) / (4 * 99999) - 1.25:.3f}" in words
    assert "The ten largest of 4 shares have 100.0%, the largest tenth has 40.0%." in words
    assert "the half that gets least has 30.0% of the 999.99 EUR." in words


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"is_paid": False, "why_not": "inputs were late"}, "Not paid: inputs were late."),
        ({"is_paid": False, "closes": False}, "Not paid yet: its period has not ended."),
    ],
)
def test_why_nothing_is_paid(more: dict[str, Any], told: str) -> None:
    words = said(page_of(PAGE, world(**{"rewards.rounds": [round_row(**more)]})))
    assert told in words and "Who would be paid, and why" in words and "entered in the reward ledger" not in words
    assert "This is the first day of the round." in words


def test_a_pool_as_large_as_may_be_keeps_its_last_digit() -> None:
    row = round_row(pool=10**30 - 1, returned=1, budget=10**30, receipts=10**30 - 3, escrow=2, reserve=1, decimals=18,
                    currency="ETH")  # fmt: skip
    rows = world(**{"rewards.rounds": [row], "rewards.allocations": [share_of("ada", 10**30 - 3)],
                    "rewards.explanations": []})  # fmt: skip
    words = said(page_of(PAGE, rows))
    assert (
        "999,999,999,999.999999999999999997 ETH for people + 0.000000000000000002 ETH in escrow + "
        "0.000000000000000001 ETH in reserve" in words
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, "No round divides money on 2026-11-20"),
        ({"rewards.rounds": [round_row(pool=0, returned=0, budget=0, receipts=0, escrow=0, reserve=0)]},
         "The pool is empty, so there is nothing to divide."),
        ({"rewards.rounds": [round_row()]}, "Nobody: no part of this round belongs to anyone who has claimed it"),
        ({"rewards.rounds": [round_row()]}, "Nobody gets anything, so there is nothing to compare."),
        ({"rewards.rounds": [round_row()]}, "Nothing waits in escrow."),
        ({"rewards.rounds": [round_row()]}, "Nothing in the graph of 2026-11-20 looks made for the score."),
    ],
)  # fmt: skip
def test_where_there_is_nothing_a_sentence_says_so(rows: dict[str, Any], told: str) -> None:
    assert told in said(page_of(PAGE, rows))


CLAIM = {"person_id": "person:mallory", "subject": "github:Mal", "proof": "https://example.org", "name": "Mallory"}


@pytest.mark.parametrize(
    ("who", "register"),
    [
        ("mallory", {"traces.optouts": [{"scope": "person", "subject": "mallory"}]}),
        ("person:mallory", {"traces.optouts": [{"scope": "person", "subject": "person:mallory"}]}),
        # Under one name out, under all that are claimed.
        (
            "github:mal",
            {"traces.optouts": [{"scope": "person", "subject": "person:mallory"}], "traces.claims": [CLAIM]},
        ),
        (
            "person:mallory",
            {"traces.optouts": [{"scope": "person", "subject": "github:MAL"}], "traces.claims": [CLAIM]},
        ),
        ("github:mallory", {"traces.optouts": [{"scope": "owner", "subject": "github:Mallory"}]}),
    ],
)
def test_who_opted_out_is_not_named(who: str, register: dict[str, Any]) -> None:
    rows = world(**register)
    rows["rewards.allocations"] = [*rows["rewards.allocations"], share_of(who, 0, 4_000, name="Mallory")]
    # Held for another reason on an earlier day, and for the opt-out on this one.
    rows["rewards.escrow"] = [
        *rows["rewards.escrow"], waits(who, 3_000, opened=str(BEFORE)), waits(who, 4_000, "opted_out"),
        waits(who, 8, state="released", released_to=who),
    ]  # fmt: skip
    rows["rewards.alerts"] = [
        {
            "alert": "x",
            "kind": "reciprocity",
            "members": [who, "github:bob"],
            "works": ["w1"],
            "reason": f"{who} and bob",
        }
    ]
    written = page_of(PAGE, rows)
    assert not re.search(r"\bmal", written.decode(), re.IGNORECASE)
    words = said(written)
    assert "70.00 EUR more are held because people, owners or works opted out. They are not named." in words
    assert "somebody who opted out" in words and "github:bob" in words
    without = {each: held for each, held in rows.items() if each not in register}
    assert who in page_of(PAGE, without).decode(), "without the opt-out the name is there"


def test_an_optout_of_a_later_day_does_not_reach_back() -> None:
    rows = world(**{"traces.optouts": [{"scope": "person", "subject": "eve", "date": LATER}]})
    assert "Eve eve 300.01 EUR" in said(page_of(PAGE, rows))


def test_whose_work_was_taken_out_is_not_said() -> None:
    rows = world()
    rows["rewards.allocations"] = [*rows["rewards.allocations"], share_of("mallory", 0, 500)]
    rows["rewards.escrow"] = [*rows["rewards.escrow"], waits("mallory", 500, "work_opted_out", subject="w1"),
                              waits("eve", 500, "work_opted_out", subject="w1")]  # fmt: skip
    words = said(page_of(PAGE, rows))
    assert "mallory" not in words.lower()
    assert "Eve eve 300.01 EUR" in words, "what waits for her for other reasons is hers to see"
    assert "10.00 EUR more are held because" in words


def test_alerts_are_told_in_words() -> None:
    alert = {"alert": "x", "kind": "burst", "members": [f"github:o{each}" for each in range(7)], "works": ["w1", "w9"],
             "score": 12.5, "reason": "5 accounts on one day"}  # fmt: skip
    words = said(page_of(PAGE, world(**{"rewards.alerts": [alert]})))
    assert (
        "Many links at once from accounts that have nothing else 5 accounts on one day github:o0 github:o1 github:o2 "
        "github:o3 github:o4 and 2 more Ant trails w9 12.50" in words
    )
    assert "No money depends on it." in words


def test_every_reason_has_words_and_a_way_out() -> None:
    assert rewards._HELD.keys() == set(HELD) == TO_DO.keys()
    kinds = next(each.enum for each in table("rewards.alerts").columns if each.name == "kind")
    assert rewards._KINDS.keys() == set(kinds or ())


def test_later_days_change_no_byte() -> None:
    rows = world(**{"traces.claims": [CLAIM]})
    later = {name: [*held, *({**row, "date": LATER} for row in held)] for name, held in rows.items()}
    later["traces.optouts"] = [{"scope": "person", "subject": "ada", "date": LATER}]
    assert page_of(PAGE, rows) == page_of(PAGE, later)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert page_of(PAGE, world()) == page_of(PAGE, {name: rows[::-1] for name, rows in world().items()})


def test_strangers_words_do_nothing() -> None:
    rows = world(**{"rewards.alerts": [{"alert": "x", "members": [HOSTILE], "works": [HOSTILE], "reason": HOSTILE}]})
    for row in (*rows["rewards.allocations"], *rows["citations.nodes"]):
        row["name" if "name" in row else "title"] = HOSTILE
    rows["rewards.rounds"] = [round_row(is_paid=False, why_not=HOSTILE, currency=HOSTILE[:60])]
    written = page_of(PAGE, rows)
    assert not {"iframe", "img"} & tags(written)
    assert written.count(b"<script") == page_of(PAGE, world()).count(b"<script")
    assert "\u202e" not in written.decode() and "</title></desc></svg>" in said(written)


def test_two_rounds_keep_apart() -> None:
    rows = world()
    other = {"round": "second", "policy": ROUND.model_dump_json(), "currency": "ETH", "decimals": 0, "pool": 7,
             "returned": 0, "budget": 7, "receipts": 7, "escrow": 0, "reserve": 0}  # fmt: skip
    rows["rewards.rounds"] = [*rows["rewards.rounds"], round_row(**other)]
    rows["rewards.allocations"] = [*rows["rewards.allocations"], share_of("zoe", 7, round="second")]
    words = said(page_of(PAGE, rows))
    first, second = words.split("Round second", 1)
    assert "7 ETH pool = 7 ETH for people" in second and "Zoe 7 ETH" in second
    assert "Zoe" not in first and "Ada" not in second


@pytest.fixture(scope="module")
def page(sample: Settings) -> bytes:
    with open_catalog(sample.lake_root / CATALOG) as connection:
        return shown(PAGE, connection, DAYS[-1], "sample")


def test_the_sample_says_what_the_tables_say(sample: Settings, page: bytes) -> None:
    words = said(page)
    with open_catalog(sample.lake_root / CATALOG) as connection:
        connection.execute(f"SET VARIABLE day = DATE '{DAYS[-1]}'")

        def asked(sql: str) -> pl.DataFrame:
            return pl.DataFrame(pl.from_arrow(connection.sql(sql).to_arrow_table()))

        row = asked("FROM rewards.rounds WHERE date = getvariable('day')").row(0, named=True)
        paid = asked(
            """SELECT p.person_id, coalesce(a.name, p.person_id) AS name, p.amount FROM rewards.receipts p
            LEFT JOIN rewards.allocations a ON (a.date, a.round, a.person_id) = (p.date, p.round, p.person_id)
            WHERE p.date = getvariable('day') AND p.kind = 'round'"""
        )
        waiting = asked(
            """SELECT held, sum(amount) AS amount FROM rewards.escrow
            WHERE date = getvariable('day') AND state = 'open' GROUP BY held"""
        )
        out = asked("SELECT subject FROM traces.optouts WHERE date = getvariable('day') AND scope = 'person'")
        names = asked("SELECT name FROM rewards.allocations a SEMI JOIN traces.optouts o ON o.subject = a.person_id")

    def told(amount: Any) -> str:
        return money(amount, row["decimals"], row["currency"])

    parts = [row[each] for each in ("receipts", "escrow", "reserve")]
    assert sum(map(int, parts)) == int(row["budget"])
    assert "{} pool = {} for people + {} in escrow + {} in reserve".format(*map(told, (row["pool"], *parts))) in words
    assert sum(map(int, paid["amount"])) == int(row["receipts"])
    for person, name, amount in paid.iter_rows():
        assert f"{name} {told(amount)}" in words, person
    assert f"{told(sum(map(int, waiting['amount'])))} wait in escrow" in words
    for amount in waiting["amount"]:
        assert told(amount) in words
    assert out.height and names.height, "the sample has somebody who opted out"
    assert not any(each in page.decode() for each in (*out["subject"], *names["name"]))


def test_the_parts_of_an_amount_add_up_to_it_on_the_page(page: bytes) -> None:
    rows = re.findall(r'<tr role="row"><th role="rowheader" scope="row">(?:(?!</tr>).)*</tr>', page.decode(), re.DOTALL)
    checked = 0
    for row in rows:
        parts = re.findall(r'<div class="part"><span>([\d.,]+) EUR</span>', row)
        if parts:
            whole = re.search(r'class="proof"[^>]*>([\d.,]+) EUR', row)
            assert whole is not None
            cents = [int(re.sub(r"\D", "", each)) for each in (whole[1], *parts)]
            assert cents[0] == sum(cents[1:])
            checked += 1
    assert checked == 8


def test_people_and_works_are_linked(page: bytes) -> None:
    assert "person.html?id=person:sample-yang" in links(page)
    assert any(each.startswith("work.html?id=doi:10.1109/nabic") for each in links(page))
