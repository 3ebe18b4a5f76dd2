"""`coevo bench corpora`: the same texts for everyone, and truth that is not the measured code's own."""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import pytest

from coevo_pipelines.bench.duplicates import compose, jaccard, labelled
from coevo_pipelines_tests.runs import coevo


def test_every_search_runs_and_ours_finds_what_brute_force_finds(tmp_path: Path) -> None:
    done = coevo("bench", "corpora", "--documents", "400", "--folder", str(tmp_path), "--json")
    measured = json.loads(done.stdout)["duplicates"]
    assert [each["name"] for each in measured] == ["coevo", "rensa", "datasketch", "datatrove"]
    for each in measured:
        if find_spec(each["name"] if each["name"] != "coevo" else "coevo_pipelines"):
            assert not each["failure"]
            assert each["recall"] > 0.7
        else:
            assert each["failure"].startswith("not installed: pip install")
    assert measured[0]["recall"] >= 0.99
    assert measured[0]["precision"] == 1
    assert set(measured[0]["seconds"]) == {"shingles and signatures", "bands", "verification"}


def test_the_same_seed_composes_the_same() -> None:
    one = compose(300, 5)
    assert one.equals(compose(300, 5))
    assert not one.equals(compose(300, 6))
    true = labelled(one)
    assert min(true.values()) < 0.8 < max(true.values())
    families = one["family"].to_list()
    assert all(families[i] == families[j] for i, j in true)
    strangers = [(i, j) for i, j in combinations(range(60), 2) if families[i] != families[j]]
    assert max(jaccard(one["text"][i], one["text"][j]) for i, j in strangers) < 0.2


def test_originals_can_be_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("one two\nthree  four", encoding="utf-8")
    (tmp_path / "deep" / "b.txt").write_text("ü 2", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_bytes(b" ")
    texts = compose(100, 1, tmp_path)
    assert "one two\nthree  four" in texts["text"]
    assert "ü 2" in texts["text"]
    assert texts["family"].n_unique() == 2


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("a b", "A, b", 1), ("a b c d e f", "b c d e f g", 1 / 3), ("a b c d e", "f g h i j", 0)],
)
def test_jaccard(one: str, other: str, expected: float) -> None:
    assert jaccard(one, other) == expected


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for option in ("--text", "--folder"):
        done = coevo("bench", "corpora", option, str(tmp_path / "absent"))
        assert done.returncode == 2
        assert "absent: there is no such folder" in done.stderr
