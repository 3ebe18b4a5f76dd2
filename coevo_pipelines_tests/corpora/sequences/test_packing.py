"""Sequences: by hand on a tokenizer of letters, and a budget that is met to the token whatever comes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora.blueprints import Blueprint, BlueprintError
from coevo_pipelines.corpora.sequences import framing, packing
from coevo_pipelines.corpora.sequences.packing import Packed, Parts, cut, pack, placed
from coevo_pipelines.corpora.sequences.tokenizer import Loaded, encode, load
from coevo_pipelines_tests.corpora.sequences.test_tokenizer import MARKERS, letters, saved

END, START = MARKERS["<|end|>"], MARKERS["<think>"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(saved(tmp_path_factory.mktemp("tiny")))


def blueprint(**fields: Any) -> Blueprint:
    given: dict[str, Any] = {
        "tokenizer": "x",
        "context_length": 16,
        "model": {"id": "a/b"},
        "folder": Path(),
        "name": "made",
    }
    return Blueprint(**given | fields)


Row = Mapping[str, Any]


def packed(tiny: Loaded, folder: Path, made: Blueprint, *rows: Row, preamble: str | None = None) -> Packed:
    """Documents in a row's order, with ids a, b, c, … unless it says others."""
    columns = ("doc_id", "split", "stage", "kind", *framing.FIELDS, "text")
    ranks = [row.get("rank", n) for n, row in enumerate(rows)]
    told = [
        {"doc_id": chr(ord("a") + n), "split": "train", "stage": "all", "kind": "code", **row}
        for n, row in enumerate(rows)
    ]
    frame = pl.DataFrame(told, schema=dict.fromkeys(columns, pl.String)).with_columns(
        rank=pl.Series(ranks, dtype=pl.Int64), row=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    return pack(frame.drop("text"), encode([frame["text"]], tiny, folder), made, tiny, preamble, folder)


def said(tiny: Loaded, result: Packed, split: str = "train") -> list[str]:
    """What the sequences read; a special token is an upper-case letter."""
    short = {END: "E", START: "S", MARKERS["<|repo_name|>"]: "R"}
    return [
        "".join(short.get(number) or tiny.tokenizer.decode([number]) for number in ids)
        for ids in result.sequences.filter(split=split)["input_ids"].to_list()
    ]


def counted(tiny: Loaded, result: Packed) -> list[str]:
    """What of the sequences the loss counts; the rest as dots."""
    return [
        "".join(letter if counts else "." for letter, counts in zip(text, mask, strict=True))
        for text, mask in zip(said(tiny, result), result.sequences.filter(split="train")["loss_mask"], strict=True)
    ]


def test_whole_documents_as_long_as_they_fit(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(
        packing={"start_token": "<think>", "end_token": "<|end|>"},
        preamble={"kind": "system", "system_prompt": "pp", "template": "{preamble}"},
    )
    texts = ["aaaa", "bbbbbbb", "c", "dddddddddddddddd", "ee"]
    result = packed(tiny, tmp_path, made, *({"text": text} for text in texts), preamble="pp")
    assert said(tiny, result) == ["SppaaaaEbbbbbbbE", "SppcE", "Sppddddddddddddd", "SppdddEeeE"]
    assert counted(tiny, result) == ["...aaaaEbbbbbbbE", "...cE", "...ddddddddddddd", "...dddEeeE"]
    assert result.sequences["place"].to_list() == [0, 1, 2, 3]
    assert result.sequences["documents"].to_list() == [["a", "b"], ["c"], ["d"], ["d", "e"]]
    assert result.sequences["seq_lengths"].to_list() == [[8, 8], [5], [16], [7, 3]]
    assert result.uses.rows() == [
        ("a", 5, 5, 1, False), ("b", 8, 8, 1, False), ("c", 2, 2, 1, False), ("d", 17, 17, 1, False),
        ("e", 3, 3, 1, False),
    ]  # fmt: skip
    assert result.stages.rows() == [("all", None, 47)]
    assert result.shortfall == 0
    assert result.sequences.schema == {
        "place": pl.Int64, "split": pl.String, "stage": pl.String, "input_ids": pl.List(pl.Int32),
        "loss_mask": pl.List(pl.Boolean), "seq_lengths": pl.List(pl.Int32), "documents": pl.List(pl.String),
    }  # fmt: skip


def test_documents_that_cross(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(packing={"start_token": "<think>", "end_token": "<|end|>", "crossing": True})
    result = packed(tiny, tmp_path, made, *({"text": text} for text in ("a" * 9, "b" * 9, "c" * 14, "d")))
    assert said(tiny, result) == ["SaaaaaaaaaEbbbbb", "SbbbbEcccccccccc", "SccccEdE"]
    assert result.sequences["documents"].to_list() == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert result.sequences["seq_lengths"].to_list() == [[11, 5], [6, 10], [6, 2]]
    assert result.uses["cut"].to_list() == [False] * 4


def test_loss_on_texts(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(
        framing={"document": "<|repo_name|>{path}:{text};<|end|>\n", "loss_on": "text"},
        packing={"start_token": "<think>", "end_token": "<|end|>"},
        context_length=20,
    )
    result = packed(tiny, tmp_path, made, *({"path": "q", "text": text} for text in ("aa", "bb", "c" * 20)))
    assert said(tiny, result) == ["SRq:aa;E\nERq:bb;E\nE", "SRq:cccccccccccccccc", "Scccc;E\nE"]
    assert counted(tiny, result) == ["....aa;E.....bb;E..", "....cccccccccccccccc", ".cccc;E.."]


def test_loss_on_all(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(framing={"document": "<|repo_name|>{path}:{text};<|end|>\n"}, packing={"start_token": "<think>"})
    result = packed(tiny, tmp_path, made, {"path": "q", "text": "aa"})
    assert counted(tiny, result) == [".Rq:aa;E\n"]


def test_by_rank(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(token_budget=5)
    rows = [{"text": "aaa", "rank": 2}, {"text": "bbb", "rank": 0}, {"text": "ccc", "rank": 1}]
    assert said(tiny, packed(tiny, tmp_path, made, *rows)) == ["bbbcc"]


def test_stages_repeats_and_splits(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(
        stages=[{"name": "one", "weight": 1, "repeats": 2}, {"name": "two", "weight": 3}],
        token_budget=24,
        packing={"end_token": "<|end|>"},
    )
    rows = [
        {"text": "aaaa", "stage": "two"}, {"text": "b", "stage": "one"}, {"text": "cc", "stage": "one"},
        {"text": "d" * 20, "stage": "two"}, {"text": "e" * 20, "stage": "two", "split": "validation"},
        {"text": "f", "stage": "one", "split": "validation"}, {"text": "g", "stage": "two", "split": "test"},
    ]  # fmt: skip
    result = packed(tiny, tmp_path, made, *rows)
    # The first stage has 10 tokens and gets a quarter of 24; what does not fit opens the next sequence.
    assert said(tiny, result) == ["bEccEb", "aaaaE", "d" * 13]
    assert result.stages.rows() == [("one", 6, 6), ("two", 18, 18)]
    assert said(tiny, result, "validation") == ["fE", "e" * 16, "eeeeE"]
    assert said(tiny, result, "test") == ["gE"]
    assert result.sequences["stage"].to_list() == ["one", "two", "two", "one", "two", "two", "two"]
    assert result.sequences["split"].to_list() == ["train"] * 3 + ["validation"] * 3 + ["test"]
    assert result.uses.rows() == [
        ("a", 5, 5, 1, False), ("b", 2, 3, 2, True), ("c", 3, 3, 1, False), ("d", 21, 13, 1, True),
        ("e", 21, 21, 1, False), ("f", 2, 2, 1, False), ("g", 2, 2, 1, False),
    ]  # fmt: skip


def test_too_little_material(tiny: Loaded, tmp_path: Path) -> None:
    made = blueprint(
        stages=[{"name": "one", "repeats": 3}, {"name": "two", "weight": 8}, {"name": "none"}], token_budget=30
    )
    result = packed(tiny, tmp_path, made, {"text": "aaaa", "stage": "one"}, {"text": "bb", "stage": "two"})
    assert said(tiny, result) == ["aaaaaaaaaaaa", "bb"]
    assert result.shortfall == 16
    assert result.stages.rows() == [("one", 3, 12), ("two", 24, 2), ("none", 3, 0)]
    nothing = packed(tiny, tmp_path, made)
    assert (nothing.sequences.height, nothing.shortfall, nothing.uses.height) == (0, 30, 0)
    assert nothing.sequences.schema == result.sequences.schema
    empty = packed(tiny, tmp_path, made, {"text": "", "stage": "one"}, {"text": None, "stage": "two"})
    assert empty.uses.rows() == [("a", 0, 0, 0, False), ("b", 0, 0, 0, False)]


@pytest.mark.parametrize(
    ("fields", "preamble", "message"),
    [
        (
            {"preamble": {"kind": "contract", "template": "{preamble}"}},
            "p" * 8,
            "context_length: start token and preamble take 8 of the 16 tokens.*context_length be 17 or more",
        ),
        (
            {"preamble": {"kind": "contract", "template": "{preamble}"}, "token_budget": 7},
            "p" * 7,
            "token_budget: 7 tokens hold no text: .* take 7",
        ),
        (
            {"preamble": {"kind": "contract", "template": "{preamble}"}},
            None,
            "preamble: there is no text of the kind contract",
        ),
    ],
)
def test_what_cannot_be_packed(
    tiny: Loaded, tmp_path: Path, fields: dict[str, Any], preamble: str | None, message: str
) -> None:
    with pytest.raises(BlueprintError, match=f"blueprint made: {message}"):
        packed(tiny, tmp_path, blueprint(**fields), {"text": "a"}, preamble=preamble)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"stage": "other"}], "no stage of blueprint made is called 'other'"),
        ([{"stage": None}], "no stage of blueprint made is called 'None'"),
        ([{"split": "dev"}], "no split of blueprint made is called 'dev'"),
        ([{"doc_id": "x"}, {"doc_id": "x"}], "'x' is there twice"),
    ],
)
def test_documents_that_cannot_be(tiny: Loaded, tmp_path: Path, rows: list[Row], message: str) -> None:
    with pytest.raises(ValueError, match=f"documents: {message}"):
        packed(tiny, tmp_path, blueprint(), *({"text": "a", **row} for row in rows))


@pytest.mark.parametrize(
    ("tokens", "wanted"),
    [
        # Documents of 10, 8 and 30 tokens, what opens a sequence is 7, room for text is 16.
        (0, []),
        (8, [[1]]),
        (17, [[10]]),
        # Not enough to open another sequence, but there is room in this one.
        (20, [[10, 3]]),
        (23, [[10, 6]]),
        # Nor that: the sequence is filled up, gives what is missing, and is halved.
        (24, [[5], [5]]),
        (25, [[10], [1]]),
        (32, [[10], [8]]),
        (39, [[10], [8, 7]]),
        (40, [[10], [8], [1]]),
        (41, [[10], [8], [2]]),
        (55, [[10], [8], [16]]),
        # The third document's second piece.
        (56, [[10], [8], [5], [5]]),
        (62, [[10], [8], [8], [8]]),
        (63, [[10], [8], [16], [1]]),
        (76, [[10], [8], [16], [14]]),
    ],
)
def test_cuts_by_hand(tokens: int, wanted: list[list[int]]) -> None:
    whole = placed(np.array([10, 8, 30]), np.arange(3), 1, None, 16, False)
    kept = cut(whole, tokens, 7, 16)
    found: list[list[int]] = [[] for _ in range(kept.sequence.max(initial=-1) + 1)]
    for sequence, length in zip(kept.sequence, kept.length, strict=True):
        found[sequence].append(int(length))
    assert found == wanted


def tokens_of(parts: Parts) -> list[tuple[int, int]]:
    """(document, number of the token in it) of each token, in order."""
    return [
        (document, token)
        for document, begin, length in zip(parts.document, parts.begin, parts.length, strict=True)
        for token in range(begin, begin + length)
    ]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_number_of_tokens_can_be_had(data: st.DataObject) -> None:
    """Exactly, from the first token of the first sequence to the last of all."""
    opening = data.draw(st.integers(0, 9))
    room = data.draw(st.integers(opening + 1, 24))
    lengths = np.array(data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=8)), np.int64)
    repeats, crossing = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    order = np.array(data.draw(st.permutations(range(lengths.size))), np.int64)
    stream = [(d, t) for _ in range(repeats) for d in order.tolist() for t in range(lengths[d])]
    whole = placed(lengths, order, repeats, None, room, crossing)
    assert tokens_of(whole) == stream
    size = int(whole.ends(opening)[-1]) if stream else 0
    wanted = data.draw(st.just(0) | st.integers(min(opening + 1, size), size))
    # As many documents as have that many tokens suffice.
    enough = placed(lengths, order, repeats, max(wanted, 1), room, crossing)
    kept = cut(enough, wanted, opening, room)
    sequences, bodies = np.unique(kept.sequence, return_counts=False), np.bincount(kept.sequence, kept.length)
    assert sequences.tolist() == list(range(sequences.size))
    assert kept.length.sum() + opening * sequences.size == wanted
    assert (kept.length > 0).all()
    assert all(0 < body <= room for body in bodies)
    found = tokens_of(kept)
    assert found == stream[: len(found)]
    if not crossing:
        # Whole, but for what is longer than a sequence and the last one.
        for n, (document, begin, length) in enumerate(zip(kept.document, kept.begin, kept.length, strict=True)):
            if lengths[document] <= room and n < kept.length.size - 2:
                assert (begin, length) == (0, lengths[document])
    if kept.length.size and wanted < size:
        # No sequence more than needed, but the one that makes the number come out.
        assert sequences.size <= np.unique(whole.sequence).size


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_budget_is_met(tiny: Loaded, tmp_path: Path, data: st.DataObject) -> None:
    stages = [
        {"name": f"s{n}", "weight": data.draw(st.sampled_from([0.1, 1, 7.5])), "repeats": data.draw(st.integers(1, 3))}
        for n in range(data.draw(st.integers(1, 3)))
    ]
    made = blueprint(
        stages=stages,
        token_budget=data.draw(st.integers(8, 120)),
        preamble={"kind": "contract", "template": "{preamble}"},
        packing={"crossing": data.draw(st.booleans()), "end_token": data.draw(st.sampled_from([None, "<|end|>"]))},
        framing={"loss_on": data.draw(st.sampled_from(["all", "text"]))},
    )
    row = st.fixed_dictionaries(
        {
            "text": st.integers(0, 30).map("x".__mul__),
            "stage": st.sampled_from([stage["name"] for stage in stages]),
            "split": st.sampled_from(["train", "train", "train", "test"]),
        }
    )
    rows = data.draw(st.lists(row, max_size=8))
    preamble = "p" * data.draw(st.integers(0, 7))
    result = packed(tiny, tmp_path, made, *rows, preamble=preamble)
    assert made.token_budget is not None
    lengths = result.sequences.with_columns(tokens=pl.col("input_ids").list.len())
    train = lengths.filter(split="train")
    assert train["tokens"].sum() == made.token_budget - result.shortfall == result.stages["used"].sum()
    assert (lengths["tokens"] <= 16).all()
    assert lengths["tokens"].to_list() == lengths["seq_lengths"].list.sum().to_list()
    assert all(ids[: len(preamble)] == letters(preamble) for ids in result.sequences["input_ids"].to_list())
    openings = len(preamble) * result.sequences.height
    assert result.uses["used"].sum() + openings == lengths["tokens"].sum()
    assert result.sequences["loss_mask"].explode().sum() == lengths["tokens"].sum() - openings
    free = packed(tiny, tmp_path, made.model_copy(update={"token_budget": None}), *rows, preamble=preamble)
    everything = free.stages["used"].sum()
    if everything >= made.token_budget and made.token_budget > (len(preamble) + 1) * len(stages):
        assert result.shortfall == 0
    if everything <= made.token_budget and made.token_budget > (len(preamble) + 1) * len(stages):
        assert result.sequences.equals(free.sequences)
    assert free.sequences.filter(split="test")["input_ids"].to_list() == (
        result.sequences.filter(split="test")["input_ids"].to_list()
    )


def test_large_ones_are_written_in_pieces(tiny: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = blueprint(packing={"end_token": "<|end|>"}, framing={"loss_on": "text", "document": "{path}{text}"})
    rows = [{"path": "p", "text": "x" * (n % 9)} for n in range(40)]
    whole = packed(tiny, tmp_path, made, *rows)
    monkeypatch.setattr(packing, "AT_ONCE", 10)
    assert packed(tiny, tmp_path, made, *rows).sequences.equals(whole.sequences)
