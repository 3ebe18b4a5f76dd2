"""The sample's remotes: the same commits every time, with every kind of entry that there is."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from coevo_pipelines.genome.audit import audit
from coevo_pipelines.genome.files import Rules, decide
from coevo_pipelines.genome.git import Git, Objects
from coevo_pipelines.genome.trees import entries, read
from coevo_pipelines.sample import remotes as sample
from coevo_pipelines_tests.genome.repositories import git
from coevo_pipelines_tests.runs import DAYS

TIPS = {
    "sample/field-notes": "3b9e96b66259d09eafe4f07843f5c5be4e6bab13",
    "sample/swarm-engine": "ec9e5a7393c45e5068d1943d943794d8225f647b",
    "sample/tools": "1d71187bb17adb06831e5f1cb63bee414cae9914",
}
"""As git itself, version 2.39, named them first. Other ids mean other bytes: lakes made before would then differ."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("remotes")
    return {each["name"]: sample.make(folder, each) for each in sample.facts()}


def test_the_same_commits_every_time(made: dict[str, Path]) -> None:
    assert {name: git(path, "rev-parse", "main") for name, path in made.items()} == TIPS


def test_nothing_of_the_caller_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "template" / "hooks").mkdir(parents=True)
    (home / "template" / "hooks" / "reference-transaction").write_text("#!/bin/sh\nexit 1\n")
    (home / "template" / "hooks" / "reference-transaction").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[init]\ndefaultBranch = trunk\ndefaultObjectFormat = sha256\ntemplateDir = {home / 'template'}\n"
        "[user]\nname = Somebody\n[core]\nautocrlf = true\n[i18n]\ncommitEncoding = latin1\n"
    )
    for name, value in {
        "HOME": str(home), "GIT_DEFAULT_HASH": "sha256", "GIT_COMMITTER_DATE": "1 +0500", "GIT_AUTHOR_NAME": "Somebody",
        "GIT_DIR": str(tmp_path), "TZ": "Asia/Tokyo",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for each in sample.facts():
        again = sample.make(tmp_path, each)
        assert Git(again).resolve("HEAD") == TIPS[each["name"]]
        assert Git(again).refs() == {"refs/heads/main": TIPS[each["name"]]}
        assert not (again / "hooks").exists()


def test_they_are_sound_and_stand_for_themselves(made: dict[str, Path]) -> None:
    for name, path in made.items():
        assert audit(path, TIPS[name], TIPS[name]).passed
        assert not git(path, "fsck", "--full", "--strict", "--no-dangling")


def test_every_kind_of_entry(made: dict[str, Path]) -> None:
    reasons: dict[str, str] = {}
    for name, path in made.items():
        for commit in git(path, "rev-list", "main").split():
            with Objects(path) as objects:
                tree = git(path, "rev-parse", f"{commit}^{{tree}}")
                for entry in list(entries(partial(read, objects), tree)):
                    data = b"" if entry.mode == 0o160000 else objects.read(entry.oid)[1]
                    found = decide(entry.path, entry.mode, data, len(data), Rules(all_text=True))
                    reasons[f"{name}/{entry.path.decode()}"] = found.reason
    assert set(reasons.values()) == {"packed", "submodule", "symlink", "lfs_pointer", "binary"}
    assert reasons["sample/field-notes/notes/café.txt"] == "packed"  # latin-1, by detection
    assert reasons["sample/tools/docs"] == "symlink"


def test_each_entry_as_it_is_written(tmp_path: Path) -> None:
    repository = {
        "name": "a/b",
        "commit": [
            {
                "at": sample.facts()[0]["commit"][0]["at"], "message": "first\n\n– of two",
                "files": {
                    "a file": "text\r\n", "é/x": {"base64": "AP8K"}, "link": {"link": "é"},
                    "sub": {"submodule": "1" * 40}, "empty": "", "gone": "x",
                },
            },
            {"at": sample.facts()[0]["commit"][0]["at"], "message": "", "files": {"gone": {"gone": True}}},
        ],
    }  # fmt: skip
    path = sample.make(tmp_path, repository)
    assert path == tmp_path / "a-b.git"
    listed = git(path, "ls-tree", "-r", "-z", "main").split("\0")
    assert [f"{line.partition(chr(9))[2]} {line[:6]}" for line in listed if line] == [
        "a file 100644", "empty 100644", "link 120000", "sub 160000", "é/x 100644",
    ]  # fmt: skip
    assert "gone" in git(path, "ls-tree", "--name-only", "main~1").splitlines()

    def content(name: str) -> bytes:
        return subprocess.run(["git", "-C", path, "show", f"main:{name}"], check=True, capture_output=True).stdout

    assert content("a file") == b"text\r\n"
    assert content("é/x") == b"\0\xff\n"
    assert content("link") == "é".encode()
    assert content("empty") == b""
    assert git(path, "log", "-1", "--format=%B", "main~1").rstrip("\n") == "first\n\n– of two"


def test_what_happens_on_the_days_of_the_sample() -> None:
    days = {commit["at"].date() for each in sample.facts() for commit in each["commit"]}
    assert set(DAYS) <= days
    assert min(days) < DAYS[0]


def test_they_are_there_only_inside_the_block() -> None:
    with sample.remotes() as made:
        places = {each.source.name: each for each in made}
        own = places.pop(sample.OWN, None)
        assert set(places) == set(TIPS)
        for name, each in places.items():
            assert (each.by, each.place, each.shown) == ("settings", None, f"sample://git/{name}")
            folder = Path(unquote(urlsplit(each.source.place).path))
            assert git(folder, "rev-parse", "HEAD") == TIPS[name]
        if own is not None:
            assert own.shown == f"sample://git/{sample.OWN}"
            assert (Path(own.source.place) / "coevo_pipelines" / "sample" / "facts" / "remotes.toml").exists()
    assert not folder.parent.exists()
