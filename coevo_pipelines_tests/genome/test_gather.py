"""A day's ecosystem from real remotes: folders, and servers on 127.0.0.1; links to public hosts are never followed
out of this machine."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coevo_pipelines.genome import ecosystem, mirrors
from coevo_pipelines.genome.audit import audit
from coevo_pipelines.genome.ecosystem import GenomeError, Listed, Source, source_of
from coevo_pipelines.genome.gather import MOST_LINKS, Asking, gather
from coevo_pipelines.lake import schemas
from coevo_pipelines_tests.genome.repositories import FIRST_DATE, blob, commit, git, make

DAY = timedelta(days=1)
END = datetime(2019, 3, 26, tzinfo=UTC)
"""The end of the day on which the first commits were made."""
NOW = END + timedelta(hours=2)
SECONDS = 86_400

TABLE = schemas.table("genome.ecosystem")


@pytest.fixture(autouse=True)
def _no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = make(tmp_path / "remotes" / "engine.git")
    commit(path, {b"a.py": b"a = 1\n"})
    return path


def asking(folder: Path, *, end: datetime = END, now: datetime = NOW, **options: Any) -> Asking:
    return Asking(folder, end, lambda: now, **options)


def named(*places: object) -> list[Listed]:
    return [Listed(source_of(str(place)), "settings") for place in places]


def fit(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=TABLE.polars_schema(), orient="row")
    return schemas.conform(TABLE, frame, "date=2019-03-25")


def one(given: Listed | Path | str, ask: Asking) -> dict[str, Any]:
    listed = given if isinstance(given, Listed) else named(given)[0]
    (row,) = gather([listed], [], [], ask)
    fit([row])
    return row


def had(url: str, origin: Path, folder: Path, at: datetime = NOW) -> None:
    """The mirror of a public address, as if it had been asked at `at`."""
    mirrors.fetch(str(origin), folder, at=at, name=mirrors.name_of(url))


def links(folder: Path, files: Mapping[bytes, bytes | tuple[str, str]], tmp_path: Path) -> list[str]:
    """What the rows of a repository of these files bring beside itself."""
    path = make(tmp_path / "remotes" / "list.git")
    commit(path, {**files, b"a.txt": b"https://github.com/not/me"})
    rows = gather([], named(path), [], asking(folder))
    fit(rows)
    assert rows[0]["status"] == "fetched"
    assert all((row["listed_by"], row["listed_in"]) == ("readme", "list") for row in rows[1:])
    return [row["repo"] for row in rows[1:]]


# One remote.


def test_a_row(remote: Path, folder: Path) -> None:
    tip = git(remote, "rev-parse", "main")
    row = one(remote, asking(folder))
    assert (folder / row.pop("mirror")).is_dir()
    assert row == {
        "repo": "engine", "url": str(remote), "listed_by": "settings", "listed_in": None, "status": "fetched",
        "head": "refs/heads/main", "commit": tip, "kept": [], "fetched_at": NOW, "error": None,
    }  # fmt: skip


def test_a_day_keeps_its_look(remote: Path, folder: Path) -> None:
    first = one(remote, asking(folder))
    commit(remote, {b"b": b"b"}, [first["commit"]], FIRST_DATE + 1)
    assert one(remote, asking(folder, now=NOW + DAY)) == first
    shutil.rmtree(remote)
    assert one(remote, asking(folder, now=NOW + 2 * DAY)) == first
    later = one(remote, asking(folder, end=END + DAY, now=NOW + 2 * DAY))
    assert (later["status"], later["commit"], later["head"]) == ("gone", first["commit"], first["head"])
    assert later["fetched_at"] == NOW + 2 * DAY
    assert str(remote) in later["error"]


def test_an_earlier_day_takes_the_first_look_after_its_end(remote: Path, folder: Path) -> None:
    tips: list[str] = []
    for number in range(3):
        tips.append(commit(remote, {b"n": b"%d" % number}, tips[-1:], FIRST_DATE + number * SECONDS))
        one(remote, asking(folder, end=END + number * DAY, now=NOW + number * DAY))
    shutil.rmtree(remote)
    for number in range(-2, 3):
        row = one(remote, asking(folder, end=END + number * DAY, now=NOW + 9 * DAY))
        assert (row["commit"], row["fetched_at"]) == (tips[max(number, 0)], NOW + max(number, 0) * DAY)


def test_a_look_before_the_end_of_the_day_does_not_count(remote: Path, folder: Path) -> None:
    one(remote, asking(folder, now=END - timedelta(hours=1)))
    tip = commit(remote, {b"b": b"b"}, [git(remote, "rev-parse", "main")])
    row = one(remote, asking(folder))
    assert (row["commit"], row["fetched_at"]) == (tip, NOW)


def test_a_failed_look_is_taken_again(remote: Path, folder: Path) -> None:
    one(remote, asking(folder, now=END - DAY))
    away = remote.rename(remote.with_name("away"))
    assert one(remote, asking(folder))["status"] == "gone"
    away.rename(remote)
    back = one(remote, asking(folder, now=NOW + DAY))
    assert (back["status"], back["fetched_at"], back["error"]) == ("fetched", NOW + DAY, None)


def test_a_remote_that_never_was(tmp_path: Path, folder: Path) -> None:
    row = one(tmp_path / "absent", asking(folder))
    assert (row["status"], row["mirror"], row["commit"], row["kept"]) == ("failed", None, None, [])
    assert row["error"] == f"{tmp_path / 'absent'}: no mirror made: there is no such folder"
    assert [file.suffix for file in folder.iterdir()] == [".lock"]
    assert one((tmp_path / "absent").as_uri(), asking(folder))["status"] == "gone"


def test_a_folder_that_was_mirrored_and_went(remote: Path, folder: Path) -> None:
    path = folder / one(remote, asking(folder))["mirror"]
    shutil.rmtree(remote)
    shutil.rmtree(path)
    assert one(remote, asking(folder, end=END + DAY, now=NOW + DAY))["status"] == "gone"


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"git://127.0.0.1:{server.getsockname()[1]}"


def test_remotes_that_say_nothing_hold_up_no_other(remote: Path, folder: Path, silent: str) -> None:
    start = time.monotonic()
    places = [remote, *(f"{silent}/ants/r{number}" for number in range(8))]
    rows = gather(named(*places), [], [], asking(folder, timeout=1, at_once=9))
    assert time.monotonic() - start < 6  # one by one it is eight seconds at least
    fit(rows)
    assert [row["status"] for row in rows] == ["fetched", *["failed"] * 8]
    assert [row["repo"] for row in rows] == ["engine", *(f"ants/r{number}" for number in range(8))]
    assert all(row["mirror"] is None and "no mirror made" in row["error"] for row in rows[1:])


def test_a_mirror_whose_remote_says_nothing_any_more(remote: Path, folder: Path, silent: str) -> None:
    shown = "sample://git/engine"
    first = one(Listed(Source("engine", str(remote)), "settings", shown=shown), asking(folder))
    silenced = Listed(Source("engine", f"{silent}/x"), "settings", shown=shown)
    late = one(silenced, asking(folder, end=END + DAY, timeout=1))
    assert (late["status"], late["commit"], late["mirror"]) == ("failed", first["commit"], first["mirror"])
    assert late["url"] == shown
    assert late["error"] == "no answer within 1 s"


@pytest.mark.parametrize(
    "place",
    [
        "x=ext::sh -c 'touch pwned'", "x=--upload-pack=touch pwned", "x=javascript:alert(1)", "x=ftp://127.0.0.1/x",
        "x=fd::17", "x=git@127.0.0.1:x", "x=ssh://127.0.0.1/x", "x=https://-oProxyCommand=id/x",
        "x=https://ada:pass-word@127.0.0.1/x\n", "x=ftp://ada:pass-word@127.0.0.1/x",
    ],
)  # fmt: skip
def test_an_address_that_is_refused(place: str, folder: Path) -> None:
    row = one(Listed(Source("x", place.removeprefix("x=")), "settings"), asking(folder))
    assert (row["status"], row["mirror"]) == ("failed", None)
    assert row["error"]
    assert "pass-word" not in str(row)
    assert not folder.exists()


def test_a_secret_is_on_no_record(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    row = one(f"http://ada:pass-word@127.0.0.1:{port}/ants/engine", asking(folder))
    assert (row["status"], row["url"]) == ("failed", f"http://127.0.0.1:{port}/ants/engine")
    assert row["repo"] == "ants/engine"
    assert "pass-word" not in str(row)


def test_a_force_push_is_told(remote: Path, folder: Path) -> None:
    old = one(remote, asking(folder))["commit"]
    git(remote, "tag", "v1", old)
    git(remote, "branch", "side", old)
    one(remote, asking(folder, end=END + DAY, now=NOW + DAY))
    new = commit(remote, {b"b": b"b"})
    git(remote, "branch", "-D", "side")
    git(remote, "tag", "-d", "v1")
    ask = asking(folder, end=END + 2 * DAY, now=NOW + 2 * DAY)
    row = one(remote, ask)
    assert row["commit"] == new
    assert sorted(row["kept"]) == [
        f"refs/heads/main was {old}: forced", f"refs/heads/side was {old}: deleted", f"refs/tags/v1 was {old}: deleted",
    ]  # fmt: skip
    assert one(remote, ask) == row  # told again by the look on record
    assert one(remote, asking(folder, end=END + 3 * DAY, now=NOW + 3 * DAY))["kept"] == []


def test_an_empty_repository(tmp_path: Path, folder: Path) -> None:
    row = one(make(tmp_path / "empty.git"), asking(folder))
    assert (row["status"], row["head"], row["commit"], row["error"]) == ("fetched", None, None, None)
    assert gather([], named(tmp_path / "empty.git"), [], asking(folder)) == [row]


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_default_branch_that_is_dropped(remote: Path, folder: Path, how: str) -> None:
    first = one(remote, asking(folder))
    if how == "renamed":
        commit(remote, {b"b": b"b"}, ref="refs/heads/trunk")
    git(remote, "update-ref", "-d", "refs/heads/main")
    later = asking(folder, end=END + DAY, now=NOW + DAY)
    row = one(remote, later)
    assert (row["status"], row["head"], row["commit"], row["fetched_at"]) == (
        "fetched", None, first["commit"], NOW + DAY,
    )  # fmt: skip
    assert row["error"] == "no default branch any more: the last one seen on 2019-03-26 is used"
    assert row["kept"] == [f"refs/heads/main was {first['commit']}: deleted"]
    assert audit(folder / row["mirror"], row["commit"]).passed
    assert one(remote, later) == row
    back = commit(remote, {b"c": b"c"})
    assert one(remote, asking(folder, end=END + 2 * DAY, now=NOW + 2 * DAY))["commit"] == back
    assert one(remote, later) == row


def test_a_detached_head(remote: Path, folder: Path) -> None:
    tip = git(remote, "rev-parse", "main")
    (remote / "HEAD").write_text(tip + "\n")
    commit(remote, {b"b": b"b"}, [tip])
    row = one(remote, asking(folder))
    assert (row["status"], row["head"], row["commit"]) == ("fetched", None, tip)


def test_only_commits_of_the_future(tmp_path: Path, folder: Path) -> None:
    path = make(tmp_path / "late.git")
    tip = commit(path, {b"README.md": b"https://github.com/ada/engine"}, seconds=FIRST_DATE + SECONDS)
    (row,) = gather([], named(path), [], asking(folder))
    assert row["commit"] == tip
    assert [each["repo"] for each in gather([], named(path), [], asking(folder, end=END + DAY, now=NOW + DAY))] == [
        "late", "ada/engine",
    ]  # fmt: skip


def test_branches_whose_names_are_not_text(remote: Path, folder: Path) -> None:
    tip = git(remote, "rev-parse", "main")
    for name in ("refs/heads/caf\udce9", "refs/heads/\u202efdp"):
        git(remote, "update-ref", name, tip)
    git(remote, "symbolic-ref", "HEAD", "refs/heads/caf\udce9")
    row = one(remote, asking(folder))
    assert (row["head"], row["commit"]) == (r"refs/heads/caf\xe9", tip)
    assert one(remote, asking(folder)) == row
    git(remote, "symbolic-ref", "HEAD", "refs/heads/main")
    for name in ("refs/heads/caf\udce9", "refs/heads/\u202efdp"):
        git(remote, "update-ref", "-d", name)
    kept = one(remote, asking(folder, end=END + DAY, now=NOW + DAY))["kept"]
    assert sorted(kept) == [
        rf"refs/heads/\xe2\x80\xaefdp was {tip}: deleted", rf"refs/heads/caf\xe9 was {tip}: deleted",
    ]  # fmt: skip


def test_a_folder_whose_name_is_not_text(remote: Path, folder: Path) -> None:
    try:
        strange = remote.rename(remote.with_name("caf\udce9.git"))
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    rows = gather(named(strange, "caf\udce9-absent"), [], [], asking(folder))
    fit(rows)
    assert [row["repo"] for row in rows] == [r"caf\xe9", r"caf\xe9-absent"]
    assert all(row["error"] or row["status"] == "fetched" for row in rows)


def test_a_damaged_record_or_mirror_fails_alone(remote: Path, folder: Path, tmp_path: Path) -> None:
    others = [make(tmp_path / "remotes" / f"{name}.git") for name in ("bad", "worse")]
    for other in others:
        commit(other, {b"a": b"a"})
    rows = gather(named(remote, *others), [], [], asking(folder))
    (folder / rows[1]["mirror"]).with_suffix(".jsonl").write_text("{}\n")
    shutil.rmtree(folder / rows[2]["mirror"])
    (folder / rows[2]["mirror"]).write_text("no folder")
    again = gather(named(remote, *others), [], [], asking(folder, end=END + DAY, now=NOW + DAY))
    fit(again)
    assert [row["status"] for row in again] == ["fetched", "failed", "fetched"]
    record = rows[1]["mirror"].removesuffix("git") + "jsonl"
    assert again[1]["error"].startswith(f"{record} line 1: not a line of a mirror's record")
    assert (again[2]["commit"], again[2]["error"]) == (rows[2]["commit"], None)  # made anew


@pytest.fixture
def damaged(remote: Path, folder: Path) -> tuple[dict[str, Any], Path]:
    """The day's row, and its mirror since then damaged and marked so."""
    row = one(remote, asking(folder))
    path = folder / row["mirror"]
    for pack in path.glob("objects/pack/*"):
        pack.unlink()
    mirrors.mark_damaged(path)
    return row, path


def test_a_marked_mirror_is_made_anew_and_the_day_keeps_its_look(
    remote: Path, folder: Path, damaged: tuple[dict[str, Any], Path]
) -> None:
    row, path = damaged
    commit(remote, {b"b": b"b"}, [row["commit"]], FIRST_DATE + 1)
    assert one(remote, asking(folder, now=NOW + DAY)) == row
    assert audit(path, row["commit"]).passed
    assert not mirrors.is_marked(path)
    assert [look.at for look in mirrors.seen(path)] == [NOW, NOW + DAY]
    assert one(remote, asking(folder, now=NOW + DAY)) == row
    assert len(list(mirrors.seen(path))) == 2  # whole again, and nobody is asked


def test_a_marked_mirror_whose_remote_fails_is_asked_for_again(
    remote: Path, folder: Path, damaged: tuple[dict[str, Any], Path], silent: str
) -> None:
    row, path = damaged
    listed = Listed(Source("engine", f"{silent}/x"), "settings", shown=str(remote))
    late = one(listed, asking(folder, now=NOW + DAY, timeout=1))
    assert late == row | {"status": "failed", "error": "no answer within 1 s"}
    assert mirrors.is_marked(path)
    shutil.rmtree(remote)
    assert one(remote, asking(folder, now=NOW + DAY)) == row  # no better one will come
    assert mirrors.is_marked(path)


def test_a_folder_that_cannot_be_made_is_told_of_each(remote: Path, folder: Path) -> None:
    folder.write_text("a file where the mirrors should be")
    row = one(remote, asking(folder))
    assert row["status"] == "failed"
    assert row["error"] == "[Errno 17] File exists: 'genome/mirrors'"


def test_what_is_shown_for_an_address_is_shown_in_errors(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "somewhere" / "engine.git"
    for place in (str(path), path.as_uri()):
        row = one(Listed(Source("engine", place), "settings", shown="sample://git/engine"), asking(folder))
        assert row["error"].startswith("sample://git/engine: no mirror made: ")
        assert str(tmp_path) not in row["error"]


# Many remotes.


def test_many_at_once(tmp_path: Path, folder: Path) -> None:
    origin = make(tmp_path / "remotes" / "r00.git")
    commit(origin, {b"a": b"a"})
    for number in range(1, 24):
        shutil.copytree(origin, origin.with_name(f"r{number:02}.git"))
    places = sorted((tmp_path / "remotes").iterdir(), reverse=True)
    rows = gather(named(*places, *places[:3]), [], [], asking(folder, at_once=8))
    assert fit(rows)["status"].to_list() == ["fetched"] * 24
    assert [row["url"] for row in rows] == [str(place) for place in places]
    assert len({row["mirror"] for row in rows}) == 24


def test_nothing_is_listed(folder: Path) -> None:
    assert gather([], [], [], asking(folder)) == []
    assert not folder.exists()


def test_two_of_one_name_stop_before_anyone_is_asked(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(GenomeError, match="NAME=PLACE"):
        gather(named(tmp_path / "a" / "x", tmp_path / "b" / "x"), [], [], asking(folder))
    assert not folder.exists()


# Links of a README.


def test_links_of_a_readme_and_what_is_found(remote: Path, folder: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    text = b"https://github.com/Ada/Engine https://github.com/own/list\nhttps://gitlab.com/g/sub/p https://github.com/ada/engine"
    commit(path, {b"README.md": text})
    for url in ("https://github.com/ada/engine", "https://github.com/own/list", "https://github.com/bee/hive"):
        had(url, remote, folder)
    found = [
        Listed(Source("ada/engine", "https://github.com/ada/engine"), "topic", "ants"),
        Listed(Source("bee/hive", "https://github.com/bee/hive"), "owner", "bee"),
    ]
    rows = gather(named(remote), named(path), found, asking(folder))
    fit(rows)
    assert [(row["repo"], row["listed_by"], row["listed_in"], row["status"]) for row in rows] == [
        ("engine", "settings", None, "fetched"),
        ("list", "settings", None, "fetched"),
        ("ada/engine", "readme", "list", "fetched"),
        ("own/list", "readme", "list", "fetched"),
        ("gitlab.com/g/sub/p", "readme", "list", "failed"),
        ("bee/hive", "owner", "bee", "fetched"),
    ]
    assert rows[4]["url"] == "https://gitlab.com/g/sub/p.git"
    assert rows[2]["commit"] == rows[0]["commit"]


@pytest.mark.parametrize("form", ["{}", "file://{}", "other={}/"])
def test_a_list_that_is_named_too_is_still_read(folder: Path, tmp_path: Path, form: str) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    commit(path, {b"README.md": b"https://github.com/ada/engine"})
    rows = gather(named(path), named(form.format(path)), [], asking(folder))
    assert [row["repo"] for row in rows] == ["list", "ada/engine"]


def test_a_readme_is_read_as_of_the_day(folder: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    first = commit(path, {b"README.md": b"https://github.com/ada/old"})
    commit(path, {b"README.md": b"https://github.com/ada/new"}, [first], FIRST_DATE + SECONDS)
    for number, name in enumerate(["ada/old", "ada/new"]):
        rows = gather([], named(path), [], asking(folder, end=END + number * DAY, now=NOW + DAY))
        assert [row["repo"] for row in rows] == ["list", name]


def test_several_readmes(folder: Path, tmp_path: Path) -> None:
    files = {
        b"README.md": b"https://github.com/a/md", b"readme.rst": b"`x <https://github.com/b/rst>`_",
        b"docs/README.md": b"https://github.com/c/docs", b"README.d/README": b"https://github.com/d/folder",
        b"README.py": b"https://github.com/e/code",
    }  # fmt: skip
    assert links(folder, files, tmp_path) == ["a/md", "b/rst"]


@pytest.mark.parametrize(
    "data",
    [
        "Die Käfer: https://github.com/ada/engine – für alle".encode("cp1252"),
        "\ufeffhttps://github.com/ada/engine".encode("utf-16"),
        "\ufeffhttps://github.com/ada/engine\r\n".encode(),
    ],
)
def test_a_readme_in_another_charset(folder: Path, tmp_path: Path, data: bytes) -> None:
    assert links(folder, {b"README.txt": data}, tmp_path) == ["ada/engine"]


@pytest.mark.parametrize(
    "files",
    [
        {b"readme.py": b"https://github.com/ada/engine"},
        {b"README.md": b"\0\0https://github.com/ada/engine"},
        {b"README.md": b"https://github.com/ada/engine " + b" " * 5_000_000},
        {b"README.md/x": b"https://github.com/ada/engine"},
        {b"README.md": ("160000", "1" * 40)},
        {b"README.md": b"file:///etc/passwd ext::sh -c id /etc/passwd ../x https://evil.org/a/b"},
    ],
)
def test_what_brings_nothing(folder: Path, tmp_path: Path, files: dict[bytes, bytes | tuple[str, str]]) -> None:
    assert links(folder, files, tmp_path) == []


def test_a_readme_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    target = blob(path, b"docs/https://github.com/ada/engine")
    commit(path, {b"README.md": ("120000", target), b"docs/README.md": b"https://github.com/ada/engine"})
    assert [row["repo"] for row in gather([], named(path), [], asking(folder))] == ["list"]


def test_a_readme_brings_only_so_many(
    folder: Path, tmp_path: Path, remote: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    urls = [f"https://github.com/ada/r{number}" for number in range(MOST_LINKS + 5)]
    commit(path, {b"README.md": "\n".join(urls).encode()})
    had(urls[0], remote, folder)
    origin, *others = (folder / f"{mirrors.name_of(url)}.git" for url in urls)
    for other in others:  # with a look on record, nobody is asked
        other.mkdir()
        shutil.copy(origin.with_suffix(".jsonl"), other.with_suffix(".jsonl"))
    rows = gather([], named(path), [], asking(folder))
    assert [row["repo"] for row in rows[1:]] == [f"ada/r{number}" for number in range(MOST_LINKS)]
    assert {row["commit"] for row in rows[1:]} == {git(remote, "rev-parse", "main")}
    assert f"links to {MOST_LINKS + 5} repositories" in caplog.text


def test_a_list_that_is_gone_is_read_from_its_mirror(folder: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    commit(path, {b"README.md": b"https://github.com/ada/engine"})
    gather([], named(path), [], asking(folder))
    shutil.rmtree(path)
    rows = gather([], named(path), [], asking(folder, end=END + DAY, now=NOW + DAY))
    assert [(row["repo"], row["status"]) for row in rows] == [("list", "gone"), ("ada/engine", "failed")]


def test_a_list_whose_mirror_is_damaged_is_told(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    commit(path, {b"README.md": b"https://github.com/ada/engine"})
    (row, _) = gather([], named(path), [], asking(folder))
    for pack in (folder / row["mirror"]).glob("objects/pack/*"):
        pack.chmod(0o644)
        pack.unlink()
    assert gather([], named(path), [], asking(folder)) == [row]
    assert "the README of list cannot be read" in caplog.text


def test_a_repository_named_like_a_linked_one(remote: Path, folder: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "remotes" / "list.git")
    commit(path, {b"README.md": b"https://github.com/ada/engine"})
    had("https://github.com/ada/engine", remote, folder)
    rows = gather(named(f"ada/engine={remote}"), named(path), [], asking(folder))
    fit(rows)
    assert [row["repo"] for row in rows] == ["ada/engine", "list", "github.com/ada/engine"]


def test_listed_by_is_what_the_schema_says() -> None:
    (column,) = (column for column in TABLE.columns if column.name == "listed_by")
    assert set(column.enum or ()) == set(ecosystem.By.__args__)  # type: ignore[attr-defined]
