"""croissant.json as `mlcroissant` reads it, without a network."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.corpora.releases import release
from coevo_pipelines_tests.corpora.releases.test_release import TEXTS, made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("croissant") / "date=2026-11-20"
    release.write(place, made(shard_bytes=350))
    return place


@pytest.fixture(scope="module")
def given(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def read(folder: Path) -> Iterator[tuple[Any, list[str]]]:
    """The dataset, and what the library warned of."""
    warned: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.append(record.getMessage())

    from absl import logging as absl

    handler = Kept(logging.WARNING)
    absl.get_absl_logger().addHandler(handler)
    yield importlib.import_module("mlcroissant").Dataset(jsonld=folder / "croissant.json"), warned
    absl.get_absl_logger().removeHandler(handler)


def test_it_is_valid_and_warns_of_nothing(read: tuple[Any, list[str]]) -> None:
    dataset, warned = read
    assert warned == []
    assert not dataset.metadata.ctx.issues.errors and not dataset.metadata.ctx.issues.warnings
    told = dataset.metadata.to_json()
    assert told["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert dataset.metadata.version == "2026.11.20"
    assert dataset.metadata.personal_sensitive_information[0] == "EMAIL: 2 places replaced"
    assert dataset.metadata.data_collection.startswith("Repositories and records")


def test_records_of_documents_are_those_given(read: tuple[Any, list[str]]) -> None:
    found = {row["documents/doc_id"].decode(): row for row in read[0].records("documents")}
    assert {key: row["documents/text"].decode() for key, row in found.items()} == {
        key: text for key, (_, text) in TEXTS.items()
    }
    abstract = found["arxiv:1712.06567#abstract"]
    assert abstract["documents/event_at"].isoformat() == "2026-01-02T03:04:05.000678+00:00"
    assert abstract["documents/leaf"] is None and abstract["documents/tokens"] == 21


def test_records_of_sequences_are_those_given(read: tuple[Any, list[str]]) -> None:
    found = sorted(read[0].records("sequences"), key=lambda row: int(row["sequences/place"]))
    assert [list(row["sequences/input_ids"]) for row in found] == [[n, n + 1, n + 2, n + 3, n + 4] for n in range(3)]
    assert [row["sequences/loss_mask"] for row in found] == [None, [False, True, True, True, False], None]
    assert found[1]["sequences/documents"] == [b"acme/one:b.md", b"acme/two:c.py"]


def test_each_file_is_there_with_its_hash(given: dict[str, Any], folder: Path) -> None:
    objects = {each["@id"]: each for each in given["distribution"] if each["@type"] == "cr:FileObject"}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert set(objects) == there - {"croissant.json", "release.json"}
    for name, each in objects.items():
        data = (folder / name).read_bytes()
        assert (each["sha256"], each["contentSize"]) == (hashlib.sha256(data).hexdigest(), f"{len(data)} B")


def test_all_that_the_specification_requires_is_there(given: dict[str, Any]) -> None:
    required = {"@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished"}
    assert required <= set(given)
    assert given["license"] == [f"https://spdx.org/licenses/{each}" for each in ("Apache-2.0", "CC-BY-4.0", "MIT")]
    assert "This is a sample" in given["description"] and given["name"].endswith("(sample)")
