"""The stage on a lake: what it writes, that it never looks ahead, and that nothing but the facts changes a byte."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import ANY

import dagster as dg
import numpy as np
import polars as pl
import pytest

from coevo_pipelines.influence import kernel
from coevo_pipelines.influence.assets import SCORES, TABLES, _sums, influence_assets
from coevo_pipelines.influence.load import month_start
from coevo_pipelines.lake.schemas import TABLES as SCHEMAS
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.orchestration.days import Result, stale_days
from coevo_pipelines.orchestration.run import instance
from coevo_pipelines.settings import Influence, Settings, load_settings
from coevo_pipelines_tests.citations.test_graph import DAY, Row, at, author, identity, reference, work
from coevo_pipelines_tests.influence.worlds import (
    INFLUENCE,
    cites,
    digests,
    lake_of,
    link,
    link_up,
    node,
    put_graph,
    score,
    scores,
    settings_with,
    stub,
    trace,
)
from coevo_pipelines_tests.runs import DAYS, ROOT, environment


class TestSample:
    def test_every_table_has_rows_on_each_of_the_three_days(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        assert set(TABLES) == set(INFLUENCE)
        for table in TABLES:
            for day in DAYS:
                assert lake.scan(table, on=day).collect().height > 0, f"{table} {day}"

    def test_all_of_it_adds_up(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        for day in DAYS:
            found = lake.scan(SCORES, on=day).collect()
            people = lake.scan("influence.people", on=day).collect()
            for name in ("influence", "inflow", "guarded_influence", "guarded_inflow"):
                assert found[name].sum() == pytest.approx(1, abs=1e-12 * found.height)
            for name in ("influence", "inflow", "guarded_inflow"):
                units = [int((each[name] * 10**12).round().sum()) for each in (found, people)]
                assert units[0] == units[1]

    def test_works_are_those_that_stand_and_chambers_are_of_them(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        for day in DAYS:
            aliases = lake.scan("citations.aliases", upto=day).collect().sort("date").unique("id", keep="last")
            gone = set(aliases.filter(pl.col("id") != pl.col("node_id"))["id"])
            nodes = set(lake.scan("citations.nodes", upto=day).collect()["node_id"])
            found = lake.scan("influence.lattice", on=day).collect()
            assert set(found["node_id"]) == nodes - gone
            assert set(lake.scan(SCORES, on=day).collect()["node_id"]) == nodes - gone
            sizes = dict(found.drop_nulls("chamber_id").group_by("chamber_id").len().iter_rows())
            listed = lake.scan("influence.chambers", on=day).collect()
            assert dict(listed.select("chamber_id", "size").iter_rows()) == sizes

    def test_the_event_says_how_to_get_the_same_again(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        shas = set()
        with instance(sample) as opened:
            for day in DAYS:
                asked = dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(["influence", "scores"]), asset_partitions=[day.isoformat()]
                )
                event = opened.fetch_materializations(asked, limit=1).records[0].asset_materialization
                assert event is not None
                told: dict[str, Any] = {name: value.value for name, value in event.metadata.items()}
                assert told["residual"] <= 1e-12
                assert told["guarded_residual"] <= 1e-12
                assert Influence(**told["parameters"]) == sample.influence
                assert told["works"] == told["dagster/row_count"] == lake.scan(SCORES, on=day).collect().height
                assert len(told["parameters_sha256"]) == 64
                shas.add(told["field_distances_sha256"])
            check = dg.AssetCheckKey(dg.AssetKey(["influence", "scores"]), "sums_to_one")
            (record, *_) = opened.event_log_storage.get_asset_check_execution_history(check, limit=5)
        assert len(shas) == 1, "all three days are of one month"
        assert record.event is not None
        evaluation = record.event.asset_check_evaluation
        assert evaluation is not None
        assert evaluation.passed
        assert (evaluation.description or "").endswith("works in 3 days sum to 1.")


GOOD: dict[str, list[float]] = {
    "influence": [0.25, 0.75], "inflow": [0.0, 1.0], "guarded_influence": [0.5, 0.5], "guarded_inflow": [1.0, 0.0],
}  # fmt: skip
NUMBERS: dict[str, Any] = {"residual": 1e-17, "flow": 0.5, "guarded_residual": 1e-17, "guarded_flow": 0.25}
SILENT = {"guarded_residual": None, "guarded_flow": None}
NOTHING = [0.0, 0.0]


class TestSums:
    """The check that stands before whatever money does with the scores."""

    @pytest.mark.parametrize(
        ("columns", "numbers", "problem"),
        [
            ({}, {}, None),
            ({"influence": [0.25 + 1e-12, 0.75]}, {}, None),
            ({"guarded_influence": NOTHING, "guarded_inflow": NOTHING}, SILENT, None),
            ({"inflow": NOTHING, "guarded_inflow": NOTHING}, {"flow": 0.0, "guarded_flow": 0.0}, None),
            ({"influence": [0.25, 0.74]}, {}, "influence sums to 0.99"),
            ({"influence": [0.25, 0.75 + 1e-11]}, {}, "influence sums to 1.00000000001"),
            ({"influence": NOTHING}, {}, "influence sums to 0.0"),
            ({"influence": [0.25, math.nan]}, {}, "influence sums to nan"),
            ({"inflow": NOTHING}, {}, "inflow sums to 0.0"),
            ({"inflow": [0.5, 0.4]}, {}, "inflow sums to 0.9"),
            ({"guarded_influence": NOTHING}, {}, "guarded_influence sums to 0.0"),
            ({"guarded_influence": [0.5, math.inf]}, {}, "guarded_influence sums to inf"),
            ({"guarded_inflow": NOTHING}, {}, "guarded_inflow sums to 0.0"),
            ({}, SILENT, "guarded_influence sums to 1.0"),
            ({}, {"residual": 2e-12}, "the residual is 2.0e-12"),
            ({}, {"guarded_residual": 2e-12}, "the guarded_residual is 2.0e-12"),
            ({}, {"residual": math.nan}, "the residual is nan"),
        ],
    )
    def test_it_fails_when_it_should(
        self, columns: Mapping[str, list[float]], numbers: Mapping[str, Any], problem: str | None
    ) -> None:
        result = Result(pl.DataFrame(GOOD | dict(columns)), NUMBERS | dict(numbers))
        (check,) = _sums({DAY: {SCORES: Result(pl.DataFrame(GOOD), NUMBERS)}, DAYS[0]: {SCORES: result}})
        assert check.passed == (problem is None)
        assert check.severity == dg.AssetCheckSeverity.ERROR
        expected = f"{DAYS[0]}: {problem}" if problem else "The scores of 4 works in 2 days sum to 1."
        assert (check.description or "").startswith(expected)
        assert check.metadata["problems"].value == (1 if problem else 0)

    def test_a_day_without_works_passes(self) -> None:
        empty = Result(SCHEMAS[SCORES].empty(), NUMBERS | SILENT | {"residual": 0.0, "flow": 0.0})
        assert _sums({DAY: {SCORES: empty}})[0].passed

    def test_it_blocks(self) -> None:
        (spec,) = (each for each in influence_assets(load_settings()).check_specs if each.name == "sums_to_one")
        assert spec.blocking
        assert spec.asset_key == dg.AssetKey(["influence", "scores"])


def facts() -> dict[int, dict[str, list[Row]]]:
    """Three days on which what was known before changes: names that prove one work, late fields, owners, people."""
    repository: dict[str, Any] = {"kind": "repository", "source": "github"}
    return {
        0: {
            "works": [
                work("arxiv:a", 0, created=-40, fields=["cs.NE"]),
                work("arxiv:b", 0, created=-50, fields=["cs.RO"]),
                work("github:o/1", 0, owner="github:o", tags=["robotics"], **repository),
            ],
            "references": [
                reference("arxiv:a", "arxiv:b", -40),
                reference("arxiv:a", "doi:10.1/x", -40),
                reference("github:o/1", "github:o/2", 0, "depends_on"),
                reference("arxiv:a", "github:o/1", 0, "mentions"),
                reference("github:o/1", "arxiv:b", 0, "mentions"),
            ],
            "people": [author("arxiv:a", "Ada Lovelace", 1, 0), author("arxiv:b", "Grace Hopper", 1, 0)],
        },
        1: {
            "works": [work("arxiv:c", 1, fields=["cs.LG"])],
            "references": [reference("arxiv:c", "arxiv:a", 1), reference("arxiv:c", "doi:10.1/x", 1)],
        },
        2: {
            "works": [
                work("arxiv:d", 2, created=-60, fields=["cs.RO"]),
                work("github:o/2", 2, created=-9, owner="github:o", **repository),
                work("arxiv:b", 2, created=-50, fields=["cs.SE"], title="Renamed"),
            ],
            "identities": [identity("arxiv:d", "doi:10.1/x", 2), identity("arxiv:c", "arxiv:a", 2)],
            "people": [author("arxiv:d", "Ada Lovelace", 1, 2, orcid="0000-0001")],
        },
    }


class Lakes(NamedTuple):
    """The same facts; read only, or to be copied."""

    cut: Lake
    """Two days, with the graph of each."""
    full: Lake
    """Three."""
    scored: Lake
    """Three, with influence, made in order."""


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    root = tmp_path_factory.mktemp("influence")
    days = facts()
    full = Lake(root / "full")
    for offset in days:
        if offset == 2:
            shutil.copytree(full.root, root / "cut")
        trace(full, offset, days[offset])
        link_up(full, offset)
    shutil.copytree(full.root, root / "scored")
    made = Lakes(Lake(root / "cut"), full, Lake(root / "scored"))
    for offset in days:
        score(made.scored, offset)
    return made


def test_no_look_ahead(lakes: Lakes) -> None:
    """P1: the files of a day are the same whether or not the next one is in the lake."""
    for offset in (0, 1):
        score(lakes.cut, offset)
        assert digests(lakes.cut, offset) == digests(lakes.scored, offset)
        assert len(digests(lakes.cut, offset)) == len(INFLUENCE)
    ids = [scores(lakes.scored, offset).keys() for offset in (1, 2)]
    assert ids[0] - ids[1] == {"arxiv:c", "doi:10.1/x"}, "the last day must say something of the ones before"


def test_the_stage_alone_backwards_then_forwards_gives_the_same_bytes(lakes: Lakes, tmp_path: Path) -> None:
    """Days without the ones before are scored as if those had not been, are then stale, and come out the same."""
    shutil.copytree(lakes.full.root, tmp_path / "lake")
    lake = Lake(tmp_path / "lake")
    for offset in (2, 0, 1):
        score(lake, offset)
    assert digests(lake, 2) != digests(lakes.scored, 2), "the chambers of the day before were not there"
    assert stale_days(lake, INFLUENCE) == [DAY + timedelta(2)]
    score(lake, 2)
    assert stale_days(lake, INFLUENCE) == []
    for offset in range(3):
        assert digests(lake, offset) == digests(lakes.scored, offset)
    assert verify(lake.root).findings == ()


def test_an_earlier_fact_renews_the_later_days_in_the_same_run(tmp_path: Path) -> None:
    """Through Dagster; once all is renewed, a run commits nothing."""
    lake = Lake(tmp_path / "lake")
    asset = influence_assets(load_settings(lake=lake.root, start_date=DAY))

    def run(offset: int) -> set[str | None]:
        """The days that it made."""
        with dg.instance_for_test() as opened:
            result = dg.materialize([asset], instance=opened, partition_key=str(DAY + timedelta(offset)))
        assert result.success
        return {event.partition for event in result.get_asset_materialization_events()}

    papers = [[f"arxiv:{offset}{place}" for place in range(3)] for offset in range(3)]
    for offset in range(3):
        put_graph(lake, offset, papers[offset])
        score(lake, offset)
    before = [digests(lake, offset) for offset in range(3)]
    put_graph(lake, 0, papers[0], cites("arxiv:02>arxiv:00 arxiv:02>arxiv:01"))
    days = {str(DAY + timedelta(offset)) for offset in range(3)}
    assert run(0) == days
    for offset in range(3):
        assert before[offset][SCORES] != digests(lake, offset)[SCORES]
    assert scores(lake, 2, "in_degree")["arxiv:00"] == 1
    commits = verify(lake.root).commits
    assert run(2) == {max(days)}
    assert verify(lake.root).commits == commits


def test_a_day_without_any_fact(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", {0: {}, 1: {}})
    assert [lake.scan(table, on=DAY + timedelta(1)).collect().height for table in INFLUENCE] == [0] * len(INFLUENCE)


def test_distances_of_fields_hold_through_the_month(tmp_path: Path) -> None:
    """Links between fields, a stub's work and another field of a work arrive in February; only March knows of them."""
    lake = Lake(tmp_path / "lake")
    january, first, second, third, march = 26, 27, 28, 29, 55  # the days from DAY to the 31st, the 1st, …
    assert DAY + timedelta(march) == date(2026, 3, 1)
    old = [node("a", fields=["cs.NE"]), node("b", fields=["cs.RO"]), stub("s"), node("c", fields=["cs.RO"])]
    news: dict[int, dict[str, Any]] = {
        january: {"nodes": old, "links": cites("a>b b>a c>b a>s")},
        first: {"nodes": [node("d", fields=["cs.LG"])], "links": cites("d>a d>b")},
        second: {"described": [node("s", fields=["cs.LG"])]},
        third: {"described": [node("c", fields=["cs.NE"])]},
        march: {},
    }
    numbers: dict[str, int] = {}
    shas = {}
    for offset, new in news.items():
        numbers = put_graph(lake, offset, numbered=numbers, **new)
        shas[offset] = score(lake, offset)[SCORES]["field_distances_sha256"]
    assert shas[first] == shas[second] == shas[third]
    assert len({shas[january], shas[first], shas[march]}) == 3
    assert scores(lake, second, "field")["s"] == "cs.LG", "the field itself is known at once"


@pytest.mark.parametrize(
    ("first", "day", "expected"),
    [
        (date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 5)),
        (date(2026, 1, 5), date(2026, 1, 31), date(2026, 1, 5)),
        (date(2026, 1, 5), date(2026, 2, 1), date(2026, 1, 31)),
        (date(2026, 1, 5), date(2026, 3, 31), date(2026, 2, 28)),
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 1)),
        (date(2026, 1, 31), date(2026, 2, 1), date(2026, 1, 31)),
        (None, date(2026, 2, 1), date(2026, 2, 1)),
    ],
)
def test_the_day_as_of_which_a_month_begins(tmp_path: Path, first: date | None, day: date, expected: date) -> None:
    lake = Lake(tmp_path / "lake")
    for each in (first, day):
        if first and each:
            lake.write("citations.nodes", each, SCHEMAS["citations.nodes"].empty())
    assert month_start(lake.snapshot(), day) == expected


RINGS = [f"{ring}{number}" for ring in "ab" for number in range(4)]


def ring(name: str) -> list[Row]:
    """Four works that all use each other, so that each has core number 3."""
    return [link(f"{name}{one}", f"{name}{other}") for one in range(4) for other in range(one)]


class TestLattice:
    """Chambers and bonds from day to day, as the lake keeps them."""

    def test_days_that_are_not_there_neither_help_nor_harm(self, tmp_path: Path) -> None:
        """A window of four days: of these the third is missing; then works are crystalline after three."""
        lake, settings = Lake(tmp_path / "lake"), settings_with(window=4)
        numbers: dict[str, int] = {}
        told = {}
        for offset in (0, 1, 3, 4):
            new = (RINGS, [*ring("a"), *ring("b"), link("a0", "b0")]) if offset == 0 else ([], [])
            numbers = put_graph(lake, offset, *new, numbered=numbers)
            told[offset] = score(lake, offset, settings)
        assert [told[offset]["influence.bonds"]["days"] for offset in told] == [1, 2, 3, 3]
        assert [told[offset]["influence.lattice"]["crystalline"] for offset in told] == [0, 0, 0, 0]
        assert told[4]["influence.chambers"] == {
            "chambers": 2, "appeared": 0, "continued": 2, "merged": 0, "split": 0, "ended": {},
            "modularity": ANY, "largest_chamber": 4,
        }  # fmt: skip
        seats = [dict(self.seats(lake, offset)) for offset in told]
        assert seats[0] == seats[1] == seats[2] == seats[3]
        assert set(seats[0].values()) == {"2026-01-05-0001", "2026-01-05-0002"}
        commit = lake.committed("influence.lattice", DAY + timedelta(4))
        assert commit is not None
        looked = {given.date: given.partitions for given in commit.inputs if given.table == "influence.lattice"}
        assert looked == {"2026-01-06": 1, "2026-01-07": 0, "2026-01-08": 1}
        put_graph(lake, 2, numbered=numbers)
        score(lake, 2, settings)
        assert stale_days(lake, INFLUENCE) == [DAY + timedelta(3), DAY + timedelta(4)], "a missing day came"

    def test_crystalline_merged_and_renamed(self, tmp_path: Path) -> None:
        """One work of two rings is known by another name, then the rings grow into one."""
        lake, settings = Lake(tmp_path / "lake"), settings_with(window=2)
        numbers = put_graph(lake, 0, RINGS, [*ring("a"), *ring("b"), link("a0", "b0")])
        assert score(lake, 0, settings)["influence.lattice"]["crystalline"] == 0
        numbers = put_graph(lake, 1, ["a9"], aliases={"a0": "a9"}, numbered=numbers)
        second = score(lake, 1, settings)
        assert second["influence.lattice"]["crystalline"] == 8
        assert self.seats(lake, 1)["a9"] == self.seats(lake, 0)["a0"]
        assert "a0" not in self.seats(lake, 1)
        whole = [link(one, other) for one in RINGS for other in RINGS if one[0] == "a" and other[0] == "b"]
        numbers = put_graph(lake, 2, [], whole, numbered=numbers)
        third = score(lake, 2, settings)
        assert third["influence.chambers"] == {
            "chambers": 1, "appeared": 0, "continued": 0, "merged": 1, "split": 0,
            "ended": {"2026-01-05-0002": "2026-01-05-0001"},
            "modularity": ANY, "largest_chamber": ANY,
        }  # fmt: skip
        assert set(self.seats(lake, 2).values()) == {"2026-01-05-0001"}

    def test_chambers_are_known_again_however_short_the_window(self, tmp_path: Path) -> None:
        lake, settings = Lake(tmp_path / "lake"), settings_with(window=1)
        numbers = put_graph(lake, 0, RINGS, [*ring("a"), *ring("b")])
        assert score(lake, 0, settings)["influence.lattice"]["crystalline"] == 8
        put_graph(lake, 1, numbered=numbers)
        told = score(lake, 1, settings)
        assert told["influence.chambers"]["continued"] == 2
        assert (told["influence.bonds"]["days"], told["influence.lattice"]["crystalline"]) == (1, 8)
        assert self.seats(lake, 0) == self.seats(lake, 1)

    def seats(self, lake: Lake, offset: int) -> dict[str, str]:
        rows = lake.scan("influence.lattice", on=DAY + timedelta(offset)).select("node_id", "chamber_id").collect()
        return dict(rows.iter_rows())


WORKS, LINKS = 20_000, 100_000
FIELDS = ("cs.NE", "cs.RO", "cs.LG", "cs.MA", "stat.ML", "q-bio.NC", "python")
COMPUTE = """
import functools, sys
from datetime import date
from pathlib import Path
import ibis, polars
ibis.duckdb.connect = functools.partial(ibis.duckdb.connect, threads=int(sys.argv[2]))
assert polars.thread_pool_size() == int(sys.argv[2])
from coevo_pipelines.influence import scores
from coevo_pipelines.influence.assets import compute
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.settings import load_settings
scores.betweenness = functools.partial(scores.betweenness, visits=1_500_000)
lake, out = Lake(Path(sys.argv[1])), Lake(Path(sys.argv[3]))
day = date(2026, 1, 5)
for name, result in compute(load_settings(), day, lake.snapshot()).items():
    out.write(name, day, result.frame)
"""


def large(lake: Lake) -> None:
    """Two years of papers, DOIs and repositories, a seventh only named; links back in time, a few against it."""
    random = np.random.default_rng(5)
    number = np.arange(WORKS)
    moment = np.datetime64(at(0).replace(tzinfo=None), "us")
    born = np.sort(moment - random.integers(0, 700 * 86_400, WORKS).astype("timedelta64[s]"))
    names = np.array([f"{('arxiv:', 'doi:10.1/', 'github:o/')[n % 3]}{n}" for n in number])
    start = (DAY - date(1970, 1, 1)).days << 32
    seen = [pl.lit(at(0)).alias("observed_at"), pl.lit("ab").alias("raw_sha256")]
    nodes = pl.DataFrame(
        {
            "node_id": names,
            "node": number + start,
            "is_stub": number % 7 == 0,
            "title": [f"Swarms of {n % 50} ants and {n % 31} bees" for n in number],
            "owner": [f"github:o{n % 900}" if n % 3 == 2 else None for n in number],
            "created_at": pl.Series(born).dt.replace_time_zone("UTC"),
            "fields": [[FIELDS[n % 97 % len(FIELDS)]] for n in number],
        }
    ).with_columns(kind=pl.lit("paper"), event_at=pl.col("created_at"))
    source = random.integers(1, WORKS, LINKS)
    target = (source * random.random(LINKS) ** 2).astype(np.int64)
    target = np.where(random.random(LINKS) < 0.01, random.integers(0, WORKS, LINKS), target)
    ends = {"source": names[source], "target": names[target]}
    ends |= {"source_node": source + start, "target_node": target + start}
    relation = np.array(["cites", "cites", "mentions", "depends_on"])[random.integers(0, 4, LINKS)]
    edges = pl.DataFrame({**ends, "relation": relation}).unique(("source", "target", "relation"))
    edges = edges.with_columns(
        *seen,
        weight=(pl.col("source") != pl.col("target")).cast(pl.Int64),
        own=pl.lit(None, pl.String),
        target_is_stub=pl.lit(False),
        evidence=pl.lit(""),
        event_at=pl.lit(at(-40)),
    )
    works = nodes.filter(~pl.col("is_stub")).drop("node", "is_stub").rename({"node_id": "work_id"})
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("version", "license", "native_id", "url")]
    empty = [pl.lit([], pl.List(pl.String)).alias(name) for name in ("tags", "topics")]
    said = {"source": "arxiv", "event": "created", "status": "active"}
    works = works.with_columns(*seen, *nothing, *empty, **{name: pl.lit(value) for name, value in said.items()})
    people = pl.concat(
        works.select(
            "work_id",
            "event_at",
            "source",
            *seen,
            role=pl.lit("author"),
            position=pl.lit(position, pl.Int64),
            name=pl.lit(None, pl.String),
            account=pl.lit(None, pl.String),
            orcid=pl.Series(random.integers(0, 6000, works.height)).cast(pl.String),
        )
        for position in (1, 2, 3)
    )
    lake.write("traces.works", DAY, works)
    lake.write("traces.people", DAY, people)
    lake.write("citations.nodes", DAY, nodes.drop("fields"))
    lake.write("citations.edges", DAY, edges)


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    """Polars and DuckDB with one thread and with three, on a graph large enough for the compiled loops."""
    assert LINKS > kernel.LARGE
    lake = Lake(tmp_path / "lake")
    large(lake)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", COMPUTE, str(lake.root), threads, str(tmp_path / threads)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(POLARS_MAX_THREADS=threads),
        )
        for threads in ("1", "3")
    ]  # fmt: skip
    for run in runs:
        _, err = run.communicate(timeout=200)
        assert run.returncode == 0, err
    one, three = (digests(Lake(tmp_path / threads), 0) for threads in ("1", "3"))
    assert one == three
    assert set(one) == set(INFLUENCE)
    rows = {table: Lake(tmp_path / "1").scan(table, on=DAY).collect().height for table in INFLUENCE}
    assert rows[SCORES] == rows["influence.lattice"] == WORKS
    assert all(rows.values())


def test_the_sample_lake_verifies_with_the_stage_in_it(sample: Settings, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(sample.lake_root, root)
    assert verify(root).findings == ()
    victim = root / "influence" / "scores" / f"date={DAYS[1]}" / "part.parquet"
    victim.write_bytes(victim.read_bytes().replace(b"PAR1", b"PAR2", 1))
    assert [finding.file for finding in verify(root).findings] == [f"influence/scores/date={DAYS[1]}/part.parquet"]
