"""From one day to another: whose scores moved, which links came and went, what became of the chambers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from coevo_pipelines.influence.changes import Day, compare
from coevo_pipelines.influence.day import influence_of
from coevo_pipelines.lake.schemas import TABLES
from coevo_pipelines.settings import Influence
from coevo_pipelines_tests.citations.test_graph import DAY, Row
from coevo_pipelines_tests.influence.worlds import cites, frames, known, link, names

Scores = Mapping[str, Any]


def day_of(
    offset: int,
    scores: Scores | None = None,
    links: Iterable[Row] = (),
    chambers: Mapping[str, str | None] | None = None,
    aliases: Mapping[str, str] | None = None,
    column: str = "influence",
) -> Day:
    """A day of the lake of which only what a test names is filled. Chambers: what each work is in."""
    links = list(links)
    ends = dict.fromkeys(each[end] for each in links for end in ("source", "target"))
    dtype = TABLES["influence.scores"].polars_schema()[column]
    given = scores or {}
    seats = chambers or {}
    return Day(
        day=DAY + timedelta(offset),
        scores=pl.DataFrame(
            {"node_id": list(given), column: list(given.values())}, {"node_id": pl.String, column: dtype}
        ),
        edges=frames(ends, links)[1],
        lattice=pl.DataFrame(
            {"node_id": list(seats), "chamber_id": list(seats.values())},
            {"node_id": pl.String, "chamber_id": pl.String},
        ),
        aliases=names(aliases),
    )


def moves(before: Day, after: Day, column: str = "influence") -> list[tuple[Any, ...]]:
    return compare(before, after, column).scores.rows()


class TestScores:
    def test_the_largest_change_comes_first(self) -> None:
        before = day_of(0, {"gone": 0.2, "up": 0.1, "down": 0.5, "same": 0.2})
        after = day_of(3, {"up": 0.5, "down": 0.2, "same": 0.2, "new": 0.1})
        assert moves(before, after) == [
            ("up", 0.1, 0.5, 4, 1, 0.4),
            ("down", 0.5, 0.2, 1, 2, pytest.approx(-0.3)),
            ("gone", 0.2, None, 2, None, -0.2),
            ("new", None, 0.1, None, 4, 0.1),
            ("same", 0.2, 0.2, 2, 2, 0.0),
        ]

    def test_equal_changes_are_in_order_of_name(self) -> None:
        before, after = day_of(0, {}), day_of(1, {"c": 0.25, "a": 0.25, "b": 0.5})
        assert [row[0] for row in moves(before, after)] == ["b", "a", "c"]
        assert [row[4] for row in moves(before, after)] == [1, 2, 2]

    def test_a_work_is_compared_under_todays_name(self) -> None:
        """Two names that proved to be one work had together what each had apart."""
        before = day_of(0, {"doi:1": 0.25, "arxiv:1": 0.25, "openalex:2": 0.5})
        stands = {"doi:1": "arxiv:1", "arxiv:1": "arxiv:1", "openalex:2": "arxiv:2", "elsewhere": "arxiv:2"}
        after = day_of(1, {"arxiv:1": 0.25, "arxiv:2": 0.75}, aliases=stands)
        found = compare(before, after)
        assert found.scores.rows() == [("arxiv:1", 0.5, 0.25, 1, 2, -0.25), ("arxiv:2", 0.5, 0.75, 1, 1, 0.25)]
        assert found.renamed == {"doi:1": "arxiv:1", "openalex:2": "arxiv:2"}

    def test_counts_are_added_and_stay_whole(self) -> None:
        before = day_of(0, {"a": 2, "b": 3}, column="in_degree")
        after = day_of(1, {"a": 4, "c": 1}, aliases={"b": "a"}, column="in_degree")
        found = compare(before, after, "in_degree").scores
        assert found.rows() == [("a", 5, 4, 1, 1, -1), ("c", None, 1, None, 2, 1)]
        assert found.schema["change"] == pl.Int64

    @pytest.mark.parametrize("column", ["cd_index", "rescaled_influence", "integrative_potential"])
    def test_a_score_that_is_not_defined_is_not_nothing(self, column: str) -> None:
        """A disruption of 0 and none at all are different things: there is no change from or to none."""
        before = day_of(0, {"defined": 0.5, "undefined": None, "never": None, "gone": 0.5}, column=column)
        after = day_of(1, {"defined": None, "undefined": 0.5, "never": None, "new": 0.5}, column=column)
        rows = {row[0]: row[1:] for row in moves(before, after, column)}
        assert rows == {
            "defined": (0.5, None, 1, None, None),
            "undefined": (None, 0.5, None, 1, None),
            "never": (None, None, None, None, None),
            "gone": (0.5, None, 1, None, None),
            "new": (None, 0.5, None, 1, None),
        }

    def test_a_score_that_does_not_add_up_is_that_of_the_name_that_stayed(self) -> None:
        before = day_of(0, {"a": 0.5, "b": 0.25, "x": -1.0, "y": 0.75}, column="cd_index")
        stands = {"a": "b", "x": "z", "y": "z"}
        after = day_of(1, {"b": 0.5, "z": 0.5, "c": 0.1}, aliases=stands, column="cd_index")
        assert moves(before, after, "cd_index") == [
            ("z", -1.0, 0.5, 2, 1, 1.5),
            ("b", 0.25, 0.5, 1, 1, 0.25),
            ("c", None, 0.1, None, 3, None),
        ]

    @pytest.mark.parametrize("column", ["influence", "cd_index"])
    def test_who_came_and_who_went_does_not_depend_on_the_score(self, column: str) -> None:
        """Renamed works neither came nor went, and one without a defined score is there all the same."""
        undefined = 0.0 if column == "influence" else None
        before = day_of(0, {"gone": 0.5, "gone too": undefined, "old": 0.5, "stays": undefined}, column=column)
        after = day_of(1, {"new": undefined, "now": 0.5, "stays": 0.5}, aliases={"old": "now"}, column=column)
        found = compare(before, after, column)
        assert (found.appeared, found.gone) == (1, 2)

    @pytest.mark.parametrize("offset", [0, -1])
    def test_the_earlier_day_comes_first(self, offset: int) -> None:
        with pytest.raises(ValueError, match="2026-01-05 is not before"):
            compare(day_of(0), day_of(offset))


class TestLinks:
    def test_new_and_lost(self) -> None:
        before = day_of(0, links=[*cites("a>b a>c"), link("a", "b", "mentions")])
        after = day_of(1, links=[*cites("a>b b>d"), link("d", "a", weight=0)])
        found = compare(before, after)
        assert found.new_links.rows() == [("b", "d", "cites", 1), ("d", "a", "cites", 0)]
        assert found.lost_links.rows() == [("a", "b", "mentions", 1), ("a", "c", "cites", 1)]

    def test_a_link_under_other_names_is_neither(self) -> None:
        before = day_of(0, links=cites("a>doi:1 a>arxiv:1 openalex:2>a"))
        after = day_of(1, links=cites("a>arxiv:1 arxiv:2>a"), aliases={"doi:1": "arxiv:1", "openalex:2": "arxiv:2"})
        found = compare(before, after)
        assert (found.new_links.height, found.lost_links.height) == (0, 0)


class TestChambers:
    """The lake's ids say who is who; where the works are says where the others came from."""

    def told(self, before: Mapping[str, str | None], after: Mapping[str, str | None], **more: Any) -> tuple[Any, Any]:
        found = compare(day_of(0, chambers=before), day_of(9, chambers=after, **more))
        assert found.chambers.columns == ["chamber_id", "event", "origins", "size"]
        return found.chambers.rows(), found.ended

    def test_nothing_happened(self) -> None:
        seats = {"a": "1", "b": "1", "c": None}
        assert self.told(seats, seats) == ([("1", "continued", ["1"], 2)], {})

    def test_without_chambers(self) -> None:
        assert self.told({"a": None}, {}) == ([], {})

    def test_an_id_that_stayed_is_the_same_chamber_however_far_it_drifted(self) -> None:
        """Day by day it lost a work and won one; now it shares nothing with what it was, and has not ended."""
        before = {"a": "1", "b": "1", "c": "1"}
        after = {"d": "1", "e": "1", "f": "1", "a": None}
        assert self.told(before, after) == ([("1", "continued", ["1"], 3)], {})

    def test_it_ended_and_its_works_are_elsewhere_or_nowhere(self) -> None:
        before = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
        after = {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1", "f": None}
        assert self.told(before, after) == ([("1", "merged", ["1", "2"], 5)], {"2": "1", "3": None})

    def test_two_became_a_new_one(self) -> None:
        before = {"a": "1", "b": "1", "c": "2", "d": "2"}
        assert self.told(before, dict.fromkeys("abcd", "3")) == (
            [("3", "merged", ["1", "2"], 4)], {"1": "3", "2": "3"},
        )  # fmt: skip

    def test_a_part_of_one_that_goes_on(self) -> None:
        before = dict.fromkeys("abcdef", "1")
        after = {**dict.fromkeys("abcd", "1"), "e": "2", "f": "2", "g": "3", "h": "3"}
        rows, ended = self.told(before, after)
        assert rows == [("1", "continued", ["1"], 4), ("2", "split", ["1"], 2), ("3", "appeared", [], 2)]
        assert ended == {}

    def test_most_of_one_is_a_small_part_of_a_new_one(self) -> None:
        """The id went with the smaller part; still that is where the works of the new chamber came from."""
        before = {"a": "1", "b": "1", "c": "1", **dict.fromkeys("pqr", None)}
        after = {"c": "1", "x": "1", **dict.fromkeys("abpqr", "2")}
        assert self.told(before, after) == ([("1", "continued", ["1"], 2), ("2", "split", ["1"], 5)], {})

    def test_one_work_in_common_is_no_origin(self) -> None:
        """All of a chamber became one work, and that is in another chamber now."""
        before = {"a": "1", "b": "1"}
        assert self.told(before, {"x": "2", "y": "2"}, aliases={"a": "x", "b": "x"}) == (
            [("2", "appeared", [], 2)], {"1": None},
        )  # fmt: skip

    def test_a_renamed_work_counts_where_it_sits_now(self) -> None:
        before = {"a": "1", "b": "1", "c": "1"}
        after = {"x": "2", "y": "2", "c": "2"}
        assert self.told(before, after, aliases={"a": "x", "b": "y"}) == (
            [("2", "merged", ["1"], 3)], {"1": "2"},
        )  # fmt: skip
        assert self.told(before, after) == ([("2", "appeared", [], 3)], {"1": None})


WORKS = [f"w{number}" for number in range(12)]
PAIRS = st.lists(st.tuples(st.sampled_from(WORKS), st.sampled_from(WORKS)), max_size=16)


@tried(deadline=None, max_examples=15)
@given(PAIRS, PAIRS, st.dictionaries(st.sampled_from(WORKS[:4]), st.sampled_from(WORKS[4:8]), max_size=2))
def test_from_one_day_to_the_next_it_tells_what_the_chambers_of_the_day_say(
    earlier: list[tuple[str, str]], later: list[tuple[str, str]], aliases: dict[str, str]
) -> None:
    """The same events, origins and endings; the changes of all works sum to what came in less what went."""

    def links(pairs: Iterable[tuple[str, str]], stands: Mapping[str, str]) -> list[Row]:
        named = dict.fromkeys((stands.get(a, a), stands.get(b, b)) for a, b in pairs)
        return [link(a, b, weight=int(a != b)) for a, b in named]

    first = known(WORKS, links(earlier, {}))
    one = influence_of(first, Influence(window=2))
    lattice = one["influence.lattice"].frame
    standing = [name for name in WORKS if name not in aliases]
    second = known(
        standing, links([*earlier, *later], aliases), day=DAY + timedelta(1), aliases=aliases, before=[lattice]
    )
    other = influence_of(second, Influence(window=2))
    tables = [each["influence.scores"].frame for each in (one, other)]
    found = compare(
        Day(first.day, tables[0], first.edges, lattice, first.aliases),
        Day(second.day, tables[1], second.edges, other["influence.lattice"].frame, second.aliases),
    )
    made = other["influence.chambers"]
    columns = ["chamber_id", "event", "origins", "size"]
    assert found.chambers.rows() == made.frame.select(columns).sort("chamber_id").rows()
    assert found.ended == made.numbers["ended"]
    assert found.scores["node_id"].sort().to_list() == sorted(standing)
    assert found.scores["change"].sum() == pytest.approx(0, abs=1e-11)
    assert found.lost_links.height == 0
    assert set(found.renamed) == set(aliases)
