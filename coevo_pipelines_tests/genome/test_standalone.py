"""Repositories into a pack with its manifest and back; every flipped bit of either; who is left out and why."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest

from coevo_pipelines.genome import ecosystem, manifest, merkle, standalone
from coevo_pipelines.genome.ecosystem import GenomeError, Source
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.standalone import Choice, NothingToPack
from coevo_pipelines.lake.ledger import canonical
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, blob, commit, git, loose, make, put_loose

DAY = 86_400
NOTEBOOK = json.dumps(
    {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [
            {"cell_type": "code", "source": "1 + 1", "metadata": {}, "execution_count": 7,
             "outputs": [{"output_type": "execute_result", "data": {"text/plain": "2"}, "metadata": {}}]},
        ],
    }
).encode()  # fmt: skip
FILES: dict[bytes, bytes | tuple[str, str]] = {
    b"LICENSE": b"SPDX-License-Identifier: MIT\n",
    b"README.md": b"# Hello\r\n\r\n<|file_end|>\n",
    b"a.py": b"print('<|im_start|>')",
    b"a/x.py": b"",
    b"a0.py": b"\xef\xbb\xbfx = 1\n",
    b"data.bin": b"\0\1",
    b"latin.txt": "# -*- coding: latin-1 -*-\ncaf\u00e9\n".encode("latin-1"),
    b"notes.ipynb": NOTEBOOK,
    b"odd\nname \xff.md": b"text",
    b"photo.png": b"\x89PNG",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = make(tmp_path / "alpha")
    link = blob(path, b"../../etc/passwd")
    commit(path, FILES | {b"link": ("120000", link), b"module": ("160000", "1" * 40)})
    return path


def packed(out: Path, *repos: Path, rules: Rules | None = None, on: date | None = None) -> manifest.Manifest:
    sources = ecosystem.in_order(ecosystem.source_of(str(repo)) for repo in repos)
    header = standalone.pack(sources, out, Choice(on=on), rules or Rules())
    found = manifest.read(manifest.place(out))
    assert found.header == header
    return found


def test_there_and_back(repo: Path, tmp_path: Path) -> None:
    """Every packed file comes back as git has it, under its own name; the rest is listed with a reason."""
    out = tmp_path / "g.txt"
    found = packed(out, repo, rules=Rules(strip_notebooks=False))
    assert {row["path"]: row["reason"] for row in found.rows if row["reason"] != "packed"} == {
        "data.bin": "extension", "photo.png": "extension", "link": "symlink", "module": "submodule",
    }  # fmt: skip
    assert standalone.verify(out) == []
    assert standalone.unpack(out, tmp_path / "back") == 8
    root = tmp_path / "back" / "alpha"
    back = {bytes(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert back == {path: data for path, data in FILES.items() if path not in (b"data.bin", b"photo.png")}


def test_rows_say_what_git_says(repo: Path, tmp_path: Path) -> None:
    found = packed(tmp_path / "g.txt", repo)
    lines = git(repo, "ls-tree", "-r", "-z", "main").encode(errors="surrogateescape").split(b"\0")[:-1]
    modes = [(line.split(b" ")[0].decode(), line.split(b"\t")[0].split(b" ")[2].decode()) for line in lines]
    assert [(row["mode"], row["git_id"]) for row in found.rows] == modes
    rows = {row["path"]: row for row in found.rows}
    readme = FILES[b"README.md"]
    assert isinstance(readme, bytes)
    assert rows["README.md"]["sha256"] == hashlib.sha256(readme).hexdigest()
    assert rows["README.md"]["swhid"] == f"swh:1:cnt:{blob(repo, readme)}"
    assert rows["a/x.py"]["swhid"] == "swh:1:cnt:e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # of nothing
    assert rows["LICENSE"]["license"] == "MIT"
    assert rows["latin.txt"]["charset"] == "latin_1"
    assert rows["notes.ipynb"]["stripped"]
    assert rows["link"]["target"] == "../../etc/passwd"
    assert rows["odd\\x0aname \\xff.md"]["offset"]
    repository = found.header["repositories"][0]
    assert repository["commit"] == git(repo, "rev-parse", "main")
    assert repository["tree"] == git(repo, "rev-parse", "main^{tree}")
    assert {level["status"] for number, level in repository["audit"].items() if number != "1"} == {"passed"}


def test_contents_stand_where_the_manifest_says(repo: Path, tmp_path: Path) -> None:
    found = packed(tmp_path / "g.txt", repo)
    text = (tmp_path / "g.txt").read_bytes()
    row = next(row for row in found.rows if row["path"] == "a0.py")
    assert text[row["offset"] : row["offset"] + row["length"]] == FILES[b"a0.py"]
    assert text.count(b"<|file_end|>") == found.header["pack"]["files"] == 8  # none from the contents
    assert text.count(b"<|im_start|>") == 0
    assert hashlib.sha256(text).hexdigest() == found.header["pack"]["sha256"]


def test_the_root_is_that_of_rfc_6962_over_the_rows(repo: Path, tmp_path: Path) -> None:
    found = packed(tmp_path / "g.txt", repo)
    leaves = [canonical({name: value for name, value in row.items() if name != "leaf"}) for row in found.rows]
    assert found.root == merkle.root(map(merkle.leaf_hash, leaves)).hex()


def test_the_same_repositories_give_the_same_bytes(repo: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "beta")
    commit(other, {b"b.md": b"b"})
    for name, order in (("one", (repo, other)), ("two", (other, repo))):
        (tmp_path / name).mkdir()
        packed(tmp_path / name / "g.txt", *order)
    for name in ("g.txt", "g.txt.manifest.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_flipped_bit_of_any_byte_is_found_and_located(tmp_path: Path) -> None:
    """Of pack and manifest: the finding names the file, and in it the line or a byte not after the flip's file."""
    repo = make(tmp_path / "alpha")
    commit(repo, {b"a.md": b"# A\n", b"notes.ipynb": NOTEBOOK, b"z.png": b"\x89"})
    out = tmp_path / "g.txt"
    found = packed(out, repo)
    place = manifest.place(out)
    ends = [row["offset"] + row["length"] for row in found.rows if row["offset"] is not None]
    for file in (out, place):
        whole = file.read_bytes()
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            file.write_bytes(changed)
            findings = standalone.verify(out)
            assert findings, f"{file.name} byte {at}"
            assert findings[0].startswith(str(file)), findings
            if file == place:
                line = whole.count(b"\n", 0, at) + 1
                assert f"line {line}" in findings[0] or whole[at : at + 1] == b"\n"
            elif at < ends[0] and at >= found.rows[0]["offset"]:
                assert f"byte {found.rows[0]['offset']}: alpha: a.md" in findings[0] or "a.md" in findings[0]
        file.write_bytes(whole)
    assert standalone.verify(out) == []


def test_every_truncation_is_found(repo: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.txt"
    packed(out, repo)
    for file in (out, manifest.place(out)):
        whole = file.read_bytes()
        for end in range(0, len(whole), 7):
            file.write_bytes(whole[:end])
            assert standalone.verify(out), f"{file.name} cut at {end}"
        file.write_bytes(whole)


def test_a_line_removed_or_moved_is_found(repo: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.txt"
    packed(out, repo)
    place = manifest.place(out)
    lines = place.read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], [*lines, lines[-1]], [lines[0], lines[2], lines[1], *lines[3:]]):
        place.write_bytes(b"".join(changed))
        assert "removed, added or moved" in standalone.verify(out)[0]


@pytest.mark.parametrize("number", [0, 5, 11])
def test_a_proof_needs_nothing_else(repo: Path, tmp_path: Path, number: int) -> None:
    found = packed(tmp_path / "g.txt", repo)
    row = found.rows[number]
    proof = json.loads(json.dumps(manifest.proof_of(found, manifest.find(found, f"alpha:{row['path']}"))))
    assert proof["row"]["git_id"] == row["git_id"]
    assert manifest.checked(proof, found.root) is None
    assert "not to" in str(manifest.checked(proof, "0" * 64))
    for damage in (
        {"index": (number + 1) % 12}, {"files": 100}, {"hashes": proof["hashes"][1:]}, {"root": "0" * 64},
        {"row": proof["row"] | {"sha256": "0" * 64}}, {"hashes": None}, {"format": "x"}, {"hashes": ["zz"]},
    ):  # fmt: skip
        assert manifest.checked(proof | damage), damage


def damaged(repo: Path) -> None:
    put_loose(repo, blob(repo, b"text"), "blob", b"else")


def missing(repo: Path) -> None:
    loose(repo, blob(repo, b"text")).unlink()


def empty(repo: Path) -> None:
    git(repo, "update-ref", "-d", "refs/heads/main")


@pytest.mark.parametrize(
    ("damage", "why"), [(damaged, "audit level 2"), (missing, "audit level 2"), (empty, "has no commit")]
)
def test_who_fails_the_audit_is_left_out_with_the_reason(repo: Path, tmp_path: Path, damage, why: str) -> None:  # type: ignore[no-untyped-def]
    good = make(tmp_path / "good")
    commit(good, {b"b.md": b"b"})
    damage(repo)
    found = packed(tmp_path / "g.txt", repo, good)
    assert [each["name"] for each in found.header["repositories"]] == ["good"]
    assert [each["name"] for each in found.header["left_out"]] == ["alpha"]
    assert why in found.header["left_out"][0]["why"]
    assert {row["repo"] for row in found.rows} == {"good"}
    assert standalone.verify(tmp_path / "g.txt") == []
    with pytest.raises(NothingToPack, match=why):
        packed(tmp_path / "none.txt", repo)
    assert not list(tmp_path.glob("*none*"))


def test_as_of_a_day(tmp_path: Path) -> None:
    repo = make(tmp_path / "alpha")
    first = commit(repo, {b"a.md": b"one"})
    commit(repo, {b"a.md": b"two", b"b.md": b"new"}, [first], FIRST_DATE + DAY)
    before = packed(tmp_path / "one.txt", repo, on=date(2019, 3, 25))
    after = packed(tmp_path / "two.txt", repo, on=date(2019, 3, 26))
    assert [row["size"] for row in before.rows] == [3]
    assert [(each.what, each.path) for each in standalone.changes(before, after)] == [
        ("changed", "a.md"), ("added", "b.md"),
    ]  # fmt: skip
    assert [asdict(each)["what"] for each in standalone.changes(after, before)] == ["changed", "removed"]
    assert list(standalone.changes(after, after)) == []
    with pytest.raises(NothingToPack, match="no commit before the end of 2019-03-24"):
        packed(tmp_path / "none.txt", repo, on=date(2019, 3, 24))


def test_a_remote_is_mirrored_and_keeps_what_was_there(repo: Path, tmp_path: Path) -> None:
    choice = Choice(mirrors=tmp_path / "mirrors")
    source = Source("alpha", repo.as_uri())
    old = standalone.choose(source, choice)
    assert old.tip == old.commit.oid
    assert standalone.audited(old, choice).levels[0].status == "passed"
    commit(repo, {b"other.md": b"another history"}, seconds=FIRST_DATE + DAY)
    new = standalone.choose(source, choice)
    assert [kept.old for kept in new.kept] == [old.commit.oid]
    assert standalone.audited(old, choice).passed


def test_a_remote_needs_a_place_for_its_mirror(repo: Path) -> None:
    with pytest.raises(GenomeError, match="--mirrors"):
        standalone.choose(Source("alpha", repo.as_uri()), Choice())


@pytest.mark.parametrize("place", ["absent", "ext::sh -c id", "--upload-pack=id"])
def test_what_is_no_repository_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(GenomeError, match=r"absent|ext|upload"):
        standalone.choose(Source("x", place), Choice(mirrors=tmp_path))


def test_names_and_their_order() -> None:
    given = ["https://github.com/ada/engine.git", "b=/x/y", "/x/z.git", "file:///x/a"]
    sources = [ecosystem.source_of(text) for text in given]
    assert [source.name for source in sources] == ["ada/engine", "b", "z", "a"]
    ordered = ecosystem.in_order(sources, first=["z"], last=["a"])
    assert [source.name for source in ordered] == ["z", "ada/engine", "b", "a"]
    with pytest.raises(GenomeError, match="NAME=PLACE"):
        ecosystem.in_order([*sources, Source("a", "/other")])
    with pytest.raises(GenomeError, match="no repository is called nobody"):
        ecosystem.in_order(sources, first=["nobody"])


def test_a_pack_that_cannot_be_written_leaves_the_old_one(repo: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.txt"
    packed(out, repo)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def fails() -> Iterator[Source]:
        yield ecosystem.source_of(str(repo))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        standalone.pack(fails(), out, Choice(), Rules())  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_projects_own_checkout_comes_back_as_git_has_it(tmp_path: Path) -> None:
    """A repository that was not made for this, blob by blob."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    shallow = (root / ".git" / "shallow").exists()
    out = tmp_path / "own.txt"
    standalone.pack([Source("own", str(root))], out, Choice(shallow=shallow), Rules(all_text=True))
    standalone.unpack(out, tmp_path / "back")
    rows = [row for row in manifest.read(manifest.place(out)).rows if row["reason"] == "packed"]
    assert len(rows) > 100
    paths = "".join(f"{tmp_path / 'back' / 'own' / row['path']}\n" for row in rows)
    hashed = subprocess.run(
        ["git", "hash-object", "--no-filters", "--stdin-paths"], input=paths, capture_output=True, text=True, check=True
    )
    assert hashed.stdout.split() == [row["git_id"] for row in rows]
