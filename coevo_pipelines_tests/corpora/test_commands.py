"""`coevo corpora …` on the sample's lake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coevo_pipelines.corpora.blueprints import load
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import coevo


def test_blueprints_and_one_of_one_s_own(tmp_path: Path) -> None:
    done = coevo("corpora", "blueprints")
    assert done.returncode == 0 and "qwen3-0.6b-base" in done.stdout and "20,000,000" in done.stdout
    done = coevo("corpora", "new", "mine", "--model", "me/my-model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = load(str(tmp_path / "mine.toml"))
    assert (made.model.id, made.tokenizer) == ("me/my-model", "me/my-model")
    again = coevo("corpora", "new", "mine", "--model", "me/my-model", cwd=tmp_path)
    assert again.returncode == 2 and "is there already" in again.stderr
    wrong = coevo("corpora", "new", "Not A Name", "--model", "me/my-model", cwd=tmp_path)
    assert wrong.returncode == 2 and "name" in wrong.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_list_show_and_explain(sample: Settings) -> None:
    lake = ("--lake", str(sample.lake_root))
    listed = json.loads(coevo("corpora", "list", "--json", *lake).stdout)
    assert [(row["blueprint"], row["status"]) for row in listed] == [
        ("qwen3-0.6b-base", "withheld"), ("sample", "released"),
    ]  # fmt: skip
    shown = json.loads(coevo("corpora", "show", "sample", "--json", *lake).stdout)
    kept = shown["losses"][-1]
    assert kept["documents"] - kept["documents_out"] == shown["release"]["documents"]
    assert sum(each["used"] for each in shown["in"]) > 3000
    told = coevo("corpora", "explain", "swarm/trails.py", "--blueprint", "sample", *lake)
    assert told.returncode == 0 and "in, stage code, split train" in told.stdout
    out = coevo("corpora", "explain", "sample/tools:README.md", *lake)
    assert "out: license (unknown: no licence is given)" in out.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nobody"), "has no corpus 'nobody'; there are qwen3-0.6b-base, sample"),
        (("show", "sample", "--date", "2018-01-01"), "2018-01-01 has no corpora; there are 2019-03-25 to 2019-03-27"),
        (("explain", "trail.py"), "did you mean"),
        (("explain", "README"), "name one"),
        (("export", "qwen3-0.6b-base", "--out", "x"), "is withheld"),
    ],
)
def test_what_is_asked_wrongly(sample: Settings, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = coevo("corpora", *arguments, "--lake", str(sample.lake_root), cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr.replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_a_release_is_taken_out_whole(sample: Settings, tmp_path: Path) -> None:
    lake = ("--lake", str(sample.lake_root))
    done = coevo("corpora", "export", "sample", "--out", "corpus", "--json", *lake, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["out"], told["date"], len(told["digest"])) == ("corpus", "2019-03-27", 64)
    folder = tmp_path / "corpus"
    assert {"README.md", "release.json", "croissant.json", "contract.json"} <= {path.name for path in folder.iterdir()}
    again = coevo("corpora", "export", "sample", "--out", "corpus", *lake, cwd=tmp_path)
    assert again.returncode == 2 and "is there already" in again.stderr
