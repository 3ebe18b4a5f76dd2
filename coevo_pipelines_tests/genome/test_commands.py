"""`coevo genome …` by the real command: what is said, what is written, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coevo_pipelines_tests.genome.repositories import FIRST_DATE, blob, commit, make, put_loose
from coevo_pipelines_tests.runs import coevo


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two repositories and a pack of each day of them."""
    folder = tmp_path_factory.mktemp("genome")
    alpha, beta = make(folder / "alpha"), make(folder / "beta")
    first = commit(alpha, {b"a.md": b"one\n", b"x.bin": b"\0"})
    commit(beta, {b"LICENSE": b"SPDX-License-Identifier: MIT\n"})
    commit(alpha, {b"a.md": b"two\n", b"x.bin": b"\0"}, [first], FIRST_DATE + 86_400)
    for day in ("2019-03-25", "2019-03-26"):
        done = coevo("genome", "pack", "alpha", "beta", "--date", day, "--out", f"{day}.txt", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "2 files of 2 repositories" in done.stdout
        assert "only listed: 1 extension" in done.stdout
    return folder


def test_prove_and_verify_without_the_rest(place: Path, tmp_path: Path) -> None:
    verified = coevo("genome", "verify", "2019-03-26.txt", cwd=place)
    assert "3 files, 2 of them packed: all agree" in verified.stdout
    root = verified.stdout.split("root ")[1].strip()
    coevo("genome", "prove", "2019-03-26.txt", "a.md", "--out", str(tmp_path / "proof.json"), cwd=place)
    (tmp_path / "a.md").write_bytes(b"two\n")
    asked = ("genome", "verify-proof", "proof.json", "--root", root)
    shown = coevo(*asked, "--content", "a.md", cwd=tmp_path)
    assert (shown.returncode, "alpha: a.md" in shown.stdout) == (0, True), shown.stderr
    (tmp_path / "a.md").write_bytes(b"two")
    assert coevo(*asked, "--content", "a.md", cwd=tmp_path).returncode == 1
    assert coevo(*asked[:-1], "0" * 64, cwd=tmp_path).returncode == 1
    (tmp_path / "proof.json").write_text("no proof")
    assert coevo(*asked, cwd=tmp_path).returncode == 2


def test_diff_and_unpack(place: Path, tmp_path: Path) -> None:
    said = coevo("genome", "diff", "2019-03-25.txt", "2019-03-26.txt", cwd=place).stdout
    assert said.splitlines() == ["~ alpha: a.md  4 -> 4 bytes", "0 added, 0 removed, 1 changed"]
    inside = coevo("genome", "diff", "2019-03-25.txt", "2019-03-26.txt", "--text", cwd=place).stdout
    assert inside.splitlines()[1:-1] == ["--- a/a.md", "+++ b/a.md", "@@ -1 +1 @@", "-one", "+two"]
    out = str(tmp_path / "back")
    done = coevo("genome", "unpack", "2019-03-25.txt", "--out", out, "--json", cwd=place)
    assert json.loads(done.stdout) == {"out": out, "files": 2}
    assert (tmp_path / "back" / "alpha" / "a.md").read_bytes() == b"one\n"
    again = coevo("genome", "unpack", "2019-03-25.txt", "--out", out, cwd=place)
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_what_differs_is_named_and_ends_with_1(place: Path, tmp_path: Path) -> None:
    for name in ("2019-03-26.txt", "2019-03-26.txt.manifest.jsonl"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    pack = tmp_path / "2019-03-26.txt"
    pack.write_bytes(pack.read_bytes().replace(b"two", b"too"))
    done = coevo("genome", "verify", pack.name, cwd=tmp_path)
    assert done.returncode == 1
    assert "alpha: a.md: the content was changed" in done.stderr
    assert json.loads(coevo("genome", "verify", pack.name, "--json", cwd=tmp_path).stdout)["findings"]


def test_an_audit_names_level_and_object(tmp_path: Path) -> None:
    repo = make(tmp_path / "alpha")
    commit(repo, {b"docs/a.md": b"one\n"})
    assert coevo("genome", "audit", "alpha", cwd=tmp_path).returncode == 0
    oid = blob(repo, b"one\n")
    put_loose(repo, oid, "blob", b"two\n")
    done = coevo("genome", "audit", "alpha", cwd=tmp_path)
    assert done.returncode == 1
    assert "alpha: FAILED" in done.stdout
    assert f"{oid} at docs/a.md" in done.stdout
    levels = json.loads(coevo("genome", "audit", "alpha", "--json", cwd=tmp_path).stdout)[0]["levels"]
    assert [level["status"] for level in levels] == ["not_run", "failed", "failed", "failed"]
    packed = coevo("genome", "pack", "alpha", "--out", "g.txt", cwd=tmp_path)
    assert (packed.returncode, "nothing to pack: alpha: audit level 2" in packed.stderr) == (1, True)
    assert not (tmp_path / "g.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pack", ".", "--out", "absent/g.txt"), "absent: there is no such folder"),
        (("pack", ".", "--out", "g.txt", "--date", "yesterday"), "write it as YYYY-MM-DD"),
        (("pack", "a=.", "a=.", "--out", "g.txt"), "both called a"),
        (("pack", "a=.", "--first", "b", "--out", "g.txt"), "no repository is called b"),
        (("verify", "g.txt"), "g.txt: there is no such file"),
        (("prove", "g.txt", "a"), "there is no such file"),
        (("unpack", "g.txt", "--out", "x"), "there is no such file"),
        (("diff", "g.txt", "h.txt"), "there is no such file"),
    ],
)
def test_asked_wrongly(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = coevo("genome", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
