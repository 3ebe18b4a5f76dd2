"""Simulations without a lake: a made-up world, in memory or in a folder of segments.

    swarm = begin(organisms=300, patterns=16, seed=1)
    while swarm.now < 100:
        swarm.tick(moment(swarm.now + 1))
    swarm.events.metrics[-1]["plus"]  # cells at +1

A folder holds `run.json` (what was asked) and `segments/tick=…/`, one for every so many ticks: the events of these
ticks, and the state at their end. A segment is written beside and renamed when it is whole, so a run that was killed
goes on from its newest one and comes to the same bytes as one that was not.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coevo_pipelines.lake.ledger import canonical, file_sha256, sync_folder, write_durably, write_whole
from coevo_pipelines.swarm.config import Chance, Config, Importance, Milli, Moment
from coevo_pipelines.swarm.decisions.minds import Minds, Panel
from coevo_pipelines.swarm.tick.engine import CheckpointError, Swarm
from coevo_pipelines.swarm.tick.state import MINUS, PLUS, PRESENT, STREAMS, State, Versions, empty_state, theta
from coevo_pipelines.version import code_version

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from coevo_pipelines.swarm.config import Provenance
    from coevo_pipelines.swarm.explain import Explanation

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""When tick 0 is; a tick is a day."""
MOST_TICKS = (datetime.max.replace(tzinfo=UTC) - FIRST).days
_WORLD = len(STREAMS) + 1
"""Spawn key of the made-up world; those below are the simulation's."""
STATE_TABLES = ("organisms", "cells", "versions", "checkpoints")
EVENT_TABLES = (
    "decision_markers", "blend_predictions", "escalations", "lifeforce_ledger", "metrics", "clasps", "review_queue",
)  # fmt: skip
MOST_CLASPS = 2_000_000
"""Rows from which on `drawn_from` looks no further back."""
KEPT = 2
"""Of so many newest segments the cells are kept; one of them is enough to go on."""


class SwarmError(ValueError):
    """It was asked wrongly; the message says what and the way out."""


class MadeUp(BaseModel):
    """What a made-up world is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    versions: int = Field(default=3, ge=1, le=10_000, description="of each pattern")
    minus: Chance = Field(default=0.15, description="share of the cells that begin at -1")
    plus: Chance = Field(default=0.06, description="share of the cells that begin at +1")
    absent: Chance = Field(default=0.0, description="share of the cells that are not there")
    trials: int = Field(default=3, ge=0, description="of a cell that begins at -1 or +1: all failures, all successes")
    community: int = Field(default=25, ge=1, description="organisms of a community, about")
    blessed: Chance = Field(default=0.01, description="share of the organisms")
    lifeforce: Milli = Field(default=100_000, description="of each organism, thousandths of one LF")
    critical: Chance = Field(default=0.25, description="share of the patterns, the first ones")
    experimental: Chance = Field(default=0.25, description="share of the patterns, the last ones; others: standard")

    @model_validator(mode="after")
    def _possible(self) -> MadeUp:
        for one, other in (("minus", "plus"), ("critical", "experimental")):
            if getattr(self, one) + getattr(self, other) > 1:
                raise ValueError(f"{one} and {other} are more than the whole together")
        return self


class Setup(BaseModel):
    """A configuration file: what `Config` knows at its top, and the tables `[world]` and `[minds]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Config = Config()
    world: MadeUp = MadeUp()
    minds: Minds = Minds()


class Asked(BaseModel):
    """What a run is; all but `ticks` is fixed once it is begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisms: Annotated[int, Field(ge=0)]
    patterns: Annotated[int, Field(ge=0)]
    ticks: Annotated[int, Field(ge=0, le=MOST_TICKS)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    every: Annotated[int, Field(ge=1)] = 100
    """Ticks of a segment."""
    setup: Setup = Setup()

    @property
    def run_id(self) -> str:
        """Of configuration, seed and world: two runs that differ in length alone have the same."""
        told = self.model_dump(mode="json", exclude={"ticks": True, "every": True, "setup": {"config"}})
        return hashlib.sha256(canonical({**told, "config": self.setup.config.hash})).hexdigest()[:12]


Tell = Callable[[int, int], None]
"""Ticks done, of how many."""


def setup_of(file: Path | None) -> Setup:
    """A TOML file's settings. Raises SwarmError that names the key and, where there is one, the nearest."""
    if file is None:
        return Setup()
    try:
        given = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise SwarmError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SwarmError(f"{file} is not TOML: {error}") from error
    tables = {name: given.pop(name) for name in ("world", "minds") if name in given}
    try:
        return Setup.model_validate({"config": given, **tables})
    except ValidationError as error:
        raise SwarmError(f"{file}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, with the key as it stands in the file."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    if place[:1] == ["config"]:
        place = place[1:]
    key = ".".join(place)
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, _keys(Setup), n=1)
        near = f"; the nearest is {close[0]!r}" if close else "; `coevo swarm config` lists them all"
        return f"there is no setting {key!r}{near}"
    if first["type"] == "value_error" or not key:
        return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"
    return f"{key} is missing" if first["type"] == "missing" else f"{key} = {first['input']!r}: {first['msg']}"


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """All keys of a settings file, tables with dots."""
    found = []
    for name, each in model.model_fields.items():
        inner = each.annotation
        within = "" if (model, name) == (Setup, "config") else f"{prefix}{name}"
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += _keys(inner, f"{within}." if within else "")
        if within:
            found.append(within)
    return found


# the world


def moment(tick: int) -> Moment:
    """The day of a tick. Raises SwarmError beyond the year 9999."""
    if tick > MOST_TICKS:
        raise SwarmError(f"tick {tick:,} is after the year 9999: a made-up world has {MOST_TICKS:,} ticks")
    at = FIRST + timedelta(days=tick)
    return Moment(tick=tick, at=at, partition=at.date().isoformat())


def world(
    organisms: int, patterns: int, seed: int, made_up: MadeUp | None = None, config: Config | None = None
) -> tuple[State, Versions]:
    """A closed world, the same for the same arguments.

    Weights, versions, influence and who is blessed are drawn from a stream of their own; chances of success are
    `state.theta`. An importance that the configuration names counts more than the share here.
    """
    made_up, config = made_up or MadeUp(), config or Config()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_WORLD,))))
    state = empty_state(organisms, patterns)
    digits = max(7, len(str(organisms)))
    state.ids = [f"organism:{number:0{digits}}" for number in range(1, organisms + 1)]
    state.__post_init__()  # ranks of the ids
    homes = max(1, round(organisms / made_up.community)) if organisms else 0
    state.communities = [f"community:{number:0{len(str(homes))}}" for number in range(1, homes + 1)]
    everyone = np.arange(organisms, dtype=np.int64)
    state.community = everyone * homes // max(1, organisms)
    state.influence = rng.random(organisms)
    state.blessed[rng.permutation(organisms)[: round(made_up.blessed * organisms)]] = True
    state.lf[:] = made_up.lifeforce
    versions = Versions()
    names = [f"p{number:0{len(str(patterns))}}" for number in range(1, patterns + 1)]
    for place, name in enumerate(names):
        versions.pattern_number(name, config)
        if name not in config.importance:
            versions.importance[place] = _importance(place, patterns, made_up)
        numbers = [
            versions.add(place, version, theta=theta(seed, name, version, 0, 0), title=f"{name}, {version}")
            for version in (f"v{number}" for number in range(1, made_up.versions + 1))
        ]
        there, weight, drawn = (rng.random(organisms) for _ in range(3))
        held = everyone[there >= made_up.absent]
        state.put(PRESENT, held, place, True)
        state.version[held, place] = numbers[0] + (drawn[held] * made_up.versions).astype(np.int32)
        low, high = held[weight[held] < made_up.minus], held[weight[held] >= 1 - made_up.plus]
        state.put(MINUS, low, place, True)
        state.put(PLUS, high, place, True)
        state.n[low, place] = state.n[high, place] = min(made_up.trials, config.most_trials - 1)
        state.k[high, place] = state.n[high, place]
        state.verifications[high, place] = state.k[high, place]
    state.verified = state.verifications.sum(axis=1, dtype=np.int64)
    return state, versions


def _importance(place: int, patterns: int, made_up: MadeUp) -> Importance:
    if place < round(made_up.critical * patterns):
        return "critical"
    return "experimental" if place >= patterns - round(made_up.experimental * patterns) else "standard"


def begin(
    organisms: int,
    patterns: int,
    seed: int,
    config: Config | None = None,
    made_up: MadeUp | None = None,
    *,
    workers: int = 1,
) -> Swarm:
    """A simulation of a made-up world at tick 0, to be driven tick by tick.

    >>> swarm = begin(organisms=4, patterns=2, seed=1)
    >>> swarm.tick(moment(1))
    >>> swarm.now, swarm.ledger.total()
    (1, 0)
    """
    setup = Setup(config=config or Config(), world=made_up or MadeUp())
    return _begun(Asked(organisms=organisms, patterns=patterns, ticks=0, seed=seed, setup=setup), workers, None)


def _begun(asked: Asked, workers: int, panel: Panel | None) -> Swarm:
    config = asked.setup.config
    state, versions = world(asked.organisms, asked.patterns, asked.seed, asked.setup.world, config)
    return Swarm.begin(
        config, asked.seed, state, versions, moment(0), run_id=asked.run_id, workers=workers, panel=panel
    )


# a run in a folder


@dataclass(frozen=True)
class Segment:
    """A whole segment of a run."""

    tick: int
    """Its last."""
    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        """`segment.json`. Raises CheckpointError where it is no such file."""
        try:
            found = json.loads((self.folder / "segment.json").read_bytes())
            if found["tick"] != self.tick or not isinstance(found["files"], dict):
                raise ValueError("it is of another segment")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.folder / 'segment.json'} cannot be read: {error}") from error
        return dict(found)

    def check(self) -> None:
        """Raises CheckpointError where a file is missing, or is not as it was written."""
        files = self.told["files"]
        for name in (*STATE_TABLES, *EVENT_TABLES):
            path = self.folder / f"{name}.parquet"
            if not path.is_file() or path.name not in files:
                raise CheckpointError(f"{path} is missing")
            if file_sha256(path) != files[path.name]["sha256"]:
                raise CheckpointError(f"{path} is not as it was written: its hash is another one")

    def load(self, config: Config, *, workers: int = 1, panel: Panel | None = None) -> Swarm:
        """The simulation as it was at the segment's end. Raises CheckpointError where the tables do not fit."""
        import polars as pl
        import pyarrow.parquet as pq

        from coevo_pipelines.swarm.frames import CELLS, restored

        organisms, versions, checkpoint = (
            pl.read_parquet(self.folder / f"{name}.parquet", hive_partitioning=False)
            for name in ("organisms", "versions", "checkpoints")
        )
        with pq.ParquetFile(self.folder / "cells.parquet") as file:
            parts = (pl.DataFrame(file.read_row_group(number, CELLS)) for number in range(file.num_row_groups))
            return restored(config, organisms, parts, versions, checkpoint, workers=workers, panel=panel)


def segments(folder: Path) -> list[Segment]:
    """Those of a run, oldest first."""
    found = []
    for path in (folder / "segments").glob("tick=*"):
        digits = path.name.removeprefix("tick=")
        if path.is_dir() and digits.isdigit():
            found.append(Segment(int(digits), path))
    return sorted(found, key=lambda each: each.tick)


def asked_of(folder: Path) -> Asked:
    """What a run is. Raises SwarmError where the folder is none, CheckpointError where its run.json is damaged."""
    path = folder / "run.json"
    if not path.is_file():
        raise SwarmError(f"{folder} holds no run (it has no run.json); `coevo swarm run --out {folder}` makes one")
    try:
        told = json.loads(path.read_bytes())
        asked = Asked.model_validate(told["asked"])
        if told["config_hash"] != asked.setup.config.hash or told["run_id"] != asked.run_id:
            raise ValueError("its hashes are not those of what was asked")
    except (ValueError, KeyError, TypeError) as error:
        why = _first(error) if isinstance(error, ValidationError) else str(error)
        raise CheckpointError(
            f"{path} is damaged: {why}; give the options of the run again: `coevo swarm run … --out` another folder"
        ) from error
    return asked


def run(
    folder: Path, asked: Asked, *, workers: int = 1, tell: Tell | None = None, note: Callable[[str], None] | None = None
) -> Swarm:
    """Begin a run in a folder that is not there or empty, and make it to its end.

    Raises SwarmError where the folder holds anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise SwarmError(f"{folder} is a file: --out names a folder")
    if (folder / "run.json").is_file():
        known = asked_of(folder)
        same = known.model_copy(update={"ticks": asked.ticks}) == asked
        raise SwarmError(
            f"{folder} holds {'this run already' if same else f'another run ({known.run_id})'}: go on with it by "
            f"`coevo swarm resume {folder}`, or name another folder"
        )
    if folder.exists() and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise SwarmError(f"{folder} is not empty: name a folder that is not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _remember(folder, asked)
        return _made(folder, asked, None, workers, tell, note)


def resume(
    folder: Path,
    *,
    more: int = 0,
    workers: int = 1,
    tell: Tell | None = None,
    note: Callable[[str], None] | None = None,
) -> Swarm:
    """Go on from the newest segment that is as it was written, to the end asked for, or by `more` ticks beyond.

    A damaged one is named to `note` and put aside as `….damaged`. Raises CheckpointError where none is whole.
    """
    asked = asked_of(folder)
    with _alone(folder):
        there = segments(folder)
        if more:
            asked = asked.model_copy(update={"ticks": max(asked.ticks, there[-1].tick if there else 0) + more})
            moment(asked.ticks)
            _remember(folder, asked)
        return _made(folder, asked, there, workers, tell, note)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SwarmError(f"another process works in {folder}: wait for it, or name another folder") from None
    try:
        yield
    finally:
        lock.release()


def _remember(folder: Path, asked: Asked) -> None:
    told = {
        "run_id": asked.run_id,
        "config_hash": asked.setup.config.hash,
        "code_version": code_version(),
        "asked": asked.model_dump(mode="json"),
    }
    write_whole(folder / "run.json", json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n")


def _made(
    folder: Path,
    asked: Asked,
    there: Sequence[Segment] | None,
    workers: int,
    tell: Tell | None,
    note: Callable[[str], None] | None,
) -> Swarm:
    """Make the segments that are missing. there: None begins."""
    from coevo_pipelines.swarm.frames import provenance

    panel = Panel(asked.setup.minds, folder / "answers.jsonl")
    p = provenance(asked.run_id, asked.setup.config, asked.seed)
    (folder / "segments").mkdir(exist_ok=True)
    for left in (folder / "segments").glob(".tick=*"):
        shutil.rmtree(left)
    _forget(folder)
    swarm = None if there is None else _gone_on(folder, asked, there, workers, panel, note)
    if swarm is None:
        swarm = _begun(asked, workers, panel)
        with _Writer(folder, swarm, p) as writer:
            writer.close(swarm, asked)
    while swarm.now < asked.ticks:
        end = min(asked.ticks, (swarm.now // asked.every + 1) * asked.every)
        with _Writer(folder, swarm, p) as writer:
            while swarm.now < end:
                swarm.tick(moment(swarm.now + 1))
                writer.book(swarm)
                if tell:
                    tell(swarm.now, asked.ticks)
            writer.close(swarm, asked)
        _forget(folder)
    return swarm


def _gone_on(
    folder: Path,
    asked: Asked,
    there: Sequence[Segment],
    workers: int,
    panel: Panel,
    note: Callable[[str], None] | None,
) -> Swarm | None:
    """The newest state that is whole; None where no segment was finished.

    A last segment that is shorter than the others (the run was to end there) is made again where the run goes on, so
    that it comes to the same files as one that was asked for all ticks at once.
    """
    reasons: list[tuple[Segment, str]] = []
    for segment in reversed([each for each in there if each.tick % asked.every == 0 or each.tick == asked.ticks]):
        if segment not in there[-KEPT:] and not (segment.folder / "cells.parquet").exists():
            break  # it was not to be gone on from any more, and so are all before it
        try:
            segment.check()
            found = segment.load(asked.setup.config, workers=workers, panel=panel)
        except CheckpointError as error:
            reasons.append((segment, str(error)))
            continue
        for damaged, why in reasons:
            aside = damaged.folder.with_name(f"{damaged.folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            damaged.folder.rename(aside)
            if note:
                note(f"{why}: put aside as {aside.name}; going on from tick {segment.tick:,}")
        for each in there:
            if each.tick > segment.tick and each.folder.exists():
                _drop(each.folder)
        return found
    if there:
        why = reasons[0][1] if reasons else f"{there[-1].folder} is shorter than the others, and those have no cells"
        raise CheckpointError(
            f"no segment of {folder} can be gone on from: {why}. Its events can be read all the same; to have the "
            f"rest, begin again in another folder by `coevo swarm run` with what {folder / 'run.json'} says"
        )
    return None


def _drop(folder: Path) -> None:
    """Remove a segment so that a kill leaves none that looks whole."""
    doomed = folder.with_name(f".{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _forget(folder: Path) -> None:
    """Drop the cells of all but the newest segments; what happened stays."""
    for each in segments(folder)[:-KEPT]:
        (each.folder / "cells.parquet").unlink(missing_ok=True)


class _Writer:
    """The next segment, beside the others until it is whole."""

    def __init__(self, folder: Path, swarm: Swarm, p: Provenance) -> None:
        self._folder = folder / "segments"
        self._draft = self._folder / ".tick=next"
        self._p = p
        self._first = swarm.now + 1 if swarm.now else 0
        self._open: dict[str, pq.ParquetWriter] = {}
        self._rows: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._draft.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            with contextlib.suppress(OSError):  # a full disk: what it says was raised already
                writer.close()
        shutil.rmtree(self._draft, ignore_errors=True)

    def book(self, swarm: Swarm) -> None:
        """Write the ledger's entries where there are many: those of all ticks might not fit in memory."""
        from coevo_pipelines.swarm.frames import ROWS, ledger_in_arrow

        if swarm.ledger.waiting() >= ROWS:
            self._write("lifeforce_ledger", ledger_in_arrow(swarm, swarm.ledger.taken(), self._p))

    def close(self, swarm: Swarm, asked: Asked) -> None:
        """Write the rest and the state, and put the segment where it belongs."""
        import polars as pl

        from coevo_pipelines.lake.schemas import table
        from coevo_pipelines.swarm import frames

        events, entries = swarm.taken()
        self._write("lifeforce_ledger", frames.ledger_in_arrow(swarm, entries, self._p))
        self._write("cells", frames.cells_in_arrow(swarm, self._p))
        small = {
            **frames.events_of(swarm, events, self._p),
            "swarm.organisms": frames.organisms(swarm, self._p),
            "swarm.versions": frames.versions(swarm, self._p),
            "swarm.checkpoints": frames.checkpoint(swarm, self._p),
        }
        oldest = pl.CompatLevel.oldest()
        for name, frame in small.items():
            self._write(name.partition(".")[2], [frame.to_arrow(compat_level=oldest)])
        for name in {"lifeforce_ledger", "cells"} - self._open.keys():  # there is none
            self._write(name, [table(f"swarm.{name}").empty().to_arrow(compat_level=oldest)])
        files = {}
        for name, writer in sorted(self._open.items()):
            writer.close()
            path = self._draft / f"{name}.parquet"
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            files[path.name] = {"rows": self._rows[name], "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        told = {"run_id": asked.run_id, "first": self._first, "tick": swarm.now, "files": files}
        write_durably(self._draft / "segment.json", json.dumps(told, indent=2).encode() + b"\n")
        sync_folder(self._draft)
        self._draft.rename(self._folder / f"tick={swarm.now:08}")
        sync_folder(self._folder)

    def _write(self, name: str, parts: Iterable[pa.Table]) -> None:
        import pyarrow.parquet as pq

        for part in parts:
            if name not in self._open:
                # Without Arrow's own schema a name is a string to every reader, whatever it was written from.
                self._open[name] = pq.ParquetWriter(
                    self._draft / f"{name}.parquet", part.schema, compression="zstd", compression_level=1,
                    store_schema=False,
                )  # fmt: skip
                self._rows[name] = 0
            if part.num_rows:
                self._open[name].write_table(part)
                self._rows[name] += part.num_rows


def read(folder: Path, name: str) -> pl.LazyFrame:
    """A table of a run: of the state (`STATE_TABLES`) as it is at the newest segment's end, of the events all.

    A marker that was open over several segments is in each of them, the last row is the newest; so are predictions
    and review items.
    """
    import polars as pl

    from coevo_pipelines.lake.schemas import table

    there = segments(folder)[-1:] if name in STATE_TABLES else segments(folder)
    files = [each.folder / f"{name}.parquet" for each in there]
    if not files:
        return table(f"swarm.{name}").empty().lazy()
    return pl.scan_parquet(files, hive_partitioning=False)


def newest(folder: Path, name: str, key: str, *columns: str) -> pl.DataFrame:
    """Rows of an event table of which a later segment may tell again: the newest of each key; these columns or all."""
    rows = read(folder, name)
    found = (rows.select(key, *columns) if columns else rows).collect()
    return found.unique(key, keep="last", maintain_order=True)


def summary(folder: Path) -> dict[str, Any]:
    """What a run came to, as JSON knows it; amounts in thousandths of one LF."""
    import polars as pl

    from coevo_pipelines.swarm.decisions.scoring import ece
    from coevo_pipelines.swarm.pictures import PHASES

    asked = asked_of(folder)
    metrics = read(folder, "metrics").sort("tick").collect()
    if metrics.is_empty():
        raise CheckpointError(f"{folder} has no segment yet: `coevo swarm resume {folder}` makes them")
    last = metrics.row(-1, named=True)
    marks = sorted({tick for tick, _ in PHASES if tick <= last["tick"]} | {last["tick"]})
    markers = newest(folder, "decision_markers", "marker_id", "status", "level", "decided_by", "winner")
    decided = markers.filter(pl.col("status") == "resolved").group_by("level", "decided_by").len()
    made = newest(
        folder, "blend_predictions", "prediction_id", "prediction_confidence", "prediction_correct", "scored_tick",
        "brier", "log_loss",
    )  # fmt: skip
    scored = made.drop_nulls("prediction_correct")
    sure, right = scored["prediction_confidence"].to_list(), scored["prediction_correct"].to_list()
    holdings = {name: last[f"{name}_milli"] for name in ("organisms", "patterns", "nyx")}
    total = sum(holdings.values()) - last["minted_milli"] + last["burnt_milli"]
    return {
        "run": {"run_id": asked.run_id, "config_hash": asked.setup.config.hash, "seed": asked.seed,
                "organisms": asked.organisms, "patterns": asked.patterns, "ticks": asked.ticks, "done": last["tick"]},
        "gradient": [
            {name: row[name] for name in ("tick", "minus", "zero", "plus", "cells", "best")}
            for row in metrics.filter(pl.col("tick").is_in(marks)).iter_rows(named=True)
        ],
        "markers": {
            **{name: int(metrics[name].sum()) for name in ("opened", "resolved", "void", "suppressed", "corrections")},
            "pending": last["pending"],
            **{f"won_by_{name}": int((markers["winner"] == name).sum()) for name in ("teacher", "student", "hybrid")},
        },
        "decisions": decided.sort("level", "decided_by").rename({"len": "count"}).to_dicts(),
        "predictions": {
            "made": made.height, "scored": scored.height, "open": made["scored_tick"].null_count(),
            "confidence": scored["prediction_confidence"].mean(), "right": scored["prediction_correct"].mean(),
            "brier": scored["brier"].mean(), "log_loss": scored["log_loss"].mean(), "ece": ece(sure, right),
        },
        "lifeforce_milli": {**holdings, "minted": last["minted_milli"], "burnt": last["burnt_milli"],
                            "shortfall": last["shortfall_milli"], "sum": total},
        "slept": (metrics["mode"] == "SLUMBER").mean(),
    }  # fmt: skip


def drawn_from(folder: Path) -> dict[str, pl.DataFrame]:
    """What pictures are drawn from; of the clasps, where there are very many, those of the newest segments."""
    import polars as pl

    from coevo_pipelines.swarm.pictures import TABLES

    found = {name: read(folder, name.partition(".")[2]).collect() for name in TABLES if name != "swarm.clasps"}
    found["swarm.blend_predictions"] = newest(folder, "blend_predictions", "prediction_id")
    clasps: list[pl.DataFrame] = []
    for each in reversed(segments(folder)):
        clasps.append(pl.read_parquet(each.folder / "clasps.parquet", hive_partitioning=False))
        if sum(part.height for part in clasps) >= MOST_CLASPS:
            break
    return {**found, "swarm.clasps": pl.concat(reversed(clasps)) if clasps else read(folder, "clasps").collect()}


def explain(folder: Path, marker_id: str) -> Explanation:
    """A marker of a run, as of its newest segment. Raises SwarmError for one that is not there."""
    import polars as pl

    from coevo_pipelines.swarm.explain import Explanation, Party

    def rows(name: str, where: pl.Expr, key: str | None = None) -> list[dict[str, Any]]:
        found = read(folder, name).filter(where).collect()
        return (found.unique(key, keep="last", maintain_order=True) if key else found).to_dicts()

    about = pl.col("marker_id") == marker_id
    found = rows("decision_markers", about, "marker_id")
    if not found:
        known = read(folder, "decision_markers").select(pl.col("marker_id").unique()).collect()["marker_id"].to_list()
        close = difflib.get_close_matches(marker_id, sorted(known)[:100_000], n=3)
        hint = f"did you mean {', '.join(close)}?" if close else f"it has {len(known):,}"
        raise SwarmError(f"{folder} has no marker {marker_id!r}; {hint}")
    marker = found[0]
    versions = (pl.col("pattern") == marker["pattern"]) & pl.col("version_id").is_in(
        [marker["teacher_version"], marker["student_version"]]
    )

    def party(side: Literal["teacher", "student"]) -> Party:
        version_id, organism_id = marker[f"{side}_version"], marker[f"{side}_id"]
        outcomes = [json.loads(each)["success"] for each in marker[f"{side}_outcomes"]]
        organism = rows("organisms", pl.col("organism_id") == organism_id)
        version = rows("versions", versions & (pl.col("version_id") == version_id))
        return Party(
            side=side,
            organism=organism[0] if organism else {"organism_id": organism_id, "works": []},
            works=[],
            version_id=version_id,
            work=None,
            version=version[0] if version else {},
            uses=[],
            weight=marker[f"{side}_weight"],
            prior={name: marker[f"{side}_prior_{name}"] for name in ("k", "n", "verifications")},
            observed=[],
            simulated=(sum(outcomes), len(outcomes)),
        )

    predictions = rows("blend_predictions", about, "prediction_id")
    refs = [marker_id, *(each["prediction_id"] for each in predictions)]
    spread = []
    for each in segments(folder):
        if each.tick >= marker["marked_tick"]:
            held = pl.read_parquet(each.folder / "versions.parquet", hive_partitioning=False).filter(versions)
            holders = dict(held.select("version_id", "holders").iter_rows())
            sides = (holders.get(marker[f"{side}_version"], 0) for side in ("teacher", "student"))
            spread.append((moment(each.tick).at.date(), *sides))
    review = rows("review_queue", about, "review_id")
    return Explanation(
        day=moment(segments(folder)[-1].tick).at.date(),
        marker=marker,
        teacher=party("teacher"),
        student=party("student"),
        steps=sorted(rows("escalations", about), key=lambda row: (row["tick"], row["event"], row["level"])),
        entries=rows("lifeforce_ledger", pl.col("ref").is_in(refs)),
        predictions=predictions,
        review=review[0] if review else None,
        spread=spread,
        is_made_up=True,
    )
