"""Synthetic worlds: what is promised about their shape, and that they are the same every time."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from packaging.utils import canonicalize_name
from polars.testing import assert_frame_equal

from coevo_pipelines.bench.attachment import NEWER, sources_of
from coevo_pipelines.bench.edges import ARXIV_SHARE, _edge_names, _starts, edge_list
from coevo_pipelines.bench.world import naming, shares, writing
from coevo_pipelines.bench.world.drawing import draw
from coevo_pipelines.bench.world.kinds import CATEGORIES, KINDS, ON_BOTH, PAPER
from coevo_pipelines.bench.world.shape import MOST_WORKS, Shape, outside_names
from coevo_pipelines.citations import assets
from coevo_pipelines.lake.schemas import TABLES, conform, violations
from coevo_pipelines.lake.store import Lake, LakeError
from coevo_pipelines.lake.verify import verify
from coevo_pipelines.orchestration.days import stale_days
from coevo_pipelines.orchestration.resources import open_lake
from coevo_pipelines.settings import load_settings
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.normalize import TABLES as TRACES
from coevo_pipelines.windows import DAY, midnight
from coevo_pipelines_tests.runs import derived_digests, environment


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def average(values: pl.Series) -> float:
    return float(values.cast(pl.Float64).to_numpy().mean())


def gini(counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """0 when all are equal, 1 when one has everything."""
    ordered = np.sort(counts)
    return float(1 - 2 * (ordered.cumsum() / ordered.sum()).mean())


WORKS, EDGES = 20_000, 200_000


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edges") / "edges.parquet"
    edge_list(WORKS, EDGES, 7, path)
    return path


def test_an_edge_list_is_what_it_says(listed: Path) -> None:
    edges = pl.read_parquet(listed)
    assert dict(edges.schema) == {"source": pl.Int64(), "target": pl.Int64()}
    assert edges.height == EDGES
    assert edges["source"].is_sorted()
    assert edges.min().row(0) >= (0, 0)
    assert max(edges.max().row(0)) < WORKS
    assert edges.filter(pl.col("source") == pl.col("target")).is_empty()
    newer = edges.select((pl.col("target") > pl.col("source")).mean()).item()
    assert newer == pytest.approx(NEWER, rel=0.5)
    assert 0 < EDGES - edges.n_unique() < EDGES / 50


def test_an_edge_list_has_few_famous_works_and_many_unknown_ones(listed: Path) -> None:
    """The bounds leave out an evenly spread graph (Gini 0.2, top hundredth 2 %) and a star (0.99, 100 %)."""
    edges = pl.read_parquet(listed)
    cited = np.bincount(edges["target"].to_numpy(), minlength=WORKS).astype(np.float64)
    top = np.sort(cited)[-WORKS // 100 :].sum() / cited.sum()
    assert 0.7 < gini(cited) < 0.93
    assert 0.15 < top < 0.45
    assert 0.25 < (cited == 0).mean() < 0.6


def test_an_edge_list_ages(listed: Path) -> None:
    """Drawn evenly, less than a tenth of what the newest works refer to would be from the last fifth."""
    late = pl.read_parquet(listed).filter(pl.col("source") > WORKS * 9 // 10)
    fresh = late.filter(pl.col("target") > WORKS * 8 // 10).height / late.height
    assert 0.14 < fresh < 0.5


def test_an_edge_list_is_the_same_each_time(listed: Path, tmp_path: Path) -> None:
    edge_list(WORKS, EDGES, 7, tmp_path / "again")
    edge_list(WORKS, EDGES, 8, tmp_path / "other")
    assert digest(tmp_path / "again") == digest(listed)
    assert digest(tmp_path / "other") != digest(listed)


def test_an_edge_list_does_not_depend_on_being_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small list is made by plain Python, a large one by compiled code: they must agree."""
    edge_list(500, 4_000, 7, tmp_path / "plain")
    monkeypatch.setattr("coevo_pipelines.influence.kernel.LARGE", 0)
    edge_list(500, 4_000, 7, tmp_path / "compiled")
    assert digest(tmp_path / "plain") == digest(tmp_path / "compiled")


def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coevo_pipelines.bench.edges.CHUNK", 1_000)
    for strings in (False, True):
        edge_list(900, 4_500, 7, tmp_path / "edges", strings=strings)
        file = pq.ParquetFile(tmp_path / "edges")
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        assert sizes == [1_000, 1_000, 1_000, 1_000, 500]
    monkeypatch.undo()
    whole = _starts(900, 4_500, np.random.default_rng(1))
    parts = [sources_of(whole, first, min(first + 700, 4_500)) for first in range(0, 4_500, 700)]
    assert np.array_equal(np.concatenate(parts), sources_of(whole, 0, 4_500))
    assert np.array_equal(np.bincount(np.concatenate(parts), minlength=900), np.diff(whole))


def test_a_list_of_strings_is_the_same_graph_in_another_order(listed: Path, tmp_path: Path) -> None:
    edge_list(WORKS, EDGES, 7, tmp_path / "strings", strings=True)
    named = pl.read_parquet(tmp_path / "strings")
    numbered = pl.read_parquet(listed)
    names = pl.Series("name", _edge_names(WORKS))
    assert names.n_unique() == WORKS
    assert names.str.contains(r"^(arxiv:\d{4}\.\d{5}|openalex:W\d{10})$").all()
    assert names.str.starts_with("arxiv:").mean() == pytest.approx(ARXIV_SHARE, abs=0.02)
    back = {column: names.gather(numbered[column]) for column in numbered.columns}
    assert pl.DataFrame(back).sort("source", "target").equals(named.sort("source", "target"))
    assert not named["source"].is_sorted()
    assert average(named["source"] == named["source"].shift(1, fill_value="")) < 0.01


@pytest.mark.parametrize(("works", "edges"), [(1, 0), (10, 46), (10, -1)])
def test_an_impossible_edge_list_is_refused(works: int, edges: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no graph of"):
        edge_list(works, edges, 1, tmp_path / "edges")
    assert not (tmp_path / "edges").exists()


def test_a_graph_without_references(tmp_path: Path) -> None:
    edge_list(10, 0, 1, tmp_path / "edges")
    assert pl.read_parquet(tmp_path / "edges").height == 0


# Lakes.

RARE = {
    "LET_GO": 0.3, "LATE_LINK": 0.4, "DOUBLE": 0.3, "LATER": 0.5, "UPDATED": 0.3, "REJECTED": 0.05,
    "TO_ITSELF": 0.02, "TO_FAR_NEWER": 0.05, "TO_COMING": 0.05, "ODD_TITLE": 0.3,
}  # fmt: skip
"""What is rare in a world, made frequent: a small one then holds each case, and mixtures of them."""


@dataclass(frozen=True)
class Made:
    lake: Lake
    shape: Shape
    summary: writing.Summary
    told: list[str]

    def rows(self, table: str) -> pl.DataFrame:
        return self.lake.scan(table, upto=date.max).collect()


def make(root: Path, shape: Shape) -> Made:
    told: list[str] = []
    return Made(lake := Lake(root), shape, writing.write(lake, shape, told.append), told)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("usual") / "lake", Shape(2_000, 20_000, 4, 1))


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in RARE.items():
            patch.setattr(shares, name, value)
        return make(tmp_path_factory.mktemp("rare") / "lake", Shape(1_000, 8_000, 6, 11))


@pytest.fixture(params=["usual", "rare"])
def made(request: pytest.FixtureRequest) -> Made:
    return cast(Made, request.getfixturevalue(request.param))


def test_the_graph_is_the_one_that_the_stage_computes(made: Made) -> None:
    """Every table of every day, row by row, and from the same inputs."""
    for number in range(made.shape.days):
        day = made.shape.date_of(number)
        snapshot = made.lake.snapshot()
        results = assets.compute(day, snapshot)
        for table in assets.TABLES:
            expected = conform(TABLES[table], results[table].frame, f"date={day}")
            assert_frame_equal(pl.read_parquet(made.lake.path(table, day), hive_partitioning=False), expected)
            commit = made.lake.committed(table, day)
            assert commit is not None
            assert commit.inputs == snapshot.inputs
            assert commit.observed_until == str(snapshot.observed_until()).replace(" ", "T")


def test_what_is_rare_is_there(rare: Made) -> None:
    """Otherwise the comparison with the stage would compare nothing."""
    shape = rare.shape
    edges, resolutions = rare.rows("citations.edges"), rare.rows("citations.resolutions")
    aliases, identities = rare.rows("citations.aliases"), rare.rows("traces.identities")
    references, nodes = rare.rows("traces.references"), rare.rows("citations.nodes")
    assert set(edges["own"].drop_nulls()) == {"self_loop", "same_owner", "same_authors"}
    assert rare.rows("citations.quarantine").height > 20
    assert aliases.filter(pl.col("id") == pl.col("node_id")).height > 10
    assert identities.filter(~pl.col("same")).height == aliases.filter(pl.col("id") == pl.col("node_id")).height
    let_go = aliases.filter(pl.col("id") == pl.col("node_id"))
    assert nodes.join(let_go, left_on=["node_id", "date"], right_on=["id", "date"]).height > 3
    assert resolutions.filter(~pl.col("was_stub")).height > 5
    assert resolutions.filter("was_stub", pl.col("node_id") == pl.col("resolved_id")).height > 5
    assert resolutions.filter("was_stub", pl.col("node_id") != pl.col("resolved_id")).height > 5
    later = references.filter(pl.col("date") > shape.first_day)
    assert later.height > 2 * edges.filter(pl.col("date") > shape.first_day).height  # said again by updates
    twice = references.group_by("source_id", "target_id", "relation").agg(pl.col("source").n_unique(), pl.len())
    assert twice.filter(pl.col("len") > 1).height > 100
    assert rare.rows("traces.works")["title"].str.contains("[\n\"']").any()


def test_two_sources_say_the_same_reference(usual: Made) -> None:
    """arXiv and OpenAlex, each by its own name of the paper."""
    references = usual.rows("traces.references").filter(pl.col("source") == "arxiv")
    same = usual.rows("citations.aliases").select(source_id="id", node="node_id")
    openalex = usual.rows("traces.references").filter(pl.col("source") == "openalex").join(same, on="source_id")
    assert references.height > 100
    assert references.join(openalex, left_on="source_id", right_on="node", how="semi").height > 0.8 * references.height


def test_a_world_is_verified_and_up_to_date(made: Made) -> None:
    report = verify(made.lake.root)
    assert not report.findings
    assert report.partitions == made.summary.partitions == made.shape.days * (len(TRACES) + len(assets.TABLES))
    assert not stale_days(made.lake, TRACES)
    assert not stale_days(made.lake, assets.TABLES)
    index = made.lake.snapshot().index
    assert {table: sum(c.rows for c in index.partitions(table)) for table in index.tables} == made.summary.rows
    assert len(made.told) == made.shape.days


def test_every_table_fits_the_registry(usual: Made) -> None:
    for made in writing.days(usual.shape):
        for name, frame in (made.traces | made.citations).items():
            assert dict(frame.schema) == TABLES[name].polars_schema()
            assert not violations(TABLES[name], frame), name
            written = pl.read_parquet(usual.lake.path(name, made.day), hive_partitioning=False)
            assert_frame_equal(conform(TABLES[name], frame, ""), written)
        assert set(made.traces) == set(TRACES)
        assert set(made.citations) == set(assets.TABLES)
        seen = pl.concat([frame["observed_at"] for frame in made.traces.values()])
        assert seen.max() is not None
        assert made.observed_until >= cast(datetime, seen.max())


def test_facts_belong_to_their_day(usual: Made) -> None:
    """Event times lie in the day, in the opening also before; nothing is seen before its day ends."""
    start = midnight(usual.shape.history_from)
    for made in writing.days(usual.shape):
        first = start if made.day == usual.shape.first_day else midnight(made.day)
        for name, frame in made.traces.items():
            assert frame.filter(
                ~pl.col("event_at").is_between(first, midnight(made.day + DAY), closed="left")
            ).is_empty(), name
            assert frame.filter(pl.col("observed_at") < midnight(made.day + DAY)).is_empty(), name


def test_nullable_columns_are_null_somewhere(usual: Made) -> None:
    """And filled somewhere: a column that is all null would measure nothing."""
    for name in (*TRACES, *assets.TABLES):
        frame = usual.rows(name)
        for column in TABLES[name].columns:
            if column.nullable and frame.height > 30:
                assert 0 < frame[column.name].null_count() < frame.height, f"{name}.{column.name}"


def test_a_world_has_the_shares_that_it_states(usual: Made) -> None:
    shape = usual.shape
    works = usual.rows("traces.works").filter(pl.col("event") == "created")
    references, edges = usual.rows("traces.references"), usual.rows("citations.edges")
    nodes = usual.rows("citations.nodes")
    assert references.height == pytest.approx(shape.edges, rel=0.03)
    # A paper on arXiv and its record are one work; joined later, they were two for some days.
    joined = usual.rows("citations.resolutions").filter(~pl.col("was_stub")).height
    found = nodes.filter(~pl.col("is_stub")).height + usual.rows("citations.resolutions").filter("was_stub").height
    assert found - joined == pytest.approx(shape.works, rel=0.02)
    kinds = works.unique("work_id").group_by("kind").len()
    share = dict(nodes.filter(~pl.col("is_stub"))["kind"].value_counts(normalize=True).iter_rows())
    assert kinds.height == 5
    assert share == pytest.approx({one.name: one.share for one in KINDS}, abs=0.04)
    relations = dict(references["relation"].value_counts(normalize=True).iter_rows())
    assert {name: round(value, 1) for name, value in relations.items()} == {
        "cites": 0.8, "mentions": 0.1, "depends_on": 0.1, "derives_from": 0.0, "trained_on": 0.0
    }  # fmt: skip
    assert 0.2 < average(edges["target_is_stub"]) < 0.4
    assert 0.01 < average(edges["weight"] == 0) < 0.08
    assert 0.6 < edges.height / references.height < 0.97
    lists = references.filter(pl.col("source") == "openalex").group_by("source_id").len()["len"].to_numpy()
    assert 0.7 < lists.std() / lists.mean() < 2  # lengths spread: evenly cut lists would give a tenth of that
    daily = works.filter(pl.col("date") > shape.first_day).group_by("date").len()["len"]
    assert 15 < average(daily) < 60


def test_fields_mostly_cite_themselves(usual: Made) -> None:
    """By chance two papers would be of one group in a quarter of the links."""
    group = pl.DataFrame({"field": [one for one, *_ in CATEGORIES], "group": [g for *_, g in CATEGORIES]})
    works = usual.rows("traces.works").filter(pl.col("kind") == "paper")
    of = works.select("work_id", field=pl.col("fields").list.first()).join(group, on="field").unique("work_id")
    aliases = usual.rows("citations.aliases").select(work_id="id", node="node_id")
    of = (
        of.join(aliases, on="work_id", how="left").select(id=pl.coalesce("node", "work_id"), group="group").unique("id")
    )
    edges = usual.rows("citations.edges").filter(pl.col("relation") == "cites")
    both = edges.join(of, left_on="source", right_on="id").join(of, left_on="target", right_on="id")
    assert both.height > 3_000
    assert 0.65 < average(both["group"] == both["group_right"]) < 0.9


def test_few_are_cited_much_and_few_do_much(usual: Made) -> None:
    """Bounds for 2,000 works: even shares would give 1 % to the top hundredth."""
    edges = usual.rows("citations.edges").filter(~pl.col("target_is_stub"))
    cited = edges["target"].value_counts()["count"].to_numpy().astype(np.float64)
    cited = np.append(cited, np.zeros(usual.shape.works - cited.size))
    assert 0.6 < gini(cited) < 0.95
    people = usual.rows("traces.people")
    for role, who in (("author", "name"), ("owner", "account")):
        works = people.filter(pl.col("role") == role).group_by(who).agg(pl.col("work_id").n_unique())["work_id"]
        counts = np.sort(works.to_numpy())
        top = counts[-max(1, counts.size // 100) :].sum() / counts.sum()
        assert 0.03 < top < 0.5


def test_orcids_have_their_check_digit(usual: Made) -> None:
    given = usual.rows("traces.people")["orcid"].drop_nulls().unique().to_list()
    assert len(given) > 100
    for orcid in given:
        assert identifiers.orcid(orcid) == orcid
    known = ["0000-0001-5000-0007", "0000-0002-1825-0097"]  # the first of ORCID's block; the one that ORCID shows
    assert naming.orcids(np.array([0, 6_825_009])).to_list() == known


def test_identifiers_are_canonical(usual: Made) -> None:
    """What the parsers would make of them is what they are."""
    codes = np.arange(3 * usual.shape.works + int(outside_names(usual.shape)[1].sum()))
    drawn = draw(usual.shape)
    names = naming.identifiers(drawn, codes)
    references = usual.rows("traces.references")
    used = pl.concat([references["source_id"], references["target_id"]]).unique().to_list()
    read: dict[str, Callable[[str], str]] = {
        "arxiv": lambda name: identifiers.arxiv(name)[0],
        "doi": identifiers.doi,
        "github": identifiers.github,
        "openalex": identifiers.openalex,
        "hf": lambda name: identifiers.huggingface(*name.split("/", 1)),
        "pypi": lambda name: f"pypi:{canonicalize_name(name)}",
    }
    assert {name.partition(":")[0] for name in used} == set(read)
    for name in used:
        scheme, _, bare = name.partition(":")
        assert read[scheme](bare) == name
    assert set(used) <= set(names)


def test_no_two_authors_and_no_two_works_share_a_name() -> None:
    """The stage tells authors without ORCID iDs apart by their names in small letters."""
    many = naming.author_names(np.arange(300_000))
    assert many.str.to_lowercase().n_unique() == 300_000
    shape = Shape(3_000, 0, 1, 3)
    drawn = draw(shape)
    papers, others = np.flatnonzero(drawn.kind == PAPER), np.flatnonzero(drawn.kind != PAPER)
    arxiv = papers[drawn.via[papers] <= ON_BOTH]
    outside = np.arange(int(outside_names(shape)[1].sum())) + 3 * shape.works
    codes = np.concatenate([3 * arxiv, 3 * papers + 1, 3 * papers + 2, 3 * others, outside])
    assert naming.identifiers(drawn, codes).n_unique() == codes.size


def test_the_same_seed_makes_the_same_bytes(usual: Made, tmp_path: Path) -> None:
    """In another process, with one thread; another seed makes other bytes."""
    shape = usual.shape
    call = f"write(Lake(Path({str(tmp_path / 'again')!r})), {shape!r}, print)".replace("datetime.date", "date")
    code = (
        "from datetime import date; from pathlib import Path; from coevo_pipelines.lake.store import Lake; "
        "from coevo_pipelines.bench.world.shape import Shape; "
        f"from coevo_pipelines.bench.world.writing import write; {call}"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment(POLARS_MAX_THREADS="1"), capture_output=True
    )
    assert derived_digests(tmp_path / "again") == derived_digests(usual.lake.root)
    other = make(tmp_path / "other", dataclasses.replace(shape, seed=shape.seed + 1))
    theirs, ours = derived_digests(other.lake.root), derived_digests(usual.lake.root)
    assert not {
        path for path in ours if ours[path] == theirs[path] and usual.lake.root.joinpath(path).stat().st_size > 9_000
    }


def test_a_world_is_no_sample_and_not_live(usual: Made, tmp_path: Path) -> None:
    assert usual.lake.world == writing.WORLD
    for source in ("sample", "live"):
        settings = load_settings(lake=usual.lake.root, source=source)
        with pytest.raises(LakeError, match="world = synthetic"):
            open_lake(settings)
    with pytest.raises(LakeError, match="already holds a lake"):
        writing.write(usual.lake, usual.shape, print)
    taken = Lake(tmp_path / "taken")
    taken.claim(world="live")
    with pytest.raises(LakeError, match="already holds a lake"):
        writing.write(taken, usual.shape, print)
    assert list(usual.rows("traces.works")["url"].drop_nulls().str.starts_with("https://example.org/").unique()) == [
        True
    ]


@pytest.mark.parametrize(("works", "edges", "days"), [(10, 100, 3), (13, 50, 20), (50, 0, 2), (30, 300, 1)])
def test_the_smallest_worlds(works: int, edges: int, days: int) -> None:
    made = list(writing.days(Shape(works, edges, days, works)))
    assert len(made) == days
    assert sum(day.citations["citations.nodes"].filter(~pl.col("is_stub")).height for day in made) <= works * 1.2


@pytest.mark.parametrize(("works", "edges", "days"), [(9, 10, 1), (MOST_WORKS + 1, 10, 1), (10, -1, 1), (10, 10, 0)])
def test_an_impossible_world_is_refused(works: int, edges: int, days: int) -> None:
    with pytest.raises(ValueError, match="a world has"):
        Shape(works, edges, days, 1)
