"""The page of the genome: what it says, where its numbers lead, and what no name can do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coevo_pipelines.genome.changes import compared
from coevo_pipelines.report.html import UNSEEN
from coevo_pipelines.report.pages.genome import PAGE
from coevo_pipelines_tests.report.asked import DAY, Rows, catalog_of, links, page_of, said, shown
from coevo_pipelines_tests.report.browser import HOSTILE, STACKED, Reader

LATER = DAY + timedelta(days=1)
LONG = "a" * 350 + "/main.py"  # 358 bytes and no place to break
Row = dict[str, Any]


def manifest(days: Mapping[date, tuple[int, int]]) -> list[Row]:
    """Days with (text bytes, files)."""
    return [
        {"date": day, "root": f"{files:064x}", "pack": f"genome/packs/{files}/genome.txt", "repositories": 3,
         "left_out": 1, "files": files, "packed": files - 2, "bytes": 2 * text, "text_bytes": text,
         "tokens": text // 4, "pack_bytes": text + 999, "tokenizer": "pieces",
         "reasons": json.dumps({"binary": 2, "packed": files - 2})}
        for day, (text, files) in days.items()
    ]  # fmt: skip


def repository(place: int, repo: str, text: int, **more: Any) -> Row:
    return {"place": place, "repo": repo, "status": "packed", "commit": f"{place:040x}", "license": "MIT",
            "files": 12_345, "text_bytes": text} | more  # fmt: skip


def change(path: str, before: int | None, after: int | None, **more: Any) -> Row:
    kind = "added" if before is None else "removed" if after is None else "changed"
    return {"repo": "ants", "path": path, "change": kind, "before": before, "after": after, "diff": ""} | more


def audit(repo: str, *statuses: str, **more: Any) -> list[Row]:
    return [{"repo": repo, "level": level, "status": status, "checked": 10 * level, "differing": 0} | more
            for level, status in enumerate(statuses, 1)]  # fmt: skip


def usual(
    name: str = "swarm-lab/Ants", path: str = "src/ant.py", why: str = "audit failed at level 3", days: int = 60
) -> dict[str, list[Row]]:
    """Growth over so many days, with two gaps; strangers' words where they can stand; what comes later is no part."""
    gaps = (3, *range(20, 23))
    sizes = {DAY - timedelta(days=back): (9_876_543 - 12_000 * back, 2_000 - back)
             for back in range(days) if back not in gaps}  # fmt: skip
    diff = f"--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,2 @@\n--- {name}\n+++ {path}\n \t{why}"
    lines = {"lines_added": 1_200, "lines_removed": 1, "diff": diff}
    return {
        "genome.manifest": manifest(sizes | {LATER: (5, 5)}),
        "genome.repositories": [
            repository(1, name, 6_000_000, license=name, commit=name),
            repository(2, "tiny", 100, license=None),
            repository(3, "bees", 3_876_443),
            repository(4, name + "2", 0, status="left_out", why=why, commit=None),
            repository(1, "later", 5) | {"date": LATER},
        ],
        "genome.audits": [
            *audit("bees", "passed", "passed", "passed", "passed"),
            *audit(name + "2", "passed", "passed", "failed", "not_run", differing=2, differences=[why, path]),
        ],
        "genome.changes": [
            change(path, 10_000, 8_000, **lines) | {"repo": name},
            change("new.md", None, 77_777, **lines),
            change("old.bin", 10, None) | {"date": DAY - timedelta(days=1)},
            change("later.md", None, 5) | {"date": LATER},
        ],
        "traces.works": [{"work_id": "github:swarm-lab/ants", "kind": "repository", "source": "github"}],
    }


def of(rows: Rows, world: str = "live") -> bytes:
    return page_of(PAGE, rows, world)


def test_the_headline_leads_to_its_row_and_says_how_to_check_it() -> None:
    page = of(usual())
    words = said(page)
    for each in (
        "As of 2026-11-20", "Repositories 3", "Left out 1", "Files 2,000", "Text 9.9 MB", "Tokens 2,469,135",
        "Pack 9.9 MB", f"Merkle root {2000:064x}", "packed 1,998; binary 2. 19.8 MB in all",
        "tokens are pieces of text",
        "coevo genome verify data_lake/genome/packs/2000/genome.txt",
    ):  # fmt: skip
        assert each in words, each
    assert f"proof.html?table=genome.manifest&date=2026-11-20&root={2000:064x}" in links(page)
    assert "later" not in words


def test_each_repository_with_its_licence_and_its_page() -> None:
    page = of(usual())
    words = said(page)
    start = words.index("3 in the genome of 2026-11-20")
    row = "bees 0000000000 MIT 12,345 3.9 MB 39.2%"
    order = [words.index(each, start) for each in ("swarm-lab/Ants", row, "tiny 0000000000 not certain 12,345 100 B")]
    assert order == sorted(order)
    assert "1 not in it on 2026-11-20, and why Repository Why swarm-lab/Ants2 audit failed at level 3" in words
    assert (
        "Licences, by repositories and text: swarm-lab/Ants 1 (6.0 MB); MIT 1 (3.9 MB); not certain 1 (100 B)." in words
    )
    assert {each for each in links(page) if each.startswith("repository")} == {
        "repository.html?id=github:swarm-lab/ants"
    }, "a work of the day; the others are named only"
    assert "proof.html?table=genome.repositories&date=2026-11-20&place=3" in links(page)


def test_the_audit_says_each_level_and_what_failed() -> None:
    words = said(of(usual()))
    assert "1 of 2 repositories failed" in words
    assert (
        "gives its id 60 1 1 0" in words and "1 Commit and tree" in words
    )  # level 3: checked, passed, failed, not run
    assert (
        "What failed Repository Level Differing The first of them swarm-lab/Ants2 3 2 audit failed at level 3" in words
    )
    well = usual() | {"genome.audits": audit("bees", "passed", "passed", "passed", "passed")}
    assert "No level failed, in any of 1 repositories" in said(of(well))
    assert "What failed" not in said(of(well))
    assert "Nothing was audited on 2026-11-20" in said(of(usual() | {"genome.audits": []}))


def test_growth_marks_days_without_a_genome() -> None:
    page = of(usual()).decode()
    assert "9.2 MB on 2026-09-22, 9.9 MB on 2026-11-20; 4 of 60 days have no genome (marked); at most 9.9 MB." in page
    drawn = [each for each in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if 'role="img"' in each]
    assert len(drawn) == 4, "two charts, wide and narrow"
    for each in drawn:
        marks = re.search(r'<g [^>]*fill="var\(--gap\)"[^>]*>(.*?)</g>', each)
        assert marks and marks[1].count("<path") == 2, "of one day and of three"
    whole = {DAY - timedelta(days=back): (5_000, 7) for back in range(3)}
    assert "var(--gap)" not in of({"genome.manifest": manifest(whole)}).decode()
    late = of({"genome.manifest": manifest({DAY - timedelta(days=2): (5_000, 7)}),
               "genome.repositories": [repository(1, "ants", 0, status="left_out", why="damaged")]})  # fmt: skip
    assert "2 of 3 days have no genome (marked)" in said(late), "those since the last one, too"
    assert "var(--gap)" in late.decode()


@pytest.mark.parametrize("days", [1, 2, 2_500])
def test_one_day_and_years_of_days(days: int) -> None:
    sizes = {DAY - timedelta(days=back): (50_000 + back % 17, 5 + back) for back in range(days)}
    page = of({"genome.manifest": manifest(sizes)})
    assert len(page) < 150_000
    assert ("And 2,440 more older days, not shown: see genome.manifest." in said(page)) is (days == 2_500)


def test_ten_thousand_repositories() -> None:
    rows = [repository(n, f"r{n:05}", 1_000 * (20_000 - n)) for n in range(1, 10_001)]
    rows += [repository(n, f"o{n:05}", 0, status="left_out", why="gone") for n in range(10_001, 10_301)]
    page = of(usual() | {"genome.repositories": rows, "genome.changes": [], "genome.audits": []})
    words = said(page)
    assert len(re.findall(r"<bdi>r\d{5}</bdi>", page.decode())) == 500
    assert len(re.findall(r"<bdi>o\d{5}</bdi>", page.decode())) == 200
    hidden = sum(row["text_bytes"] for row in rows[500:])
    assert f"And 9,500 more repositories with {hidden / 1e9:.1f} GB of text, not shown" in words
    assert "And 100 more left out, not shown" in words
    assert "r00500" in words and "r00501" not in words


def test_no_day_and_a_day_without_a_genome() -> None:
    assert "No genome has been made yet" in said(of({}))
    out = {"genome.repositories": [repository(1, "ants", 0, status="left_out", why="damaged")]}
    words = said(of(out))
    assert "2026-11-20 has no genome" in words and "ants damaged" in words
    words = said(of(out | {"genome.manifest": manifest({DAY - timedelta(days=1): (5_000, 7)})}))
    assert "2026-11-20 has no genome" in words and "As of 2026-11-19" in words


def test_what_changed() -> None:
    page = of(usual())
    words = said(page)
    assert "2026-11-20 1 0 1 +75.8 kB" in words  # added, removed, changed: 77,777 - 2,000 bytes
    assert "2026-11-19 0 1 0 −10 B" in words
    assert "2026-11-18 (not compared: no genome the day before)" in words
    assert "2026-11-16 (nothing changed)" in words
    order = [
        words.index(each)
        for each in ("new.md 2026-11-20 added +1,200 −1 +77.8 kB", "ant.py 2026-11-20", "old.bin 2026")
    ]
    assert order == sorted(order)
    assert "proof.html?table=genome.changes&date=2026-11-19&repo=ants&path=old.bin" in links(page)


def test_the_last_changes_are_shown_however_long_ago() -> None:
    """Seven days with a genome are asked for, not seven days of the calendar."""
    made = {DAY - timedelta(days=10 * back): (5_000, 7) for back in range(1, 10)}
    changes = [change(f"f{back}", None, 5) | {"date": DAY - timedelta(days=10 * back)} for back in range(1, 10)]
    connection = catalog_of({"genome.manifest": manifest(made), "genome.changes": changes})
    words = said(shown(PAGE, connection, DAY))
    assert [f"f{back} " in words for back in range(1, 10)] == [True] * 7 + [False] * 2
    words = said(shown(PAGE, connection, DAY - timedelta(days=25)))
    assert [f"f{back} " in words for back in range(1, 10)] == [False] * 2 + [True] * 7


def test_diffs_are_cut_and_the_rest_is_counted() -> None:
    head = "--- a/f\n+++ b/f\n@@ -1,90 +1,90 @@\n"
    diff = head + "-- dashes\n" + "".join(f"+line {n}\n" for n in range(88)) + "+" + "w" * 10_000 + "\n"
    rows = [change(f"f{n:02}", 5, 6, diff=diff, lines_added=90 - n, lines_removed=0) for n in range(25)]
    rows += [change("long", 5, 6, diff="@@\n+" + "w" * 1_000, lines_added=91, lines_removed=0)]
    page = of({"genome.manifest": usual()["genome.manifest"], "genome.changes": rows})
    text, words = page.decode(), said(page)
    assert text.count('<pre dir="ltr">') == 10
    assert "And 16 more diffs of these days, not shown" in words
    assert "And 6 more smaller changes, not shown" in words
    assert words.count("And 33 more lines of this diff, not shown") == 9
    assert f"+{'w' * 399} … (601 more characters)" in words
    assert text.count("<del>-- dashes</del>") == 9  # a removed line that begins as a file's name does
    assert text.count("<ins>+line 55</ins>") == 9
    assert "+line 56" not in words


def test_a_diff_that_was_cut_before_and_one_of_nothing() -> None:
    """As `genome.changes` has them: of a long text, and of a file whose mode alone has changed."""
    diff = compared(None, "ant\n" * 1_500, "long.md")
    rows = [change("long.md", None, 6_000, diff=diff.text, lines_added=diff.added, lines_removed=diff.removed),
            change("run.sh", 5, 5, diff="", lines_added=0, lines_removed=0)]  # fmt: skip
    page = of({"genome.manifest": manifest({DAY: (6_000, 5)}), "genome.changes": rows})
    assert page.decode().count('<pre dir="ltr">') == 1
    assert "And 1,443 more lines of this diff, not shown" in said(page)  # 1,500 and 3 of its head, less 60


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    ["<script>alert(1)</script>", "&lt;", "</bdi></table>", "]]>", "'\" onload=x", "\u202e", "\0", HOSTILE, STACKED]
)


@settings(max_examples=6, deadline=None, phases=[Phase.generate])  # shrinking whole pages would take minutes
@given(words, words, words)
def test_no_name_path_or_reason_changes_the_page_s_elements(name: str, path: str, why: str) -> None:
    """The same elements with the same attributes but for where links lead; and what was written can be read."""
    path, why = path.replace("\n", " "), why.replace("\n", " ")
    page = Reader(of(usual(name, path, why, days=5)))

    def bare(given: Reader) -> list[Any]:
        return [(tag, sorted((k, "" if k == "href" else v or "") for k, v in attrs)) for tag, attrs in given.elements]

    assert bare(page) == bare(_plain())
    seen = "".join(page.said)
    for each in (name, path, why):
        assert "".join(part if not UNSEEN.match(part) else ascii(part)[1:-1] for part in each) in seen
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x7f-\x9f\ufeff]", seen)


@cache
def _plain() -> Reader:
    return Reader(of(usual("no/work", days=5)))


def test_a_long_name_is_whole_and_an_address_that_it_cannot_leave() -> None:
    page = of(usual(LONG, LONG, HOSTILE))
    assert LONG in said(page)
    assert not [each for each in links(page) if re.match(r"\w+:|//", each) and not each.startswith("data:")]


def test_same_rows_same_bytes() -> None:
    rows = usual()
    assert of({name: list(reversed(each)) for name, each in rows.items()}) == of(rows)
