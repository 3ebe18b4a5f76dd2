"""Continued training: what is minimized and measured, that it helps, that it repeats, and the archive of runs."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.training import chrysalis
from coevo_pipelines.corpora.training.chrysalis import Begun, ChrysalisError, Lineage, Part, Recipe, Record, UnknownRun
from coevo_pipelines.lake import schemas

TEXT = b"the swarm finds the shortest way to the food and back. " * 3
SCHEMA = {"input_ids": pl.List(pl.Int32), "loss_mask": pl.List(pl.Boolean), "seq_lengths": pl.List(pl.Int32)}
LINEAGE = Lineage(
    blueprint="tiny",
    release_digest="1" * 64,
    contract_hash="2" * 64,
    genome_root=None,
    model_id="someone/tiny",
    model_revision="main",
    model_files_sha256="3" * 64,
)
RECIPE = Recipe(steps=12, batch=4, learning_rate=1e-2, rank=4, dropout=0.1, checkpoint_every=5, device="cpu")
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def frame(*rows: tuple[list[int], list[bool] | None, list[int]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def texts(numbers: range) -> pl.DataFrame:
    """Sequences of 64 tokens, one a byte, in two parts."""
    return frame(*((list(TEXT[number : number + 64]), None, [40, 24]) for number in numbers))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model of two layers that has learned nothing, with one token a byte."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make train")
    pytest.importorskip("peft", reason="PEFT is not installed: make train")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: make train")
    folder = tmp_path_factory.mktemp("model")
    torch.set_num_threads(1)  # on two busy cores two threads took ten times as long for so small a model
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=256, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=128, tie_word_embeddings=False,
        initializer_range=0.3,
    )  # fmt: skip
    transformers.utils.logging.disable_progress_bar()
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def run(root: Path, model: Path, recipe: Recipe = RECIPE, **more: Any) -> Record:
    ticks = count()
    chosen: dict[str, Any] = {"sequences": texts(range(16)), "held_out": texts(range(20, 24))}
    chosen |= {"now": lambda: later(next(ticks))} | more
    return chrysalis.carry_out(root, recipe, LINEAGE, model_folder=model, **chosen)


def later(seconds: int) -> datetime:
    return START.replace(second=seconds)


@pytest.fixture(scope="module")
def done(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A run, and the folder of runs."""
    root = tmp_path_factory.mktemp("runs")
    return root, run(root, model)


# What is trained on


def test_parts_by_their_lengths_cut_and_masked() -> None:
    sequences = frame(([5, 6, 7, 8, 9], None, [3, 2]), ([1, 2, 3, 4], [True, False, True, False], [4]))
    found = [(part.tokens.tolist(), part.count) for part in chrysalis.parts_of(sequences)]
    assert found == [([5, 6, 7], 2), ([8, 9], 1), ([1, 2, 3, 4], 1)]
    cut = [(part.tokens.tolist(), part.count) for part in chrysalis.parts_of(sequences, 2)]
    # Nothing comes before a cut's first token, so it is not predicted: [7] and [3, 4] have nothing to learn from.
    assert cut == [([5, 6], 1), ([8, 9], 1)]


@given(st.lists(st.integers(2, 30), max_size=20), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_groups_hold_every_part_once_and_no_more_than_they_may(lengths: list[int], at_once: int) -> None:
    parts = [Part(np.full(length, number), np.ones(length, bool)) for number, length in enumerate(lengths)]
    groups = list(chrysalis.grouped(parts, at_once))
    assert sorted(int(part.tokens[0]) for group in groups for part in group) == list(range(len(parts)))
    for group in groups:
        longest = len(group[-1].tokens)
        assert longest == max(len(part.tokens) for part in group)
        assert len(group) == 1 or len(group) * longest <= at_once


@pytest.mark.parametrize(
    ("sequences", "said"),
    [
        (frame(([1, 2], None, [2]), ([], None, [])), "train: sequence 1: has no tokens"),
        (frame(([1, 2, 3], None, [2])), "train: sequence 0: seq_lengths do not add up"),
        (frame(([1, 2, 3], None, [3, 0])), "train: sequence 0: seq_lengths do not add up"),
        (frame(([1, 2], [True], [2])), "train: sequence 0: loss_mask is not as long"),
        (frame(([1, 256], None, [2])), "train: sequence 0: a token id is not in the model's vocabulary of 256"),
        (frame(([-1, 2], None, [2])), "train: sequence 0: a token id is below 0"),
        (frame(([1, 2], [True, False], [2]), ([1, 2], None, [1, 1])), "train: no token to predict"),
        (texts(range(0)), "train: no token to predict"),
        (texts(range(2)).drop("loss_mask"), "train: no column 'loss_mask'"),
    ],
)
def test_sequences_that_cannot_be_learned_from(sequences: pl.DataFrame, said: str) -> None:
    with pytest.raises(ChrysalisError, match=said):
        chrysalis.check(sequences, "train", 256)


def test_a_release_is_read_in_order_and_needs_validation(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sequences"
    folder.mkdir(parents=True)
    placed = texts(range(4)).with_columns(place=pl.Series([3, 1, 2, 0], dtype=pl.Int64), split=pl.lit("train"))
    for number in range(2):
        placed.slice(2 * number, 2).write_parquet(folder / f"train-0000{number}-of-00002.parquet")
    assert chrysalis.sequences_of(tmp_path, "train").equals(texts(range(4))[[3, 1, 2, 0]])
    with pytest.raises(ChrysalisError, match=r"no sequences for validation: .*split\.validation"):
        chrysalis.sequences_of(tmp_path, "validation")


# What is measured


def test_held_out_loss_is_that_of_each_part_alone(model: Path, done: tuple[Path, Record]) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    root, record = done
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    def known(held_out: pl.DataFrame, trained: Any) -> float:
        """As transformers counts it itself: the mean of one part, whose first token is not predicted."""
        loss, counted = 0.0, 0
        for part in chrysalis.parts_of(held_out):
            ids = torch.from_numpy(part.tokens)[None]
            labels = torch.where(torch.from_numpy(part.counted)[None], ids, -100)
            with torch.no_grad():
                loss += float(trained(input_ids=ids, labels=labels).loss) * part.count
            counted += part.count
        return loss / counted

    held_out = texts(range(20, 24))
    assert record.loss_before == pytest.approx(known(held_out, base), rel=1e-5)
    # The adapter in the archive is the one that was measured.
    adapted = PeftModel.from_pretrained(base, chrysalis.folder_of(root, record.run_id) / "adapter").eval()
    assert record.loss_after == pytest.approx(known(held_out, adapted), rel=1e-5)
    assert adapted.peft_config["default"].base_model_name_or_path == "someone/tiny"
    masked = frame(
        (list(TEXT[:50]), [number % 3 == 0 for number in range(50)], [7, 30, 13]),
        (list(TEXT[:9]), None, [9]),
    )
    for at_once in (1, 40, 4096):
        recipe = Recipe(at_once=at_once)
        assert chrysalis.mean_loss(adapted, masked, recipe) == pytest.approx(known(masked, adapted), rel=1e-5)


def test_the_loss_falls_and_the_run_is_on_record(done: tuple[Path, Record]) -> None:
    root, record = done
    assert record.status == "succeeded"
    assert record.loss_before is not None
    assert record.loss_after is not None
    assert record.loss_after < record.loss_before - 1
    # Each step sees 4 sequences of 40 + 24 tokens, whose first ones are not predicted.
    assert (record.steps, record.tokens) == (12, 12 * 4 * (39 + 23))
    assert (record.started_at, record.finished_at) == (later(0), later(1))
    curve = chrysalis.losses(chrysalis.folder_of(root, record.run_id))
    assert [row["step"] for row in curve] == list(range(1, 13))
    assert curve[-1]["tokens"] == record.tokens
    assert chrysalis.read(chrysalis.folder_of(root, record.run_id)) == record
    kept = {path.name for path in chrysalis.folder_of(root, record.run_id).iterdir()}
    assert kept - {"running"} == {"adapter", "losses.csv", "run.json"}


def test_damage_to_the_archive_is_named(done: tuple[Path, Record], tmp_path: Path) -> None:
    root, record = done
    assert list(chrysalis.wrong_runs(root)) == []
    shutil.copytree(root, tmp_path / "lake")
    folder = chrysalis.folder_of(tmp_path / "lake", record.run_id)
    weights = folder / "adapter" / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (line,) = chrysalis.wrong_runs(tmp_path / "lake")
    assert str(weights) in line and str(record.adapter_sha256) in line
    weights.unlink()
    (line,) = chrysalis.wrong_runs(tmp_path / "lake")
    assert "No such file" in line
    (folder / "run.json").write_text("{")
    (line,) = chrysalis.wrong_runs(tmp_path / "lake")
    assert "run.json: damaged" in line


def test_rows_fit_the_table(done: tuple[Path, Record]) -> None:
    root, record = done
    table = schemas.table("corpora.chrysalides")
    rows = chrysalis.rows(root)
    assert [list(row) for row in rows] == [[column.name for column in table.columns]]
    found = pl.DataFrame(rows, schema=table.polars_schema()).row(0, named=True)
    assert (found["run_id"], found["status"], found["loss_after"]) == (record.run_id, "succeeded", record.loss_after)
    assert Recipe(**json.loads(found["recipe"])) == RECIPE


# The same again


def test_same_seed_same_numbers(done: tuple[Path, Record], model: Path, tmp_path: Path) -> None:
    root, record = done
    again = run(tmp_path, model)
    assert again == record
    one, other = ((chrysalis.folder_of(folder, record.run_id)) for folder in (root, tmp_path))
    for name in ("run.json", "losses.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    changed = run(tmp_path, model, RECIPE.model_copy(update={"seed": 1, "steps": 2}))
    assert changed.run_id != record.run_id
    assert (
        chrysalis.losses(chrysalis.folder_of(tmp_path, changed.run_id))[1]["loss"] != chrysalis.losses(one)[1]["loss"]
    )


def test_how_much_goes_through_at_once_changes_no_step(model: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"dropout": 0.0, "steps": 3})
    curves = []
    for at_once, checkpointing in ((1, False), (4096, True)):
        settings = {"at_once": at_once, "gradient_checkpointing": checkpointing}
        record = run(tmp_path, model, recipe.model_copy(update=settings))
        curves.append([row["loss"] for row in chrysalis.losses(chrysalis.folder_of(tmp_path, record.run_id))])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


# What goes wrong is kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 1e30}, r"take a smaller --learning-rate than 1e\+30"),
        ({"rank": 2**40}, "not enough memory on cpu in step 1: let less than 4096 tokens through the model at once"),
        ({"target_modules": ("nowhere",)}, "nowhere"),
        ({"max_length": None, "steps": 1}, "a document has 130 tokens, the model takes 128 at most: cut it with"),
    ],
)
def test_a_failed_run_is_kept_with_its_settings(model: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    recipe = RECIPE.model_copy(update={"steps": 4, "max_length": 128} | change)
    long = frame((list(TEXT[:130]), None, [130]))
    record = run(tmp_path, model, recipe, sequences=long)
    assert record.status == "failed"
    assert record.error is not None
    with pytest.raises(ValueError, match=said):
        raise ValueError(record.error)
    assert (record.finished_at, record.loss_after, record.adapter_sha256) == (later(1), None, None)
    assert record.recipe == recipe
    assert "Traceback" in (chrysalis.folder_of(tmp_path, record.run_id) / "error.txt").read_text()
    assert [row["status"] for row in chrysalis.rows(tmp_path)] == ["failed"]
    assert json.loads(chrysalis.rows(tmp_path)[0]["recipe"])["learning_rate"] == recipe.learning_rate


@pytest.mark.usefixtures("model")
def test_a_model_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    record = run(tmp_path / "runs", tmp_path / "empty")
    assert record.status == "failed"
    assert "no causal language model that transformers reads" in (record.error or "")


def test_learning_something_else_is_worse(model: Path, tmp_path: Path) -> None:
    other = frame(*(([7, 8] * 32, None, [64]) for _ in range(4)))
    record = run(tmp_path, model, RECIPE.model_copy(update={"learning_rate": 0.05}), sequences=other)
    assert record.status == "worse"
    assert record.loss_after is not None
    assert record.loss_before is not None
    assert record.loss_after > record.loss_before
    assert (chrysalis.folder_of(tmp_path, record.run_id) / "adapter" / "adapter_model.safetensors").exists()


def test_an_interrupted_run_goes_on_to_the_same_end(done: tuple[Path, Record], model: Path, tmp_path: Path) -> None:
    seen = []

    def stop(event: Begun | chrysalis.Step) -> None:
        seen.append([each.status for each in chrysalis.runs(tmp_path)])
        assert chrysalis.rows(tmp_path) == []  # it has not ended
        if isinstance(event, chrysalis.Step) and event.step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, model, tell=stop)
    assert seen == [["running"]] * 9
    (record,) = chrysalis.runs(tmp_path)
    assert (record.status, record.steps, record.error) == ("killed", 8, "interrupted (KeyboardInterrupt)")
    with pytest.raises(ChrysalisError, match=r"setting seed was 0 and is 1 now"):
        run(tmp_path, model, RECIPE.model_copy(update={"seed": 1}), resume=record.run_id)
    events: list[Any] = []
    ended = run(tmp_path, model, resume=record.run_id[:6], tell=events.append)
    assert isinstance(events[0], Begun)
    assert events[0].steps == 5  # the checkpoint
    root, whole = done
    assert ended.model_copy(update={"resumed_at": ()}) == whole.model_copy(update={"finished_at": later(1)})
    assert (chrysalis.folder_of(tmp_path, ended.run_id) / "losses.csv").read_bytes() == (
        chrysalis.folder_of(root, whole.run_id) / "losses.csv"
    ).read_bytes()
    with pytest.raises(ChrysalisError, match="only killed and failed runs can go on"):
        run(tmp_path, model, resume=record.run_id)


# The archive, without PyTorch


def put(root: Path, run_id: str, **fields: Any) -> Path:
    record = Record(
        run_id=run_id, status="failed", recipe=RECIPE, lineage=LINEAGE, environment={}, device="cpu", started_at=START
    ).model_copy(update=fields)
    folder = chrysalis.folder_of(root, run_id)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(record.model_dump_json())
    return folder


def test_runs_in_order_of_time_and_by_the_start_of_their_id(tmp_path: Path) -> None:
    put(tmp_path, "aa11", started_at=later(2))
    put(tmp_path, "aa22", started_at=later(1))
    chrysalis.folder_of(tmp_path, ".bb33").mkdir()  # a writer was killed before its run was there
    assert [each.run_id for each in chrysalis.runs(tmp_path)] == ["aa22", "aa11"]
    assert chrysalis.find(tmp_path, "aa1").run_id == "aa11"
    for start, said in (("aa", "2 runs begin so"), ("b", "there is no such run"), ("", "there is no such run")):
        with pytest.raises(UnknownRun, match=said):
            chrysalis.find(tmp_path, start)
    assert chrysalis.runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "Invalid JSON"),
        (lambda text: text.replace('"failed"', '"fine"'), "status"),
        (lambda text: text.replace('"steps":0', '"steps":"many"'), "steps"),
        (lambda text: text.replace('"rank":4', '"rank":0'), r"recipe\.rank"),
        (lambda text: text.replace('"environment":{},', ""), "environment: Field required"),
        (lambda text: text.replace("aa11", "bb22"), "the folder is called 'aa11'"),
        (lambda _: None, "No such file"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, damage: Any, said: str) -> None:
    path = put(tmp_path, "aa11") / "run.json"
    text = damage(path.read_text())
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ChrysalisError, match=rf"aa11.run\.json: .*{said}"):
        chrysalis.rows(tmp_path)


def test_a_cut_off_last_line_is_no_step(tmp_path: Path) -> None:
    folder = put(tmp_path, "aa11", status="running")
    (folder / "losses.csv").write_text(
        "step,loss,learning_rate,gradient_norm,tokens\n1,2.5,0.1,1.0,40\n2,,0.1,0.0,40\n3,1"
    )
    assert [row["loss"] for row in chrysalis.losses(folder)] == [2.5, None]
    with FileLock(folder / "running"):
        assert chrysalis.runs(tmp_path)[0].status == "running"
    (record,) = chrysalis.runs(tmp_path)
    assert (record.status, record.steps, record.tokens) == ("killed", 2, 40)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"learning_rate": float("nan")}, {"learning_rate": 0}, {"warmup": 1}, {"schedul": "cosine"}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)
