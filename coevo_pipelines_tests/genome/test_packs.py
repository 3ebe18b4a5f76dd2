"""Packs of a lake: what stands in one is not read from git again, unless it is damaged; the same bytes on every way."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from coevo_pipelines.genome import manifest, packs, standalone
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.pack import PackError
from coevo_pipelines.genome.packing import Chosen
from coevo_pipelines.genome.packs import Pack
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, commit, flip, git
from coevo_pipelines_tests.genome.test_packing import chosen, made

NAMES = ("alpha", "beta", "gamma")
DAY = 86_400


@pytest.fixture
def repos(tmp_path: Path) -> list[Path]:
    return [
        made(
            tmp_path / name,
            {b"README.md": f"# {name}\n".encode(), b"a.py": b"<|file_end|>\n", b"b.png": b"\0", b"c.md": b"c" * 99},
        )
        for name in NAMES
    ]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, str]]]:
    """(repository, git command) of every git process since the last call, by a `git` that takes notes."""
    real = shutil.which("git")
    log = tmp_path / "asked"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\necho "$GIT_DIR $*" >> {log}\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def since() -> list[tuple[str, str]]:
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [(Path(line.split()[0]).name, line) for line in lines if "-c core.hooksPath" in line]

    return since


def pack_of(folder: Path, repos: list[Chosen], rules: Rules | None = None) -> Pack:
    pack, levels = packs.make(folder, repos, rules or Rules())
    assert pack is not None, levels
    assert standalone.verify(pack.file) == []
    assert [each["name"] for each in pack.header["repositories"]] == [each.name for each in repos]
    assert [each["commit"] for each in pack.header["repositories"]] == [each.commit.oid for each in repos]
    assert {each.name: [level.level for level in levels[each.name]] for each in repos} == {
        each.name: [1, 2, 3, 4] for each in repos
    }
    assert not list(folder.glob(".new-*"))
    return pack


def content(pack: Pack) -> tuple[bytes, bytes]:
    return pack.file.read_bytes(), manifest.place(pack.file).read_bytes()


def next_commit(repo: Path, day: int = 1) -> str:
    parent = git(repo, "rev-parse", "main")
    return commit(repo, {b"README.md": b"changed %d\n" % day, b"new.md": b"new"}, [parent], FIRST_DATE + day * DAY)


def emptied(repo: Path) -> None:
    """Without any object but commits and their root trees: enough for level 1, for nothing else."""
    kept = git(repo, "rev-list", "--all").split() + git(repo, "log", "--all", "--format=%T").split()
    for oid in kept:  # loose
        data = subprocess.run(
            ["git", "-C", str(repo), "cat-file", "--batch"], input=oid.encode(), capture_output=True, check=True
        ).stdout
        kind, body = data.split()[1].decode(), data.partition(b"\n")[2][:-1]
        (repo / "kept").mkdir(exist_ok=True)
        (repo / "kept" / f"{kind} {oid}").write_bytes(body)
    shutil.rmtree(repo / "objects")
    (repo / "objects" / "pack").mkdir(parents=True)
    for file in (repo / "kept").iterdir():
        git(repo, "hash-object", "-t", file.name.split()[0], "-w", "--stdin", "--literally", stdin=file.read_bytes())


def test_what_did_not_change_is_not_read_from_git(repos: list[Path], tmp_path: Path) -> None:
    """The mirrors of the others hold nothing any more that could be read."""
    folder = tmp_path / "packs"
    pack_of(folder, [chosen(repo) for repo in repos])
    next_commit(repos[1])
    fresh = content(pack_of(tmp_path / "fresh", [chosen(repo) for repo in repos]))
    for at in (0, 2):
        emptied(repos[at])
    assert packs.make(tmp_path / "other", [chosen(repos[0])], Rules())[0] is None  # it cannot be packed again
    again = pack_of(folder, [chosen(repo) for repo in repos])
    assert content(again) == fresh


def test_level_1_is_all_that_is_asked_of_what_did_not_change(
    repos: list[Path], tmp_path: Path, asked: Callable[[], list[tuple[str, str]]]
) -> None:
    folder = tmp_path / "packs"
    own = [chosen(repo) for repo in repos]
    first = pack_of(folder, own)
    assert any("fsck" in line for _, line in asked())
    assert pack_of(folder, own).file == first.file
    said = asked()
    assert {repo for repo, _ in said} == set(NAMES)
    assert len(said) <= 3 * len(NAMES)
    assert not [line for _, line in said if "fsck" in line or "--objects" in line or "--buffer" in line]
    next_commit(repos[1])
    own[1] = chosen(repos[1])
    asked()
    pack_of(folder, own)
    assert {repo for repo, line in asked() if "fsck" in line or "--buffer" in line} == {"beta"}


def test_a_pack_of_another_commit_is_not_taken_for_this_one(repos: list[Path], tmp_path: Path) -> None:
    """alpha stands unchanged in both packs, beta does not, and the newer pack is not the one that is wanted."""
    alpha, beta = chosen(repos[0]), chosen(repos[1])
    old = pack_of(tmp_path, [alpha, beta])
    next_commit(repos[1])
    new = pack_of(tmp_path, [alpha, chosen(repos[1])])
    assert old.header["root"] != new.header["root"]
    assert pack_of(tmp_path, [alpha, beta]).file == old.file


def test_a_commit_that_left_the_remotes_line_is_not_taken(repos: list[Path], tmp_path: Path) -> None:
    own = chosen(repos[0])
    pack_of(tmp_path, [own])
    other = commit(repos[0], {b"x.md": b"another history"}, ref=None)
    pack, levels = packs.make(tmp_path, [Chosen(own.name, own.git, own.commit, other)], Rules())
    assert pack is None
    assert levels["alpha"][0].status == "failed"


def test_other_rules_take_nothing(repos: list[Path], tmp_path: Path) -> None:
    own = [chosen(repo) for repo in repos[:1]]
    first = pack_of(tmp_path, own)
    for rules in (Rules(all_text=True), Rules(largest=50), Rules(strip_notebooks=False), Rules(archives=True)):
        assert packs.before(tmp_path, rules) == {}
        other = pack_of(tmp_path, own, rules)
        assert other.file != first.file
        assert other.header["rules"] == rules.told()
    assert pack_of(tmp_path, own).file == first.file


def test_the_same_bytes_on_every_way(repos: list[Path], tmp_path: Path) -> None:
    """Days in any order, each alone or after others, give what each gives in an empty lake."""
    days: list[list[Chosen]] = [[chosen(repo) for repo in repos]]
    next_commit(repos[0])
    days.append([chosen(repo) for repo in repos])
    next_commit(repos[2])
    days.append([chosen(repo) for repo in repos[1:]])
    days.append([chosen(repo) for repo in reversed(repos)])
    fresh = [content(pack_of(tmp_path / f"fresh{at}", day)) for at, day in enumerate(days)]
    assert len(set(fresh)) == 4
    for order in list(permutations(range(4)))[::8]:
        folder = tmp_path / "".join(map(str, order))
        for at in (*order, *order):
            assert content(pack_of(folder, days[at])) == fresh[at], order
        assert len(list(folder.iterdir())) == 4


def test_texts_are_those_of_the_pack(repos: list[Path], tmp_path: Path) -> None:
    pack = pack_of(tmp_path, [chosen(repos[0])])
    assert list(pack.texts(pack.rows)) == [b"# alpha\n", b"<|file_end|>\n", None, b"c" * 99]
    assert list(pack.by_repo) == ["alpha"]
    pack.file.write_bytes(pack.file.read_bytes().replace(b"c" * 99, b"d" * 99))
    with pytest.raises(PackError, match=r"alpha: c\.md: the content was changed"):
        list(pack.texts(pack.rows))
    pack.file.unlink()
    with pytest.raises(PackError, match="No such file"):
        list(pack.texts(pack.rows))


def _bit(part: Callable[[bytes], int], of: Callable[[Path], Path] = lambda pack: pack) -> Callable[[Path], None]:
    def damage(pack: Path) -> None:
        flip(of(pack), 8 * part(of(pack).read_bytes()))

    return damage


def _cut(of: Callable[[Path], Path], left: float) -> Callable[[Path], None]:
    return lambda pack: os.truncate(of(pack), int(of(pack).stat().st_size * left))


def _folder(of: Callable[[Path], Path]) -> Callable[[Path], None]:
    def damage(pack: Path) -> None:
        if of(pack).is_dir():
            shutil.rmtree(of(pack))
        else:
            of(pack).unlink()
        of(pack).mkdir()

    return damage


def _pack(pack: Path) -> Path:
    return pack


DAMAGES: dict[str, Callable[[Path], None]] = {
    "content": _bit(lambda data: data.index(b"cccc")),
    "content of the last": _bit(lambda data: data.rindex(b"cccc")),
    "escaped token": _bit(lambda data: data.index(b"<\\|file_end")),
    "token": _bit(lambda data: data.index(b"<|file_end")),
    "path": _bit(lambda data: data.index(b"README")),
    "second byte": _bit(lambda data: data.index(b" coevo")),
    "closing line": _bit(lambda data: len(data) - 5),
    "header": _bit(lambda data: data.index(b"commit"), manifest.place),
    "rules": _bit(lambda data: data.index(b".toml"), manifest.place),
    "row": _bit(lambda data: data.index(b"c.md"), manifest.place),
    "last row": _bit(lambda data: data.rindex(b"c.md"), manifest.place),
    "last newline": _bit(lambda data: len(data) - 1, manifest.place),
    "half a pack": _cut(_pack, 0.5),
    "pack without its last bytes": _cut(_pack, 0.99),
    "empty pack": _cut(_pack, 0),
    "half a manifest": _cut(manifest.place, 0.5),
    "empty manifest": _cut(manifest.place, 0),
    "no pack": Path.unlink,
    "no manifest": lambda pack: manifest.place(pack).unlink(),
    "a folder for a pack": _folder(_pack),
    "a folder for a manifest": _folder(manifest.place),
    "an empty folder": _folder(lambda pack: pack.parent),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path, Path]:
    """Repositories, packs with one pack of all, packs with a pack of all but the last."""
    place = tmp_path_factory.mktemp("whole")
    repos = [made(place / name, {b"README.md": b"<|file_end|>", b"c.md": b"c" * 99}) for name in NAMES]
    pack_of(place / "all", [chosen(repo) for repo in repos])
    pack_of(place / "some", [chosen(repo) for repo in repos[:2]])
    return repos, place / "all", place / "some"


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_pack_is_noticed_and_made_again(
    whole: tuple[list[Path], Path, Path], tmp_path: Path, kind: str
) -> None:
    """As it was, whether it is the same pack that is wanted or only some of it."""
    repos, every, some = whole
    own = [chosen(repo) for repo in repos]
    expected = content(pack_of(every, own))
    for start in (every, some):
        folder = tmp_path / start.name
        shutil.copytree(start, folder)
        (old,) = folder.glob("*/genome.txt")
        DAMAGES[kind](old)
        pack, _ = packs.make(folder, own, Rules())
        assert pack is not None
        assert content(pack) == expected
        assert pack.file.relative_to(folder) == next(every.glob("*/*.txt")).relative_to(every)


def test_of_a_damaged_pack_what_is_whole_is_taken(
    repos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: Callable[[], list[tuple[str, str]]]
) -> None:
    own = [chosen(repo) for repo in repos]
    pack = pack_of(tmp_path / "packs", own)
    data = pack.file.read_bytes()
    flip(pack.file, 8 * data.index(b"# beta"))
    asked()
    with caplog.at_level(logging.WARNING):
        again, _ = packs.make(tmp_path / "packs", own, Rules())
    assert again is not None
    assert again.file.read_bytes() == data
    assert {repo for repo, line in asked() if "--buffer" in line} == {"beta"}
    assert "beta is packed again, as the old pack is damaged" in caplog.text
    assert "README.md: the content was changed" in caplog.text


def test_a_damaged_pack_whose_repository_is_damaged_too_leaves_that_out(repos: list[Path], tmp_path: Path) -> None:
    own = [chosen(repo) for repo in repos]
    pack = pack_of(tmp_path / "packs", own)
    expected = content(pack_of(tmp_path / "fresh", [own[0], own[2]]))
    flip(pack.file, 8 * pack.file.read_bytes().index(b"# beta"))
    emptied(repos[1])
    found, levels = packs.make(tmp_path / "packs", own, Rules())
    assert found is not None
    assert content(found) == expected
    assert {name: [level.status for level in levels[name]][1:] for name in NAMES} == {
        "alpha": ["passed"] * 3, "beta": ["failed"] * 3, "gamma": ["passed"] * 3,
    }  # fmt: skip


def test_drafts_that_nobody_finished_go_after_a_day(repos: list[Path], tmp_path: Path) -> None:
    old, new = tmp_path / ".new-old", tmp_path / ".new-recent"
    for draft in (old, new):
        draft.mkdir()
        (draft / "genome.txt").write_bytes(b"half")
    os.utime(old, (time.time() - 2 * DAY,) * 2)
    packs.make(tmp_path, [chosen(repos[0])], Rules())
    assert [each.name for each in tmp_path.glob(".new-*")] == [new.name]


def test_nothing_to_pack_leaves_nothing(repos: list[Path], tmp_path: Path) -> None:
    assert packs.make(tmp_path / "packs", [], Rules()) == (None, {})
    emptied(repos[0])
    pack, levels = packs.make(tmp_path / "packs", [chosen(repos[0])], Rules())
    assert (pack, [level.status for level in levels["alpha"]]) == (None, ["passed", "failed", "failed", "failed"])
    assert list((tmp_path / "packs").iterdir()) == []


MAKE = """
import resource, sys
from pathlib import Path
from coevo_pipelines.genome import packs
from coevo_pipelines.genome.files import Rules
from coevo_pipelines_tests.genome.test_packing import chosen
folder, most, *repos = sys.argv[1:]
own = [chosen(Path(repo)) for repo in repos]
if int(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
try:
    print(packs.make(Path(folder), own, Rules())[0].file)
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


def process(folder: Path, repos: list[Path], most: int = 0, **environment: str) -> subprocess.Popen[str]:
    """`packs.make` in a process of its own, which can write no file of more than `most` bytes."""
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(folder), str(most), *map(str, repos)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
    )  # fmt: skip


def test_two_processes_at_once_make_the_same_pack(repos: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    running = [process(folder, repos) for _ in range(2)]
    said = [each.communicate(timeout=100) for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert [each.name for each in folder.iterdir()] == [Path(said[0][0].strip()).parent.name]
    assert standalone.verify(Path(said[0][0].strip())) == []


def test_a_killed_process_leaves_no_half_pack(repos: list[Path], tmp_path: Path) -> None:
    """Killed by its own git, in the middle of the last repository."""
    folder = tmp_path / "packs"
    old = pack_of(folder, [chosen(repos[0])])
    before = content(old)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "git"
    shim.write_text(
        f'#!/bin/sh\ncase "$GIT_DIR $*" in */gamma*--buffer*) kill -9 $PPID;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    shim.chmod(0o755)
    killed = process(folder, repos, PATH=f"{shim.parent}{os.pathsep}{os.environ['PATH']}")
    killed.communicate(timeout=100)
    assert killed.returncode == -signal.SIGKILL
    assert [each.name for each in folder.iterdir() if not each.name.startswith(".new-")] == [old.file.parent.name]
    assert len(list(folder.glob(".new-*/genome.txt"))) == 1
    assert content(old) == before
    for draft in folder.glob(".new-*"):
        os.utime(draft, (0, 0))
    pack_of(folder, [chosen(repo) for repo in repos])


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """Wherever in pack or manifest it gets full; and says so."""
    repos = [made(tmp_path / name, {b"%d.md" % at: b"x" * 3000 for at in range(9)}) for name in NAMES]
    folder = tmp_path / "packs"
    old = pack_of(folder, [chosen(repos[0])])
    before = content(old)
    fresh = pack_of(tmp_path / "fresh", [chosen(repo) for repo in repos])
    size, rows = (len(each) for each in content(fresh))
    assert size > rows
    for most in (rows - 1, size - 1):
        full = process(folder, repos, most)
        said = full.communicate(timeout=100)[1]
        assert full.returncode == 3, said
        assert "File too large" in said
        assert str(folder) in said
        assert "nothing was packed" in said
        assert [each.name for each in folder.iterdir()] == [old.file.parent.name]
        assert content(old) == before
