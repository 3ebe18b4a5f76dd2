"""`coevo chrysalis …`: continued training of a model on its corpus, and the archive of what came of it."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
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
    from coevo_pipelines.corpora.consent.contracts import InForce
    from coevo_pipelines.corpora.training.chrysalis import Recipe, Record, Tell
    from coevo_pipelines.settings import Settings

chrysalis = typer.Typer(
    name="chrysalis",
    no_args_is_help=True,
    help="Continued training of a model on its corpus: LoRA adapters, held-out loss before and after, an archive.",
)


class Schedule(StrEnum):
    cosine = "cosine"
    linear = "linear"
    constant_with_warmup = "constant_with_warmup"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Dtype(StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


RunArgument = Annotated[str, typer.Argument(help="Id of a run, or how it begins.", show_default=False)]


@chrysalis.command()
def run(
    blueprint: Annotated[str | None, typer.Option("--blueprint", help="Whose corpus, by the blueprint's name.")] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="Day of the release.", show_default="the last there is")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Its folder, or its id on the Hub.", show_default="as corpora.model_files says"),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates.", show_default="once through")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Sequences a step.", show_default="8")] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Tokens through the model at once: memory.", show_default="4096")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="Highest.", show_default="0.0002")] = None,
    warmup: Annotated[float | None, typer.Option(min=0, help="Share of the steps.", show_default="0.05")] = None,
    schedule: Annotated[Schedule | None, typer.Option(help="Of the rate.", show_default="cosine")] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0, help="AdamW's.", show_default="0.0")] = None,
    max_gradient: Annotated[
        float | None, typer.Option(min=0, help="Norm to which gradients are cut.", show_default="1.0")
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the adapters.", show_default="16")] = None,
    alpha: Annotated[float | None, typer.Option(min=0, help="Scale by alpha / rank.", show_default="32.0")] = None,
    dropout: Annotated[float | None, typer.Option(min=0, help="Of the adapters.", show_default="0.0")] = None,
    target_modules: Annotated[
        list[str] | None,
        typer.Option("--target-module", help="Layer with an adapter; again for more.", show_default="all-linear"),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all random numbers.", show_default="0")] = None,
    device: Annotated[Device | None, typer.Option(help="auto: a GPU if there is one.", show_default="auto")] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="auto: bfloat16 on a GPU.", show_default="auto")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=2, help="Tokens; longer documents are cut in parts.", show_default="none")
    ] = None,
    held_out: Annotated[
        int | None, typer.Option(min=1, help="Validation sequences to measure on.", show_default="all")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option("--gradient-checkpointing", help="Less memory, more time.", show_default="off")
    ] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help="Steps.", show_default="50")] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with a killed or failed run, by its id, as it was set.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="New folder for a copy of the adapter.")] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train LoRA adapters on a released corpus, and measure the held-out loss before and after.

    First the release is verified against the lake, then the contract, then the model's files against the contract.
    A run that fails, is killed, or leaves the loss no lower is kept with its settings (exit code 1). Needs PyTorch:
    make train.

    \b
    Example:
      coevo chrysalis run --blueprint qwen3-0.6b-base --model ../Qwen3-0.6B-Base --steps 200
    """
    settings = settings_of(lake, source)
    root = existing_lake(settings)
    if out is not None and (out.exists() or not out.absolute().parent.is_dir()):
        raise UsageError(f"{out}: --out names a new folder in one that is there")
    given: dict[str, Any] = {
        "steps": steps, "batch": batch, "at_once": at_once, "learning_rate": learning_rate, "warmup": warmup,
        "schedule": schedule, "weight_decay": weight_decay, "max_gradient": max_gradient, "rank": rank, "alpha": alpha,
        "dropout": dropout, "target_modules": target_modules or None, "seed": seed, "device": device, "dtype": dtype,
        "max_length": max_length, "held_out": held_out, "gradient_checkpointing": gradient_checkpointing,
        "checkpoint_every": checkpoint_every,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if (resume is None) == (blueprint is None):
        raise UsageError("name a corpus with --blueprint, or a run to go on with by --resume: one of the two")
    if resume is not None and (given or day):
        raise UsageError("--resume goes on as the run was set: leave the other settings out, or start a new run")

    from coevo_pipelines.corpora.training import chrysalis as archive
    from coevo_pipelines.terminal import json_out, say

    if absent := archive.missing():
        raise archive.ChrysalisError(
            f"training needs {', '.join(absent)}: install the extra, by `make train` or as 'coevo_pipelines[train]'"
        )
    former = None if resume is None else archive.find(root, resume)
    recipe = _recipe(given) if former is None else former.recipe
    release = _release(settings, root, blueprint, day, former)
    in_force, folder = _partner(settings, root, release, model)
    lineage = archive.Lineage(
        blueprint=release["blueprint"],
        release_digest=release["digest"],
        contract_hash=in_force.contract.hash,
        genome_root=release["genome_root"],
        model_id=in_force.contract.model.id,
        model_revision=in_force.contract.model.revision,
        model_files_sha256=in_force.contract.model.files_hash or "",
    )
    corpus = root / release["folder"]
    sequences, held = (archive.sequences_of(corpus, split) for split in ("train", "validation"))
    if not as_json:
        say(f"{lineage.model_id} at {lineage.model_revision} on {lineage.blueprint} of {release['date']}", style="bold")
        say(f"release {lineage.release_digest[:16]}… and contract {lineage.contract_hash[:16]}… hold")
    try:
        with _meter(quiet=as_json) as tell:
            record = archive.carry_out(
                root, recipe, lineage, sequences, held, folder, tell=tell, resume=former.run_id if former else None
            )
    except KeyboardInterrupt:
        say("interrupted; it is archived: `coevo chrysalis list`, then `coevo chrysalis run --resume ID`", error=True)
        raise typer.Exit(130) from None
    place = archive.folder_of(root, record.run_id)
    if out is not None and record.adapter_sha256 is not None:
        shutil.copytree(place / archive.ADAPTER, out)
    if as_json:
        json_out(record.model_dump(mode="json"))
    elif record.status == "failed":
        say(f"failed: {record.error}", style="red", error=True)
        say(f"archived with its settings: {place} ({archive.ERROR} has the trace)", error=True)
    else:
        better = record.status == "succeeded"
        said = "" if better else ": no lower; kept as what not to do again"
        say(f"held-out loss {_losses(record)} nats a token{said}", style="green" if better else "yellow")
        say(f"{record.steps:,} steps, {record.tokens:,} tokens; {out or place / archive.ADAPTER}")
        say(f"`coevo run --date {release['date']}` puts it into the day's table corpora.chrysalides", style="dim")
    if record.status != "succeeded":
        raise typer.Exit(1)


@chrysalis.command("list")
def list_runs(
    lake: LakeOption = None, source: SourceOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Every run of this lake in order of time, those that failed too."""
    from coevo_pipelines.corpora.training import chrysalis as archive
    from coevo_pipelines.terminal import json_out, rows_table, say

    found = archive.runs(settings_of(lake, source).lake_root)
    if as_json:
        json_out([each.model_dump(mode="json") for each in found])
    elif found:
        rows_table(
            ("run", "started (UTC)", "blueprint", "model", "status", "steps", "held-out loss"),
            [
                (
                    each.run_id, f"{each.started_at:%Y-%m-%d %H:%M}", each.lineage.blueprint, each.lineage.model_id,
                    each.status, f"{each.steps:,}", _losses(each),
                )
                for each in found
            ],
        )  # fmt: skip
    else:
        say("no run yet: `coevo chrysalis run --blueprint NAME` makes one")


@chrysalis.command()
def show(
    given: RunArgument,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """One run: how it ended, its settings, and what it was made from."""
    from coevo_pipelines.corpora.training import chrysalis as archive
    from coevo_pipelines.terminal import json_out, say

    root = settings_of(lake, source).lake_root
    record = archive.find(root, given)
    if as_json:
        json_out(record.model_dump(mode="json"))
        return
    say(f"{record.run_id}: {record.status}" + (f": {record.error}" if record.error else ""), style="bold")
    say(f"held-out loss {_losses(record)} nats a token; {record.steps:,} steps, {record.tokens:,} tokens")
    ended = f" to {record.finished_at:%Y-%m-%d %H:%M:%S}" if record.finished_at else ""
    say(f"{record.started_at:%Y-%m-%d %H:%M:%S}{ended} UTC on {record.device}")
    told = record.model_dump(mode="json")
    for name in ("recipe", "lineage", "environment"):
        for field, value in told[name].items():
            say(f"  {name}.{field} = {value}")
    say(str(archive.folder_of(root, record.run_id)), style="dim")


def _recipe(given: dict[str, Any]) -> Recipe:
    from pydantic import ValidationError

    from coevo_pipelines.corpora.training.chrysalis import Recipe

    try:
        return Recipe(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None


def _release(
    settings: Settings, root: Path, blueprint: str | None, day: str | None, former: Record | None
) -> dict[str, Any]:
    """The row of corpora.releases to train on, after every byte of the release was verified against it."""
    import polars as pl

    from coevo_pipelines.corpora.releases import release
    from coevo_pipelines.corpora.training.chrysalis import ChrysalisError
    from coevo_pipelines.orchestration.resources import open_lake

    rows = open_lake(settings).scan("corpora.releases", upto=date.max if day is None else date_of(day)).collect()
    name = former.lineage.blueprint if former else Path(blueprint or "").name.removesuffix(".toml")
    own = rows.filter(pl.col("blueprint") == name)
    if former:
        own = own.filter(pl.col("digest") == former.lineage.release_digest)
    if day is not None:
        own = own.filter(pl.col("date") == date_of(day))
    if own.is_empty():
        if former:
            raise ChrysalisError(
                f"run {former.run_id}: its release {former.lineage.release_digest} is in the lake no more"
            )
        names = rows["blueprint"].unique().sort().to_list()
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {close[0]}?)" if close and close[0] != name else ""
        there = f"there are those of {', '.join(names)}" if names else "`coevo run --date YYYY-MM-DD` makes them"
        raise UsageError(f"no release of {name!r}{f' on {day}' if day else ''}{hint}: {there}")
    row: dict[str, Any] = own.sort("date").row(-1, named=True)
    if row["status"] != "released":
        raise ChrysalisError(f"{name} of {row['date']} was not released: {row['why']}")
    if findings := release.verify(root / row["folder"], row["digest"]):
        raise ChrysalisError(f"{root / row['folder']}: {'; '.join(findings[:5])}: make the release anew")
    return row


def _partner(settings: Settings, root: Path, release: dict[str, Any], given: str | None) -> tuple[InForce, Path]:
    """The contract in force and the folder of the model that it is with, checked against each other and the release."""
    from coevo_pipelines.corpora.consent import contracts
    from coevo_pipelines.corpora.training.chrysalis import ChrysalisError
    from coevo_pipelines.orchestration.resources import trusted_keys

    model_id, revision = release["model_id"], release["model_revision"]

    keys = trusted_keys(settings, root)

    def checked(folder: Path | None) -> InForce:
        found = contracts.in_force(root / contracts.FOLDER, model_id, revision, keys, folder)
        if isinstance(found, contracts.Refused):
            raise ChrysalisError(found.reason)
        return found

    own = checked(None).contract.hash
    if own != release["contract_hash"]:
        raise ChrysalisError(
            f"{release['blueprint']} of {release['date']} was released under contract {release['contract_hash']}, and "
            f"{own} is in force now: make the release anew"
        )
    folder = _folder(settings, model_id, revision, given)
    return checked(folder), folder


def _folder(settings: Settings, model_id: str, revision: str, given: str | None) -> Path:
    """Where the model lies; from the Hub where no folder is known, of which an offline lake takes only what this
    machine has."""
    from coevo_pipelines.corpora.training.chrysalis import ChrysalisError

    if given is None and model_id in settings.corpora.model_files:
        return settings.corpora.model_files[model_id]
    if given is not None and Path(given).is_dir():
        return Path(given)
    if given not in {None, model_id}:
        raise ChrysalisError(f"{given} is no folder, and the contract is with {model_id}: name that model's folder")

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError

    from coevo_pipelines.corpora.consent.contracts import SHAPES, VOCABULARIES, WEIGHTS

    hub = settings.sources["huggingface"]
    online = settings.source == "live"
    named = f"model {model_id} at {revision}"
    try:
        return Path(
            snapshot_download(
                model_id,
                revision=revision,
                allow_patterns=sorted({f"*{suffix}" for suffix in WEIGHTS | SHAPES} | VOCABULARIES),
                local_files_only=not online,
                endpoint=hub.base_url,
                token=hub.token.get_secret_value() if hub.token else None,
            )
        )
    except GatedRepoError:
        raise ChrysalisError(
            f"{named}: it is gated: ask for access at {hub.base_url}/{model_id} and set HF_TOKEN, or name its folder "
            "with --model"
        ) from None
    except (OSError, HFValidationError) as error:  # the Hub's own errors and those of the network are OSErrors
        why = str(error).split("\n", 1)[0] if online else "not on this machine, and the lake is offline"
        raise ChrysalisError(f"{named}: {why}: name its folder with --model") from error


def _losses(record: Record) -> str:
    before, after = ("-" if loss is None else f"{loss:.4f}" for loss in (record.loss_before, record.loss_after))
    return f"{before} -> {after}"


@contextmanager
def _meter(quiet: bool) -> Iterator[Tell]:
    """A bar over the steps with the loss; where there is no terminal, a line now and then."""
    from coevo_pipelines.corpora.training.chrysalis import Begun, Step
    from coevo_pipelines.terminal import bar, say

    with bar("training", quiet=quiet) as advance:

        def tell(event: Begun | Step) -> None:
            if quiet:
                return
            if isinstance(event, Begun):
                say(f"  held-out loss before: {event.loss_before:.4f}", style="dim", error=True)
                return
            loss = "no token counted" if event.loss is None else f"loss {event.loss:.4f}"
            advance(event.step, event.of, loss)
            if event.step % max(1, event.of // 10) == 0:
                say(f"  step {event.step:,} of {event.of:,}: {loss}", style="dim", error=True)

        yield tell
