"""A pool divided by anyone's list of scores: read, weigh by a policy, allocate, write; no lake is needed.

What `coevo rewards allocate` runs. Scores are read as exact decimals, so the result is right to the unit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Literal

import polars as pl

from coevo_pipelines.rewards import policies
from coevo_pipelines.rewards.apportion import Allocation, allocate
from coevo_pipelines.rewards.tables import (
    TableError,
    exactly,
    in_decimals,
    minor_units,
    one_spelling,
    read_rows,
    write_rows,
)

MOST = 10**30
"""Minor units of a pool."""
MOST_PLACES = 30
MOST_DAYS = 1000
MOST_DIGITS = 100
"""Of a score, on either side of the point."""
MOST_NAMED = 3

PolicyName = Literal["IMMEDIATE", "RECENT", "BALANCED", "SPECIAL"]

NONE, NEGATIVE, TOO_LONG = -1, -2, -3
FAULTS = {
    NONE: "the score is no plain number (digits, point, exponent; up to 100 digits)",
    NEGATIVE: "the score is negative",
    TOO_LONG: f"the score has more than {MOST_DIGITS} decimals",
}

_PLAIN = r"^\+?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?$"


@dataclass(frozen=True)
class Rules:
    """How the pool is divided. Amounts in minor units."""

    pool: int
    cap: int | None = None
    minimum: int = 0
    floor: int = 0
    """Of the pool, divided equally among everybody in the list."""
    policy: PolicyName = "IMMEDIATE"
    days: int | None = None
    """That count, the list's last one included; None: all of a list without dates, else the last day."""
    discount: Fraction = Fraction(1, 2)
    """RECENT: what a score loses a day."""
    paid: int | None = None
    """BALANCED: paid to anybody so far; None: the sum of what the list says is earned."""
    recipient: str | None = None
    """SPECIAL: who gets the merit part."""
    most: int | None = None
    """SPECIAL: most that it spends."""


@dataclass(frozen=True)
class Divided:
    """Who gets what."""

    rules: Rules
    recipients: Sequence[str]
    """In order of id, which is the order in which ties are broken."""
    allocation: Allocation
    rows: int
    rejects: pl.DataFrame
    """line, recipient, score, reason: rows that could not be read."""
    last: date | None
    """The last day of the list; None: it has no dates."""
    older: int
    """Rows of days that do not count."""
    summed: int
    """Recipients with several rows of a day, which were added up."""
    alike: Sequence[str]
    """Ids that differ in case, spaces or form only and are taken for different recipients: up to three groups."""

    @property
    def paid(self) -> int:
        return self.rules.pool - self.allocation.reserve

    @property
    def rejected(self) -> Mapping[str, int]:
        """Reason -> rows."""
        return dict(Counter(self.rejects["reason"].to_list()).most_common())


def divide(path: Path, rules: Rules, *, places: int = 0, sum_duplicates: bool = False) -> Divided:
    """Divide the pool by the list at `path` (.csv or .parquet): columns recipient and score; date (YYYY-MM-DD) where
    several days count; earned (with `places` decimals, empty: 0) for BALANCED.

    Raises TableError for a file that cannot be used, with nobody left in it, or with recipients that are there twice
    (unless `sum_duplicates`), ValueError for rules that make no sense.
    """
    _checked(rules)
    found = read_rows(path, ("recipient", "score"), ("date", "earned"))
    _has_what_it_takes(path, found, rules)
    scores = _scores(found["score"])
    earned = [_earned(text, places) for text in found["earned"]] if rules.policy == "BALANCED" else []
    rows = _judged(found, scores, earned)
    rejects = rows.filter(pl.col("reason").is_not_null()).select("line", "recipient", "score", "reason")
    good = rows.filter(pl.col("reason").is_null())
    if good.is_empty():
        raise TableError(f"{path}: {_nothing_left(rejects)}")
    repeated = _repeated(path, good, sum_duplicates)
    last = good["day"].max() if "date" in found.columns else None
    assert last is None or isinstance(last, date)
    days = _days(rules)
    within = good if last is None else good.filter((pl.lit(last) - pl.col("day")).dt.total_days() < days)
    recipients = within["who"].unique().sort()
    weights = _weights(path, within, recipients, scores, earned, rules)
    spendable = rules.pool - rules.floor
    if rules.policy == "SPECIAL" and rules.most is not None:
        spendable = min(spendable, rules.most)
    done = allocate(weights, rules.floor + spendable, cap=rules.cap, minimum=rules.minimum, floor=rules.floor)
    return Divided(
        rules,
        recipients.to_list(),
        replace(done, reserve=rules.pool - sum(done.amounts)),
        found.height,
        rejects,
        last,
        good.height - within.height,
        repeated,
        _alike(recipients),
    )


def write(divided: Divided, out: Path, places: int) -> int:
    """Write recipient and amount of everybody who gets something, in order of id; returns how many they are.

    Amounts are minor units, or with `places` have so many decimals: text of a .csv, exact decimals of a .parquet.
    """
    pairs = zip(divided.recipients, divided.allocation.amounts, strict=True)
    paid = [(recipient, in_decimals(amount, places)) for recipient, amount in pairs if amount]
    frame = pl.DataFrame(paid, schema={"recipient": pl.String, "amount": pl.String}, orient="row")
    if out.suffix.lower() == ".parquet":
        frame = frame.with_columns(pl.col("amount").cast(pl.Decimal(38, places)))
    write_rows(frame, out)
    return frame.height


def _checked(rules: Rules) -> None:
    if rules.floor > rules.pool:
        raise ValueError(f"the floor {rules.floor} is above the pool {rules.pool}")
    if rules.cap is not None and rules.cap < rules.minimum:
        raise ValueError(f"the minimum {rules.minimum} is above the cap {rules.cap}: nobody could get anything")
    if rules.days is not None and rules.policy not in {"IMMEDIATE", "RECENT"}:
        raise ValueError(f"days are looked back on by IMMEDIATE and RECENT, not by {rules.policy}")
    if not 1 <= _days(rules) <= MOST_DAYS:
        raise ValueError(f"the days must be from 1 to {MOST_DAYS}, not {rules.days}")


def _days(rules: Rules) -> int:
    if rules.days is not None:
        return rules.days
    return 90 if rules.policy == "RECENT" else 1


def _has_what_it_takes(path: Path, found: pl.DataFrame, rules: Rules) -> None:
    dated = "date" in found.columns
    if not dated and (rules.policy == "RECENT" or rules.days is not None):
        raise TableError(f"{path}: there is no column 'date' (YYYY-MM-DD), and {rules.policy} looks back on days")
    if "earned" not in found.columns and rules.policy == "BALANCED":
        raise TableError(f"{path}: there is no column 'earned', and BALANCED goes by what everybody has got so far")


def _scores(texts: pl.Series) -> list[int]:
    """The scores, times the power of ten that makes all of them whole; `NONE`, `NEGATIVE` or `TOO_LONG` for others.

    What is written as digits, point and exponent is read by column, the rest (with a currency sign, say) one by one.
    """
    text = pl.col("text").str.strip_chars()
    read = pl.DataFrame({"text": texts}).with_columns(
        plain=pl.when(text.str.contains(_PLAIN), text.str.len_bytes() <= MOST_DIGITS).then(text)
    )
    part = pl.col("plain").str.extract(r"\.([0-9]+)").fill_null("").str.strip_chars_end("0")
    read = read.with_columns(part=part, whole=pl.col("plain").str.extract(r"([0-9]+)"))
    exponent = pl.col("plain").str.extract(r"[eE](.+)$").cast(pl.Int64).fill_null(0)
    read = read.with_columns(
        digits=pl.col("whole") + pl.col("part"), shift=exponent - pl.col("part").str.len_bytes().cast(pl.Int64)
    )
    digits = [NONE if each is None else int(each) for each in read["digits"]]
    shifts = read["shift"].to_list()
    others = read.with_row_index("row").filter(pl.col("plain").is_null() & pl.col("text").is_not_null())
    for row, other in others.select("row", "text").iter_rows():
        digits[row], shifts[row] = _score(other)
    shifts = [shift if each > 0 else 0 for each, shift in zip(digits, shifts, strict=True)]
    decimals = -min((shift for shift in shifts if -MOST_DIGITS <= shift < 0), default=0)
    powers = [10**power for power in range(max(shifts, default=0) + decimals + 1)]
    return [
        each if each <= 0 else TOO_LONG if shift < -MOST_DIGITS else each * powers[shift + decimals]
        for each, shift in zip(digits, shifts, strict=True)
    ]


def _score(text: str) -> tuple[int, int]:
    """n and k of n·10^k."""
    value = exactly(text)
    if value is None or value < 0:
        return (NONE if value is None else NEGATIVE), 0
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return int("".join(map(str, digits))), exponent


def _judged(found: pl.DataFrame, scores: Sequence[int], earned: Sequence[int | None]) -> pl.DataFrame:
    """The rows with row (their number), who, day, and reason (why it cannot be used, or null)."""
    who = pl.col("recipient").str.strip_chars()
    rows = found.with_row_index("row").with_columns(
        who=pl.when(who != "").then(who),
        day=pl.lit(None, pl.Date),
        wrong=pl.Series([FAULTS.get(score) for score in scores], dtype=pl.String),
    )
    blank = pl.col("score").fill_null("").str.strip_chars() == ""
    reasons = [
        pl.col("problem"),
        pl.when(pl.col("who").is_null()).then(pl.lit("no recipient")),
        pl.when(blank).then(pl.lit("no score")),
        pl.col("wrong"),
    ]
    if "date" in found.columns:
        day = pl.col("date").str.strip_chars()
        is_day = day.str.contains(r"^\d{4}-\d{2}-\d{2}$")
        rows = rows.with_columns(day=pl.when(is_day).then(day).str.to_date("%Y-%m-%d", strict=False))
        reasons.append(pl.when(pl.col("day").is_null()).then(pl.lit("the date is not YYYY-MM-DD")))
    if earned:
        rows = rows.with_columns(has_earned=pl.Series([each is not None for each in earned]))
        reasons.append(pl.when(~pl.col("has_earned")).then(pl.lit("earned is no whole number of minor units")))
    return rows.with_columns(reason=pl.coalesce(reasons))


def _earned(text: str | None, places: int) -> int | None:
    """Minor units; None where it says none."""
    if text is None or not text.strip():
        return 0
    value = exactly(text)
    try:
        return None if value is None else minor_units(value, places, MOST, "earned")
    except ValueError:
        return None


def _nothing_left(rejects: pl.DataFrame) -> str:
    if rejects.is_empty():
        return "there are no rows below the header"
    reasons = Counter(rejects["reason"].to_list()).most_common(MOST_NAMED)
    why = ", ".join(f"{reason} ({count:,})" for reason, count in reasons)
    return f"none of {rejects.height:,} rows can be used: {why}"


def _repeated(path: Path, good: pl.DataFrame, allowed: bool) -> int:
    """How many recipients have several rows of a day."""
    repeated = good.filter(pl.struct("who", "day").is_duplicated())
    several = repeated.group_by("who", "day").agg("line")
    if several.height and not allowed:
        first = several.sort(pl.col("line").list.min()).head(MOST_NAMED)
        named = "; ".join(
            f"{who!r} on lines {', '.join(map(str, sorted(lines)[:5]))}{', …' if len(lines) > 5 else ''}"
            for who, lines in first.select("who", "line").iter_rows()
        )
        more = f"; and {several.height - MOST_NAMED:,} more" if several.height > MOST_NAMED else ""
        raise TableError(
            f"{path}: a recipient may be there once{' a day' if 'date' in good.columns else ''}, and there are "
            f"{named}{more}: correct the list, or add their scores up with --sum-duplicates"
        )
    return several["who"].n_unique()


def _weights(
    path: Path,
    rows: pl.DataFrame,
    recipients: pl.Series,
    scores: Sequence[int],
    earned: Sequence[int | None],
    rules: Rules,
) -> list[int]:
    """By the policy, in the order of the recipients."""
    if rules.policy == "SPECIAL":
        return policies.special(recipients.len(), _place_of(path, recipients, rules.recipient or ""))
    places = rows.join(recipients.to_frame("who").with_row_index("place"), on="who", maintain_order="left")["place"]
    back = rows.select((pl.col("day").max() - pl.col("day")).dt.total_days().fill_null(0)).to_series().to_list()
    factors = _factors(rules, max(back) + 1)
    merit, had = [0] * recipients.len(), [0] * recipients.len()
    for place, row, ago in zip(places, rows["row"], back, strict=True):
        merit[place] += scores[row] * factors[ago]
    common = math.gcd(*merit) or 1  # the same shares in smaller numbers
    merit = [each // common for each in merit]
    if rules.policy != "BALANCED":
        return merit
    for place, row in zip(places, rows["row"], strict=True):
        had[place] += earned[row] or 0
    paid = sum(had) if rules.paid is None else rules.paid
    if paid < sum(had):
        raise ValueError(f"{paid} was paid in all, it is said, and {sum(had)} was earned by those in {path}")
    return policies.balanced(merit, had, paid, rules.pool - rules.floor)


def _factors(rules: Rules, days: int) -> list[int]:
    """What a score of n days back counts: the policy applied to scores of 1, each alone on its day."""
    alone = [[int(ago == day) for day in range(days)] for ago in range(days)]
    return policies.recent(alone, rules.discount) if rules.policy == "RECENT" else policies.immediate(alone, days)


def _place_of(path: Path, recipients: pl.Series, name: str) -> int:
    found = (recipients == name).arg_true()
    if not len(found):
        raise TableError(f"{path}: {name!r}, who is to get all, is not among its {recipients.len():,} recipients")
    return int(found[0])


def _alike(recipients: pl.Series) -> list[str]:
    """Up to three groups of ids that are one in another spelling."""
    who, listed = pl.col("who"), recipients.to_frame("who")
    # For plain ids lower case is all that one_spelling does; of 3 million, nearly all are plain.
    is_plain = ~who.str.contains("[^!-~]")
    plain, others = listed.filter(is_plain), listed.filter(~is_plain)
    spelt = [plain.with_columns(as_one=who.str.to_lowercase()), others.with_columns(as_one=one_spelling(who))]
    several = pl.concat(spelt).filter(pl.col("as_one").is_duplicated())
    groups = several.group_by("as_one").agg("who").sort("as_one").head(MOST_NAMED)
    return [" and ".join(map(repr, sorted(ids))) for ids in groups["who"]]
