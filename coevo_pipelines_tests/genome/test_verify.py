"""Every flipped bit of a lake's packs, manifests and mirrors is found and located; what is gone is named."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.genome import manifest, packs
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.git import object_id
from coevo_pipelines.genome.mirrors import fetch
from coevo_pipelines.genome.verify import wrong_mirrors, wrong_packs
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, commit, flip, git, loose
from coevo_pipelines_tests.genome.test_packing import chosen, made

FILES = {b"LICENSE": b"SPDX-License-Identifier: MIT\n", b"a.md": b"<|x|>", b"caf\xe9.txt": b"caf\xe9", b"z.png": b"\0"}


AT = datetime(2019, 3, 25, 2, tzinfo=UTC)


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def packed(lake: Path, *names: str) -> dict[str, Any]:
    """A row of `genome.manifest` for a new pack of new repositories."""
    repos = [chosen(made(lake.parent / name, FILES | {name.encode(): b""})) for name in names]
    pack, _ = packs.make(lake / "genome" / "packs", repos, Rules())
    assert pack is not None
    return {
        "date": "2019-03-25",
        "pack": pack.file.relative_to(lake).as_posix(),
        "pack_sha256": hashlib.sha256(pack.file.read_bytes()).hexdigest(),
        "manifest_sha256": hashlib.sha256(manifest.place(pack.file).read_bytes()).hexdigest(),
    }


def test_a_flipped_bit_of_any_byte_is_found_and_located(lake: Path) -> None:
    row = packed(lake, "one", "two")
    pack = lake / row["pack"]
    assert list(wrong_packs(lake, [row])) == []
    rows = [each for each in manifest.read(manifest.place(pack)).rows if each["offset"] is not None]
    draw = random.Random(3)
    for file in (pack, manifest.place(pack)):
        whole = file.read_bytes()
        for at in range(0, len(whole), 3 if file == pack else 31):
            bit = 8 * at + draw.randrange(8)
            flip(file, bit)
            found = list(wrong_packs(lake, [row]))
            file.write_bytes(whole)
            assert found, f"{file.name} bit {bit}"
            assert found[0].startswith(str(file)), found
            inside = [each for each in rows if each["offset"] <= at < each["offset"] + each["length"]]
            if file != pack:
                line = whole.count(b"\n", 0, at) + 1
                assert f"line {line}:" in found[0] or whole[at : at + 1] == b"\n"
            elif inside:
                assert f"{inside[0]['repo']}: {inside[0]['path']}" in found[0], (at, found)
    assert list(wrong_packs(lake, [row])) == []


@pytest.mark.parametrize("most", [0, 1, 100])
def test_what_is_cut_off_is_found(lake: Path, most: int) -> None:
    row = packed(lake, "one")
    for file in (lake / row["pack"], manifest.place(lake / row["pack"])):
        whole = file.read_bytes()
        for changed in (whole[: most or -1], whole[:-most], whole + b"x" * (most + 1)):
            file.write_bytes(changed)
            assert str(file) in next(wrong_packs(lake, [row]))
        file.write_bytes(whole)


@pytest.mark.parametrize("both", [False, True])
def test_a_file_that_is_gone_is_named(lake: Path, both: bool) -> None:
    """Whatever has become of the one beside it; and the packs of other days are looked at all the same."""
    gone, good, bad = packed(lake, "gone"), packed(lake, "good"), packed(lake, "bad")
    flip(lake / bad["pack"], 100)
    pack = lake / gone["pack"]
    for file, beside in ((pack, manifest.place(pack)), (manifest.place(pack), pack)):
        kept = {each: each.read_bytes() for each in (file, beside)}
        if both:
            flip(beside, 8 * 20)
        file.unlink()
        first, second = wrong_packs(lake, [gone, good, bad])
        assert first == f"genome.manifest date=2019-03-25: {file}: No such file or directory; make the day again"
        assert str(lake / bad["pack"]) in second
        for each, data in kept.items():
            each.write_bytes(data)


def test_a_whole_pack_that_is_another_one_is_told(lake: Path) -> None:
    """Pack and manifest agree with each other, not with what was committed; nor does the day before hide it."""
    one, two = packed(lake, "one"), packed(lake, "two")
    shutil.rmtree((lake / one["pack"]).parent)
    shutil.copytree((lake / two["pack"]).parent, (lake / one["pack"]).parent)
    told = f"sha256 {two['pack_sha256']}, and {one['pack_sha256']} was committed"
    assert list(wrong_packs(lake, [one])) == [f"genome.manifest date=2019-03-25: {lake / one['pack']}: {told}"]
    later = two | {"pack": one["pack"], "date": "2019-03-26"}
    assert [told in each for each in wrong_packs(lake, [one, later])] == [True]
    assert [told in each for each in wrong_packs(lake, [later, one])] == [True]


def test_a_pack_of_many_days_is_read_once(lake: Path) -> None:
    row = packed(lake, "one")
    flip(lake / row["pack"], 8 * 100)
    days = [row | {"date": f"2019-03-{day}"} for day in range(10, 30)]
    assert list(wrong_packs(lake, days)) == list(wrong_packs(lake, [row]))


def mirrored(mirrors: Path, name: str = "x") -> dict[str, Any]:
    """A mirror whose remote was rewritten once; the row of `genome.ecosystem` of the second look."""
    remote = made(
        mirrors.parent / f"remote-{name}", {b"%d.md" % at: random.Random(at).randbytes(60) for at in range(12)}
    )
    fetch(str(remote), mirrors, at=AT, name=name)
    commit(remote, {b"a.md": b"a", b"d/b.md": b"b"}, (), FIRST_DATE + 86_400)
    mirror = fetch(str(remote), mirrors, at=AT + timedelta(1), name=name)
    return {
        "date": date(2019, 3, 26), "repo": f"of/{name}", "mirror": mirror.path.name, "status": "fetched",
        "commit": mirror.commit, "fetched_at": AT + timedelta(1),
    }  # fmt: skip


def test_a_flipped_bit_of_a_mirrors_pack_is_found(mirrors: Path) -> None:
    """In what the day's commit reaches and in what it does not, in the index and in the data."""
    row = mirrored(mirrors)
    assert list(wrong_mirrors(mirrors, [row])) == []
    draw = random.Random(4)
    for file in sorted((mirrors / "x.git" / "objects" / "pack").iterdir()):
        if file.suffix not in (".pack", ".idx"):
            continue
        whole = file.read_bytes()
        for _ in range(6):
            flip(file, draw.randrange(8 * len(whole)))
            found = list(wrong_mirrors(mirrors, [row]))
            file.write_bytes(whole)
            assert found and found[0].startswith("of/x: mirror x.git: audit level ")
    assert list(wrong_mirrors(mirrors, [row])) == []


def test_a_flipped_bit_of_a_mirrors_object_is_located(mirrors: Path) -> None:
    row = mirrored(mirrors)
    repo = mirrors / row["mirror"]
    for pack in sorted((repo / "objects" / "pack").glob("*.pack")):
        data = pack.read_bytes()
        for each in pack.parent.glob(f"{pack.stem}.*"):
            each.unlink()
        git(repo, "unpack-objects", "-q", stdin=data)
    draw = random.Random(5)
    for at in range(12):
        oid = object_id("blob", random.Random(at).randbytes(60))
        file = loose(repo, oid)
        whole = file.read_bytes()
        flip(file, draw.randrange(8 * (len(whole) - 1)))  # the last byte may end in bits that stand for nothing
        (found,) = wrong_mirrors(mirrors, [row])
        file.write_bytes(whole)
        assert oid in found
    assert list(wrong_mirrors(mirrors, [row])) == []


def _gone(repo: Path) -> None:
    shutil.rmtree(repo)


def _shallow(repo: Path) -> None:
    (repo / "shallow").write_text(git(repo, "rev-parse", "main") + "\n")


def _moved(repo: Path) -> None:
    git(repo, "update-ref", "refs/heads/main", kept(repo))


def _branch(repo: Path) -> None:
    git(repo, "update-ref", "refs/heads/other", kept(repo))


def _kept_gone(repo: Path) -> None:
    git(repo, "update-ref", "-d", f"refs/kept/{kept(repo)}")


def _record_changed(repo: Path) -> None:
    tip = git(repo, "rev-parse", "main")
    record = repo.with_suffix(".jsonl")
    record.write_text(record.read_text().replace(f'"commit": "{tip}"', f'"commit": "{tip[::-1]}"'))


def _record_cut(repo: Path) -> None:
    record = repo.with_suffix(".jsonl")
    record.write_text(record.read_text().splitlines(keepends=True)[0])


def _record_unreadable(repo: Path) -> None:
    record = repo.with_suffix(".jsonl")
    record.write_text("x" + record.read_text())


def kept(repo: Path) -> str:
    return git(repo, "for-each-ref", "--format=%(objectname)", "refs/kept/")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_gone, "it is not there any more; make the day again to fetch it"),
        (_shallow, "audit level 2: shallow: "),
        (_moved, "refs/heads/main is "),
        (_branch, "refs/heads/other is "),
        (_kept_gone, "is missing; the record has "),
        (_record_changed, "and 2019-03-26 was made from "),
        (_record_cut, "its record has no look of 2019-03-26 02:00:00+00:00, from which 2019-03-26 was made"),
        (_record_unreadable, "line 1: not a line of a mirror's record"),
    ],
)
def test_each_mirror_is_told_of_by_itself(mirrors: Path, damage: Callable[[Path], None], said: str) -> None:
    rows = [mirrored(mirrors, name) for name in ("a", "x", "z")]
    damage(mirrors / "x.git")
    found = list(wrong_mirrors(mirrors, rows))
    assert found and all(each.startswith("of/x: mirror x.git: ") for each in found)
    assert any(said in each for each in found)


def test_a_mirror_that_no_longer_has_its_commit_is_told(mirrors: Path) -> None:
    row = mirrored(mirrors) | {"commit": "1" * 40}
    assert any("audit level 1" in each for each in wrong_mirrors(mirrors, [row]))


def test_no_packs_and_no_mirrors_are_no_findings(tmp_path: Path) -> None:
    assert list(wrong_packs(tmp_path, [])) == list(wrong_mirrors(tmp_path, [])) == []
