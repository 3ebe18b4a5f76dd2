"""Where a tokenizer is found, what its file must be, and texts in which nothing is a special token."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tokenizers
from huggingface_hub import constants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora import blueprints
from coevo_pipelines.corpora.blueprints import Blueprint
from coevo_pipelines.corpora.sequences import tokenizer
from coevo_pipelines.corpora.sequences.tokenizer import Loaded, TokenizerError, copy_runs, encode, load, place
from coevo_pipelines.genome import tokens

ALPHABET = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
HE = 256
MARKERS = {"<|end|>": 257, "<|repo_name|>": 258, "<think>": 259}
"""Like Qwen3's: the first is special in the file, the others are not."""
WORDS = {"  ": 260, "swarm": 261}
"""Added too, but vocabulary."""


def saved(folder: Path, *, strip: bool = False, **changes: Any) -> Path:
    """A tokenizer.json of bytes, one merge (`he`) and added tokens."""
    vocabulary = {letter: number for number, letter in enumerate(ALPHABET)} | {"he": HE}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[("h", "e")]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    told = json.loads(made.to_str())
    told["added_tokens"] = [
        {
            "id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": strip,
            "normalized": False, "special": content == "<|end|>",
        }
        for content, number in (MARKERS | WORDS).items()
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(told | changes))
    return path


def letters(text: str) -> list[int]:
    """Ids of a text without merges and added tokens."""
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [ALPHABET.index(letter) for piece, _ in byte_level.pre_tokenize_str(text) for letter in piece]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(saved(tmp_path_factory.mktemp("tiny")))


def texts_of(encoded: tokenizer.Encoded) -> list[list[int]]:
    return [encoded.ids[begin:end].tolist() for begin, end in zip(encoded.starts, encoded.starts[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("he", [HE]),
        ("xhe", [*letters("x"), HE]),
        ("é漢\0", letters("é漢\0")),
        # Vocabulary is found, what steers a model is not, whether the file calls it special or not.
        ("swarm", [WORDS["swarm"]]),
        ("a  b", [*letters("a"), WORDS["  "], *letters("b")]),
        ("<|end|>", letters("<|end|>")),
        ("<|repo_name|>a<think>", letters("<|repo_name|>a<think>")),
    ],
)
def test_texts(tiny: Loaded, tmp_path: Path, text: str, ids: list[int]) -> None:
    assert texts_of(encode([pl.Series([text])], tiny, tmp_path)) == [ids]
    assert len(ids) == tokens.count(pl.Series([text]), tiny.path)[0]


def test_what_is_loaded(tiny: Loaded) -> None:
    assert tiny.markers == MARKERS
    assert tiny.sha256 == hashlib.sha256(tiny.path.read_bytes()).hexdigest()
    assert tiny.marker("<think>", "here") == MARKERS["<think>"]
    with pytest.raises(TokenizerError, match=r"here: '<thing>' is no special token of .* \(did you mean <think>\?\)"):
        tiny.marker("<thing>", "here")


def test_truncation_and_padding_are_off(tmp_path: Path) -> None:
    path = saved(tmp_path)
    cutting = tokenizers.Tokenizer.from_file(str(path))
    cutting.enable_truncation(4)
    cutting.enable_padding(length=4)
    cutting.save(str(path))
    assert [len(ids) for ids in texts_of(encode([pl.Series(["abcdefgh", "a"])], load(path), tmp_path))] == [8, 1]


def test_chunks_nulls_and_order(tiny: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "BATCH", 3)
    chunks = [pl.Series(["ab", None, "he"]), pl.Series([], dtype=pl.String), pl.Series(["", "swarm", "x" * 20])]
    encoded = encode(iter(chunks), tiny, tmp_path)
    assert texts_of(encoded) == [letters("ab"), [], [HE], [], [WORDS["swarm"]], letters("x" * 20)]
    assert encoded.lengths.tolist() == [2, 0, 1, 0, 1, 20]
    assert encoded.ids.dtype == np.int32
    assert not list(tmp_path.iterdir())  # nothing stays behind, and the ids can be read nevertheless


@pytest.mark.parametrize("chunks", [[], [pl.Series([], dtype=pl.String)], [pl.Series([None], dtype=pl.String)]])
def test_nothing_to_encode(tiny: Loaded, tmp_path: Path, chunks: list[pl.Series]) -> None:
    encoded = encode(chunks, tiny, tmp_path)
    assert encoded.ids.size == 0
    assert encoded.lengths.tolist() == [0] * sum(len(chunk) for chunk in chunks)


def test_a_full_disk(tiny: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full.open("r+b", buffering=0))
    with pytest.raises(OSError, match=r"No space left|requested and 0 written"):
        encode([pl.Series(["x" * 10_000])], tiny, tmp_path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=8) | st.sampled_from([*MARKERS, *WORDS, "<|", "|>"]), max_size=8))
def test_no_text_steers(tiny: Loaded, tmp_path: Path, parts: list[str]) -> None:
    """And the text comes back whole."""
    text = "".join(parts)
    [ids] = texts_of(encode([pl.Series([text], dtype=pl.String)], tiny, tmp_path))
    assert not set(ids) & set(MARKERS.values())
    assert tiny.tokenizer.decode(ids, skip_special_tokens=False) == text


def test_models_of_whole_words(tmp_path: Path) -> None:
    """Their vocabulary holds the special tokens as words."""
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(vocab={"<unk>": 0, "</s>": 1, "ants": 2, "</": 3}, unk_token="<unk>")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.add_special_tokens(["<unk>", "</s>"])
    words.save(str(tmp_path / "tokenizer.json"))
    loaded = load(tmp_path / "tokenizer.json")
    assert texts_of(encode([pl.Series(["ants </s> bees", "ants"])], loaded, tmp_path)) == [[2, 0, 0, 0], [2]]


def test_without_special_tokens(tmp_path: Path) -> None:
    loaded = load(saved(tmp_path, added_tokens=[]))
    assert not loaded.markers
    assert texts_of(encode([pl.Series(["<|end|>"])], loaded, tmp_path)) == [letters("<|end|>")]


@pytest.mark.parametrize("content", [b"", b"{}", b"no json", b"\xff\xfe", b'{"model": {"type": "BPE"}}', b"[" * 10_000])
def test_a_file_that_is_no_tokenizer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=rf"tokenizer {re.escape(str(path))}: no tokenizer\.json"):
        load(path)


def test_a_file_that_cannot_be_read_or_is_another_one(tiny: Loaded, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="Is a directory"):
        load(tmp_path)
    with pytest.raises(TokenizerError, match="No such file"):
        load(tmp_path / "absent.json")
    assert load(tiny.path, tiny.sha256).sha256 == tiny.sha256
    with pytest.raises(TokenizerError, match=f"its SHA-256 is {tiny.sha256}, not {'0' * 64}"):
        load(tiny.path, "0" * 64)


def blueprint(folder: Path, given: str, extra: str = "") -> Blueprint:
    return blueprints.parse(
        f'tokenizer = "{given}"\ncontext_length = 32\n{extra}\n[model]\nid = "some/model"\nrevision = "v1"\n',
        str(folder / "made.toml"),
        folder,
    )


def test_places(tmp_path: Path) -> None:
    path = saved(tmp_path / "inside")
    other = saved(tmp_path / "other")
    assert place(blueprint(tmp_path, "inside/tokenizer.json"), {}, False) == path
    assert place(blueprint(tmp_path, "inside"), {}, False) == path
    assert place(blueprint(tmp_path, "inside"), {"inside": other}, False) == other
    assert place(blueprint(tmp_path, "some/tokenizer"), {"some/tokenizer": other.parent}, False) == other
    assert place(blueprint(tmp_path, "some/tokenizer"), {"some/model": other}, False) == other


@pytest.mark.parametrize(
    ("given", "known", "message"),
    [
        ("./absent", {}, r"blueprint made: tokenizer: .*absent: no such file: .*corpora\.tokenizers, by './absent'"),
        ("absent.json", {}, "absent.json: no such file"),
        ("empty", {}, "tokenizer.json: no such file"),
        ("a/b", {"a/b": Path("nowhere")}, "corpora.tokenizers: a/b: nowhere: no such file"),
        ("a/b", {}, r"tokenizer: a/b: not on this machine.*: name its tokenizer.json in corpora.tokenizers, by 'a/b'"),
        ("some/model", {}, "tokenizer: some/model at v1: not on this machine"),
        ("no id at all!", {}, "not on this machine"),
    ],
)
def test_places_that_are_none(tmp_path: Path, cache: Path, given: str, known: dict[str, Path], message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TokenizerError, match=message):
        place(blueprint(tmp_path, given), known, False)
    assert not cache.exists()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the Hub's client keeps what it fetched."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(tiny: Loaded, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Hub that has the tokenizer of one model at one revision; what it was asked."""
    asked: list[str] = []
    body = tiny.path.read_bytes()

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            there = self.path == "/some/model/resolve/v1/tokenizer.json"
            self.send_response(200 if there else 404)
            if there:
                self.send_header("ETag", f'"{tiny.sha256}"')
                self.send_header("X-Repo-Commit", "1" * 40)
            else:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(body) if there else 0))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield asked
    server.shutdown()
    server.server_close()


def test_from_the_hub(tmp_path: Path, tiny: Loaded, hub: list[str], cache: Path) -> None:
    found = place(blueprint(tmp_path, "some/model"), {}, True)
    assert found.is_relative_to(cache)
    assert load(found, tiny.sha256).markers == MARKERS
    assert set(hub) == {"/some/model/resolve/v1/tokenizer.json"}
    # What was fetched is here from now on, without asking anybody.
    hub.clear()
    assert place(blueprint(tmp_path, "some/model"), {}, False) == found
    assert not hub
    # The revision is the model's own.
    with pytest.raises(TokenizerError, match=r"tokenizer: some/other: .*404.*: name its tokenizer\.json"):
        place(blueprint(tmp_path, "some/other"), {}, True)
    assert hub == ["/some/other/resolve/main/tokenizer.json"]


def test_runs_are_copied() -> None:
    out = np.zeros(6, np.int32)
    copy_runs(out, np.array([4, 0]), np.array([7, 8, 9], np.int32), np.array([0, 1]), np.array([2, 1]))
    assert out.tolist() == [8, 0, 0, 0, 7, 8]


def test_the_samples_tokenizer(tmp_path: Path) -> None:
    blueprint = blueprints.load("sample")
    loaded = load(place(blueprint, {}, False))
    assert loaded.markers == {"<|end|>": 0, "<|repo|>": 1, "<|file|>": 2}
    assert loaded.tokenizer.get_vocab_size() == 4096
    assert loaded.path.stat().st_size < 200_000
    text = "def pack(documents: pl.DataFrame) -> Packed:\n    return 漢字 🙂<|end|>\n"
    [ids] = texts_of(encode([pl.Series([text])], loaded, tmp_path))
    assert loaded.tokenizer.decode(ids, skip_special_tokens=False) == text
    assert not set(ids) & {0, 1, 2}
    assert len(ids) < 40
    provenance = (loaded.path.parent / "PROVENANCE.md").read_text("utf-8")
    assert loaded.sha256 in provenance
