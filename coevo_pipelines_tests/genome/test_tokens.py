"""Tokens by a tokenizer made here, and pieces beside the pre-tokenizer whose pattern they follow."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome import tokens
from coevo_pipelines.genome.tokens import TokenizerError, count, name_of

TEXTS = [
    "hello world", "hello hello worlds", "", None, "\U0001f642\U0001f469\u200d\U0001f467", "<|im_start|>user\n",
    "a\r\n\r\n  b\t\t(c)", "\0\x01\x7f", "漢字とかな", "e\u0301", "   1234", "x" * 10_000,
]  # fmt: skip

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""`pre_tokenizer` of Qwen3's tokenizer.json, of the SHA-256
aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4."""


def splitter() -> Any:
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(QWEN), "isolated")
    return tokenizers.pre_tokenizers.Sequence([split, tokenizers.pre_tokenizers.ByteLevel(False, use_regex=False)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE that knows `hello`, ` world` and one control token, and has what shipped ones have too: it cuts
    texts off, and fills them up, to 16 tokens."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = splitter()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|im_start|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["hello world hello world hello world"] * 4, trainer)
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        "<|im_start|> $A", special_tokens=[("<|im_start|>", 0)]
    )
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_tokens_of_each_text(made: Path) -> None:
    counted = count(pl.Series("text", TEXTS), made)
    assert counted.dtype == pl.Int64
    assert counted.null_count() == 1
    by_text = dict(zip(TEXTS, counted, strict=True))
    assert by_text["hello world"] == 2
    assert by_text["hello hello worlds"] == 4  # "hello", " hello", " world", "s"
    assert by_text[""] == 0
    assert by_text[None] is None
    assert by_text["x" * 10_000] == 10_000  # neither cut off nor filled up
    assert by_text["<|im_start|>user\n"] == 17  # text, byte by byte, and no control token
    for text in ("\0\x01\x7f", "漢字とかな", "e\u0301", "   1234"):
        assert by_text[text] == len(text.encode())


def test_pieces_of_each_text() -> None:
    counted = count(pl.Series("text", TEXTS), None)
    assert counted.dtype == pl.Int64
    assert counted.to_list() == [2, 3, 0, None, 1, 6, 7, 1, 1, 2, 5, 1]


@pytest.mark.parametrize("given", [[], [None], [None, None, ""]])
def test_nothing_to_count(made: Path, given: list[str | None]) -> None:
    texts = pl.Series("text", given, pl.String)
    wanted = [None if text is None else 0 for text in given]
    for tokenizer in (made, None):
        counted = count(texts, tokenizer)
        assert counted.to_list() == wanted
        assert counted.dtype == pl.Int64


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | st.text(max_size=30), max_size=12), size=st.integers(1, 40))
def test_batches_change_no_count(
    made: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str | None], size: int
) -> None:
    monkeypatch.setattr(tokens, "BATCH", size)
    whole = tokenizers.Tokenizer.from_file(str(made))
    whole.no_truncation()
    whole.no_padding()
    whole.encode_special_tokens = True
    wanted = [None if text is None else len(whole.encode(text, add_special_tokens=False)) for text in texts]
    assert count(pl.Series("text", texts, pl.String), made).to_list() == wanted


@settings(max_examples=150)
@given(st.text(max_size=60) | st.text(alphabet=" \t\r\n\u00a0\u3000aA1(.'sſ\u0301漢", max_size=30))
def test_pieces_are_at_most_what_the_pattern_gives(text: str) -> None:
    """Fewer only by spaces that stand alone: at most one for each run of two or more."""
    exact = len(splitter().pre_tokenize_str(text))
    pieces = count(pl.Series([text]), None)[0]
    assert exact - len(re.findall(r"\s{2,}", text)) <= pieces <= exact


def test_names(made: Path, tmp_path: Path) -> None:
    assert name_of(None) == "pieces"
    assert name_of(made) == hashlib.sha256(made.read_bytes()).hexdigest()
    for path in (tmp_path, tmp_path / "absent.json"):
        with pytest.raises(TokenizerError, match=r"genome\.tokenizer: .*: name a tokenizer\.json"):
            name_of(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"no json", b"\xff\xfe", b'{"model": {"type": "BPE"}}', b"[" * 10_000])
def test_a_file_that_is_no_tokenizer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    for place in (path, tmp_path, tmp_path / "absent.json"):
        with pytest.raises(TokenizerError, match=f"{re.escape(str(place))}: no tokenizer.json"):
            count(pl.Series(["a"]), place)
