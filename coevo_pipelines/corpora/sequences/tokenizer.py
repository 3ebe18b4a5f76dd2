"""A model's own tokenizer: where its file is, and the tokens of many texts.

Texts are never read for special tokens: what is written like one in a document stays text (`genome/tokens.py`).
"""

from __future__ import annotations

import difflib
import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from coevo_pipelines.genome.tokens import TokenizerError, encodings, markers, opened
from coevo_pipelines.influence.kernel import kernel

if TYPE_CHECKING:
    import polars as pl
    from tokenizers import Tokenizer

    from coevo_pipelines.corpora.blueprints import Blueprint

__all__ = ["Encoded", "Loaded", "TokenizerError", "copy_runs", "encode", "load", "mapped", "place"]

FILE = "tokenizer.json"


@dataclass(frozen=True)
class Loaded:
    """A tokenizer and what is known of its file. `tokenizer` is set to read texts (`genome.tokens.opened`)."""

    path: Path
    sha256: str
    tokenizer: Tokenizer
    markers: Mapping[str, int]
    """Ids of the special tokens, by how they are written."""

    def marker(self, written: str, place: str) -> int:
        """The id of a special token. TokenizerError; `place` is what names it."""
        if written in self.markers:
            return self.markers[written]
        close = difflib.get_close_matches(written, self.markers, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise TokenizerError(f"{place}: {written!r} is no special token of {self.path}{hint}")


@dataclass(frozen=True)
class Encoded:
    """Tokens of many texts, one text after the other: text i is ids[starts[i] : starts[i + 1]]."""

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.starts)


def place(blueprint: Blueprint, known: Mapping[str, Path], online: bool) -> Path:
    """The tokenizer.json of a blueprint: what `known` (the setting corpora.tokenizers, by id of tokenizer or model)
    says, else a path from the blueprint's folder, else that of the Hugging Face Hub, of which `online` also may fetch
    what no earlier download has left on this machine. TokenizerError."""
    for name in (blueprint.tokenizer, blueprint.model.id):
        if name in known:
            return _file(known[name], f"corpora.tokenizers: {name}")
    way_out = f"name its tokenizer.json in corpora.tokenizers, by {blueprint.tokenizer!r}"
    local = blueprint.folder / blueprint.tokenizer
    if local.exists() or blueprint.tokenizer.startswith((".", "/")) or blueprint.tokenizer.endswith(".json"):
        return _file(local, f"blueprint {blueprint.name}: tokenizer", way_out)
    return _from_hub(blueprint, online, way_out)


def _file(given: Path, asked_by: str, way_out: str = "name a tokenizer.json or its folder") -> Path:
    found = given / FILE if given.is_dir() else given
    if not found.is_file():
        raise TokenizerError(f"{asked_by}: {found}: no such file: {way_out}")
    return found


def _from_hub(blueprint: Blueprint, online: bool, way_out: str) -> Path:
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    # The revision is the model's: another repository has its own.
    revision = blueprint.model.revision if blueprint.tokenizer == blueprint.model.id else None
    try:
        return Path(hf_hub_download(blueprint.tokenizer, FILE, revision=revision, local_files_only=not online))
    except (OSError, httpx2.HTTPError, EntryNotFoundError, HFValidationError) as error:
        why = str(error).split("\n", 1)[0] if online else "not on this machine, and the lake is offline"
        named = blueprint.tokenizer if revision is None else f"{blueprint.tokenizer} at {revision}"
        raise TokenizerError(f"blueprint {blueprint.name}: tokenizer: {named}: {why}: {way_out}") from error


def load(path: Path, sha256: str | None = None) -> Loaded:
    """Read a tokenizer.json, whose SHA-256 must be `sha256` if that is given. TokenizerError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TokenizerError(f"tokenizer {path}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise TokenizerError(f"tokenizer {path}: its SHA-256 is {found}, not {sha256} as the blueprint says")
    try:
        tokenizer = opened(content)
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(f"tokenizer {path}: no tokenizer.json ({error})") from error
    return Loaded(path, found, tokenizer, markers(tokenizer))


def encode(chunks: Iterable[pl.Series], loaded: Loaded, scratch: Path) -> Encoded:
    """Tokens of the texts in all chunks, in order; a null has none. The ids are in a nameless temporary file in
    `scratch`, mapped into memory, so that neither they nor Python's lists of them need to fit. OSError."""
    lengths: list[int] = []
    with tempfile.TemporaryFile(dir=scratch) as file:
        for batch in chain.from_iterable(encodings(chunk, loaded.tokenizer) for chunk in chunks):
            found = [[] if encoding is None else encoding.ids for encoding in batch]
            lengths += map(len, found)
            np.fromiter(chain.from_iterable(found), np.int32).tofile(file)
        return Encoded(mapped(file), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))


def mapped(file: BinaryIO) -> npt.NDArray[np.int32]:
    """The numbers in a file, which stays as long as they are in use. OSError."""
    file.flush()
    if not file.tell():
        return np.empty(0, np.int32)
    return np.memmap(file, np.int32, mode="r").view(np.ndarray)


@kernel
def copy_runs(
    out: npt.NDArray[np.int32],
    at: npt.NDArray[np.int64],
    ids: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
) -> None:
    """Run n: `length` of the ids from `begin` on go to where `at` says."""
    for n in range(at.size):
        for token in range(length[n]):
            out[at[n] + token] = ids[begin[n] + token]
