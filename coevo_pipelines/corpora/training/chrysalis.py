"""Continued training of a model on its corpus (LoRA adapters through transformers and PEFT), and the archive of runs.

A run has a folder of its own under `<lake>/chrysalides/`: `run.json` (settings, lineage, held-out loss before and
after), `losses.csv`, `adapter/`. A run that fails, is killed or does not make the loss fall keeps its folder: what does
not work is worth knowing. Inputs are taken as verified; the command verifies contract and release first.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coevo_pipelines.lake.ledger import beside, canonical, file_sha256, write_whole
from coevo_pipelines.version import code_version

if TYPE_CHECKING:
    import polars as pl

FOLDER = "chrysalides"
"""Of the runs, in the lake."""
WEIGHTS = "adapter_model.safetensors"
RECORD, LOSSES, ADAPTER, ERROR, CHECKPOINT = "run.json", "losses.csv", "adapter", "error.txt", "checkpoint.pt"
LOCK = "running"
"""Locked while the run's process lives: the system frees it however the process ends, and no pid is mistaken."""
HEADINGS = ("step", "loss", "learning_rate", "gradient_norm", "tokens")
COLUMNS = ("input_ids", "loss_mask", "seq_lengths")
IGNORED = -100
"""Label of a token that does not count, as transformers and PyTorch's cross entropy have it."""
NEEDED = ("torch", "transformers", "peft")


class UnknownRun(ValueError):
    """No run, or more than one, is meant; the message names the way out."""


class ChrysalisError(ValueError):
    """Training that cannot begin or go on, or a damaged archive; the message names the place and the way out."""


class _Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Recipe(_Whole):
    """Every setting of a run; it goes on record whole."""

    steps: int | None = Field(default=None, ge=1, description="updates of the weights; none: once through the corpus")
    batch: int = Field(default=8, ge=1, description="sequences of a step")
    at_once: int = Field(default=4096, ge=1, description="tokens, with padding, that go through the model at once")
    learning_rate: float = Field(default=2e-4, gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    max_gradient: float = Field(default=1.0, gt=0, description="norm to which the gradient is cut")
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0, description="an adapter's output is scaled by alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="of the model's own weights; auto: bfloat16 on a GPU; adapters are float32"
    )
    max_length: int | None = Field(default=None, ge=2, description="tokens; longer parts are cut into several")
    held_out: int | None = Field(default=None, ge=1, description="validation sequences to measure on; none: all")
    gradient_checkpointing: bool = Field(default=False, description="less memory, a third more time")
    checkpoint_every: int = Field(default=50, ge=1, description="steps")


class Lineage(_Whole):
    """What a run was made from."""

    blueprint: str
    release_digest: str
    contract_hash: str
    genome_root: str | None
    model_id: str
    model_revision: str
    model_files_sha256: str


class Record(_Whole):
    """What is known of a run: its `run.json`. Losses in nats a token."""

    run_id: str
    status: Literal["running", "succeeded", "worse", "failed", "killed"]
    recipe: Recipe
    lineage: Lineage
    environment: dict[str, str]
    device: str
    steps: int = 0
    tokens: int = 0
    loss_before: float | None = None
    loss_after: float | None = None
    started_at: datetime
    resumed_at: tuple[datetime, ...] = ()
    finished_at: datetime | None = None
    error: str | None = None
    adapter_sha256: str | None = None
    losses_sha256: str | None = None


@dataclass(frozen=True)
class Part:
    """Tokens that attend to one another, and which of them count in the loss: int64 and bool, of one length."""

    tokens: np.ndarray
    counted: np.ndarray

    @property
    def count(self) -> int:
        """Tokens to predict: nothing comes before the first one."""
        return int(self.counted[1:].sum())


@dataclass(frozen=True)
class Begun:
    """Training begins, or goes on after `steps` that were made before."""

    loss_before: float
    steps: int


@dataclass(frozen=True)
class Step:
    """One update. The loss is null where no token counted; `tokens` counts from the first step on."""

    step: int
    of: int
    loss: float | None
    learning_rate: float
    gradient_norm: float
    tokens: int


@dataclass(frozen=True)
class Outcome:
    loss_before: float
    loss_after: float
    steps: int
    tokens: int
    adapter_sha256: str


Tell = Callable[[Begun | Step], None]


def sequences_of(release: Path, split: str) -> pl.DataFrame:
    """What a release holds for `split`, in order. ChrysalisError when that is nothing."""
    import polars as pl

    files = sorted((release / "data" / "sequences").glob(f"{split}-*.parquet"))
    if not files:
        raise ChrysalisError(f"{release}: no sequences for {split}: {_MORE[split]}, and make the release anew")
    return pl.read_parquet(files, columns=["place", *COLUMNS]).sort("place").drop("place")


_MORE = {
    "train": "widen the selection of its blueprint",
    "validation": "without them nobody can tell whether training helped; raise split.validation in its blueprint",
}


def parts_of(frame: pl.DataFrame, max_length: int | None = None) -> Iterator[Part]:
    """The parts of the sequences in `frame` (columns input_ids, loss_mask, seq_lengths), in order. Parts longer than
    `max_length` are cut; parts in which nothing is to be predicted are left out."""
    for ids, mask, lengths in frame.select(COLUMNS).iter_rows():
        tokens = np.asarray(ids, np.int64)
        counted = np.ones(len(tokens), bool) if mask is None else np.asarray(mask, bool)
        start = 0
        for length in lengths:
            for first in range(start, start + length, max_length or length):
                last = min(start + length, first + (max_length or length))
                part = Part(tokens[first:last], counted[first:last])
                if part.count:
                    yield part
            start += length


def grouped(parts: list[Part], at_once: int) -> Iterator[list[Part]]:
    """Groups of about one length, so that a group padded to its longest part has at most `at_once` tokens; a part that
    is longer goes alone."""
    group: list[Part] = []
    for part in sorted(parts, key=lambda part: len(part.tokens)):
        if group and (len(group) + 1) * len(part.tokens) > at_once:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def check(frame: pl.DataFrame, name: str, vocabulary: int, max_length: int | None = None) -> None:
    """ChrysalisError where `frame` holds no sequences that a model with ids below `vocabulary` can learn from, cut at
    `max_length`."""
    import polars as pl

    if missing := [column for column in COLUMNS if column not in frame.columns]:
        raise ChrysalisError(f"{name}: no column {missing[0]!r}: make the release anew")
    ids, mask, lengths = (pl.col(column).list for column in COLUMNS)
    for wrong, why in (
        (pl.col("input_ids").is_null() | (ids.len() == 0), "has no tokens"),
        (
            (lengths.sum() != ids.len()) | (lengths.min() < 1) | pl.col("seq_lengths").is_null(),
            "seq_lengths do not add up to its tokens",
        ),
        ((mask.len() != ids.len()).fill_null(False), "loss_mask is not as long as its tokens"),
        (ids.min() < 0, "a token id is below 0"),
        (
            ids.max() >= vocabulary,
            f"a token id is not in the model's vocabulary of {vocabulary:,}: the corpus was made with another "
            "tokenizer than this model's",
        ),
    ):
        bad = frame.with_row_index("number").filter(wrong)["number"]
        if len(bad):
            raise ChrysalisError(f"{name}: sequence {bad[0]}: {why}")
    if next(parts_of(frame, max_length), None) is None:
        raise ChrysalisError(f"{name}: no token to predict: {_MORE[name]}")


def missing() -> list[str]:
    """Packages that training needs and that are not installed."""
    from importlib.util import find_spec

    return [name for name in NEEDED if find_spec(name) is None]


def device_of(wanted: str) -> str:
    """`cpu` or `cuda`. ChrysalisError when a GPU is wanted and PyTorch sees none."""
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ChrysalisError(
            f"device cuda: PyTorch {torch.__version__} sees no GPU here: take --device cpu, or install its CUDA build"
        )
    return "cuda" if there and wanted != "cpu" else "cpu"


def train(
    sequences: pl.DataFrame,
    held_out: pl.DataFrame,
    model_folder: Path,
    recipe: Recipe,
    folder: Path,
    tell: Tell = lambda _: None,
    base: tuple[str, str] | None = None,
) -> Outcome:
    """Train LoRA adapters for the causal language model in `model_folder` and write them to `folder`/adapter.

    A step takes the next `batch` sequences in order (from the first one again when they are used up) and minimizes the
    mean negative log likelihood of the tokens that count in them. Parts of a sequence go through the model as rows of
    their own, so that none attends to another. `loss_before` and `loss_after` are the same mean over all of `held_out`.
    `base` is the model's id and revision, which users of the adapter need; else it names the folder. From a checkpoint
    in `folder` it goes on. The same inputs give the same numbers on one CPU and number of threads.

    ChrysalisError: sequences that do not fit the model, a loss that is no number, not enough memory.
    """
    device = device_of(recipe.device)
    done = 0

    def count(event: Begun | Step) -> None:
        nonlocal done
        done = event.steps if isinstance(event, Begun) else event.step
        tell(event)

    try:
        with _reproducible(recipe.seed, device):
            return _trained(sequences, held_out, model_folder, recipe, folder, device, count, base)
    except (MemoryError, RuntimeError) as error:
        # PyTorch has a kind of its own for a GPU only, its CPU allocator raises RuntimeError: both say this.
        if isinstance(error, RuntimeError) and "tried to allocate" not in str(error).lower():
            raise
        raise ChrysalisError(
            f"not enough memory on {device} in step {done + 1}: let less than {recipe.at_once} tokens through the "
            "model at once (--at-once), cut long documents (--max-length), or take --gradient-checkpointing or a "
            "smaller --rank"
        ) from error


def _trained(
    sequences: pl.DataFrame,
    held_out: pl.DataFrame,
    model_folder: Path,
    recipe: Recipe,
    folder: Path,
    device: str,
    tell: Tell,
    base: tuple[str, str] | None,
) -> Outcome:
    import torch
    from transformers import get_scheduler

    model = _adapted(model_folder, recipe, device)
    held_out = held_out.head(recipe.held_out or held_out.height)
    vocabulary = model.get_input_embeddings().weight.shape[0]
    for name, frame in (("train", sequences), ("validation", held_out)):
        check(frame, name, vocabulary, recipe.max_length)
        _fits(frame, name, recipe, model.config.get_text_config())
    a_pass = -(-sequences.height // recipe.batch)
    steps = recipe.steps or a_pass
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    scheduler = get_scheduler(recipe.schedule, optimizer, round(recipe.warmup * steps), steps)
    before = mean_loss(model, held_out, recipe)
    if not np.isfinite(before):
        raise ChrysalisError(f"before the first step the held-out loss is {before}: the model's weights are damaged")
    trained = (model, optimizer, scheduler)
    first, tokens = _restored(folder / CHECKPOINT, trained, device) if (folder / CHECKPOINT).exists() else (0, 0)
    tell(Begun(before, first))
    model.train()
    for step in range(first + 1, steps + 1):
        parts = list(parts_of(sequences.slice((step - 1) % a_pass * recipe.batch, recipe.batch), recipe.max_length))
        counted = sum(part.count for part in parts)
        loss = 0.0
        for group in grouped(parts, recipe.at_once):
            summed = _loss(model, group)
            # Over the tokens of the whole step, not group by group: how it is cut up changes no result.
            (summed / counted).backward()
            loss += float(summed.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(weights, recipe.max_gradient))
        if not np.isfinite([loss, norm]).all():
            raise ChrysalisError(
                f"step {step}: the loss is {loss}, its gradient {norm}: take a smaller --learning-rate than "
                f"{recipe.learning_rate}"
            )
        rate = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        tokens += counted
        tell(Step(step, steps, loss / counted if counted else None, rate, norm, tokens))
        if step % recipe.checkpoint_every == 0 and step < steps:
            _keep(folder / CHECKPOINT, trained, device, step, tokens)
    after = mean_loss(model, held_out, recipe)
    if not np.isfinite(after):
        raise ChrysalisError(
            f"after {steps} steps the held-out loss is {after}: take a smaller --learning-rate than "
            f"{recipe.learning_rate}"
        )
    if base is not None:
        model.peft_config["default"].base_model_name_or_path, model.peft_config["default"].revision = base
    draft = folder / f".{ADAPTER}"
    # Without its embeddings, which are as they were; PEFT would ask the Hub whether they are.
    model.save_pretrained(draft, save_embedding_layers=False)
    shutil.rmtree(folder / ADAPTER, ignore_errors=True)  # of a run that was killed here before
    draft.rename(folder / ADAPTER)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return Outcome(before, after, steps, tokens, file_sha256(folder / ADAPTER / WEIGHTS))


def _keep(path: Path, trained: tuple[Any, Any, Any], device: str, step: int, tokens: int) -> None:
    """Write all that the steps to come depend on."""
    import torch
    from peft import get_peft_model_state_dict

    model, optimizer, scheduler = trained
    state = {
        "step": step,
        "tokens": tokens,
        "adapter": get_peft_model_state_dict(model, save_embedding_layers=False),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state() if device == "cuda" else None,
    }
    with beside(path) as draft:
        torch.save(state, draft)
        draft.replace(path)


def _restored(path: Path, trained: tuple[Any, Any, Any], device: str) -> tuple[int, int]:
    """Put everything back to a checkpoint; its step and tokens."""
    import torch
    from peft import set_peft_model_state_dict

    model, optimizer, scheduler = trained
    saved = torch.load(path, map_location=device, weights_only=True)
    set_peft_model_state_dict(model, saved["adapter"])
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    torch.set_rng_state(saved["random"].cpu())
    if device == "cuda" and saved["random_cuda"] is not None:
        torch.cuda.set_rng_state(saved["random_cuda"].cpu())
    return saved["step"], saved["tokens"]


def mean_loss(model: Any, frame: pl.DataFrame, recipe: Recipe) -> float:
    """Mean negative log likelihood, in nats, of the tokens that count in `frame`."""
    import torch

    model.eval()
    loss, counted = 0.0, 0
    with torch.no_grad():
        for start in range(0, frame.height, recipe.batch):
            parts = list(parts_of(frame.slice(start, recipe.batch), recipe.max_length))
            for group in grouped(parts, recipe.at_once):
                loss += float(_loss(model, group))
                counted += sum(part.count for part in group)
    return loss / counted


def _loss(model: Any, group: list[Part]) -> Any:
    """Summed negative log likelihood of a group's tokens, float32. Padding stands at the right end: in a causal model
    nothing looks at it."""
    import torch

    longest = len(group[-1].tokens)
    ids = np.zeros((len(group), longest), np.int64)
    there = np.zeros((len(group), longest), np.int64)
    labels = np.full((len(group), longest), IGNORED, np.int64)
    for row, part in enumerate(group):
        size = len(part.tokens)
        ids[row, :size] = part.tokens
        there[row, :size] = 1
        labels[row, :size][part.counted] = part.tokens[part.counted]
    ids, there, labels = (torch.from_numpy(array).to(model.device) for array in (ids, there, labels))
    logits = model(input_ids=ids, attention_mask=there, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum"
    )


def _adapted(model_folder: Path, recipe: Recipe, device: str) -> Any:
    """The model with new adapters, which change nothing yet."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    # transformers 5.23 renames gradient to activation checkpointing; PEFT 0.21 and transformers 5.0 know the former.
    warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing", FutureWarning)
    dtype = recipe.dtype
    if dtype == "auto":
        dtype = "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    try:
        # Safetensors only: other formats of weights can run code when they are read.
        base = AutoModelForCausalLM.from_pretrained(
            model_folder, dtype=getattr(torch, dtype), local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise ChrysalisError(f"{model_folder}: no causal language model that transformers reads: {error}") from error
    base.to(device)
    if recipe.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    modules = recipe.target_modules
    return get_peft_model(
        base,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=modules if isinstance(modules, str) else list(modules),
        ),
    )


def _fits(frame: pl.DataFrame, name: str, recipe: Recipe, config: Any) -> None:
    """ChrysalisError where a part is longer than the model's positions."""
    positions = getattr(config, "max_position_embeddings", None)
    longest: Any = frame["seq_lengths"].list.max().max()
    if positions is not None and min(longest, recipe.max_length or longest) > positions:
        raise ChrysalisError(
            f"{name}: a document has {longest:,} tokens, the model takes {positions:,} at most: cut it with "
            f"--max-length {positions}"
        )


@contextlib.contextmanager
def _reproducible(seed: int, device: str) -> Iterator[None]:
    """Random numbers from `seed`, and algorithms that give the same sums each time, where there are some."""
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=device == "cuda")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def carry_out(
    root: Path,
    recipe: Recipe,
    lineage: Lineage,
    sequences: pl.DataFrame,
    held_out: pl.DataFrame,
    model_folder: Path,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    tell: Tell = lambda _: None,
    resume: str | None = None,
) -> Record:
    """Train in a new folder of the lake at `root`, or go on with the killed or failed run `resume`; archive what comes
    of it.

    Errors of the training itself are in the record (status failed) and its error.txt, not raised. Interrupted, the run
    is archived as killed and the interrupt goes on. ChrysalisError when `resume` cannot be resumed.
    """
    environment, device = _environment(), _device_name(recipe)
    if resume is None:
        started = now()
        told = {
            "recipe": recipe.model_dump(mode="json"),
            "lineage": lineage.model_dump(mode="json"),
            "at": started.isoformat(),
        }
        record = Record(
            run_id=hashlib.sha256(canonical(told)).hexdigest()[:16],
            status="running",
            recipe=recipe,
            lineage=lineage,
            environment=environment,
            device=device,
            started_at=started,
        )
        # A folder is there with its record or not at all: killed in between, it would look like a damaged one.
        folder = folder_of(root, record.run_id)
        draft = folder.with_name(f".{folder.name}")
        draft.mkdir(parents=True)
        _write(draft, record)
        draft.rename(folder)
    else:
        record = find(root, resume)
        _may_go_on(record, recipe, lineage)
        record = record.model_copy(
            update={
                "status": "running",
                "environment": environment,
                "device": device,
                "resumed_at": (*record.resumed_at, now()),
                "finished_at": None,
                "error": None,
            }
        )
    folder = folder_of(root, record.run_id)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=2)  # longer than a look at the archive holds it
    except Timeout:
        raise ChrysalisError(f"run {record.run_id}: it is running in another process") from None
    with lock:
        _write(folder, record)
        return _archived(folder, record, sequences, held_out, model_folder, now, tell)


def _archived(
    folder: Path,
    record: Record,
    sequences: pl.DataFrame,
    held_out: pl.DataFrame,
    model_folder: Path,
    now: Callable[[], datetime],
    tell: Tell,
) -> Record:
    """Train, with all that is known on disk at any time; the record at the end."""
    loss_before = record.loss_before

    def note(event: Begun | Step) -> None:
        nonlocal loss_before
        if isinstance(event, Begun):
            loss_before = event.loss_before
            _write(folder, record.model_copy(update={"loss_before": loss_before}))
            kept = [",".join(HEADINGS), *(",".join(row) for row in _losses(folder)[: event.steps])]
            write_whole(folder / LOSSES, "".join(f"{line}\n" for line in kept).encode())
        else:
            cells = (event.step, event.loss, event.learning_rate, event.gradient_norm, event.tokens)
            with (folder / LOSSES).open("a", encoding="utf-8") as stream:
                stream.write(",".join("" if cell is None else repr(cell) for cell in cells) + "\n")
        tell(event)

    (folder / ERROR).unlink(missing_ok=True)
    try:
        base = (record.lineage.model_id, record.lineage.model_revision)
        outcome = train(sequences, held_out, model_folder, record.recipe, folder, note, base)
    except BaseException as error:
        known = {"loss_before": loss_before, "finished_at": now()}
        write_whole(folder / ERROR, traceback.format_exc().encode("utf-8", "backslashreplace"))
        failed = isinstance(error, Exception)
        told = (str(error) or type(error).__name__) if failed else f"interrupted ({type(error).__name__})"
        ended = _ended(folder, record, status="failed" if failed else "killed", error=told, **known)
        if not failed:
            raise
        return ended
    return _ended(
        folder,
        record,
        status="succeeded" if outcome.loss_after < outcome.loss_before else "worse",
        loss_before=outcome.loss_before,
        loss_after=outcome.loss_after,
        adapter_sha256=outcome.adapter_sha256,
        finished_at=now(),
    )


def folder_of(root: Path, run_id: str) -> Path:
    """Where a run of the lake at `root` is kept."""
    return root / FOLDER / run_id


def runs(root: Path) -> list[Record]:
    """All runs of the lake at `root` in order of time. One whose process is gone without a word is archived as killed,
    here and on disk. ChrysalisError names a run.json that is damaged.
    """
    if not (root / FOLDER).is_dir():
        return []
    found = [read(folder) for folder in sorted((root / FOLDER).iterdir()) if folder.is_dir() and folder.name[0] != "."]
    return sorted(
        (_settled(folder_of(root, each.run_id), each) for each in found),
        key=lambda each: (each.started_at, each.run_id),
    )


def wrong_runs(root: Path) -> Iterator[str]:
    """One line for each run of the lake at `root` whose record or adapter is not what it was."""
    for folder in sorted((root / FOLDER).glob("[!.]*/")):
        try:
            record = read(folder)
            weights = folder / ADAPTER / WEIGHTS
            found = file_sha256(weights) if record.adapter_sha256 else None
        except ChrysalisError as error:
            yield str(error)
        except OSError as error:
            yield f"{error.filename}: {error.strerror}: the archive of this run is damaged"
        else:
            if found != record.adapter_sha256:
                yield f"{weights}: sha256 {found}, on record is {record.adapter_sha256}"


def find(root: Path, given: str) -> Record:
    """The run whose id begins with `given`. UnknownRun when there is none, or more than one."""
    found = [each for each in runs(root) if given and each.run_id.startswith(given)]
    if len(found) != 1:
        why = f"{len(found)} runs begin so" if found else "there is no such run"
        raise UnknownRun(f"run {given!r}: {why}: `coevo chrysalis list` names them")
    return found[0]


def rows(root: Path) -> list[dict[str, Any]]:
    """The table corpora.chrysalides: one row a run that has ended, in order of time."""
    return [
        {
            "run_id": each.run_id,
            "blueprint": each.lineage.blueprint,
            "status": each.status,
            "model_id": each.lineage.model_id,
            "model_revision": each.lineage.model_revision,
            "model_files_sha256": each.lineage.model_files_sha256,
            "contract_hash": each.lineage.contract_hash,
            "release_digest": each.lineage.release_digest,
            "genome_root": each.lineage.genome_root,
            "recipe": canonical(each.recipe.model_dump(mode="json")).decode(),
            "device": each.device,
            "steps": each.steps,
            "tokens": each.tokens,
            "loss_before": each.loss_before,
            "loss_after": each.loss_after,
            "started_at": each.started_at,
            "finished_at": each.finished_at,
            "error": each.error,
            "adapter_sha256": each.adapter_sha256,
        }
        for each in runs(root)
        if each.status != "running"
    ]


def read(folder: Path) -> Record:
    """What is on record in a run's folder. ChrysalisError names a file that is missing or damaged."""
    path = folder / RECORD
    try:
        record = Record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ChrysalisError(f"{path}: {error.strerror}: the archive of this run is damaged") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ChrysalisError(f"{path}: damaged: {f'{where}: ' if where else ''}{first['msg']}") from error
    if record.run_id != folder.name:
        raise ChrysalisError(f"{path}: is of run {record.run_id!r}, the folder is called {folder.name!r}")
    return record


def losses(folder: Path) -> list[dict[str, float | None]]:
    """The curve of a run: step, loss (null where no token counted), learning_rate, gradient_norm, tokens."""
    return [
        {name: float(cell) if cell else None for name, cell in zip(HEADINGS, row, strict=True)}
        for row in _losses(folder)
    ]


def _settled(folder: Path, record: Record) -> Record:
    if record.status != "running":
        return record
    try:
        with FileLock(folder / LOCK, timeout=0):
            record = read(folder)  # it may have ended just now
            if record.status != "running":
                return record
            return _ended(folder, record, status="killed", error="its process ended without a word")
    except Timeout:
        return record


def _may_go_on(record: Record, recipe: Recipe, lineage: Lineage) -> None:
    if record.status not in {"killed", "failed"}:
        raise ChrysalisError(f"run {record.run_id}: it has {record.status}: only killed and failed runs can go on")
    for name, own, given in (("setting", record.recipe, recipe), ("lineage", record.lineage, lineage)):
        for field, value in own:
            if value != getattr(given, field):
                raise ChrysalisError(
                    f"run {record.run_id}: {name} {field} was {value!r} and is {getattr(given, field)!r} now: it would "
                    "be another run; start a new one"
                )


def _ended(folder: Path, record: Record, **known: Any) -> Record:
    """The record with what its curve says, on disk."""
    curve = losses(folder)
    last = curve[-1] if curve else {}
    path = folder / LOSSES
    ended = record.model_copy(
        update={
            "steps": int(last.get("step") or 0),
            "tokens": int(last.get("tokens") or 0),
            "losses_sha256": file_sha256(path) if path.exists() else None,
            **known,
        }
    )
    _write(folder, ended)
    return ended


def _write(folder: Path, record: Record) -> None:
    write_whole(folder / RECORD, canonical(record.model_dump(mode="json")) + b"\n")


def _losses(folder: Path) -> list[list[str]]:
    """Rows of the curve as text; a last line that a killed process cut off is not one."""
    try:
        text = (folder / LOSSES).read_text("utf-8")
    except FileNotFoundError:
        return []
    return [row for row in csv.reader(io.StringIO(text[: text.rfind("\n") + 1])) if row][1:]


def _environment() -> dict[str, str]:
    import torch

    told = {name: version(name) for name in NEEDED}
    return told | {"coevo_pipelines": code_version(), "threads": str(torch.get_num_threads())}


def _device_name(recipe: Recipe) -> str:
    """`cpu`, or what the GPU calls itself."""
    import torch

    name: str = torch.cuda.get_device_name() if device_of(recipe.device) == "cuda" else "cpu"
    return name
