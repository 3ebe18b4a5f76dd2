"""`coevo swarm …`: simulations of made-up worlds, protocols compared, and questions about the lake's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    day_of,
    existing_lake,
    settings_of,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from coevo_pipelines.swarm.runs.compare import Compared

swarm = typer.Typer(
    name="swarm",
    no_args_is_help=True,
    help="A simulated swarm that learns, marks, predicts and escalates: run one, compare protocols, explain decisions.",
)

OrganismsOption = Annotated[int, typer.Option("--organisms", min=0, help="How many, at any time.")]
PatternsOption = Annotated[int, typer.Option("--patterns", min=0, help="Ways of doing things.")]
TicksOption = Annotated[int, typer.Option("--ticks", min=0, help="How long; a tick is a day.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of all random numbers.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with parameters; `coevo swarm config` prints them all.", dir_okay=False),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=256, help="The result is the same for any number.")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.", show_default=False)]


@swarm.command()
def run(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the run, not there yet.")],
    organisms: OrganismsOption = 300,
    patterns: PatternsOption = 16,
    ticks: TicksOption = 1000,
    seed: SeedOption = 0,
    config: ConfigOption = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Ticks of a segment: what a kill costs at most.")] = 100,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Simulate a made-up world, without a lake.

    DIR/segments/tick=… holds the tables of so many ticks each, and the state at their end, as Parquet;
    DIR/pictures what they look like. Killed at any moment, `coevo swarm resume DIR` goes on from the last whole segment
    and comes to the same bytes.

    \b
    Example:
      coevo swarm run --organisms 300 --patterns 16 --ticks 1000 --seed 1 --out runs/one
    """
    from coevo_pipelines.swarm.runs import standalone
    from coevo_pipelines.terminal import bar

    if ticks > standalone.MOST_TICKS:
        raise UsageError(f"--ticks {ticks:,}: tick 0 is {standalone.FIRST:%Y-%m-%d}, and years end with 9999")
    asked = standalone.Asked(
        organisms=organisms, patterns=patterns, ticks=ticks, seed=seed, every=every, setup=standalone.setup_of(config)
    )
    with _kept(out), bar(f"{organisms:,} x {patterns}", quiet=as_json) as tell:
        standalone.run(out, asked, workers=workers, tell=tell)
    _finish(out, as_json=as_json)


@swarm.command()
def resume(
    folder: FolderArgument,
    ticks: Annotated[int, typer.Option("--ticks", min=0, help="So many more than were asked for before.")] = 0,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Go on with a run that was interrupted or killed, or make it longer.

    It goes on from the newest segment whose files are as they were written. A damaged one is named and put aside.
    """
    from coevo_pipelines.swarm.runs import standalone
    from coevo_pipelines.terminal import bar, say

    with _kept(folder), bar(str(folder), quiet=as_json) as tell:
        standalone.resume(
            folder, more=ticks, workers=workers, tell=tell, note=lambda line: say(line, style="yellow", error=True)
        )
    _finish(folder, as_json=as_json)


@swarm.command()
def compare(
    protocol: Annotated[str, typer.Option("--protocol", help="Which, with commas; the first is the baseline.")] = (
        "freeze,mark_continue"
    ),
    evidence: Annotated[
        str, typer.Option("--evidence", help="What decides, with commas: hist_live, live, verifications.")
    ] = "hist_live",
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100_000, help="Worlds; each is run with every variant.")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**62, help="Of the first world; the others follow.")] = 1,
    organisms: OrganismsOption = 300,
    patterns: PatternsOption = 16,
    ticks: TicksOption = 1000,
    at: Annotated[list[int] | None, typer.Option("--at", min=0, help="Look at this tick too; again for more.")] = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Shares by seed, as .csv or .parquet.")] = None,
    workers: WorkersOption = 2,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Which protocol finds the better versions? The same worlds with each, paired by seed.

    What is compared is the share of cells that hold the version with the truly highest chance of success (known here,
    as the world is made up), at tick 500 (--at) and at the end. Differences are means over the seeds with 95 %
    confidence intervals by Student's t.

    \b
    Example:
      coevo swarm compare --protocol freeze,mark_continue --seeds 10 --organisms 100 --patterns 8 --ticks 300
    """
    from coevo_pipelines.swarm.runs.compare import Bench, variants
    from coevo_pipelines.swarm.runs.compare import compare as compared
    from coevo_pipelines.swarm.runs.standalone import MOST_TICKS, setup_of
    from coevo_pipelines.terminal import bar, json_out

    if ticks > MOST_TICKS or (at and max(at) > ticks):
        raise UsageError(f"--at {max(at)} is after the last tick {ticks}" if at else f"--ticks {ticks:,} are too many")
    if out and out.suffix.lower() not in {".csv", ".parquet"}:
        raise UsageError(f"--out {out}: the name ends in .csv or .parquet")
    bench = Bench(organisms, patterns, ticks, tuple(at) if at else (500,), setup_of(config))
    asked = variants(_listed(protocol), _listed(evidence))
    with bar("runs", quiet=as_json) as tell:
        found = compared(bench, asked, range(seed, seed + seeds), workers=workers, tell=tell)
    if out:
        import polars as pl

        from coevo_pipelines.influence.standalone import write_table

        write_table(pl.DataFrame(found.shares).to_arrow(compat_level=pl.CompatLevel.oldest()), out)
    if as_json:
        from dataclasses import asdict

        json_out({"config_hash": bench.setup.config.hash, **asdict(found)})
    else:
        _show_compared(found, [each.name for each in asked], bench.marks, out)


@swarm.command()
def picture(
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Of a run; default: of the lake.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the SVG files.", show_default="DIR/pictures, swarm-pictures"),
    ] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    debug: DebugOption = False,
) -> None:
    """Draw a simulation: the ternary gradient, decisions, calibration, who teaches whom, lifeforce. SVG files."""
    if run is not None:
        from coevo_pipelines.swarm.runs.standalone import asked_of, drawn_from

        asked_of(run)
        _draw(drawn_from(run), out or run / "pictures", "a made-up world")
        return
    import polars as pl

    from coevo_pipelines.orchestration.resources import open_lake
    from coevo_pipelines.swarm.pictures import TABLES

    settings = settings_of(lake, source)
    existing_lake(settings)
    snapshot = open_lake(settings).snapshot()
    if not snapshot.index.partitions("swarm.metrics"):
        raise UsageError("the lake has no swarm yet: `coevo run` makes one, or name a run with --run")
    last = snapshot.index.partitions("swarm.metrics")[-1].day
    tables: dict[str, pl.DataFrame] = {}
    for name in TABLES:
        of_state = name in {"swarm.organisms", "swarm.versions"}
        tables[name] = (snapshot.scan(name, on=last) if of_state else snapshot.scan(name, upto=last)).collect()
    _draw(tables, out or Path("swarm-pictures"), settings.source)


@swarm.command()
def explain(
    marker: Annotated[str, typer.Argument(metavar="MARKER", help="Such as blend_1f0c…_12.", show_default=False)],
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Of a run; default: of the lake.")] = None,
    date: Annotated[str | None, typer.Option("--date", help="As of this day; default: the lake's last.")] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """From a decision back to the works behind it: who the two are, what speaks for each version, who decided."""
    from coevo_pipelines.swarm.explain import lines
    from coevo_pipelines.terminal import json_out, plain, say

    if run is not None:
        from coevo_pipelines.swarm.runs.standalone import asked_of
        from coevo_pipelines.swarm.runs.standalone import explain as explained

        if date is not None:
            raise UsageError("--date is about the lake: leave it out with --run")
        asked_of(run)
        found = explained(run, marker)
    else:
        from coevo_pipelines.orchestration.resources import open_lake
        from coevo_pipelines.swarm.explain import explain as explained_of

        settings = settings_of(lake, source)
        existing_lake(settings)
        day = day_of(date, settings) if date else None
        found = explained_of(open_lake(settings).snapshot(), marker, settings, day)
    if as_json:
        from dataclasses import asdict

        json_out(plain(asdict(found)))
    else:
        for line in lines(found):
            say(line)


@swarm.command()
def config(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Over the defaults.", show_default=False)
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Print all parameters as a TOML file for --config, with what each is."""
    from coevo_pipelines.swarm.runs.standalone import setup_of

    setup = setup_of(file)
    print(f"# hash {setup.config.hash}")
    print("\n".join(_toml(setup.config, "")))
    print("\n".join(_toml(setup.world, "world")))
    print("\n".join(_toml(setup.minds, "minds")))


def _toml(model: BaseModel, table: str) -> Iterator[str]:
    """A model's fields as TOML, those without a value as comments; tables after the plain values."""
    import json

    from pydantic import BaseModel

    if table:
        yield f"\n[{table}]"
    inner: list[tuple[str, Any]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        what = f"  # {field.description}" if field.description else ""
        if isinstance(value, BaseModel | dict):
            inner.append((name, value))
        elif value is None:
            yield f"# {name} is not set{what}"
        else:
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}{what}"
    for name, value in inner:
        place = f"{table}.{name}" if table else name
        if isinstance(value, BaseModel):
            yield from _toml(value, place)
        else:
            described = type(model).model_fields[name].description
            yield f"\n[{place}]{f'  # {described}' if described else ''}"
            yield from (f"{json.dumps(key)} = {json.dumps(each)}" for key, each in value.items())


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """What stops a run leaves whole segments: say how to go on."""
    import errno

    from coevo_pipelines.terminal import say

    again = f"what was finished stays; go on by `coevo swarm resume {folder}`"
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted: {again}", error=True)
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}:
            raise
        say(f"error: {error.strerror}: {again} when there is room", style="red", error=True)
        raise typer.Exit(1) from None


def _finish(folder: Path, *, as_json: bool) -> None:
    """Pictures, and what the run came to."""
    from coevo_pipelines.swarm.runs.standalone import drawn_from, summary
    from coevo_pipelines.terminal import json_out, say

    told = summary(folder)
    names = _drawn(drawn_from(folder), folder / "pictures", "a made-up world")
    if as_json:
        json_out({**told, "pictures": names})
        return
    _show_summary(told)
    say(f"Done: {folder}", style="bold green")
    say("Next:")
    marker = f"blend_{told['run']['run_id']}_1"
    for command, why in (
        (f"open {folder / 'pictures' / 'gradient.svg'}", "the same, drawn; there are more beside it"),
        *([(f"coevo swarm explain {marker} --run {folder}", "how a decision came about")]
          if told["markers"]["opened"] else []),
        (f"coevo swarm resume {folder} --ticks 100", "go on"),
    ):  # fmt: skip
        say(f"  {command}")
        say(f"      {why}", style="dim")


def _draw(tables: Any, out: Path, world: str) -> None:
    from coevo_pipelines.terminal import say

    for name in _drawn(tables, out, world):
        say(name)


def _drawn(tables: Any, out: Path, world: str) -> list[str]:
    """Write the pictures; their paths."""
    from coevo_pipelines.lake.ledger import write_whole
    from coevo_pipelines.swarm.pictures import draw_all

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: --out names a folder")
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for name, drawing in draw_all(tables, world).items():
        write_whole(out / f"{name}.svg", drawing)
        found.append(str(out / f"{name}.svg"))
    return found


def _show_summary(told: dict[str, Any]) -> None:
    from coevo_pipelines.terminal import rows_table, say

    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %" if whole else "-"

    def lf(milli: int) -> str:
        return f"{milli / 1000:,.3f}"

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    say("Ternary gradient", style="bold")
    rows_table(
        ("tick", "-1", "0", "+1", "best version"),
        [
            (f"{row['tick']:,}", *(share(row[name], row["cells"]) for name in ("minus", "zero", "plus", "best")))
            for row in told["gradient"]
        ],
    )
    markers, made, lifeforce = told["markers"], told["predictions"], told["lifeforce_milli"]
    say(
        f"Decisions: {markers['opened']:,} opened, {markers['resolved']:,} decided ({markers['won_by_teacher']:,} for "
        f"the teacher, {markers['won_by_student']:,} for the student, {markers['won_by_hybrid']:,} for both), "
        f"{markers['void']:,} given up, {markers['pending']:,} open; {markers['suppressed']:,} ties had no room. "
        f"Nyx slept {share(round(1000 * told['slept']), 1000)} of the ticks."
    )
    if told["decisions"]:
        rows_table(
            ("level", "decided by", "decisions"),
            [(str(row["level"]), row["decided_by"], f"{row['count']:,}") for row in told["decisions"]],
        )
    say(
        f"Predictions: {made['made']:,} made, {made['scored']:,} scored, {made['open']:,} open; mean confidence "
        f"{number(made['confidence'])}, right {number(made['right'])}, Brier {number(made['brier'])}, log loss "
        f"{number(made['log_loss'])}, calibration error {number(made['ece'])}."
    )
    say(
        f"Lifeforce: organisms {lf(lifeforce['organisms'])}, versions {lf(lifeforce['patterns'])}, Nyx "
        f"{lf(lifeforce['nyx'])}; minted {lf(lifeforce['minted'])}, burnt {lf(lifeforce['burnt'])}; "
        f"all accounts sum to {lf(lifeforce['sum'])} LF."
    )


def _show_compared(found: Compared, names: list[str], marks: tuple[int, ...], out: Path | None) -> None:
    from coevo_pipelines.terminal import rows_table, say

    say("Share of the cells that hold the best version, mean over the seeds", style="bold")
    rows_table(
        ("", *(f"t = {tick:,}" for tick in marks)),
        [(name, *(f"{found.mean(name, tick):.4f}" for tick in marks)) for name in names],
    )
    say("Paired differences", style="bold")
    spread: Callable[[float | None], str] = lambda value: "-" if value is None else f"{value:.4f}"  # noqa: E731
    rows_table(
        ("", "tick", "mean", "SE", "95 % from", "to", "ahead"),
        [
            (f"{each.variant} - {each.baseline}", f"{each.tick:,}", f"{each.mean:+.4f}",
             *map(spread, (each.se, each.low, each.high)), f"{each.ahead} of {each.seeds} seeds")
            for each in found.differences
        ],
    )  # fmt: skip
    if out:
        say(f"{out}: {len(found.shares):,} rows")
