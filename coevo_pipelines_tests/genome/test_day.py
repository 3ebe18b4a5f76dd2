"""A day's genome as tables: in order, with everything that is left out and why, and one root over its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.genome import manifest, standalone
from coevo_pipelines.genome.asof import Commit, Stamp
from coevo_pipelines.genome.assets import TABLES
from coevo_pipelines.genome.day import MOST_DIFFERENCES, Known, _moment, genome_of, root_of
from coevo_pipelines.genome.files import Rules
from coevo_pipelines.genome.git import object_id
from coevo_pipelines.lake import schemas
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, blob, commit, git, loose, make, nested, raw
from coevo_pipelines_tests.genome.test_packing import LFS, ODD, Files, made

DAY = timedelta(days=1)
END = datetime.fromtimestamp(FIRST_DATE, UTC) + DAY
GOOD: Files = {b"README.md": b"# Read\n", b"LICENSE": b"SPDX-License-Identifier: MIT\n", b"x.png": b"\0"}


def listed(repo: Path, **other: Any) -> dict[str, Any]:
    """A row of `genome.ecosystem` for a mirror."""
    tip = git(repo, "for-each-ref", "--format=%(objectname)", "refs/heads/main") or None
    return {
        "repo": repo.name, "url": "sample://x", "listed_by": "settings", "listed_in": None, "mirror": repo.name,
        "status": "fetched", "head": "main", "commit": tip, "kept": [], "fetched_at": END, "error": None, **other,
    }  # fmt: skip


def known(root: Path, *rows: Mapping[str, Any], **other: Any) -> Known:
    ecosystem = schemas.conform(
        schemas.table("genome.ecosystem"),
        pl.DataFrame(rows, schema=schemas.table("genome.ecosystem").polars_schema(), orient="row"),
        "test",
    ).to_dicts()
    return replace(Known(ecosystem, END, root, root / "mirrors", root / "genome" / "packs"), **other)


def made_day(wanted: Known) -> dict[str, list[dict[str, Any]]]:
    """The day's tables as rows; what must hold of any day is checked here."""
    frames = genome_of(wanted)
    assert tuple(frames) == TABLES
    for name, frame in frames.items():
        same = schemas.conform(schemas.table(name), frame, "test")
        assert same.columns == frame.columns
        assert same.equals(frame.sort(schemas.table(name).key)), name
    found = {name: frame.to_dicts() for name, frame in frames.items()}
    repositories, files = found["genome.repositories"], found["genome.files"]
    assert [row["place"] for row in repositories] == list(range(1, len(wanted.ecosystem) + 1))
    assert {row["repo"] for row in repositories} == {row["repo"] for row in wanted.ecosystem}
    assert all((row["status"] != "packed") == (row["why"] is not None) for row in repositories)
    assert [row["place"] for row in files] == list(range(len(files)))
    inside = [row["repo"] for row in repositories if row["status"] == "packed"]
    assert list(dict.fromkeys(row["repo"] for row in files)) == inside
    for row in repositories:
        own = [each for each in files if each["repo"] == row["repo"]]
        texts = [each["text"].encode() for each in own if each["text"] is not None]
        assert (row["files"], row["packed"], row["text_bytes"]) == (len(own), len(texts), sum(map(len, texts)))
        assert (row["bytes"], row["tokens"]) == (
            sum(each["size"] for each in own), sum(each["tokens"] or 0 for each in own),
        )  # fmt: skip
    for each in files:
        assert (each["text"] is None) == (each["offset"] is None) == (each["reason"] != "packed")
        assert each["text"] is None or hashlib.sha256(each["text"].encode()).hexdigest() == each["text_sha256"]
    if not inside:
        assert (found["genome.manifest"], files) == ([], [])
        return found
    (one,) = found["genome.manifest"]
    pack = wanted.root / one["pack"]
    assert standalone.verify(pack) == []
    told = manifest.read(manifest.place(pack))
    assert one["root"] == root_of(frames["genome.files"]) == told.root
    assert one["pack_sha256"] == hashlib.sha256(pack.read_bytes()).hexdigest()
    assert one["pack_bytes"] == pack.stat().st_size
    assert one["manifest_sha256"] == hashlib.sha256(manifest.place(pack).read_bytes()).hexdigest()
    assert (one["repositories"], one["left_out"]) == (len(inside), len(repositories) - len(inside))
    for total in ("files", "packed", "bytes", "text_bytes", "tokens"):
        assert one[total] == sum(row[total] for row in repositories), total
    assert sum(json.loads(one["reasons"]).values()) == one["files"]
    assert json.loads(one["rules"]) == wanted.rules.told()
    return found


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


def test_order_and_tables(mirrors: Path, tmp_path: Path) -> None:
    rows = [listed(made(mirrors / name, GOOD)) for name in ("b", "a", "z", "c", "A")]
    found = made_day(known(tmp_path, *rows, first=("z", "absent"), last=("a", "gone")))
    assert [row["repo"] for row in found["genome.repositories"]] == ["z", "A", "b", "c", "a"]
    tip = git(mirrors / "z", "rev-parse", "main")
    assert found["genome.repositories"][0] == {
        "place": 1, "repo": "z", "status": "packed", "why": None, "commit": tip,
        "tree": git(mirrors / "z", "rev-parse", "main^{tree}"), "swhid": f"swh:1:rev:{tip}",
        "committed_at": END - DAY, "license": "MIT", "files": 3, "packed": 2, "bytes": 37, "text_bytes": 36,
        "tokens": 9,  # SPDX -License -Identifier : MIT and its line end; # Read and its line end
    }  # fmt: skip
    assert [row["path"] for row in found["genome.files"][:3]] == ["LICENSE", "README.md", "x.png"]
    assert [row["text"] for row in found["genome.files"][:3]] == [
        "SPDX-License-Identifier: MIT\n", "# Read\n", None,
    ]  # fmt: skip
    assert [(row["repo"], row["level"], row["status"]) for row in found["genome.audits"][:4]] == [
        ("z", level, "passed") for level in (1, 2, 3, 4)
    ]
    assert json.loads(found["genome.manifest"][0]["reasons"]) == {"extension": 5, "packed": 10}
    assert found["genome.manifest"][0]["tokenizer"] == "pieces"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_odd_files(mirrors: Path, tmp_path: Path, algorithm: str) -> None:
    found = made_day(known(tmp_path, listed(made(mirrors / "odd", ODD, algorithm)), rules=Rules(all_text=True)))
    rows = {row["path"]: row for row in found["genome.files"]}
    assert rows["latin.txt"]["text"].endswith("café\n")
    assert rows["late.txt"]["text"].endswith("x\0")
    assert rows["bom.txt"]["text"] == "\ufeffx\n"
    assert (rows["module"]["sha256"], rows["module"]["swhid"], rows["model.txt"]["size"]) == (None, None, len(LFS))
    assert (found["genome.repositories"][0]["swhid"] is None) == (algorithm == "sha256")
    assert len(rows["empty.txt"]["git_id"]) == (40 if algorithm == "sha1" else 64)


def _gone(mirrors: Path) -> dict[str, Any]:
    row = {"status": "failed", "error": "it did not answer", "mirror": None, "commit": None, "head": None}
    return listed(make(mirrors / "x"), **row)


def _empty(mirrors: Path) -> dict[str, Any]:
    return listed(make(mirrors / "x"))


def _removed(mirrors: Path) -> dict[str, Any]:
    return listed(made(mirrors / "x", GOOD), mirror="elsewhere")


def _later(mirrors: Path) -> dict[str, Any]:
    commit(make(mirrors / "x"), {b"a.md": b"a"}, seconds=FIRST_DATE + 86_400)
    return listed(mirrors / "x")


def _absent(mirrors: Path) -> dict[str, Any]:
    return listed(made(mirrors / "x", GOOD), commit="1" * 40)


def _missing(mirrors: Path) -> dict[str, Any]:
    repo = make(mirrors / "x")
    commit(repo, {b"a.md": b"a", b"m.md": b"m"})
    loose(repo, blob(repo, b"m")).unlink()
    return listed(repo)


def _submodules(mirrors: Path) -> dict[str, Any]:
    return listed(made(mirrors / "x", {b"module": ("160000", b"1" * 40), b"other": ("160000", b"2" * 40)}))


def _nothing(mirrors: Path) -> dict[str, Any]:
    commit(make(mirrors / "x"), {})
    return listed(mirrors / "x")


def _not_git(mirrors: Path) -> dict[str, Any]:
    row = listed(made(mirrors / "x", GOOD))
    (mirrors / "x" / "HEAD").unlink()
    return row


def _replaced(mirrors: Path) -> dict[str, Any]:
    row = listed(made(mirrors / "x", GOOD))
    git(mirrors / "x", "replace", blob(mirrors / "x", b"# Read\n"), blob(mirrors / "x", b"other"))
    return row


LEFT_OUT: dict[Callable[[Path], dict[str, Any]], tuple[str, int]] = {
    _gone: ("failed: it did not answer", 0),
    _empty: ("no commit on its default branch", 0),
    _removed: ("its mirror elsewhere is not there any more", 0),
    _later: ("no commit before 2019-03-26 (UTC)", 0),
    _absent: ("fetch first", 1),
    _not_git: ("is no commit here", 1),
    _missing: ("audit level 2", 4),
    _submodules: ("audit level 3", 4),
    _nothing: ("audit level 3", 4),
    _replaced: ("replace ref", 4),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_who_is_left_out_is_there_with_the_reason(
    mirrors: Path, tmp_path: Path, case: Callable[[Path], dict[str, Any]]
) -> None:
    """Beside others, which are packed as if it were not there; and alone."""
    row = case(mirrors)
    others = [listed(made(mirrors / name, GOOD)) for name in ("a", "z")]
    why, levels = LEFT_OUT[case]
    expected = made_day(known(tmp_path, *others, packs=tmp_path / "other" / "packs"))
    found = made_day(known(tmp_path, *others, row))
    assert [(each["repo"], each["status"]) for each in found["genome.repositories"]] == [
        ("a", "packed"), ("x", "not_yet" if case is _later else "left_out"), ("z", "packed"),
    ]  # fmt: skip
    assert why in found["genome.repositories"][1]["why"]
    assert found["genome.files"] == expected["genome.files"]
    one, other = found["genome.manifest"][0], expected["genome.manifest"][0]
    assert one | {"left_out": 0, "pack": ""} == other | {"pack": ""}
    for wanted in (found, made_day(known(tmp_path, row))):
        audits = [each for each in wanted["genome.audits"] if each["repo"] == "x"]
        assert len(audits) == levels
        assert (levels == 0) == (not any(each["status"] == "failed" for each in audits))
        assert all((each["status"] == "failed") == (each["differing"] > 0) for each in audits)


def test_only_the_first_differences_are_told(mirrors: Path, tmp_path: Path) -> None:
    repo = made(mirrors / "x", {b"%d.md" % at: b"%d" % at for at in range(MOST_DIFFERENCES + 5)})
    for at in range(MOST_DIFFERENCES + 5):
        loose(repo, object_id("blob", b"%d" % at)).unlink()
    audits = made_day(known(tmp_path, listed(repo)))["genome.audits"]
    third = audits[2]
    assert (third["differing"], len(third["differences"])) == (MOST_DIFFERENCES + 5, MOST_DIFFERENCES)
    assert "at 0.md: " in third["differences"][0]


def test_an_empty_ecosystem(tmp_path: Path) -> None:
    found = made_day(known(tmp_path))
    assert found == {name: [] for name in TABLES}
    assert root_of(schemas.table("genome.files").empty()) == hashlib.sha256().hexdigest()


def test_the_root_needs_the_very_columns(mirrors: Path, tmp_path: Path) -> None:
    """Whatever is changed in a row leads elsewhere; the order of the frame does not matter."""
    files = genome_of(known(tmp_path, listed(made(mirrors / "x", GOOD))))["genome.files"]
    root = root_of(files)
    assert root_of(files.reverse()) == root
    assert root_of(files.with_columns(place=2 - pl.col("place"))) != root
    for name in manifest.FIELDS - {"leaf"}:
        changed = pl.lit(not files[name][0]) if files.schema[name] == pl.Boolean else pl.lit(
            7 if files.schema[name].is_integer() else "changed"
        )  # fmt: skip
        other = files.with_columns(pl.when(pl.col("place") == 0).then(changed).otherwise(pl.col(name)).alias(name))
        assert root_of(other) != root, name


def test_the_days_commit(mirrors: Path, tmp_path: Path) -> None:
    repo = make(mirrors / "x")
    first = commit(repo, {b"a.md": b"one"})
    second = commit(repo, {b"a.md": b"two"}, [first], FIRST_DATE + 86_400)
    row = listed(repo)
    for end, oid in ((END, first), (END + DAY, second), (END + 50 * DAY, second), (END, first)):
        found = made_day(known(tmp_path, row, end=end))
        assert found["genome.repositories"][0]["commit"] == oid
        assert [each["text"] for each in found["genome.files"]] == ["one" if oid == first else "two"]
    assert len(list((tmp_path / "genome" / "packs").iterdir())) == 2


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("-62135596800", datetime(1, 1, 1, tzinfo=UTC)),
        ("-99999999999999999", None),
        ("31556952000000000", "too late"),  # the year 10^9
        ("999999999999999999", "too late"),
        ("9999999999999999999999", "too late"),
    ],
)
def test_dates_that_no_clock_shows(mirrors: Path, tmp_path: Path, seconds: str, told: datetime | str | None) -> None:
    """What git takes for no date, or for one of the far future, has not come yet: left out, with the reason."""
    repo = make(mirrors / "x")
    data = (
        f"tree {nested(repo, {b'a.md': b'a'})}\nauthor A <a@b> {seconds} +0000\ncommitter A <a@b> {seconds} +0000\n\n"
    )
    git(repo, "update-ref", "refs/heads/main", raw(repo, "commit", data.encode()))
    found = made_day(known(tmp_path, listed(repo)))["genome.repositories"][0]
    if told == "too late" or (seconds.startswith("-") and found["status"] == "not_yet"):  # as this git reads it
        assert (found["status"], found["committed_at"]) == ("not_yet", None)
        assert found["why"] == "no commit before 2019-03-26 (UTC)"
    else:
        assert (found["status"], found["committed_at"]) == ("packed", told)


@pytest.mark.parametrize("seconds", [10**12, 10**15, 10**17, 10**18 - 1])
def test_years_that_no_calendar_has(seconds: int) -> None:
    for each in (seconds, -seconds):
        assert _moment(Commit("", "", (), None, Stamp(b"", each, "+0000"), "", b"")) is None
    assert _moment(None) is None
    assert _moment(Commit("", "", (), None, None, "", b"")) is None
