"""Who is a person, and what holds money back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.lake.schemas import HELD, TABLES
from coevo_pipelines.rewards.persons import Register, eligibility, held_works, identified, register
from coevo_pipelines_tests.influence.worlds import names
from coevo_pipelines_tests.rewards.worlds import Row, claim, frame, optout

PARTS = {
    "node_id": pl.String, "person_id": pl.String, "name": pl.String, "works": pl.Int64, "merit": pl.Int64,
    "work_held": pl.String, "owner": pl.String,
}  # fmt: skip


def known(
    claims: Iterable[Row] = (), optouts: Iterable[Row] = (), aliases: Mapping[str, str] | None = None
) -> Register:
    return register(frame("traces.claims", claims), frame("traces.optouts", optouts), names(aliases))


def parts(*given: tuple[Any, ...]) -> pl.DataFrame:
    """(work, person, merit), and as they are needed: why the work is held, its owner."""
    listed = [(work, person, None, 1, merit, *more, *(None, "")[len(more) :]) for work, person, merit, *more in given]
    return pl.DataFrame(listed, schema=PARTS, orient="row").with_columns(works=pl.lit(1, pl.Int64))


def who(register: Register, *raw: str) -> list[tuple[str, str | None]]:
    found = identified(pl.DataFrame({"person_id": raw}, schema={"person_id": pl.String}), register)
    assert found["is_verified"].to_list() == [
        held is None or (held == "opted_out" and verified)
        for held, verified in found.select("held", "is_verified").iter_rows()
    ], "who is verified is held back for no other reason"
    return found.select("person_id", "held").rows()


ADA = claim("ada", "github:ada", "orcid:0000-0001", "arxiv:x#2")
UNPROVEN = claim("eve", "github:ada", "arxiv:x#2", proof=None)


@pytest.mark.parametrize(
    ("claims", "raw", "expected"),
    [
        ([], "github:ada", ("github:ada", "unverified")),
        (ADA, "github:ada", ("person:ada", None)),
        (ADA, "GitHub:Ada", ("GitHub:Ada", "unverified")),  # no identifier: the prefix is not as we write it
        (ADA, "github:ADA", ("person:ada", None)),
        (claim("ada", "hf:Ada"), "hf:ada", ("person:ada", None)),
        (ADA, "orcid:0000-0001", ("person:ada", None)),
        (claim("ada", "orcid:0000-000X"), "orcid:0000-000x", ("orcid:0000-000x", "unverified")),
        (ADA, "arxiv:x#2", ("person:ada", None)),
        (ADA, "arxiv:x#1", ("arxiv:x#1", "unverified")),
        (ADA, "arxiv:x#unknown", ("arxiv:x#unknown", "unknown_person")),
        (ADA, "person:ada", ("person:ada", None)),
        (UNPROVEN, "github:ada", ("github:ada", "unverified")),
        (UNPROVEN, "person:eve", ("person:eve", "unverified")),
        (ADA + UNPROVEN, "github:ada", ("person:ada", None)),
        (ADA + claim("eve", "GitHub:ada"), "github:ada", ("person:ada", None)),
        (ADA + claim("eve", "github:Ada"), "github:ada", ("github:ada", "disputed")),
        (ADA + claim("eve", "github:Ada"), "orcid:0000-0001", ("person:ada", None)),
        (ADA + claim("eve", "github:Ada"), "person:eve", ("person:eve", "unverified")),
        (claim("ada", "arxiv:x#unknown"), "arxiv:x#unknown", ("person:ada", None)),
    ],
)
def test_a_claim_counts_with_a_proof_and_undisputed(
    claims: list[Row], raw: str, expected: tuple[str, str | None]
) -> None:
    assert who(known(claims), raw) == [expected]


def test_an_account_is_one_person_in_any_case_of_letters_claimed_or_not() -> None:
    rows = eligibility(parts(("a", "github:NiaOrg", 1), ("b", "github:niaorg", 2)), known())
    assert rows.select("person_id", "merit", "works").rows() == [("github:niaorg", 3, 2)]
    rows = eligibility(parts(("a", "arxiv:X#1", 1), ("b", "arxiv:x#1", 2)), known())
    assert rows.height == 2, "other identifiers are not the same"


ALIASES = {"openalex:W1": "arxiv:x", "arxiv:x": "arxiv:x"}


@pytest.mark.parametrize("claimed", ["openalex:W1#2", "arxiv:x#2"])
@pytest.mark.parametrize("raw", ["openalex:W1#2", "arxiv:x#2"])
def test_an_authorship_is_the_same_under_all_names_of_the_work(claimed: str, raw: str) -> None:
    """An earlier day, or the register's table of shares, may name it by what is an alias today."""
    assert who(known(claim("ada", claimed), aliases=ALIASES), raw) == [("person:ada", None)]
    assert who(known([], [optout("person", claimed)], ALIASES), raw) == [("arxiv:x#2", "opted_out")]


def test_two_claims_of_one_authorship_under_two_names_are_one_or_a_dispute() -> None:
    twice = claim("ada", "openalex:W1#2", "arxiv:x#2")
    assert who(known(twice, aliases=ALIASES), "arxiv:x#2") == [("person:ada", None)]
    both = claim("ada", "openalex:W1#2") + claim("eve", "arxiv:x#2")
    assert who(known(both, aliases=ALIASES), "arxiv:x#2") == [("arxiv:x#2", "disputed")]


@pytest.mark.parametrize("said", ["person:ada", "github:ADA", "orcid:0000-0001", "arxiv:x#2"])
def test_who_opts_out_under_one_name_is_out_under_all(said: str) -> None:
    names = ["person:ada", "github:ada", "github:Ada", "orcid:0000-0001", "arxiv:x#2"]
    found = who(known(ADA, [optout("person", said)]), *names)
    assert found == [("person:ada", "opted_out")] * 5


def test_an_opt_out_of_what_is_disputed_or_claimed_without_proof_is_of_that_alone() -> None:
    out = [optout("person", "github:ada")]
    both = who(known(ADA + claim("eve", "github:ada", "hf:eve"), out), "github:ada", "orcid:0000-0001", "hf:eve")
    assert both == [("github:ada", "opted_out"), ("person:ada", None), ("person:eve", None)]
    only = who(known(UNPROVEN + claim("eve", "hf:eve"), out), "github:ada", "hf:eve")
    assert only == [("github:ada", "opted_out"), ("person:eve", None)]


WORKS = pl.DataFrame(
    [
        ("a", "github:Ada", "active", "MIT"), ("b", None, "withdrawn", "MIT"), ("c", "hf:eve", "gated", "GPL-3.0"),
        ("d", None, "active", None), ("e", None, None, None),
    ],
    schema=["node_id", "owner", "status", "license"], orient="row",
)  # fmt: skip


@pytest.mark.parametrize(
    ("optouts", "licenses", "expected"),
    [
        ([], None, [None, "retracted", None, None, None]),
        ([], ("MIT",), [None, "retracted", "licence", "licence", "licence"]),
        ([], (), ["licence", "retracted", "licence", "licence", "licence"]),
        ([optout("owner", "github:ADA")], None, ["owner_opted_out", "retracted", None, None, None]),
        ([optout("owner", "hf:EVE")], ("MIT",), [None, "retracted", "licence", "licence", "licence"]),
        ([optout("work", "b"), optout("work", "d")], None, [None, "retracted", None, "work_opted_out", None]),
        ([optout("work", "old-a")], None, ["work_opted_out", "retracted", None, None, None]),
        ([optout("person", "github:ada")], None, [None, "retracted", None, None, None]),
    ],
)
def test_why_the_part_of_a_work_is_held(
    optouts: list[Row], licenses: Sequence[str] | None, expected: list[str | None]
) -> None:
    found = held_works(WORKS, known(optouts=optouts, aliases={"old-a": "a"}), licenses)
    assert found.to_list() == expected


def test_rows_of_a_person_are_apart_by_what_decides() -> None:
    """What may be paid, and each work whose part is held back; another's opt-out does not touch it."""
    given = parts(
        ("a", "github:ada", 5), ("b", "orcid:0000-0001", 7), ("c", "github:ada", 11, "retracted"),
        ("a", "github:bob", 3), ("c", "github:bob", 13, "retracted"), ("d", "d#unknown", 17),
    )  # fmt: skip
    rows = eligibility(given, known(ADA, [optout("person", "github:bob")]))
    assert rows.select("person_id", "subject", "held", "is_verified", "works", "merit").rows() == [
        ("d#unknown", "d#unknown", "unknown_person", False, 1, 17),
        ("github:bob", "c", "retracted", False, 1, 13),
        ("github:bob", "github:bob", "opted_out", False, 1, 3),
        ("person:ada", "c", "retracted", True, 1, 11),
        ("person:ada", "person:ada", None, True, 2, 12),
    ]


def test_owners_are_apart_where_they_have_a_limit() -> None:
    given = parts(("a", "github:ada", 5, None, "github:ada"), ("b", "github:ada", 7, None, "github:lab"))
    rows = eligibility(given, known(ADA))
    assert rows.select("person_id", "owner", "merit").rows() == [
        ("person:ada", "github:ada", 5), ("person:ada", "github:lab", 7),
    ]  # fmt: skip


def test_verified_people_without_merit_are_there_for_the_floor() -> None:
    claims = ADA + claim("bob", "github:bob", name="Bob") + claim("eve", "github:eve", proof=None)
    claims += claim("out", "github:out") + claim("held", "github:held")
    given = parts(("a", "github:ada", 5), ("b", "github:bob", 0), ("c", "github:held", 3, "licence"))
    rows = eligibility(given, known(claims, [optout("person", "github:out")]))
    assert rows.select("person_id", "subject", "held", "is_verified", "merit", "name").rows() == [
        ("person:ada", "person:ada", None, True, 5, None),
        ("person:bob", "person:bob", None, True, 0, "Bob"),
        ("person:held", "c", "licence", True, 3, None),
        ("person:held", "person:held", None, True, 0, None),
        ("person:out", "person:out", "opted_out", True, 0, None),
    ]


def test_nobody_and_nothing() -> None:
    rows = eligibility(parts(), known())
    assert rows.height == 0
    assert rows.columns == [c for c in TABLES["rewards.eligibility"].polars_schema() if c != "round"]


_PERSONS = st.sampled_from(["ada", "bob", "eve"])
_SUBJECTS = st.sampled_from(
    ["github:a", "github:A", "hf:b", "orcid:1", "arxiv:x#1", "openalex:W1#1", "arxiv:y#unknown"]
)
_CLAIMS = st.lists(st.tuples(_PERSONS, _SUBJECTS, st.sampled_from([None, "proof"])), max_size=8)
_OUT = st.lists(st.tuples(st.just("person"), st.one_of(_SUBJECTS, st.just("person:bob"))), max_size=3)
_PARTS = st.lists(
    st.tuples(
        st.sampled_from("abc"), _SUBJECTS | st.just("person:ada"), st.integers(0, 10**17),
        st.sampled_from([None, *HELD[:4]]), st.sampled_from(["", "github:o"]),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(_CLAIMS, _OUT, _PARTS, st.randoms())
def test_no_merit_is_lost_made_or_paid_without_a_right(
    claims: list[tuple[str, str, str | None]], out: list[tuple[str, str]], given: list[tuple[Any, ...]], order: Any
) -> None:
    """And the order of nothing matters (P2)."""
    listed = [row for person, subject, proof in claims for row in claim(person, subject, proof=proof)]
    opted = [optout(*each) for each in out]
    register = known(listed, opted, ALIASES)
    rows = eligibility(parts(*given), register)
    assert rows["merit"].sum() == sum(each[2] for each in given)
    for by in ("a", "b", "c"):
        held = rows.filter(pl.col("subject") == by)["merit"].sum()
        assert held == sum(merit for work, _, merit, why, _ in given if work == by and why), "each work's, as held"
    assert rows.select("person_id", "subject", "owner").is_unique().all()
    payable = rows.filter(pl.col("held").is_null())
    assert payable["is_verified"].all()
    proven = {f"person:{person}" for person, _, proof in claims if proof}
    assert set(payable["person_id"]) <= proven
    assert not set(payable["person_id"]) & {subject for _, subject in out}
    for each in (listed, opted, given):
        order.shuffle(each)
    assert eligibility(parts(*given), known(listed, opted, ALIASES)).equals(rows)
