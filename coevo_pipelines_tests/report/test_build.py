"""The report's frame: the same bytes of the same lake, swapped in whole, renewed when what it is made from changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from coevo_pipelines.lake import catalog
from coevo_pipelines.lake.store import Lake, LakeError
from coevo_pipelines.report import build, exchange, made, records
from coevo_pipelines.report.page import About, Page
from coevo_pipelines.report.site import PAGES
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.small import FIRST, PAGE, RECORDS, SECOND, THIRD, committed, digest, small
from coevo_pipelines_tests.runs import DAYS, ROOT, coevo, environment


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two days in a small lake, and a report of one short page."""
    monkeypatch.setattr(build, "PAGES", (PAGE,))
    monkeypatch.setattr(build, "RECORDS", (RECORDS,))
    return small(tmp_path / "lake")


@pytest.fixture(scope="module")
def copied(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The sample's lake, to write reports into."""
    root = tmp_path_factory.mktemp("copied") / "lake"
    shutil.copytree(sample.lake_root, root)
    return Lake(root)


def leftovers(lake: Lake) -> list[str]:
    return [path.name for path in (lake.root / build.FOLDER).iterdir() if not path.name.startswith("date=")]


def test_the_same_lake_gives_the_same_bytes_whatever_the_order_of_hashes(copied: Lake) -> None:
    found = set()
    for seed in ("1", "2"):
        coevo("report", "build", "--date", str(DAYS[-1]), "--lake", str(copied.root), PYTHONHASHSEED=seed)
        found.add(digest(build.folder_of(copied, DAYS[-1])))
    assert len(found) == 1


def test_a_report_says_what_it_was_made_from(copied: Lake) -> None:
    built = build.build(copied, DAYS[1])
    name, told, report = records.read(built.folder / "data" / "made.js")
    index = copied.snapshot().index
    digests = {table: index.upto(table, str(DAYS[1])).sha256 for table in index.tables}
    assert name == "made" and {table: held["sha256"] for table, held in told["tables"].items()} == digests
    _, about, also = records.read(built.folder / "data" / "about.js")
    assert report == also == about["made"] == told["name"]
    assert about["days"] == [str(day) for day in DAYS[:2]], "of later days it knows nothing"
    assert (built.files, built.bytes) == (
        sum(path.is_file() for path in built.folder.rglob("*")),
        sum(path.stat().st_size for path in built.folder.rglob("*") if path.is_file()),
    )


def test_what_is_up_to_date_is_left_alone(short: Lake) -> None:
    first = list(build.renew(short, [FIRST, SECOND]))
    touched = {each.day: each.folder.stat().st_ino for each in first}
    again = list(build.renew(short, [FIRST, SECOND]))
    assert [each.changed for each in first] == [True, True]
    assert [each.changed for each in again] == [False, False]
    assert {each.day: each.folder.stat().st_ino for each in again} == touched
    assert [(each.files, each.bytes) for each in again] == [(each.files, each.bytes) for each in first]


def test_a_filled_in_day_renews_the_later_reports_and_no_earlier_one(short: Lake) -> None:
    committed(short, THIRD)
    catalog.build(short)
    list(build.renew(short, [FIRST, SECOND, THIRD]))
    committed(short, SECOND, note="more of it")
    catalog.build(short)
    assert [(each.day, each.changed) for each in build.renew(short, [])] == [(THIRD, True), (SECOND, True)]
    assert list(build.renew(short, [])) == []


def test_another_code_renews_the_days_asked_for_and_leaves_the_others(
    short: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(build.renew(short, [FIRST, SECOND]))
    monkeypatch.setattr(made, "code_sha256", lambda: "another")
    assert [(each.day, each.changed) for each in build.renew(short, [FIRST])] == [(FIRST, True)]


def test_a_changed_page_or_script_is_another_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "CODE", tmp_path)
    (tmp_path / "web").mkdir()
    found = []
    for content in ("one", "two", "one"):
        (tmp_path / "web" / "a.js").write_text(content)
        made.code_sha256.cache_clear()
        found.append(made.code_sha256())
    made.code_sha256.cache_clear()
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("harm", ["remove", "cut"])
def test_a_damaged_report_is_made_again(short: Lake, harm: str) -> None:
    page = next(iter(build.renew(short, [FIRST]))).page
    whole = digest(page.parent)
    if harm == "remove":
        page.unlink()
    else:
        page.write_bytes(b"")
    assert [each.changed for each in build.renew(short, [FIRST])] == [True]
    assert digest(page.parent) == whole


KILLED = """
import os, sys
from pathlib import Path
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.report import build, exchange
from coevo_pipelines_tests.report import small

def killed(*_, **__):
    os._exit(9)

small.short()
where = sys.argv[2]
if where == "writing":
    build.PAGES = (small.Page("index", "", {}, killed),)
elif where == "before":
    exchange.put = killed
elif where == "exchanged":
    exchange.shutil.rmtree = killed
else:
    exchange._renameat2 = lambda: None
    moved = []
    rename = Path.rename
    Path.rename = lambda path, to: killed() if moved else (rename(path, to), moved.append(to))
build.build(Lake(Path(sys.argv[1])), small.SECOND)
"""


@pytest.mark.parametrize(
    ("where", "then"),
    [("writing", "old"), ("before", "old"), ("exchanged", "new"), ("in between, without an exchange", "none")],
)
def test_a_kill_leaves_the_old_report_or_the_new_one(short: Lake, where: str, then: str) -> None:
    folder = build.build(short, SECOND).folder
    old = digest(folder)
    committed(short, FIRST, note="more of it")
    catalog.build(short)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(short.root), where], cwd=ROOT, env=environment(), check=False, timeout=60
    )
    assert ended.returncode == 9 and leftovers(short)
    if then == "none":
        assert not folder.exists()
        # The old one comes back, and is seen to be out of date, at once.
        assert [each.day for each in build.renew(short, [])] == [SECOND]
    else:
        assert (digest(folder) == old) == (then == "old")
    build.build(short, SECOND)
    assert digest(folder) != old and leftovers(short) == []


def test_without_an_exchange_the_folder_is_replaced_too(short: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build.build(short, FIRST).folder
    (folder / "old").touch()
    monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    build.build(short, FIRST)
    assert not (folder / "old").exists() and leftovers(short) == []


def test_a_full_disk_is_said_and_the_old_report_stays(short: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build.build(short, FIRST).folder
    old = digest(folder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(records, "write", full)
    with pytest.raises(build.ReportError, match=rf"date={FIRST}: the disk is full: make room.*--date {FIRST}"):
        build.build(short, FIRST)
    assert digest(folder) == old and leftovers(short) == []


def test_two_builds_at_once_come_one_after_the_other(short: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, pause = 0, 0, threading.Event()

    def body(_frames: object, about: About) -> str:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        pause.wait(0.2)
        inside -= 1
        return str(about.day)

    monkeypatch.setattr(build, "PAGES", (Page("index", "Held", {}, body),))
    with ThreadPoolExecutor(2) as both:
        built = list(both.map(lambda day: build.build(Lake(short.root), day), [FIRST, FIRST]))
    assert most == 1 and built[0] == built[1] and leftovers(short) == []


def test_who_has_a_file_open_goes_on_reading_it(short: Lake) -> None:
    file = build.build(short, SECOND).folder / "data" / "about.js"
    content = file.read_bytes()
    with file.open("rb") as reader:
        committed(short, FIRST, note="more of it")
        catalog.build(short)
        build.build(short, SECOND)
        assert reader.read() == content != file.read_bytes()


def test_a_day_of_which_the_lake_has_nothing(short: Lake) -> None:
    with pytest.raises(build.NoSuchDay, match=rf"nothing of {THIRD} .*{SECOND}.*coevo run --date {THIRD}"):
        build.build(short, THIRD)
    assert build.build(short).day == SECOND, "the newest, where none is named"
    assert [each.day for each in build.renew(short, [THIRD])] == [THIRD], "a run that asks for it gets it, empty"


def test_what_is_newer_than_the_catalog_is_counted(short: Lake) -> None:
    committed(short, FIRST, note="more of it")
    committed(short, THIRD)
    built = build.build(short)
    assert (built.day, built.behind) == (SECOND, 2)
    shutil.rmtree(short.root / "ledger")
    with pytest.raises(LakeError, match=r"holds entry 1, which the ledger has not: run `coevo catalog`"):
        build.build(Lake(short.root))


def test_records_are_found_by_their_identifier(tmp_path: Path) -> None:
    many = {f"arxiv:{number}": {"number": number} for number in range(1000)}
    shards = records.write(tmp_path, "work", iter(many.items()), "made")
    assert shards == 16
    for identifier, record in many.items():
        path = tmp_path / "data" / "work" / f"{records.shard(identifier, shards)}.js"
        name, held, report = records.read(path)
        assert held[identifier] == record and (name, report) == (f"work/{path.stem}", "made")
    with pytest.raises(ValueError, match="two records of the work 'a'"):
        records.write(tmp_path / "twice", "work", [("a", {}), ("a", {})])


def test_every_page_can_be_made_of_a_lake_with_next_to_nothing(tmp_path: Path) -> None:
    lake = small(tmp_path / "lake")
    built = build.build(lake, SECOND)
    assert {path.stem for path in built.folder.glob("*.html")} >= {page.name for page in PAGES}


def test_the_way_in_lists_the_days_newest_first(short: Lake) -> None:
    list(build.renew(short, [FIRST, SECOND]))
    page = (short.root / "report" / "index.html").read_text()
    assert page.index(f"date={SECOND}/index.html") < page.index(f"date={FIRST}/index.html")
    assert records.read(short.root / "report" / "days.js")[1] == [str(SECOND), str(FIRST)]
    assert build.reports(short) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("", "report/index.html"),
        ("?page=index&id=doi:10.1/a&a=%27%26", f"date={SECOND}/index.html?id=doi%3A10.1%2Fa&a=%27%26"),
        ("?page=//evil.example/", "report/index.html?page=//evil.example/"),
        ("?page=javascript:alert(1)", "report/index.html?page=javascript:alert(1)"),
    ],
)
def test_a_permanent_link_leads_to_the_newest_day(browser: Any, short: Lake, asked: str, leads: str) -> None:
    list(build.renew(short, [FIRST, SECOND]))
    page = browser.new_page()
    page.goto((short.root / "report" / "index.html").as_uri() + asked)
    page.wait_for_timeout(200)
    assert page.url.endswith(leads)
    page.close()


def test_the_commands_make_and_open_a_report(copied: Lake, tmp_path: Path) -> None:
    told = json.loads(coevo("report", "build", "--lake", str(copied.root), "--json").stdout)
    assert told["date"] == str(DAYS[-1]) and Path(told["page"]).exists() and told["newer_than_catalog"] == 0
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    opened = coevo("report", "open", "--date", str(DAYS[-1]), "--lake", str(copied.root), BROWSER=str(browser))
    assert opened.stdout.strip() == told["page"]
    assert (tmp_path / "opened").read_text().strip() == Path(told["page"]).as_uri()
    for command in ("build", "open"):
        wrong = coevo("report", command, "--date", "2001-01-01", "--lake", str(copied.root))
        assert wrong.returncode == 2 and "2001-01-01" in wrong.stderr and "coevo r" in wrong.stderr
    assert coevo("report", "open", "--lake", str(tmp_path)).returncode == 2


def test_reports_of_other_days_are_told_from_other_folders(short: Lake) -> None:
    list(build.renew(short, [FIRST]))
    home = short.root / build.FOLDER
    (home / "date=mine").mkdir()
    (home / "date=mine" / "index.html").touch()
    (home / f"date={date(2024, 6, 1)}").mkdir()
    assert build.reports(short) == [FIRST]
