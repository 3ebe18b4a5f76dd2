from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pytest

from coevo_pipelines.lake.schemas import conform, table
from coevo_pipelines.swarm import frames
from coevo_pipelines.swarm.config import Config
from coevo_pipelines.swarm.runs.standalone import MadeUp, begin, moment
from coevo_pipelines.swarm.tick.engine import CheckpointError, Swarm
from coevo_pipelines.swarm.tick.state import INHERITED, MINUS, PLUS, PRESENT, REFLEX, Versions, empty_state

Tables = dict[str, pl.DataFrame]
CONFIG = Config(ethical=("p2",), nyx_start=300_000, uncertain_factor=6, min_wait=5)
STATE = ("organisms", "cells", "versions", "checkpoint")


def run(ticks: int, config: Config = CONFIG, **world: Any) -> Swarm:
    swarm = begin(40, 4, 3, config, MadeUp(absent=0.2, **world))
    on(swarm, ticks)
    return swarm


def on(swarm: Swarm, ticks: int) -> None:
    for _ in range(ticks):
        swarm.tick(moment(swarm.now + 1))


def told(swarm: Swarm) -> Tables:
    """The state's four tables."""
    p = frames.provenance(swarm.run_id, swarm.config, swarm.seed)
    return {name: getattr(frames, name)(swarm, p) for name in STATE}


def happened(swarm: Swarm) -> Tables:
    p = frames.provenance(swarm.run_id, swarm.config, swarm.seed)
    return frames.tables_of(swarm, *swarm.taken(), p)


def back(given: Tables, config: Config = CONFIG) -> Swarm:
    return frames.restored(config, given["organisms"], given["cells"], given["versions"], given["checkpoint"])


def alike(one: Tables, other: Tables) -> None:
    assert one.keys() == other.keys()
    for name, frame in one.items():
        assert frame.equals(other[name]), name


@pytest.fixture(scope="module")
def busy() -> Swarm:
    """A simulation where everything that there is to tell happened."""
    return run(130)


@pytest.fixture(scope="module")
def all_tables(busy: Swarm) -> Tables:
    return {**happened(busy), **{f"swarm.{'checkpoints' if name == 'checkpoint' else name}": frame
                                 for name, frame in told(busy).items()}}  # fmt: skip


def test_every_table_fits_its_schema_and_is_in_order(all_tables: Tables) -> None:
    for name, frame in all_tables.items():
        assert frame.height, f"{name}: nothing to look at"
        assert conform(table(name), frame, "here").equals(frame), name
        assert frame["config_hash"].unique().to_list() == [CONFIG.hash]
    assert set(all_tables) == {
        f"swarm.{name}"
        for name in (
            "organisms", "cells", "versions", "checkpoints", "decision_markers", "blend_predictions", "escalations",
            "lifeforce_ledger", "metrics", "clasps", "review_queue")
    }  # fmt: skip


def test_the_book_explains_every_balance_and_none_was_ever_below_zero(all_tables: Tables) -> None:
    balance: dict[str, int] = defaultdict(int)
    least: dict[str, int] = defaultdict(int)
    book = all_tables["swarm.lifeforce_ledger"]
    for debit, credit, amount in book.select("from_account", "to_account", "amount_milli").iter_rows():
        balance[debit] -= amount
        balance[credit] += amount
        least[debit] = min(least[debit], balance[debit])
    assert {name for name, lowest in least.items() if lowest < 0} == {"SOURCE"}
    organisms, versions = all_tables["swarm.organisms"], all_tables["swarm.versions"]
    for organism, lf in organisms.select("organism_id", "lf_milli").iter_rows():
        assert balance.pop(f"organism:{organism}", 0) == lf
    for pattern, version, lf in versions.select("pattern", "version_id", "lf_milli").iter_rows():
        assert balance.pop(f"pattern:{pattern}:{version}", 0) == lf
    last = all_tables["swarm.metrics"].row(-1, named=True)
    assert balance.pop("nyx") == last["nyx_milli"]
    assert -balance.pop("SOURCE") == last["minted_milli"]
    assert balance.pop("SINK") == last["burnt_milli"]
    assert set(balance.values()) <= {0}, "of those that are no longer there"
    assert book["entry_id"].to_list() == list(range(1, book.height + 1))


def test_tables_agree_with_each_other(all_tables: Tables) -> None:
    cells, metrics = all_tables["swarm.cells"], all_tables["swarm.metrics"].row(-1, named=True)
    weights = dict(cells["weight"].value_counts().iter_rows())
    assert (weights[-1], weights[0], weights[1]) == (metrics["minus"], metrics["zero"], metrics["plus"])
    held = cells.group_by("pattern", "version_id").len().rename({"len": "holders"})
    versions = all_tables["swarm.versions"].filter(pl.col("holders") > 0).select("pattern", "version_id", "holders")
    assert held.sort("pattern", "version_id").cast({"holders": pl.Int64}).equals(versions)
    verified = dict(cells.group_by("organism_id").agg(pl.col("verifications").sum()).iter_rows())
    for organism, verifications in all_tables["swarm.organisms"].select("organism_id", "verifications").iter_rows():
        assert verified.get(organism, 0) == verifications
    pending = all_tables["swarm.decision_markers"].filter(pl.col("status") == "pending")
    marked = cells.filter(pl.col("status") != "ACTIVE").group_by("marker_id").agg(pl.col("organism_id").sort())
    assert dict(marked.iter_rows()) == {
        marker: sorted(sides) for marker, *sides in pending.select("marker_id", "teacher_id", "student_id").iter_rows()
    }
    assert metrics["pending"] == pending.height > 0


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_parts_make_the_whole(busy: Swarm, rows: int) -> None:
    p = frames.provenance("r", busy.config, busy.seed)
    parts = list(frames.cells_in_parts(busy, p, rows))
    assert pl.concat(parts).equals(frames.cells(busy, p))
    assert max(part.height for part in parts) <= max(rows, 4)


def test_parts_of_the_book_make_the_whole() -> None:
    swarm = run(30)
    p = frames.provenance("r", swarm.config, swarm.seed)
    _, entries = swarm.taken()
    whole = pl.concat(frames.ledger_in_parts(swarm, entries, p))
    assert whole.equals(pl.concat(frames.ledger_in_parts(swarm, entries, p, 11)))
    assert whole["ref"].null_count() < whole.height


@pytest.mark.parametrize(
    ("ticks", "config"),
    [
        (0, CONFIG),
        (23, CONFIG),
        (23, Config(protocol="freeze", min_wait=5)),
        (1, Config(upward="full", identity=False)),
    ],
)
def test_everything_goes_on_bit_by_bit(ticks: int, config: Config) -> None:
    swarm = run(ticks, config)
    happened(swarm)
    there = told(swarm)
    again = back(there, config)
    alike(there, told(again))
    for each in (swarm, again):
        on(each, 30)
    alike(told(swarm), told(again))
    alike(happened(swarm), happened(again))


def test_two_words_of_patterns_strange_names_and_what_no_count_tells() -> None:
    state, versions = empty_state(3, 70), Versions()
    state.ids = ['o:b\n"quoted"', "o:a", "~newborn:000000000007"]
    state.__post_init__()
    state.label, state.works, state.replaces = ["Ünïcode,\t", None, ""], [("w:1", "w:2"), (), ()], [None, "o:x", None]
    state.communities, state.community = ["c 1"], np.array([0, -1, 0])
    for pattern in range(70):
        versions.pattern_number(f"p{pattern}'" if pattern != 69 else "ignore previous instructions", Config())
        if pattern not in {5, 66}:  # a pattern without any version
            versions.add(pattern, f"v\\{pattern}", theta=0.5)
    # Of one that is verified often enough and one that is not, the reflex is put otherwise from outside.
    for place, pattern, k in ((0, 0, 50), (1, 69, 10), (2, 64, 3)):
        number = versions.of(pattern)[0]
        everywhere = np.array([place])
        state.take(everywhere, pattern, number, 1)
        state.put(INHERITED, place, pattern, False)
        state.k[place, pattern], state.n[place, pattern], state.verifications[place, pattern] = k, 50, 120
        state.discovered[place, pattern] = pattern
    state.verified[:] = 120
    state.lf[:] = 1000
    swarm = Swarm.begin(CONFIG, 1, state, versions, moment(0))
    state.put(REFLEX, 0, 0, False)
    state.put(REFLEX, 1, 69, True)
    there = told(swarm)
    again = back(there)
    alike(there, told(again))
    assert again.versions.patterns == versions.patterns
    assert [again.state.is_set(REFLEX, place, pattern) for place, pattern in ((0, 0), (1, 69), (2, 64))] == [
        False, True, False]  # fmt: skip
    rows = there["cells"].select("organism_id", "pattern", "weight", "version_id", "k", "n", "status", "marker_id")
    assert rows.rows() == [
        ("o:a", "ignore previous instructions", 1, "v\\69", 10, 50, "ACTIVE", None),
        ('o:b\n"quoted"', "p0'", 1, "v\\0", 50, 50, "ACTIVE", None),
        ("~newborn:000000000007", "p64'", 1, "v\\64", 3, 50, "ACTIVE", None),
    ]


@pytest.mark.parametrize(("organisms", "patterns"), [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_the_empty_and_the_smallest(organisms: int, patterns: int) -> None:
    swarm = begin(organisms, patterns, 1)
    on(swarm, 3)
    tables = happened(swarm)
    for name, frame in tables.items():
        assert conform(table(name), frame, "here").equals(frame), name
    again = back(told(swarm), Config())
    on(swarm, 3)
    on(again, 3)
    alike(told(swarm), told(again))


def put(frame: pl.DataFrame, column: str, value: Any, row: int = 0) -> pl.DataFrame:
    changed = pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value)).otherwise(pl.col(column))
    return frame.with_columns(changed.alias(column))


def reworded(frame: pl.DataFrame, old: str, new: str) -> pl.DataFrame:
    """A checkpoint with another text and the right hash of that."""
    text = frame["state"].item().replace(old, new)
    assert text != frame["state"].item()
    return frame.with_columns(state=pl.lit(text), state_sha256=pl.lit(hashlib.sha256(text.encode()).hexdigest()))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("checkpoint", lambda x: put(x, "state", x["state"].item() + " "), "the checkpoint is damaged: its hash"),
        ("checkpoint", lambda x: x.head(0), "swarm.checkpoints has 0 rows"),
        ("checkpoint", lambda x: reworded(x, "{", "<"), "the checkpoint is no JSON"),
        ("checkpoint", lambda x: reworded(x, '"nyx"', '"nix"'), "the checkpoint is damaged: KeyError: 'nyx'"),
        ("checkpoint", lambda x: reworded(x, CONFIG.hash, "0" * 64), "configuration 000000000000… and the settings"),
        ("organisms", lambda x: x.slice(1), "rows are missing"),
        ("organisms", lambda x: put(x, "lf_milli", 7), "sums to"),
        ("organisms", lambda x: put(x, "age", 7), "are not those of the checkpoint"),
        ("organisms", lambda x: put(x, "kind", "person"), "the checkpoint is damaged"),
        ("cells", lambda x: x.slice(1), "are not those of the checkpoint"),
        ("cells", lambda x: pl.concat([x, x.head(1)]), "some are there twice"),
        ("cells", lambda x: put(x, "k", x["k"][0] + 1), "are not those of the checkpoint"),
        ("cells", lambda x: put(x, "organism_id", "nobody"), "organism 'nobody' with version"),
        ("cells", lambda x: put(x, "version_id", "none"), "with version 'none' of pattern"),
        ("versions", lambda x: x.slice(1), "does not hold version number"),
        ("versions", lambda x: put(x, "lf_milli", 10**9), "sums to"),
    ],
)
def test_a_damaged_checkpoint_is_named(busy: Swarm, name: str, damage: Any, message: str) -> None:
    there = told(busy)
    with pytest.raises(CheckpointError) as found:
        back({**there, name: damage(there[name])})
    assert message in str(found.value)


def test_weights_of_cells_are_their_planes() -> None:
    swarm = begin(4, 1, 1, Config(), MadeUp(minus=0.5, plus=0.5))
    rows = told(swarm)["cells"]
    for place, (weight, k, n) in enumerate(rows.select("weight", "k", "n").iter_rows()):
        assert swarm.state.is_set(PRESENT, place, 0)
        assert (weight > 0) == swarm.state.is_set(PLUS, place, 0)
        assert (weight < 0) == swarm.state.is_set(MINUS, place, 0)
        assert (k, n) == ((3, 3) if weight > 0 else (0, 3))
