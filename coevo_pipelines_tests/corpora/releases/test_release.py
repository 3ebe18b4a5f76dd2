"""Releases as their users meet them: loaded with `datasets`, checked byte by byte, made while something goes wrong."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coevo_pipelines.corpora import blueprints
from coevo_pipelines.corpora.releases import release
from coevo_pipelines.corpora.releases.release import Release, ReleaseError, Written
from coevo_pipelines.genome import merkle
from coevo_pipelines.lake.ledger import canonical

DAY = date(2026, 11, 20)
NASTY = "a|b`c`<script>alert(1)</script>\n# no\u202eheading"
TEXTS = {
    "acme/one:a.py": ("train", "print('hello')\r\n"),
    "acme/one:b.md": ("train", "\0 control, \u2028 separator, \x85, \ud7ff, 日本語 \U0001f41c\n"),
    "acme/two:c.py": ("train", "x" * 3000),
    "arxiv:1712.06567#abstract": ("test", "Deep neuroevolution.\n"),
    f"{NASTY}:d.txt": ("test", ""),
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def document(doc_id: str, split: str, text: str) -> dict[str, Any]:
    trace = doc_id.startswith("arxiv:")
    repo = None if trace else doc_id.rpartition(":")[0]
    return {
        "doc_id": doc_id, "work_id": doc_id.partition("#")[0] if trace else f"github:{repo}", "repo": repo,
        "path": None if trace else doc_id.rpartition(":")[2], "kind": "abstract" if trace else "code",
        "language": None if trace else "Python", "license": "CC-BY-4.0" if trace else "MIT OR Apache-2.0",
        "license_from": "source" if trace else "repository", "influence": 0.25,
        "event_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC) if trace else None, "split": split, "stage": "all",
        "version": None, "title": None, "tokens": len(text), "text_sha256": sha(text), "source_sha256": sha(text + "s"),
        "leaf": None if trace else sha(doc_id), "raw_sha256": sha("raw") if trace else None,
        "replaced": json.dumps({"EMAIL": 2}) if trace else None, "text": text,
    }  # fmt: skip


def sequence(place: int, split: str, documents: list[str], mask: bool) -> dict[str, Any]:
    ids = list(range(place, place + 5))
    return {
        "place": place, "split": split, "stage": "all", "input_ids": ids,
        "loss_mask": [False, True, True, True, False] if mask else None, "seq_lengths": [2, 3], "documents": documents,
    }  # fmt: skip


def made(**changes: Any) -> Release:
    """A small release with hard cases: null columns, no validation split, names and texts that are no plain words."""
    documents = pl.DataFrame([document(key, *rest) for key, rest in reversed(TEXTS.items())], infer_schema_length=None)
    sequences = pl.DataFrame(
        [
            sequence(2, "test", ["arxiv:1712.06567#abstract"], mask=False),
            sequence(1, "train", ["acme/one:b.md", "acme/two:c.py"], mask=True),
            sequence(0, "train", ["acme/one:a.py"], mask=False),
        ],
        infer_schema_length=None,
    )
    works = [
        {
            "work_id": each, "title": f"About {each}", "owner": "acme", "url": f"https://example.org/{each}",
            "license": "MIT", "commit": "c" * 40, "people": ["Ada <b>L</b>", "Grace|H"],
        }
        for each in documents["work_id"].unique().sort()
    ]  # fmt: skip
    parts: dict[str, Any] = {
        "blueprint": blueprints.load("sample"), "world": "sample", "day": DAY, "genome_root": sha("root"),
        "tokenizer_sha256": sha("tokenizer"), "contract": b'{"status":"accepted"}', "integrity": b"{}",
        "contract_hash": sha("contract"), "code_version": "0.1.0", "documents": documents, "sequences": sequences,
        "losses": pl.DataFrame({
            "step": ["license", "near_duplicate", "near_duplicate"], "repo": ["acme/one", "acme/one", NASTY],
            "kind": ["code", "code", "prose"], "documents": [3, 1, 2], "tokens": [30, 10, None],
        }),
        "notices": pl.DataFrame({
            "repo": ["acme/one", "acme/two", "acme/unused"], "path": ["LICENSE", "../../etc/passwd", "LICENSE"],
            "license": ["MIT", None, "MIT"], "text": ["MIT License: one\n", "NOTICE: two\n", "MIT License: unused\n"],
        }),
        "works": pl.DataFrame(works), "numbers": {"natural_languages": {"en": 2}},
    }  # fmt: skip
    return Release(**{**parts, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release whose every row group and shard is small. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "sample" / "date=2026-11-20"
    release.write(folder, made(shard_bytes=350))
    return folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The library, which reads its settings from the environment when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        yield importlib.import_module("datasets")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Loading


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("place", ["", "jsonl"])
def test_documents_load_as_they_were_given(whole: Path, datasets: Any, place: str, streaming: bool) -> None:
    loaded = datasets.load_dataset(str(whole / place), "documents", streaming=streaming)
    assert list(loaded) == ["train", "test"]
    rows = sorted((document(key, *rest) for key, rest in TEXTS.items()), key=lambda row: row["doc_id"].encode())
    for split in loaded:
        assert list(loaded[split]) == [row for row in rows if row["split"] == split]
        assert {name: str(kind.dtype) for name, kind in loaded[split].features.items()} == release.DOCUMENTS


@pytest.mark.parametrize("streaming", [False, True])
def test_sequences_load_in_order_of_training_with_null_masks(whole: Path, datasets: Any, streaming: bool) -> None:
    loaded = datasets.load_dataset(str(whole), "sequences", streaming=streaming)
    assert {split: [row["place"] for row in loaded[split]] for split in loaded} == {"train": [0, 1], "test": [2]}
    first, second = loaded["train"]
    assert first["loss_mask"] is None
    assert second == sequence(1, "train", ["acme/one:b.md", "acme/two:c.py"], mask=True)
    features = loaded["train"].features
    assert {
        name: f"list<{kind.feature.dtype}>" if hasattr(kind, "feature") else kind.dtype
        for name, kind in features.items()
    } == release.SEQUENCES


def test_sequences_are_the_default(whole: Path, datasets: Any) -> None:
    assert datasets.load_dataset(str(whole), split="train").column_names == list(release.SEQUENCES)


def test_the_code_on_the_card_runs(
    whole: Path, datasets: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert datasets
    (code,) = re.findall(r"```python\n(.*?)```", (whole / "README.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(whole)
    exec(code, {})
    assert capsys.readouterr().out == "[0, 1, 2, 3, 4] acme/one:a.py\n"


def test_shards_and_row_groups_hold_what_fits(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(folder: Path) -> dict[str, tuple[int, int]]:
        files = {path.name: pq.read_metadata(path) for path in sorted((folder / "data/documents").iterdir())}
        return {name: (about.num_rows, about.num_row_groups) for name, about in files.items()}

    assert found(whole) == {
        "test-00000-of-00001.parquet": (2, 1),
        "train-00000-of-00002.parquet": (2, 1),  # the second begins in the first 350 bytes, the third does not
        "train-00001-of-00002.parquet": (1, 1),
    }
    monkeypatch.setattr(release, "_GROUP_BYTES", 1)
    release.write(tmp_path / "out", made())
    assert found(tmp_path / "out") == {
        "test-00000-of-00001.parquet": (2, 2),
        "train-00000-of-00001.parquet": (3, 3),
    }
    assert release.verify(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([5], 10, [(0, 1)]),
        ([5, 5, 5], 10, [(0, 2), (2, 1)]),
        ([25, 1, 1], 10, [(0, 1), (1, 2)]),
        ([1, 1, 1], 1, [(0, 1), (1, 1), (2, 1)]),
        ([], 1, []),
    ],
)
def test_runs_begin_within_the_limit(sizes: list[int], limit: int, expected: list[tuple[int, int]]) -> None:
    assert list(release._cuts(pl.Series(sizes, dtype=pl.Int64), limit)) == expected


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_any_text_is_the_same_in_parquet_and_json_lines(texts: list[str]) -> None:
    rows = [document(f"acme/one:{at}", "train", text) | {"title": text} for at, text in enumerate(texts)]
    documents = pl.DataFrame(rows, infer_schema_length=None)
    sequences = pl.DataFrame([sequence(0, "train", [rows[0]["doc_id"]], mask=True)])
    with tempfile.TemporaryDirectory() as folder:
        release.write(Path(folder) / "out", made(documents=documents, sequences=sequences))
        assert release.verify(Path(folder) / "out") == []
        parquet = Path(folder) / "out/data/documents/train-00000-of-00001.parquet"
        lines = (Path(folder) / "out/jsonl/train-00000-of-00001.jsonl").read_bytes().split(b"\n")
        for found in (pq.read_table(parquet).to_pylist(), [json.loads(line) for line in lines[:-1]]):
            assert [(row["title"], row["text"]) for row in found] == [(text, text) for text in texts]


# The digest chain


def test_same_inputs_same_bytes_whatever_their_order(whole: Path, tmp_path: Path) -> None:
    first = made(shard_bytes=350)
    again = replace(first, documents=first.documents.reverse(), works=first.works.reverse())
    written = release.write(tmp_path / "again", again)
    assert tree(tmp_path / "again") == tree(whole)
    assert written.digest == release.digest_of(whole) == sha((whole / "release.json").read_text("utf-8"))


def test_the_record_says_what_the_release_is_made_of(whole: Path) -> None:
    record = json.loads((whole / "release.json").read_bytes())
    assert record["day"] == "2026-11-20" and record["world"] == "sample" and record["genome_root"] == sha("root")
    assert record["blueprint"]["sha256"] == hashlib.sha256(canonical(blueprints.load("sample").told())).hexdigest()
    assert record["blueprint"]["sha256"] == hashlib.sha256((whole / "blueprint.json").read_bytes()).hexdigest()
    assert [each["name"] for each in record["files"]] == sorted(set(tree(whole)) - {"release.json"})
    order = sorted(TEXTS, key=lambda key: ({"train": 0, "test": 1}[TEXTS[key][0]], key.encode()))
    leaves = [document(key, *TEXTS[key]) for key in order]
    hashes = [
        merkle.leaf_hash(
            json.dumps(
                {"doc_id": row["doc_id"], "leaf": row["leaf"], "text_sha256": row["text_sha256"]},
                separators=(",", ":"),
                ensure_ascii=False,
            ).encode()
        )
        for row in leaves
    ]
    assert record["documents"] == {"count": len(TEXTS), "root": merkle.root(hashes).hex()}
    assert record["numbers"]["of_the_release"]["tokens"] == sum(len(text) for _, text in TEXTS.values())
    assert record["numbers"]["of_the_release"]["losses"]["near_duplicate"] == {"documents": 3, "tokens": 10}


def test_a_whole_release_has_no_findings(whole: Path) -> None:
    assert release.verify(whole) == []
    assert release.verify(whole, release.digest_of(whole)) == []
    assert "digest on record" in release.verify(whole, "0" * 64)[0]


def test_a_flipped_bit_in_any_file_is_found_and_named(copied: Path) -> None:
    names, digest = sorted(tree(copied)), release.digest_of(copied)
    assert len(names) > 15
    for name in names:
        path = copied / name
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
        findings = release.verify(copied, digest)
        assert findings[0].startswith(f"{name}: "), (name, findings)
        assert name == "release.json" or len(findings) == 1
        path.write_bytes(data)
    assert release.verify(copied, digest) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda folder: (folder / "losses.csv").unlink(), "losses.csv: missing"),
        (lambda folder: (folder / "data/extra.parquet").touch(), "data/extra.parquet: not a file of the release"),
        (lambda folder: (folder / "contract.json").write_bytes(b""), "contract.json: 0 bytes, 21 on record"),
        (lambda folder: (folder / "release.json").unlink(), "release.json: No such file"),
        (lambda folder: (folder / "release.json").write_bytes(b"[]"), "release.json: damaged"),
        (lambda folder: (folder / "release.json").write_bytes(b'{"files":3}'), "release.json: damaged"),
        (lambda folder: (folder / "link").symlink_to(folder / "data", target_is_directory=True), "link: not a file"),
    ],
)
def test_damage_is_told_in_a_sentence(copied: Path, change: Callable[[Path], object], expected: str) -> None:
    change(copied)
    findings = release.verify(copied)
    assert len(findings) == 1 and findings[0].startswith(expected)


def forged(folder: Path) -> None:
    """The record made to fit the files, as one who wants to deceive would."""
    record = json.loads((folder / "release.json").read_bytes())
    for each in record["files"]:
        data = (folder / each["name"]).read_bytes()
        each |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "release.json").write_bytes(canonical(record))


def rewrite(path: Path, **columns: Any) -> None:
    table = pl.read_parquet(path, hive_partitioning=False).with_columns(**columns).to_arrow()
    schema = release._arrow(release.DOCUMENTS if path.parent.name == "documents" else release.SEQUENCES)
    pq.write_table(table.cast(schema), path, store_schema=False)


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("documents", {"text": pl.lit("other")}, "has SHA-256"),
        ("documents", {"license": pl.lit("MIT-0")}, "is not as in"),
        ("documents", {"doc_id": pl.lit("other") + pl.col("doc_id")}, "under the root"),
        ("documents", {"split": pl.lit("train")}, "is of split train"),
        ("sequences", {"documents": pl.lit(["nowhere"])}, "'nowhere' of sequence 2 is not in test"),
        ("sequences", {"loss_mask": pl.lit([True])}, "a mask of 1 for the 5 tokens"),
    ],
)
def test_contents_are_checked_where_hashes_were_made_to_fit(
    copied: Path, name: str, columns: dict[str, Any], expected: str
) -> None:
    rewrite(copied / f"data/{name}/test-00000-of-00001.parquet", **columns)
    forged(copied)
    assert any(expected in finding for finding in release.verify(copied))


def test_parquet_that_is_none_is_a_finding(copied: Path) -> None:
    (copied / "data/documents/test-00000-of-00001.parquet").write_bytes(b"PAR1")
    forged(copied)
    assert release.verify(copied)[0].startswith("the data cannot be read: ")


# What cannot be released


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: {"documents": r.documents.clear()}, "not one document"),
        (lambda r: {"sequences": r.sequences.clear()}, "not one sequence"),
        (lambda r: {"documents": r.documents.drop("leaf")}, "column 'leaf' is missing"),
        (lambda r: {"documents": r.documents.with_columns(more=1)}, "column 'more' is none of a release"),
        (lambda r: {"documents": pl.concat([r.documents, r.documents[:1]])}, "is there 2 times"),
        (lambda r: {"documents": r.documents.with_columns(text=pl.lit(None))}, "text is null in 5 rows"),
        (lambda r: {"documents": r.documents.with_columns(text=pl.lit("x"))}, "its text has"),
        (lambda r: {"documents": r.documents.with_columns(split=pl.lit("dev"))}, "split 'dev' is none of"),
        (lambda r: {"documents": r.documents.with_columns(influence=pl.lit(float("nan")))}, "not a finite number"),
        (lambda r: {"documents": r.documents.with_columns(tokens=pl.lit("many"))}, "documents: "),
        (lambda r: {"documents": r.documents.with_columns(work_id=pl.lit("w"))}, "in two splits"),
        (lambda r: {"works": r.works[1:]}, "could not be attributed"),
        (lambda r: {"works": r.works.drop("people")}, "works: column 'people' is missing"),
        (
            lambda r: {"sequences": r.sequences.with_columns(documents=pl.lit(["?"]))},
            "'?' of sequence 2 is not in test",
        ),
        (lambda _: {"numbers": {"a": float("inf")}}, "numbers: not JSON"),
        (lambda r: {"documents": r.documents.with_columns(replaced=pl.lit("[1]"))}, "'[1]' is no JSON of counts"),
        (lambda _: {"shard_bytes": 0}, "shard_bytes is 0"),
    ],
)
def test_what_does_not_fit_is_not_released(
    tmp_path: Path, change: Callable[[Release], dict[str, Any]], expected: str
) -> None:
    good = made()
    with pytest.raises(ReleaseError, match=re.escape(expected)):
        release.write(tmp_path / "out", replace(good, **change(good)))
    assert not (tmp_path / "out").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {".out.lock"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(ReleaseError, match="holds something else"):
        release.write(tmp_path / "mine", made())
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    with pytest.raises(ReleaseError, match="no release lies there"):
        release.digest_of(tmp_path / "mine")


# Replacing


@pytest.mark.parametrize("swaps", [True, False])
def test_a_former_release_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swaps: bool) -> None:
    if not swaps:
        monkeypatch.setattr(release, "_exchange", lambda *_: False)
    folder = tmp_path / "out"
    first = release.write(folder, made())
    second = release.write(folder, made(code_version="0.2.0"))
    assert first.digest != second.digest == release.digest_of(folder)
    assert release.verify(folder) == []
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.lock"}


def test_the_system_swaps_names_in_one_step_on_linux(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert release._exchange(tmp_path / "a", tmp_path / "b") == (sys.platform == "linux")
    assert (tmp_path / "a/b").exists() == (sys.platform == "linux")
    assert not release._exchange(tmp_path / "a", tmp_path / "nothing")


@pytest.mark.parametrize("fails", ["_sync", "_fill", "sync_folder"])
def test_a_failure_leaves_the_former_release_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    folder = tmp_path / "out"
    first = release.write(folder, made())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(release, fails, full)
        release.write(folder, made(code_version="0.2.0"))
    assert release.digest_of(folder) == first.digest or fails == "sync_folder"
    assert release.verify(folder) == []
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.lock"}


def test_where_names_cannot_be_swapped_a_failed_move_takes_the_former_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    first = release.write(folder, made())
    monkeypatch.setattr(release, "_exchange", lambda *_: False)
    move = Path.rename

    def stubborn(path: Path, target: Path) -> Path:
        if path.name == ".out.draft":
            raise PermissionError(13, "held by another program")
        return move(path, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(PermissionError):
        release.write(folder, made(code_version="0.2.0"))
    assert release.digest_of(folder) == first.digest


KILLED = """
import os, signal, sys
from pathlib import Path
from coevo_pipelines.corpora.releases import release
from coevo_pipelines_tests.corpora.releases.test_release import made
def dies(*_): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "between":
    release._exchange, move = (lambda *_: False), Path.rename
    Path.rename = lambda path, target: dies() if path.name == ".out.draft" else move(path, target)
else:
    release._sync = dies
release.write(Path(sys.argv[1]) / "out", made(code_version="0.2.0"))
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_what_a_killed_writer_left_is_cleaned_by_the_next(tmp_path: Path) -> None:
    places = [tmp_path / "before", tmp_path / "between"]
    digests = [release.write(place / "out", made()).digest for place in places]
    running = [subprocess.Popen([sys.executable, "-c", KILLED, str(place), place.name]) for place in places]
    assert [each.wait() for each in running] == [-signal.SIGKILL, -signal.SIGKILL]
    before, between = ({path.name for path in place.iterdir()} for place in places)
    assert before == {"out", ".out.draft", ".out.lock"}
    assert between == {".out.draft", ".out.former", ".out.lock"}  # between two moves, where nothing swaps
    for place, digest in zip(places, digests, strict=True):
        with pytest.raises(ReleaseError, match="its text has"):
            release.write(place / "out", made(documents=made().documents.with_columns(text=pl.lit("x"))))
        assert release.digest_of(place / "out") == digest
        assert {path.name for path in place.iterdir()} == {"out", ".out.lock"}


def test_written_tells_every_file(tmp_path: Path) -> None:
    written = release.write(tmp_path / "out", made())
    assert isinstance(written, Written)
    found = tree(tmp_path / "out")
    assert written.bytes == sum(map(len, found.values()))
    assert {each.name: each.sha256 for each in written.files} == {
        name: hashlib.sha256(data).hexdigest() for name, data in found.items() if name != "release.json"
    }


def test_no_file_names_the_place_where_it_was_made(whole: Path) -> None:
    text = b"".join(data for name, data in tree(whole).items() if not name.endswith(".parquet")).decode()
    assert str(whole.parent.parent) not in text
