"""`coevo corpora …`: blueprints, what became of each document, and releases taken out of the lake."""

from __future__ import annotations

import difflib
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    date_of,
    existing_lake,
    settings_of,
)

if TYPE_CHECKING:
    import polars as pl

    from coevo_pipelines.lake.store import Snapshot
    from coevo_pipelines.settings import Settings

corpora = typer.Typer(
    name="corpora",
    no_args_is_help=True,
    help="Training corpora: blueprints, what is in and what is out and why, releases.",
)

BlueprintArgument = Annotated[str, typer.Argument(help="Name of a blueprint.", show_default=False)]
DateOption = Annotated[str | None, typer.Option("--date", help="As of this day.", show_default="the last there is")]


@corpora.command()
def blueprints(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """The shipped blueprints. One of your own is a TOML file: `coevo corpora new` begins it."""
    from coevo_pipelines.corpora.blueprints import load, shipped
    from coevo_pipelines.terminal import json_out, rows_table, say

    found = [load(name) for name in shipped()]
    if as_json:
        json_out([each.told() for each in found])
        return
    rows = [
        (each.name, each.model.id, f"{each.token_budget:,}" if each.token_budget else "all", each.description)
        for each in found
    ]
    rows_table(("name", "model", "tokens", "what for"), rows)
    say('Which of them a lake follows: corpora.blueprints = ["NAME", "FILE.toml"] in coevo.toml', style="dim")


@corpora.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the blueprint; NAME.toml is written.", show_default=False)],
    model: Annotated[str, typer.Option("--model", help="Its id on the Hugging Face Hub.")],
    like: Annotated[str, typer.Option("--like", help="Shipped blueprint to begin with.")] = "qwen3-0.6b-base",
    folder: Annotated[Path, typer.Option("--folder", help="Where to write it.")] = Path(),
    debug: DebugOption = False,
) -> None:
    """Begin a blueprint of your own: a shipped one with another model, to be changed by hand."""
    from coevo_pipelines.corpora.blueprints import SHIPPED, BlueprintError, load, parse
    from coevo_pipelines.terminal import say

    base = load(like)
    path = folder / f"{name}.toml"
    if path.exists():
        raise UsageError(f"{path} is there already: give another name, or change it by hand")
    text = (SHIPPED / f"{like}.toml").read_text("utf-8")
    changed = text.replace(f'id = "{base.model.id}"', f'id = "{model}"')
    changed = changed.replace(f'tokenizer = "{base.tokenizer}"', f'tokenizer = "{model}"')
    try:
        parse(changed, str(path), folder)
    except BlueprintError as error:
        raise UsageError(str(error)) from error
    path.write_text(changed, "utf-8")
    say(f"{path}: made after {like}. Its special tokens are those of {base.model.id}: compare them with your model's.")
    say(f'Next: corpora.blueprints = ["{path}"] in coevo.toml; coevo contract ask --blueprint {path} …')


@corpora.command("list")
def list_(
    on: DateOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Each blueprint's corpus of a day: released, or withheld and why."""
    from coevo_pipelines.terminal import json_out, rows_table, say

    snapshot, day = _asked(settings_of(lake, source), on)
    rows = snapshot.scan("corpora.releases", on=day).drop("date").collect().to_dicts()
    if as_json:
        json_out(rows)
        return
    say(f"As of {day}:")
    rows_table(
        ("blueprint", "status", "documents", "to train on", "of", "folder or why not"),
        [
            (
                row["blueprint"],
                row["status"],
                f"{row['documents']:,}",
                f"{row['train_tokens']:,}",
                f"{row['budget']:,}" if row["budget"] else "all",
                row["folder"] or row["why"],
            )
            for row in rows
        ],
    )


@corpora.command()
def show(
    blueprint: BlueprintArgument,
    on: DateOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """A corpus in numbers: what each rule took, and what is in it by stage, split and kind."""
    import polars as pl

    from coevo_pipelines.terminal import json_out, rows_table, say

    snapshot, day = _asked(settings_of(lake, source), on)
    row = _release_of(snapshot, day, blueprint)
    own = pl.col("blueprint") == blueprint
    lost = (
        snapshot.scan("corpora.losses", on=day)
        .filter(own)
        .group_by("step", "rule")
        .agg(pl.col("documents", "documents_out", "tokens", "tokens_out").sum(), known=pl.col("tokens").count())
        .sort("step")
        .collect()
    )
    kept = (
        snapshot.scan("corpora.documents", on=day)
        .filter(own, pl.col("rule").is_null())
        .group_by("stage", "split", "kind")
        .agg(documents=pl.len(), tokens=pl.col("tokens").sum(), used=pl.col("used").sum())
        .sort("stage", "split", "kind")
        .collect()
    )
    if as_json:
        json_out({"release": row, "losses": lost.drop("known").to_dicts(), "in": kept.to_dicts()})
        return
    say(f"{blueprint} for {row['model_id']} as of {day}: {row['status']}" + (f": {row['why']}" if row["why"] else ""))
    if lost.height and lost["documents_out"].sum():
        say("What each rule took:")
        rows_table(
            ("rule", "documents", "left out", "tokens", "left out"),
            [
                (
                    each["rule"],
                    *(f"{each[name]:,}" for name in ("documents", "documents_out")),
                    *(f"{each[name]:,}" if each["known"] else "" for name in ("tokens", "tokens_out")),
                )
                for each in lost.iter_rows(named=True)
                if each["documents_out"]
            ],
        )
    say("What is in it:" if kept.height else "Nothing is in it.")
    if kept.height:
        rows_table(
            ("stage", "split", "kind", "documents", "tokens", "in sequences"),
            [
                (each["stage"] or "", each["split"] or "", each["kind"],
                 *(f"{each[name] or 0:,}" for name in ("documents", "tokens", "used")))
                for each in kept.iter_rows(named=True)
            ],
        )  # fmt: skip
    if row["folder"]:
        say(f"Release: {snapshot.root / row['folder']}  digest {row['digest'][:16]}…")


@corpora.command()
def explain(
    document: Annotated[str, typer.Argument(help="Id of a document, or a part of it.", show_default=False)],
    blueprint: Annotated[str | None, typer.Option("--blueprint", help="Only in this one.")] = None,
    on: DateOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Why a document is in a corpus, or why not."""
    import polars as pl

    from coevo_pipelines.terminal import json_out, say

    snapshot, day = _asked(settings_of(lake, source), on)
    rows = snapshot.scan("corpora.documents", on=day)
    if blueprint is not None:
        rows = rows.filter(pl.col("blueprint") == blueprint)
    exact = rows.filter(pl.col("doc_id") == document).collect()
    found = exact if exact.height else rows.filter(pl.col("doc_id").str.contains(document, literal=True)).collect()
    if not found.height:
        ids = rows.select(pl.col("doc_id").unique()).collect()["doc_id"].to_list()
        named: dict[str, str] = {each: each for each in ids} | {
            re.split("[/:]", each)[-1]: each for each in sorted(ids)
        }
        close = difflib.get_close_matches(document, named, n=1)
        hint = f" (did you mean {named[close[0]]}?)" if close else ""
        raise UsageError(f"{day}: no document of a corpus is called {document!r}{hint}")
    if found["doc_id"].n_unique() > 1:
        names = found["doc_id"].unique().sort().to_list()
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        raise UsageError(f"{document!r} is in {', '.join(names[:10])}{more}: name one")
    if as_json:
        json_out(found.drop("date").to_dicts())
        return
    for row in found.drop("date").iter_rows(named=True):
        say(f"{row['doc_id']} in {row['blueprint']}: {_told(row)}")
        licence = row["license"] or "no licence is known"
        said = "" if row["license_from"] == "none" else f", says the {row['license_from']}"
        say(f"  {row['kind']} of {row['work_id']}; {licence}{said}; influence {row['influence']:.3g}")
        if row["flags"]:
            say(f"  noticed: {', '.join(row['flags'])}")
        if row["replaced"] != "{}":
            say(f"  replaced by placeholders: {row['replaced']}")


def _told(row: dict[str, Any]) -> str:
    if row["rule"] is None:
        used = f", {row['used']:,} tokens in sequences, begun {row['times']} times" if row["used"] is not None else ""
        return f"in, stage {row['stage']}, split {row['split']}{used}"
    said = f" ({row['detail']})" if row["detail"] else ""
    kept = f"; kept is {row['kept_id']}" if row["kept_id"] else ""
    return f"out: {row['rule'].replace('_', ' ')}{said}{kept}"


@corpora.command()
def export(
    blueprint: BlueprintArgument,
    out: Annotated[Path, typer.Option("--out", help="New folder for the release.")],
    on: DateOption = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take a release out of the lake, after its files, hashes and contract have been checked once more.

    The folder is a dataset repository: `datasets.load_dataset(FOLDER, "sequences")`, or upload it as it is.
    """
    import shutil

    from coevo_pipelines.corpora.releases.verify import wrong_releases
    from coevo_pipelines.orchestration.resources import trusted_keys
    from coevo_pipelines.terminal import json_out, say

    settings = settings_of(lake, source)
    snapshot, day = _asked(settings, on)
    row = _release_of(snapshot, day, blueprint) | {"date": day}
    if row["status"] != "released":
        raise UsageError(f"{blueprint} of {day} is withheld: {row['why']}")
    if out.exists():
        raise UsageError(f"{out} is there already: --out names a new folder")
    keys = trusted_keys(settings, snapshot.root)
    wrong = list(wrong_releases(snapshot.root, [row], keys, settings.corpora.model_files))
    if wrong:
        for line in wrong[:20]:
            say(line, style="red", error=True)
        raise typer.Exit(1)
    draft = out.with_name(f".{out.name}.writing")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(snapshot.root / row["folder"], draft)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if as_json:
        json_out({"out": str(out), "date": day, "digest": row["digest"]})
    else:
        say(f"{out}: digest {row['digest']}")


def _asked(settings: Settings, on: str | None) -> tuple[Snapshot, date]:
    """The lake's tables, and the day that is asked about. UsageError where there are no corpora."""
    from coevo_pipelines.lake.store import Lake

    root = existing_lake(settings)
    snapshot = Lake(root).snapshot()
    days = [commit.day for commit in snapshot.index.partitions("corpora.releases")]
    if not days:
        raise UsageError(f"{root} has no corpora yet: run `coevo run`, or materialize corpora/releases")
    day = max(days) if on is None else date_of(on)
    if day not in days:
        raise UsageError(f"{day} has no corpora; there are {min(days)} to {max(days)}")
    return snapshot, day


def _release_of(snapshot: Snapshot, day: date, blueprint: str) -> dict[str, Any]:
    frame: pl.DataFrame = snapshot.scan("corpora.releases", on=day).drop("date").collect()
    rows = {str(row["blueprint"]): row for row in frame.to_dicts()}
    if blueprint not in rows:
        there = f"there are {', '.join(rows)}" if rows else "setting corpora.blueprints names none"
        raise UsageError(f"{day} has no corpus {blueprint!r}; {there}")
    return rows[blueprint]
