"""The stage on a lake: the sample's days chained, people who decide, damaged and empty days."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from coevo_pipelines.definitions import build_definitions
from coevo_pipelines.lake.schemas import TABLES as SCHEMAS
from coevo_pipelines.lake.store import Lake, Written
from coevo_pipelines.orchestration.days import compute_and_commit, stale_days
from coevo_pipelines.settings import Settings, load_settings
from coevo_pipelines.swarm.assets import TABLES, compute
from coevo_pipelines.swarm.checks import pretending, unbalanced
from coevo_pipelines.swarm.decisions.reviews import DECISIONS
from coevo_pipelines.swarm.tick.engine import CheckpointError
from coevo_pipelines_tests.runs import DAYS, coevo


def frame(lake: Lake, table: str, day: date) -> pl.DataFrame:
    return lake.scan(f"swarm.{table}", on=day).drop("date").collect()


def frames(lake: Lake, day: date) -> dict[str, pl.DataFrame]:
    return {table: lake.scan(table, on=day).drop("date").collect() for table in TABLES}


def before(lake: Lake, day: date) -> dict[str, Any] | None:
    """How the day before ended."""
    if day == DAYS[0]:
        return None
    return frame(lake, "metrics", DAYS[DAYS.index(day) - 1]).row(-1, named=True)


def make(settings: Settings, day: date) -> Mapping[str, Written]:
    """The stage's tables of a day, as its asset makes them."""
    return compute_and_commit(Lake(settings.lake_root), TABLES, day, partial(compute, settings))[1]


@pytest.fixture
def own(sample: Settings, tmp_path: Path) -> Settings:
    """A lake of one's own with the sample's days; what other stages keep beside their tables is not needed."""
    root = tmp_path / "lake"
    aside = shutil.ignore_patterns(".dagster", "mirrors", "packs", "releases", "*.duckdb", "*.lock")
    shutil.copytree(sample.lake_root, root, ignore=aside)
    return load_settings(lake=root)


class TestSample:
    def test_days_are_chained_and_every_row_says_where_it_is_from(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        metrics = [frame(lake, "metrics", day) for day in DAYS]
        assert [(rows["tick"].min(), rows["tick"].max()) for rows in metrics] == [(0, 0), (1, 100), (101, 200)]
        ends = [rows.row(-1, named=True)["at"].isoformat() for rows in metrics]
        assert ends == ["2019-03-26T00:00:00+00:00", "2019-03-27T00:00:00+00:00", "2019-03-28T00:00:00+00:00"]
        for day in DAYS:
            for table, rows in frames(lake, day).items():
                assert rows["simulated"].all(), table
                assert set(rows["config_hash"]) <= {sample.swarm.parameters.hash}
                assert rows["run_id"].n_unique() <= 1 and rows["inputs"].n_unique() <= 1
        ids = {frame(lake, table.partition(".")[2], DAYS[2])["run_id"].first() for table in TABLES}
        assert len(ids - {None}) == 1

    def test_the_days_add_up_from_their_entries_alone(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        accounts: Counter[str] = Counter()
        number = 0
        for day in DAYS:
            tables = frames(lake, day)
            assert unbalanced(tables, before(lake, day)) == pretending(tables) == []
            ledger = tables["swarm.lifeforce_ledger"]
            assert ledger["entry_id"].to_list() == list(range(number + 1, number + ledger.height + 1))
            number += ledger.height
            for debit, credit, amount in ledger.select("from_account", "to_account", "amount_milli").iter_rows():
                accounts[debit] -= amount
                accounts[credit] += amount
            assert sum(accounts.values()) == 0
            assert min(value for name, value in accounts.items() if name != "SOURCE") >= 0
            organisms = tables["swarm.organisms"]
            held = dict(organisms.select("organism_id", "lf_milli").iter_rows())
            assert {name: accounts[f"organism:{name}"] for name in held} == held
            assert accounts["nyx"] == tables["swarm.metrics"].row(-1, named=True)["nyx_milli"]
            versions = tables["swarm.versions"].filter(pl.col("lf_milli") > 0)
            for row in versions.iter_rows(named=True):
                assert accounts[f"pattern:{row['pattern']}:{row['version_id']}"] == row["lf_milli"]

    def test_organisms_are_of_the_graph_or_newborn(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        works = set(lake.scan("citations.nodes", upto=DAYS[2]).collect()["node_id"])
        organisms = frame(lake, "organisms", DAYS[2])
        newborn = organisms["organism_id"].str.starts_with("~newborn:")
        assert organisms.filter(newborn)["replaces"].null_count() == 0
        assert set(organisms.filter(~newborn)["works"].explode()) <= works
        assert organisms.filter(~newborn).height > 400
        first = frame(lake, "metrics", DAYS[0]).row(0, named=True)
        assert first["organisms_milli"] == 100_000 * first["organisms"], "mean 100 LF, whatever rewards allot"

    def test_what_is_observed_is_of_the_day(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        for day in DAYS[1:]:
            rows = frame(lake, "metrics", day)
            later = rows.filter(pl.col("tick") > rows["tick"].min())
            assert later["observed"].sum() == 0, "trials are of the first tick"
        assert frame(lake, "metrics", DAYS[2])["observed"].sum() > 0
        markers = lake.scan("swarm.decision_markers", upto=DAYS[2]).collect()
        assert markers.filter(pl.col("status") == "resolved").height > 20
        assert set(markers["decided_by"].drop_nulls()) <= {"nyx", "chrysalis", "dafit_standin"}
        for row in markers.iter_rows(named=True):
            told = [json.loads(each) for each in row["teacher_outcomes"] + row["student_outcomes"]]
            share = sum(each["source"] == "observed" for each in told) / len(told) if told else 0
            assert row["fraction_observed"] == share

    def test_markers_carry_over_until_they_are_decided(self, sample: Settings) -> None:
        lake = Lake(sample.lake_root)
        pending = frame(lake, "decision_markers", DAYS[1]).filter(pl.col("status") == "pending")
        later = frame(lake, "decision_markers", DAYS[2])
        assert pending.height and set(pending["marker_id"]) <= set(later["marker_id"])
        marked = frame(lake, "cells", DAYS[2]).filter(pl.col("marker_id").is_not_null())
        still = later.filter(pl.col("status") == "pending")
        assert sorted(marked["marker_id"]) == sorted([*still["marker_id"]] * 2)

    def test_the_page_and_the_catalog_tell_of_it(self, sample: Settings) -> None:
        page = (sample.lake_root / f"report/snapshot/date={DAYS[2]}/swarm.html").read_text()
        assert "Simulated" in page and "sample" in page
        told = coevo(
            "query", "--lake", str(sample.lake_root), "SELECT count(*) AS n FROM swarm.cells", "--format", "csv"
        )
        assert told.returncode == 0 and int(told.stdout.split()[1]) > 1000


def reviewed(settings: Settings, *arguments: str) -> str:
    done = coevo("review", *arguments, "--lake", str(settings.lake_root))
    assert done.returncode == 0, done.stderr
    return done.stdout


TURNED = {"teacher": "student", "student": "teacher", "hybrid": "teacher"}


def item_of(settings: Settings, day: date) -> dict[str, Any]:
    """What was asked first on a day."""
    items = json.loads(reviewed(settings, "list", "--json"))["items"]
    return next(item for item in items if item["opened"] == str(day))


def marker_of(settings: Settings, review: str) -> dict[str, Any]:
    rows = frame(Lake(settings.lake_root), "decision_markers", DAYS[2]).filter(pl.col("review_id") == review)
    return rows.row(0, named=True)


class TestPeople:
    def test_a_person_decides_and_the_day_is_made_again(self, own: Settings) -> None:
        """Of the day itself: a replay goes by the record at decision time, and again gives the same (K9)."""
        item = item_of(own, DAYS[2])
        winner = TURNED[item["standin_decision"]]
        reviewed(own, "decide", item["review_id"], "--winner", winner, "--reviewer", "ada", "--note", "newer is better")
        assert "answered, not yet taken up" in reviewed(own, "list")
        written = make(own, DAYS[2])
        assert written["swarm.decision_markers"].commit.note.startswith("decisions ")
        marker = marker_of(own, item["review_id"])
        assert (marker["winner"], marker["decided_by"], marker["corrected_tick"]) == (winner, "dafit_human", None)
        lake = Lake(own.lake_root)
        assert frame(lake, "decisions", DAYS[2])["status"].to_list() == ["used"]
        assert unbalanced(frames(lake, DAYS[2]), before(lake, DAYS[2])) == pretending(frames(lake, DAYS[2])) == []
        assert not any(each.changed for each in make(own, DAYS[2]).values())
        told = reviewed(own, "show", item["review_id"][:6])
        assert "ada decided" in told and "newer is better" in told
        assert item["review_id"] not in reviewed(own, "list")

    def test_what_an_earlier_day_decided_is_corrected(self, own: Settings) -> None:
        item = item_of(own, DAYS[1])
        winner = TURNED[item["standin_decision"]]
        reviewed(own, "decide", item["review_id"], "--winner", winner, "--reviewer", "ada", "--note", "older is better")
        make(own, DAYS[2])
        marker = marker_of(own, item["review_id"])
        assert (marker["winner"], marker["decided_by"], marker["corrected_tick"]) == (winner, "dafit_human", 101)
        assert marker["resolved_tick"] <= 100
        lake = Lake(own.lake_root)
        steps = frame(lake, "escalations", DAYS[2]).filter(pl.col("event") == "correction")
        assert steps.select("marker_id", "tick", "reason").rows() == [
            (marker["marker_id"], 101, "ada: older is better")
        ]
        assert unbalanced(frames(lake, DAYS[2]), before(lake, DAYS[2])) == pretending(frames(lake, DAYS[2])) == []
        assert not any(each.changed for each in make(own, DAYS[2]).values())
        # A replay of the earlier day decides there: nothing is left to correct.
        make(own, DAYS[1])
        assert stale_days(lake, TABLES) == [DAYS[2]]
        make(own, DAYS[2])
        assert frame(lake, "metrics", DAYS[2])["corrections"].sum() == 0
        again = frame(lake, "decision_markers", DAYS[1]).filter(pl.col("review_id") == item["review_id"])
        assert again["decided_by"].to_list() == ["dafit_human"]

    def test_what_cannot_be_used_is_listed_and_never_dropped(self, own: Settings) -> None:
        path = own.lake_root / DECISIONS
        path.parent.mkdir(exist_ok=True)
        unknown = {
            "review_id": "0" * 16,
            "decision": "teacher",
            "reviewer": "bob",
            "decided_at": "2026-01-01T00:00:00Z",
        }
        path.write_text(json.dumps(unknown) + "\n" + "not json\n" + '{"review_id": "cut o')
        make(own, DAYS[2])
        rows = frame(Lake(own.lake_root), "decisions", DAYS[2])
        assert rows.select("line", "status", "reviewer").rows() == [
            (1, "unknown", "bob"), (2, "invalid", None), (3, "invalid", None),
        ]  # fmt: skip
        assert rows["why"].null_count() == 0
        told = reviewed(own, "list", "--status", "all")
        assert "line 1 of the decisions is unknown" in told and "line 3 of the decisions is invalid" in told

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("show", "nowhere"), "there is no review item 'nowhere' as of 2019-03-27; there are "),
            (("decide", "ffffffff", "--winner", "teacher", "--reviewer", "ada"), "there is no review item 'ffffffff'"),
            (("decide", "", "--winner", "teacher", "--reviewer", "ada"), "there is no review item ''"),
        ],
    )
    def test_an_unknown_id_says_which_there_are(self, sample: Settings, arguments: tuple[str, ...], says: str) -> None:
        done = coevo("review", *arguments, "--lake", str(sample.lake_root))
        assert done.returncode == 2 and says in done.stderr
        assert not (sample.lake_root / DECISIONS).exists()

    def test_a_later_time_counts_and_a_note_moves_no_cursor(self, own: Settings) -> None:
        """A record from a machine whose clock is ahead: whoever decides after it is told that it still counts."""
        (item, *_) = json.loads(reviewed(own, "list", "--json"))["items"]
        decide = "decide", item["review_id"], "--reviewer", "ada", "--note", "two\n\x1b[2Jlines", "--winner"
        assert "Taken up by the next run" in reviewed(own, *decide, "hybrid")
        path = own.lake_root / DECISIONS
        path.write_text(path.read_text().replace('"20', '"29'))
        done = coevo("review", *decide, "teacher", "--lake", str(own.lake_root))
        assert done.returncode == 0 and "It does not count: ada decided hybrid with a later time, 29" in done.stderr
        make(own, DAYS[2])
        shown = reviewed(own, "show", item["review_id"])
        assert "ada decided hybrid" in shown and "two  [2Jlines" in shown

    def test_nobody_decides_without_a_name(self, own: Settings) -> None:
        (item, *_) = json.loads(reviewed(own, "list", "--json"))["items"]
        done = coevo(
            "review",
            "decide",
            item["review_id"],
            "--winner",
            "teacher",
            "--reviewer",
            "  ",
            "--lake",
            str(own.lake_root),
        )
        assert done.returncode == 2 and "reviewer" in done.stderr
        assert not (own.lake_root / DECISIONS).exists()

    def test_the_sensor_asks_for_the_last_day_once(self, own: Settings) -> None:
        sensor = next(iter(build_definitions(own).sensors or ()))
        assert isinstance(sensor, dg.SensorDefinition)

        def look(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
            # Called, not evaluated as a tick: that would enter the lake's instance and leave a trace of it behind.
            found = sensor(dg.build_sensor_context(cursor=cursor))
            assert isinstance(found, dg.SensorResult | dg.SkipReason)
            return found

        assert isinstance(look(None), dg.SkipReason)
        (item, *_) = json.loads(reviewed(own, "list", "--json"))["items"]
        reviewed(own, "decide", item["review_id"], "--winner", "hybrid", "--reviewer", "ada")
        asked = look(None)
        assert isinstance(asked, dg.SensorResult)
        assert [each.partition_key for each in asked.run_requests or ()] == [str(DAYS[2])]
        (event,) = asked.asset_events
        assert isinstance(event, dg.AssetObservation)
        version = hashlib.sha256((own.lake_root / DECISIONS).read_bytes()).hexdigest()
        assert event.tags["dagster/data_version"] == asked.cursor == version
        assert isinstance(look(asked.cursor), dg.SkipReason)


class TestTrouble:
    def test_a_damaged_checkpoint_names_the_day_and_the_way_out(self, own: Settings) -> None:
        path = Lake(own.lake_root).path("swarm.checkpoints", DAYS[1])
        rows = pl.read_parquet(path, hive_partitioning=False)
        rows.with_columns(pl.col("state").str.replace('"now":100', '"now":99', literal=True)).write_parquet(path)
        with pytest.raises(
            CheckpointError, match=r"swarm date=2019-03-26: the checkpoint is damaged.*coevo run --date"
        ):
            make(own, DAYS[2])
        assert frame(Lake(own.lake_root), "metrics", DAYS[2])["tick"].max() == 200, "what was there stays"

    def test_cells_that_are_not_the_checkpoints(self, own: Settings) -> None:
        path = Lake(own.lake_root).path("swarm.cells", DAYS[1])
        rows = pl.read_parquet(path, hive_partitioning=False)
        rows.with_columns(k=pl.col("k") * 0).write_parquet(path)
        with pytest.raises(CheckpointError, match="not those of the checkpoint"):
            make(own, DAYS[2])

    @pytest.mark.parametrize("table", ["swarm.checkpoints", "swarm.cells"])
    @pytest.mark.parametrize("damage", ["cut", "gone"])
    def test_a_file_that_cannot_be_read_is_made_again(self, own: Settings, table: str, damage: str) -> None:
        path = Lake(own.lake_root).path(table, DAYS[1])
        whole = path.read_bytes()
        path.unlink()
        if damage == "cut":
            path.write_bytes(whole[:100])
        with pytest.raises(CheckpointError, match="Make that day again: coevo run --date 2019-03-26") as told:
            make(own, DAYS[2])
        assert told.value.__cause__ is None, "a run shows the innermost cause alone"
        make(own, DAYS[1])
        assert path.read_bytes() == whole
        assert not any(each.changed for each in make(own, DAYS[2]).values())

    def test_another_configuration_needs_a_new_beginning(self, own: Settings) -> None:
        changed = own.model_copy(
            update={"swarm": own.swarm.model_copy(update={"parameters": own.swarm.parameters.model_copy(
                update={"protocol": "freeze"})})}
        )  # fmt: skip
        with pytest.raises(
            CheckpointError, match="Either set things as they were, or begin again with the first day"
        ) as told:
            make(changed, DAYS[1])
        assert told.value.__cause__ is None, "a run shows the innermost cause alone"
        lake = Lake(changed.lake_root)
        make(changed, DAYS[0])
        for day in DAYS[1:]:
            assert stale_days(lake, TABLES)[0] == day
            make(changed, day)
        assert stale_days(lake, TABLES) == []
        assert set(lake.scan("swarm.decision_markers", upto=DAYS[2]).collect()["protocol"]) == {"freeze"}

    def test_other_ticks_a_day_are_another_simulation(self, own: Settings) -> None:
        changed = own.model_copy(update={"swarm": own.swarm.model_copy(update={"ticks_per_day": 1})})
        with pytest.raises(CheckpointError, match="seeded by other rules"):
            make(changed, DAYS[1])

    def test_days_without_anything(self, tmp_path: Path) -> None:
        settings = load_settings(lake=tmp_path / "lake")
        lake = Lake(settings.lake_root)
        for day in DAYS:
            make(settings, day)
            tables = frames(lake, day)
            assert unbalanced(tables, before(lake, day)) == pretending(tables) == []
            assert tables["swarm.organisms"].height == tables["swarm.cells"].height == 0
            assert dict(tables["swarm.metrics"].schema) == SCHEMAS["swarm.metrics"].polars_schema()
        assert frame(lake, "metrics", DAYS[2])["tick"].max() == 200
