"""`coevo bench genome`: everybody gets the same files, the floor reads every blob, memory is that of all processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.bench import genome
from coevo_pipelines.genome.git import CHUNK, Git, GitError
from coevo_pipelines_tests.genome.repositories import blob, commit, commit_tree, make, put_loose, tree
from coevo_pipelines_tests.runs import coevo

FILES = {
    b".gitattributes": b"* text eol=crlf\n*.md export-ignore\n",
    b".gitignore": b"*.py\n",
    b"LICENSE": b"MIT\n",
    b"docs/a.md": b"one\r\ntwo\n",
    b"src/same.py": b"print()\n",
    b"src/x.py": b"print()\n",
    b"z.bin": b"\0\1\r\n" * 1000,
}
DISTINCT = dict.fromkeys(FILES.values())
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc: memory is not measured")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = make(tmp_path / "repo")
    commit(made, FILES)
    return made


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with git and nothing else, to be the whole PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    git = shutil.which("git")
    assert git is not None
    (folder / "git").symlink_to(git)
    return folder


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!{sys.executable}\n{text}")
    (folder / name).chmod(0o755)


def measured(programs: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    done = coevo("bench", "genome", *arguments, "--json", PATH=str(programs))
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_ours_and_the_floor_beside_peers_that_are_not_there(repo: Path, programs: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "elsewhere" / "repo")  # of the same name
    commit(other, {b"b.rst": b"b\n"})
    by_name = measured(programs, str(repo), str(other), "--repeat", "2")
    ours, floor = by_name.pop("coevo"), by_name.pop("read+hash")
    assert (ours["files"], floor["files"]) == (5, len(DISTINCT) + 1)
    assert floor["written_bytes"] == sum(map(len, DISTINCT)) + 2
    assert ours["written_bytes"] > sum(len(FILES[path]) for path in (b"LICENSE", b"docs/a.md", b"src/x.py"))
    for each in (ours, floor):
        assert not each["failure"]
        assert len(each["runs"]) == 2
        assert sum(each["runs"]) == pytest.approx(2 * each["seconds"])
    assert set(by_name) == {"repomix", "repomix, no scan", "gitingest", "code2prompt", "files-to-prompt"}
    assert by_name["repomix"]["failure"] == "not installed: npm install -g repomix"
    assert all(each["failure"].startswith("not installed: ") and not each["runs"] for each in by_name.values())


def test_the_table_names_every_contestant(repo: Path, programs: Path) -> None:
    script(
        programs,
        "files-to-prompt",
        "import sys; print('tool, version 7.1')\nif len(sys.argv) > 2: sys.exit('no\\nway')",
    )
    done = coevo("bench", "genome", str(repo), "--repeat", "1", PATH=str(programs))
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()[1:3]}
    assert rows["coevo"][2:4] == ["1.00", "x"]
    assert rows["read+hash"][-1] == str(len(DISTINCT))
    assert "files-to-prompt: ended with 1: no way" in done.stdout
    assert "gitingest: not installed: pip install gitingest" in done.stdout


def test_a_peer_gets_the_files_once_and_what_fails_stops_nobody(repo: Path, programs: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    # A packer as small as they come: joins the files of the folder it is started in.
    packs = (
        "import pathlib, sys\n"
        "files = sorted(each for each in pathlib.Path().rglob('*') if each.is_file())\n"
        f"with open({str(log)!r}, 'a') as log: log.write(' '.join(map(str, files)) + '\\n')\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
        "out.write_bytes(b''.join(each.read_bytes() for each in files))\n"
        "print(f'Total Files: {len(files):,} files')\n"
    )
    script(programs, "repomix", "import sys\nif '--version' in sys.argv: sys.exit(print('1.2.3'))\n" + packs)
    script(programs, "gitingest", "import sys; sys.exit(3)")
    script(programs, "files-to-prompt", "")
    by_name = measured(programs, str(repo), "--repeat", "2")
    peer = by_name["repomix"]
    assert (peer["version"], peer["files"], peer["failure"]) == ("1.2.3", len(FILES), "")
    assert peer["written_bytes"] == sum(map(len, FILES.values()))
    assert log.read_text().splitlines() == [" ".join(f"0000/{path.decode()}" for path in sorted(FILES))] * 4
    assert by_name["gitingest"]["failure"] == "ended with 3"
    assert by_name["files-to-prompt"]["failure"] == "ended well and wrote nothing"
    assert not by_name["gitingest"]["runs"]
    assert not by_name["coevo"]["failure"]


def test_files_that_are_kept_lie_in_the_folder(repo: Path, programs: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    measured(programs, str(repo), "--repeat", "1", "--folder", str(kept))
    assert next(kept.glob("*/read_hash/blobs")).read_bytes() == b"".join(DISTINCT)
    assert next(kept.glob("*/coevo/pack")).read_bytes().startswith(b"# coevo genome pack")


def test_usage(repo: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ([str(tmp_path / "absent")], "absent: there is no git repository with a commit"),
        ([str(make(tmp_path / "empty"))], "empty: there is no git repository with a commit"),
        ([str(repo), "--folder", str(tmp_path / "gone")], "gone: there is no such folder"),
    ):
        done = coevo("bench", "genome", *arguments)
        assert done.returncode == 2
        assert words in done.stderr


def test_files_are_written_out_as_their_blobs_and_nowhere_else(repo: Path, tmp_path: Path) -> None:
    inner = blob(repo, b"inner")
    folder = tree(repo, [("100644", b"x", inner)])
    lines = [
        ("40000", b"..", folder), ("40000", b".GIT", folder), ("100755", b"a.md", blob(repo, FILES[b"docs/a.md"])),
        ("120000", b"link", blob(repo, b"/etc/passwd")), ("40000", b"sub", folder), ("160000", b"way", "1" * 40),
        ("100644", b"\xff\n", inner),
    ]  # fmt: skip
    commit_tree(repo, tree(repo, lines), ref="refs/heads/main")
    out = tmp_path / "deep" / "out"
    genome.write_out(Git(repo), out)
    written = {os.fsencode(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if not path.is_dir()}
    assert written == {b"a.md": FILES[b"docs/a.md"], b"sub/x": b"inner", b"\xff\n": b"inner"}
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 1])
def test_the_floor_writes_each_distinct_blob_once(tmp_path: Path, algorithm: str, size: int) -> None:
    repo = make(tmp_path / "repo", algorithm)
    large = hashlib.shake_128(b"large").digest(size)
    commit(repo, {b"a": large, b"b/c": b"small", b"d": large})
    assert genome.floor(tmp_path / "out", [repo, repo]) == 4
    assert (tmp_path / "out").read_bytes() == 2 * (large + b"small")


def test_the_floor_does_not_take_other_bytes_for_a_blob(repo: Path, tmp_path: Path) -> None:
    oid = blob(repo, FILES[b"LICENSE"])
    put_loose(repo, oid, "blob", b"BSD\n")
    with pytest.raises((ValueError, GitError), match=oid):
        genome.floor(tmp_path / "out", [repo])
    (repo / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(GitError, match=oid):
        genome.floor(tmp_path / "out", [repo])


@needs_proc
def test_memory_of_children_counts() -> None:
    child = "import time; held = bytearray(120_000_000); time.sleep(0.5)"
    ran = genome._measure(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"], None
    )
    assert not ran.failure
    assert ran.peak_bytes is not None
    assert 125e6 < ran.peak_bytes < 200e6
    assert ran.seconds > 0.5


@needs_proc
def test_a_child_that_is_only_just_forked_does_not_count_twice() -> None:
    forks = (
        "import os, subprocess; held = bytearray(120_000_000)\n"
        "for _ in range(100): subprocess.run(['true'], preexec_fn=lambda: None)"  # preexec_fn: a real fork
    )
    ran = genome._measure([sys.executable, "-c", forks], None)
    assert not ran.failure
    assert ran.peak_bytes is not None
    assert 120e6 < ran.peak_bytes < 200e6


def test_who_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genome, "PATIENCE_S", 0.2)
    ran = genome._measure([sys.executable, "-c", "import time; time.sleep(60)"], None)
    assert ran.seconds < 30
    assert ran.failure.startswith("ended with -9")


@pytest.mark.parametrize(
    ("told", "said", "files", "note"),
    [
        (genome._told_repomix, "📊 Pack Summary:\n  Total Files: 13,835 files\n Total Tokens: 7 tokens", 13835, ""),
        (genome._told_repomix, "  Total Files: 13.835 files", 13835, ""),
        (genome._told_repomix, "nothing of the kind", None, ""),
        (genome._told_gitingest, "Summary:\nFiles analyzed: 8\n\nEstimated tokens: 1.2k", 8, "counts tokens"),
        (genome._told_gitingest, "Files analyzed: 8\n", 8, "counted no tokens"),
    ],
)
def test_what_peers_say_is_understood(
    told: Callable[[str, Path], genome.Told], said: str, files: int | None, note: str, tmp_path: Path
) -> None:
    found = told(said, tmp_path)
    assert found.files == files
    assert found.note.startswith(note)


def test_the_last_document_says_how_many_there_are(tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(
        b'<documents>\n<document index="1">\nx\n</document>\n<document index="12">\nx <document index="9">\n'
    )
    assert genome._told_files_to_prompt("", tmp_path).files == 12
