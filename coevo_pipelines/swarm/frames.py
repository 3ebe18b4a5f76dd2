"""A simulation as tables, and back: everything goes on from them bit by bit as if it had not stopped.

Every frame fits its table of `lake.schemas` (`swarm.…`); those that may be large come in parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines.lake.schemas import LEDGER_KINDS, table
from coevo_pipelines.swarm.config import TIERS, Config, Outcome, Provenance
from coevo_pipelines.swarm.decisions.reviews import fates
from coevo_pipelines.swarm.records import Marker, Prediction, ReviewItem, Side, Step
from coevo_pipelines.swarm.tick.engine import CheckpointError, Swarm
from coevo_pipelines.swarm.tick.events import Clasps, Events
from coevo_pipelines.swarm.tick.ledger import NYX, SINK, SOURCE, Entries, version_account
from coevo_pipelines.swarm.tick.state import (
    BITS,
    BUSY,
    INHERITED,
    KINDS,
    MINUS,
    NEVER,
    PLANES,
    PLUS,
    PRESENT,
    REFLEX,
    UNCERTAIN,
    WAITING,
    State,
    Versions,
    empty_state,
)
from coevo_pipelines.version import code_version

if TYPE_CHECKING:
    import pyarrow as pa

    from coevo_pipelines.lake.schemas import Table
    from coevo_pipelines.swarm.decisions.minds import Panel
    from coevo_pipelines.swarm.decisions.reviews import Fate, Line

Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]

AUTHORITIES = ("local", "peer", "maternal", "architectural", "human", "absolute")
"""By level."""
_RECORD = ("review_id", "decision", "distribution", "reviewer", "decided_at", "note")
STATUSES = ("ACTIVE", "MARKED", "WAITING")
ROWS = 1 << 20
"""Rows of a part."""


def provenance(run_id: str, config: Config, seed: int, inputs: str = "") -> Provenance:
    """What every row says. inputs: SHA-256 over the data versions read; empty without a lake."""
    return Provenance(run_id=run_id, config_hash=config.hash, seed=seed, inputs=inputs, code_version=code_version())


@dataclass(frozen=True)
class Named:
    """A column of names by their numbers; those below 0 are null."""

    names: Sequence[str]
    numbers: NDArray[Any]


Columns = Mapping[str, NDArray[Any] | pl.Series | Named]


# the state


def organisms(swarm: Swarm, p: Provenance) -> pl.DataFrame:
    """`swarm.organisms`, in order of their ids."""
    import pyarrow as pa

    state = swarm.state
    found = pl.DataFrame(
        {
            "organism_id": pl.Series(state.ids, dtype=pl.String),
            "place": np.arange(len(state), dtype=np.int64),
            "kind": _names(KINDS, state.kind),
            "label": pl.Series(state.label, dtype=pl.String),
            "works": pl.Series(pa.array(state.works, pa.large_list(pa.large_string()))),
            "community_id": state.community,
            "community": _names(state.communities, state.community),
            "replaces": pl.Series(state.replaces, dtype=pl.String),
            "born_tick": state.born_tick,
            "age": state.age,
            "tier": _names(TIERS, state.tier),
            "blessed": state.blessed,
            "lf_milli": state.lf,
            "influence": state.influence,
            "state": _names(("active", "dormant"), state.lf < swarm.config.dormant_below),
            "verifications": state.verified,
        }
    )
    return _fit("swarm.organisms", found.sort("organism_id"), p)


def cells(swarm: Swarm, p: Provenance) -> pl.DataFrame:
    """`swarm.cells`, in order of organism and pattern."""
    return pl.concat([table("swarm.cells").empty(), *cells_in_parts(swarm, p)])


def cells_in_parts(swarm: Swarm, p: Provenance, rows: int = ROWS) -> Iterator[pl.DataFrame]:
    """`cells` by organisms: parts of up to about so many rows, which together are in order."""
    return (_fit("swarm.cells", pl.DataFrame(_plain(columns)), p) for columns in _cells(swarm, rows))


def cells_in_arrow(swarm: Swarm, p: Provenance, rows: int = ROWS) -> Iterator[pa.Table]:
    """The same for a writer of Parquet, three times as fast: names are numbers with a dictionary."""
    return (_arrow("swarm.cells", columns, p) for columns in _cells(swarm, rows))


def _cells(swarm: Swarm, rows: int) -> Iterator[Columns]:
    state, patterns = swarm.state, swarm.state.patterns
    if not patterns:
        return
    by_name = np.array(sorted(range(patterns), key=swarm.versions.patterns.__getitem__), dtype=np.int64)
    by_id = np.argsort(state.order, kind="stable")
    decisions = {(place, each.pattern): number for number, each in enumerate(swarm.pending.values())
                 for place in (each.teacher, each.student)}  # fmt: skip
    step = max(1, rows // patterns)
    for low in range(0, len(state), step):
        places = by_id[low : low + step]
        there = _unpacked(state, places, PRESENT)[:, by_name].ravel().astype(np.bool_)

        def held(values: NDArray[Any], there: NDArray[np.bool_] = there) -> NDArray[Any]:
            """Of the cells that are there, in order."""
            return values[:, by_name].ravel()[there]

        def plane(number: int, places: Ints = places, held: Callable[..., NDArray[Any]] = held) -> Bits:
            return held(_unpacked(state, places, number))

        seat = np.repeat(np.arange(len(places), dtype=np.int32), patterns)[there]
        pattern = np.tile(by_name.astype(np.int32), len(places))[there]
        busy = plane(BUSY)
        decision = np.full(len(seat), -1, dtype=np.int32)
        for at in np.flatnonzero(busy):
            decision[at] = decisions[int(places[seat[at]]), int(pattern[at])]
        discovered = held(state.discovered[places]).astype(np.int64)
        yield {
            "organism_id": Named([state.ids[place] for place in places], seat),
            "pattern": Named(swarm.versions.patterns, pattern),
            "weight": plane(PLUS).astype(np.int64) - plane(MINUS),
            "version_id": Named(swarm.versions.version_id, held(state.version[places])),
            "k": held(state.k[places]).astype(np.int64),
            "n": held(state.n[places]).astype(np.int64),
            "verifications": held(state.verifications[places]).astype(np.int64),
            "inherited": plane(INHERITED).astype(np.bool_),
            "status": Named(STATUSES, busy + plane(WAITING)),
            "marker_id": Named(list(swarm.pending), decision),
            "discovered_tick": pl.Series(discovered).set(pl.Series(discovered == NEVER), None),
        }


def versions(swarm: Swarm, p: Provenance) -> pl.DataFrame:
    """`swarm.versions`, in order of pattern and version."""
    known, balances = swarm.versions, swarm.ledger.versions
    held = swarm.state.version[swarm.state.version >= 0]
    found = pl.DataFrame(
        {
            "pattern": [known.patterns[each] for each in known.pattern],
            "version_id": known.version_id,
            "number": range(len(known)),
            "pattern_number": known.pattern,
            "importance": [known.importance[each] for each in known.pattern],
            "title": known.title,
            "is_withdrawn": known.withdrawn,
            "evidence_for": known.evidence_for,
            "evidence_against": known.evidence_against,
            "theta": known.theta,
            "holders": np.bincount(held, minlength=len(known)).astype(np.int64),
            "chosen_by": known.chosen_by,
            "hops": known.hops,
            "lf_milli": [balances.get(number, 0) for number in range(len(known))],
        },
        schema_overrides=_types("swarm.versions"),
    )
    return _fit("swarm.versions", found.sort("pattern", "version_id"), p)


def checkpoint(swarm: Swarm, p: Provenance) -> pl.DataFrame:
    """`swarm.checkpoints`: one row. With the other three tables it is all that the simulation goes on from.

    Beside `Swarm.checkpoint` it holds what those cannot say, and the hash of the arrays by which `restored` knows that
    it has them all back: the patterns (one may have no version), and where a reflex is not what counts alone say.
    """
    odd = [np.argwhere(plane) for plane in _odd_reflexes(swarm.state, swarm.config)]
    told = {
        "swarm": swarm.checkpoint(),
        "patterns": swarm.versions.patterns,
        "importance": swarm.versions.importance,
        "reflexes": [[int(place), pattern] for pattern, places in enumerate(odd) for (place,) in places],
        "arrays": _arrays_sha256(swarm.state),
    }
    text = canonical(told).decode()
    found = pl.DataFrame({"tick": [swarm.now], "state": [text], "state_sha256": [_sha256(text)]})
    return _fit("swarm.checkpoints", found, p)


CELLS = (
    "organism_id", "pattern", "weight", "version_id", "k", "n", "verifications", "inherited", "status",
    "discovered_tick",
)  # fmt: skip
"""Columns of cells that `restored` looks at."""


def restored(
    config: Config,
    organisms: pl.DataFrame,
    cells: pl.DataFrame | Iterable[pl.DataFrame],
    versions: pl.DataFrame,
    checkpoint: pl.DataFrame,
    *,
    workers: int = 1,
    panel: Panel | None = None,
) -> Swarm:
    """The simulation as it was when the four tables were made. cells: the table, or its parts in any order.

    Raises CheckpointError with the reason for whatever does not fit together.
    """
    told = _told(checkpoint)
    try:
        known = _versions_of(versions, told)
        state = _organisms_of(organisms, len(known.patterns))
        flags = _filled(state, known, [cells] if isinstance(cells, pl.DataFrame) else cells)
        _uncertain(flags, told)
        _pack(state, flags)
        del flags
        for pattern, odd in enumerate(_odd_reflexes(state, config)):
            state.put(REFLEX, np.flatnonzero(odd), pattern, True)
        for place, pattern in told["reflexes"]:
            state.put(REFLEX, int(place), int(pattern), not state.is_set(REFLEX, int(place), int(pattern)))
        accounts = {int(number): int(lf) for number, lf in versions.select("number", "lf_milli").iter_rows() if lf}
        found = Swarm.restore(config, state, known, accounts, told["swarm"], workers=workers, panel=panel)
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise CheckpointError(f"the checkpoint is damaged: {type(error).__name__}: {error}") from error
    if (there := _arrays_sha256(state)) != told["arrays"]:
        raise CheckpointError(
            f"the tables of organisms and cells are not those of the checkpoint: it names the hash "
            f"{str(told['arrays'])[:12]}…, they have {there[:12]}…"
        )
    return found


def _told(checkpoint: pl.DataFrame) -> dict[str, Any]:
    if checkpoint.height != 1:
        raise CheckpointError(f"the table swarm.checkpoints has {checkpoint.height} rows where one is needed")
    text, expected = checkpoint["state"].item(), checkpoint["state_sha256"].item()
    if not isinstance(text, str) or _sha256(text) != expected:
        raise CheckpointError(
            f"the checkpoint is damaged: its hash is {_sha256(str(text))[:12]}… and it says {str(expected)[:12]}…"
        )
    try:
        told = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"the checkpoint is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise CheckpointError("the checkpoint is no JSON object")
    return told


def _versions_of(versions: pl.DataFrame, told: Mapping[str, Any]) -> Versions:
    found = Versions(patterns=list(told["patterns"]), importance=list(told["importance"]))
    for place, row in enumerate(versions.sort("number").iter_rows(named=True)):
        pattern = row["pattern_number"]
        if row["number"] != place or not 0 <= pattern < len(found.patterns):
            raise CheckpointError(f"the table swarm.versions does not hold version number {place} of the checkpoint")
        found.add(
            pattern,
            row["version_id"],
            theta=row["theta"],
            title=row["title"],
            withdrawn=row["is_withdrawn"],
            evidence_for=row["evidence_for"],
            evidence_against=row["evidence_against"],
        )
        found.hops[place], found.chosen_by[place] = row["hops"], row["chosen_by"]
    return found


def _organisms_of(organisms: pl.DataFrame, patterns: int) -> State:
    rows = organisms.sort("place")
    if not np.array_equal(rows["place"].to_numpy(), np.arange(rows.height)):
        raise CheckpointError("the table swarm.organisms has gaps or repeats in `place`: rows are missing")
    found = empty_state(rows.height, patterns)
    found.ids, found.label, found.replaces = (rows[name].to_list() for name in ("organism_id", "label", "replaces"))
    found.works = [tuple(each) for each in rows["works"].to_list()]
    found.kind, found.tier = _numbers(rows["kind"], KINDS), _numbers(rows["tier"], TIERS)
    for name, column in (("community", "community_id"), ("born_tick", "born_tick"), ("age", "age"),
                         ("blessed", "blessed"), ("lf", "lf_milli"), ("influence", "influence"),
                         ("verified", "verifications")):  # fmt: skip
        setattr(found, name, rows[column].to_numpy().copy())
    found.__post_init__()  # ranks of the ids
    return found


def _filled(state: State, known: Versions, parts: Iterable[pl.DataFrame]) -> Bits:
    """Put the columns of cells into the state; their planes as bits of (organisms, patterns)."""
    flags = np.zeros(state.version.shape, dtype=np.uint8)
    places = {organism: place for place, organism in enumerate(state.ids)}
    ids = {version_id: number for number, version_id in enumerate(dict.fromkeys(known.version_id))}
    numbers = np.full((len(known.patterns) + 1, len(ids) + 1), -1, dtype=np.int64)  # the last ones: not known
    numbers[known.pattern, [ids[each] for each in known.version_id]] = np.arange(len(known))
    rows = 0
    for part in parts:
        # Rows of an organism lie together, so there are far fewer runs than rows.
        run = part["organism_id"].rle_id()
        first = part["organism_id"].filter(run.diff(null_behavior="ignore").fill_null(1) != 0)
        place = np.array([places.get(each, -1) for each in first], dtype=np.int64)[run.to_numpy()]
        pattern = _places(part["pattern"], known.patterns)
        version = numbers[pattern, _places(part["version_id"], list(ids))]
        for at in np.flatnonzero((place < 0) | (version < 0))[:1]:
            organism, name, version_id = part.select("organism_id", "pattern", "version_id").row(int(at))
            raise CheckpointError(
                f"the table swarm.cells has organism {organism!r} with version {version_id!r} of pattern {name!r}, "
                "which the tables of organisms and versions do not have"
            )
        cell = place * state.patterns + pattern
        for array, name in ((state.k, "k"), (state.n, "n"), (state.verifications, "verifications")):
            array.ravel()[cell] = part[name].to_numpy()
        state.version.ravel()[cell] = version
        state.discovered.ravel()[cell] = part["discovered_tick"].fill_null(NEVER).to_numpy()
        weight, status = part["weight"].to_numpy(), _numbers(part["status"], STATUSES)
        planes = ((PLUS, weight > 0), (MINUS, weight < 0), (PRESENT, np.ones(part.height, np.bool_)),
                  (BUSY, status > 0), (WAITING, status > 1), (INHERITED, part["inherited"].to_numpy()))  # fmt: skip
        flags.ravel()[cell] = sum(each.astype(np.uint8) << plane for plane, each in planes)
        rows += part.height
    if rows != (there := int(np.count_nonzero(flags))):
        raise CheckpointError(f"the table swarm.cells has {rows:,} rows for {there:,} cells: some are there twice")
    return flags


def _uncertain(flags: Bits, told: Mapping[str, Any]) -> None:
    for each in told["swarm"]["pending"]:
        if each["marker"]["kind"] == "uncertain" and each["marker"]["protocol"] == "mark_continue":
            for place in (each["teacher"], each["student"]):
                flags[place, each["pattern"]] |= 1 << UNCERTAIN


def _pack(state: State, flags: Bits) -> None:
    for pattern in range(flags.shape[1]):
        word, bit = divmod(pattern, BITS)
        mask = np.uint64(1 << bit).view(np.int64)
        for plane in range(PLANES):
            state.planes[:, word, plane] |= np.where((flags[:, pattern] >> plane) & 1, mask, np.int64(0))


def _unpacked(state: State, places: Ints, plane: int) -> Bits:
    """One plane of some organisms, (organisms, patterns) of 0 and 1."""
    words = np.ascontiguousarray(state.planes[places, :, plane]).astype("<i8", copy=False)
    return np.unpackbits(words.view(np.uint8), axis=1, count=state.patterns, bitorder="little")


def _odd_reflexes(state: State, config: Config) -> Iterator[NDArray[np.bool_]]:
    """By pattern, the cells that are a reflex and do not look it by weight and counts, or the other way round: of a
    state that was changed from outside."""
    for pattern in range(state.patterns):
        yield state.proven(pattern, config) ^ state.plane(REFLEX, pattern)


def _arrays_sha256(state: State) -> str:
    """Over all that is in the arrays and beside them; ranks of ids follow from the ids."""
    found = hashlib.sha256()
    for name in ("kind", "community", "born_tick", "age", "blessed", "lf", "influence", "tier", "verified", "planes",
                 "version", "k", "n", "verifications", "discovered"):  # fmt: skip
        array = np.ascontiguousarray(getattr(state, name))
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.data)
    for text in (state.ids, state.label, state.works, state.replaces):
        found.update(json.dumps(text).encode())
    return found.hexdigest()


# what happened


def tables_of(swarm: Swarm, events: Events, entries: Entries, p: Provenance) -> dict[str, pl.DataFrame]:
    """What `Swarm.taken` gave, by table name."""
    parts = ledger_in_parts(swarm, entries, p)
    return {
        **events_of(swarm, events, p),
        "swarm.lifeforce_ledger": pl.concat([table("swarm.lifeforce_ledger").empty(), *parts]),
    }


def events_of(swarm: Swarm, events: Events, p: Provenance) -> dict[str, pl.DataFrame]:
    """All of them but the book, which may be large; and the queue of reviews as it is now."""
    return {
        "swarm.decision_markers": _rows("swarm.decision_markers", events.markers.values(), _marker, p),
        "swarm.blend_predictions": _rows("swarm.blend_predictions", events.predictions.values(), _prediction, p),
        "swarm.escalations": _rows("swarm.escalations", events.steps, _step, p),
        "swarm.metrics": _rows("swarm.metrics", events.metrics, dict, p),
        "swarm.clasps": _clasps(swarm, events.clasps, p),
        "swarm.review_queue": _rows("swarm.review_queue", swarm.review_items.values(), _review, p),
    }


def decisions_of(lines: Sequence[Line], known: Set[str], p: Provenance) -> pl.DataFrame:
    """`swarm.decisions`: each line of the file of decisions; known: review items that there are."""
    told = zip(lines, fates(lines, known), strict=True)
    return _rows("swarm.decisions", told, _decision, p)


def ledger_in_parts(swarm: Swarm, entries: Entries, p: Provenance, rows: int = ROWS) -> Iterator[pl.DataFrame]:
    """`swarm.lifeforce_ledger` in parts of so many rows, in order."""
    name = "swarm.lifeforce_ledger"
    return (_fit(name, pl.DataFrame(_plain(columns)), p) for columns in _entries(swarm, entries, rows))


def ledger_in_arrow(swarm: Swarm, entries: Entries, p: Provenance, rows: int = ROWS) -> Iterator[pa.Table]:
    """The same for a writer of Parquet."""
    return (_arrow("swarm.lifeforce_ledger", columns, p) for columns in _entries(swarm, entries, rows))


def _entries(swarm: Swarm, entries: Entries, rows: int) -> Iterator[Columns]:
    known = swarm.versions
    people = "organism:" + pl.Series(swarm.ledger.names, dtype=pl.String)
    patterns = [f"pattern:{known.patterns[pattern]}:{each}" for pattern, each in zip(known.pattern, known.version_id,
                                                                                     strict=True)]  # fmt: skip
    accounts = pl.concat([people, pl.Series(["SOURCE", "SINK", "nyx", *patterns])])

    def numbered(account: Ints) -> Ints:
        """Places in `accounts`."""
        first = len(people)
        conditions = [*(account == each for each in (SOURCE, SINK, NYX)), account <= version_account(0)]
        return np.select(conditions, [first, first + 1, first + 2, first + 3 + version_account(0) - account], account)

    refs = np.full(len(entries.amount), -1, dtype=np.int32)
    refs[list(entries.ref)] = np.arange(len(entries.ref))
    told = list(entries.ref.values())
    for low in range(0, len(entries.amount), rows):
        part = slice(low, low + rows)
        amounts = entries.amount[part]
        yield {
            "entry_id": entries.first_id + low + np.arange(len(amounts), dtype=np.int64),
            "tick": entries.tick[part],
            # There are nearly as many accounts as entries: no dictionary.
            "from_account": _names(accounts, numbered(entries.debit[part])),
            "to_account": _names(accounts, numbered(entries.credit[part])),
            "amount_milli": amounts,
            "kind": Named(LEDGER_KINDS, entries.kind[part]),
            "ref": Named(told, refs[part]),
            "shortfall_milli": entries.shortfall[part],
        }


def _clasps(swarm: Swarm, clasps: Sequence[Clasps], p: Provenance) -> pl.DataFrame:
    ids = pl.Series(swarm.ledger.names, dtype=pl.String)
    none = np.zeros(0, dtype=np.int64)

    def column(of: Callable[[Clasps], Ints]) -> Ints:
        return np.concatenate([none, *map(of, clasps)])

    found = pl.DataFrame(
        {
            "tick": column(lambda each: np.full(len(each.teacher), each.tick, dtype=np.int64)),
            "teacher_id": _names(ids, column(lambda each: each.teacher)),
            "student_id": _names(ids, column(lambda each: each.student)),
            "overwrites": column(lambda each: each.passed.overwrites),
            "ties": column(lambda each: each.passed.ties),
            "opened": column(lambda each: each.passed.opened),
            "upward": column(lambda each: each.passed.upward),
        }
    )
    return _fit("swarm.clasps", found.sort("tick", "teacher_id", "student_id"), p)


def _marker(each: Marker) -> dict[str, Any]:
    return {
        **{name: getattr(each, name) for name in (
            "marker_id", "pattern", "importance", "kind", "protocol", "teacher_id", "student_id", "teacher_version",
            "student_version", "teacher_weight", "student_weight", "status", "winner", "distribution",
            "evidence_delta", "q", "confidence", "fisher_p", "level", "decided_by", "review_id", "corrected_tick",
            "fraction_observed", "why")},
        "marked_tick": each.marked.tick,
        "marked_at": each.marked.at,
        "resolved_tick": each.resolved and each.resolved.tick,
        "resolved_at": each.resolved and each.resolved.at,
        "teacher_outcomes": _outcomes(each.teacher_outcomes),
        "student_outcomes": _outcomes(each.student_outcomes),
        **{f"{side}_prior_{name}": int(getattr(counts, name))
           for side, counts in (("teacher", each.teacher_prior), ("student", each.student_prior))
           for name in ("k", "n", "verifications")},
    }  # fmt: skip


def _outcomes(outcomes: Iterable[Outcome]) -> list[str]:
    return [canonical(each.model_dump()).decode() for each in outcomes]


def _prediction(each: Prediction) -> dict[str, Any]:
    sides: dict[str, Side] = {"teacher": each.teacher, "student": each.student}
    return {
        **{name: getattr(each, name) for name in (
            "prediction_id", "marker_id", "pattern", "predicted_winner", "causal_reasoning", "horizon", "scored_tick",
            "scored_on", "actual_winner", "prediction_reward", "calibration_reward", "causal_reward", "brier",
            "log_loss", "void_reason")},
        "prediction_confidence": each.confidence,
        "claims": _json([asdict(claim) for claim in each.claims]),
        "snapshot": _json({name: asdict(side) for name, side in sides.items()}),
        "predicted_tick": each.predicted.tick,
        "predicted_at": each.predicted.at,
        "prediction_correct": each.correct,
        "confidence_was_calibrated": each.calibrated,
        "causal_reasoning_valid": each.valid,
    }  # fmt: skip


def _step(told: tuple[str, Any, Step]) -> dict[str, Any]:
    marker_id, at, step = told
    return {
        **{name: getattr(step, name) for name in (
            "level", "event", "q", "confidence", "winner", "is_final", "decided_by", "mind", "reason", "prompt",
            "answer", "tokens")},
        "marker_id": marker_id,
        "tick": at.tick,
        "at": at.at,
        "authority": AUTHORITIES[step.level],
        "cost_milli": step.cost,
        "prompt_sha256": None if step.prompt is None else _sha256(step.prompt),
        "answer_sha256": None if step.answer is None else _sha256(step.answer),
    }  # fmt: skip


def _review(each: ReviewItem) -> dict[str, Any]:
    record = each.record
    return {
        **{name: getattr(each, name) for name in (
            "review_id", "marker_id", "pattern", "level", "question", "evidence", "standin_decision", "status")},
        "opened": each.opened.partition,
        "opened_tick": each.opened.tick,
        "opened_at": each.opened.at,
        **{name: record and getattr(record, name) for name in (
            "decision", "distribution", "reviewer", "decided_at", "note")},
    }  # fmt: skip


# columns


def _decision(told: tuple[Line, Fate]) -> dict[str, Any]:
    line, fate = told
    record = line.record
    return {
        "line": line.number,
        "line_sha256": line.sha256,
        "status": fate.status,
        "why": fate.why,
        **({name: getattr(record, name, None) for name in _RECORD}),
    }


def _rows(name: str, records: Iterable[Any], row: Callable[[Any], dict[str, Any]], p: Provenance) -> pl.DataFrame:
    """A table from records, in order of its key."""
    found = pl.DataFrame([row(each) for each in records], schema=_types(name), orient="row")
    return _fit(name, found.sort(table(name).key), p)


def _types(name: str) -> dict[str, pl.DataType]:
    """Types of a table's own columns, without the provenance."""
    schema = table(name).polars_schema()
    return {column: dtype for column, dtype in schema.items() if column not in {*Provenance.model_fields, "simulated"}}


def _fit(name: str, frame: pl.DataFrame, p: Provenance) -> pl.DataFrame:
    """With the provenance, the columns in their order and of their types."""
    schema: Table = table(name)
    whole = frame.with_columns(simulated=pl.lit(True), **{field: pl.lit(value) for field, value in p})
    return whole.select(pl.col(column).cast(dtype) for column, dtype in schema.polars_schema().items())


def _plain(columns: Columns) -> dict[str, NDArray[Any] | pl.Series]:
    return {name: _names(each.names, each.numbers) if isinstance(each, Named) else each
            for name, each in columns.items()}  # fmt: skip


def _arrow(name: str, columns: Columns, p: Provenance) -> pa.Table:
    """As `_fit`, with dictionaries."""
    import pyarrow as pa

    rows = len(next(each for each in columns.values() if not isinstance(each, Named)))
    whole: dict[str, NDArray[Any] | pl.Series | Named] = {
        **columns,
        "simulated": np.ones(rows, dtype=np.bool_),
        **{field: np.full(rows, value) if isinstance(value, int) else Named([value], np.zeros(rows, dtype=np.int32))
           for field, value in p},
    }  # fmt: skip

    def encoded(each: NDArray[Any] | pl.Series | Named) -> pa.Array:
        if isinstance(each, pl.Series):
            return each.to_arrow(compat_level=pl.CompatLevel.oldest())
        if not isinstance(each, Named):
            return pa.array(each)
        # A name that were twice in a dictionary would have the writer leave bytes of it as they happen to be in memory.
        place = {name: number for number, name in enumerate(dict.fromkeys(each.names))}
        to = np.array([*(place[name] for name in each.names), -1], dtype=np.int32)
        numbers = to[np.maximum(each.numbers.astype(np.int32), -1)]
        return pa.DictionaryArray.from_arrays(
            pa.array(numbers, mask=numbers < 0), pa.array(list(place), pa.large_string())
        )

    return pa.table({column.name: encoded(whole[column.name]) for column in table(name).columns})


def _names(names: Sequence[str | None] | pl.Series, numbers: NDArray[Any]) -> pl.Series:
    """A column of names by their numbers; null for one below 0."""
    found = names if isinstance(names, pl.Series) else pl.Series(names, dtype=pl.String)
    at = numbers.astype(np.int64)
    return found.gather(pl.Series(at).set(pl.Series(at < 0), None) if (at < 0).any() else pl.Series(at))


def _numbers(names: pl.Series, of: Sequence[str]) -> NDArray[np.int8]:
    """The inverse; raises polars' InvalidOperationError for a name that is not among them."""
    return names.replace_strict(list(of), range(len(of)), return_dtype=pl.Int8).to_numpy().copy()


def _places(names: pl.Series, of: Sequence[str]) -> Ints:
    """Where each name is among `of`; -1 for one that is not."""
    return names.replace_strict(list(of), range(len(of)), default=-1, return_dtype=pl.Int64).to_numpy()


def _json(value: Any) -> str:
    """Canonical JSON of anything, not of objects alone."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
