"""`coevo bench report`: every page and kind of records is measured, and what is measured is a report."""

from __future__ import annotations

import json
from pathlib import Path

from coevo_pipelines.report.site import PAGES, RECORDS
from coevo_pipelines_tests.runs import coevo


def test_every_part_of_a_report_is_measured(tmp_path: Path) -> None:
    arguments = ("--works", "300", "--edges", "1500", "--days", "1", "--folder", str(tmp_path), "--json")
    measured = json.loads(coevo("bench", "report", *arguments).stdout)
    parts = [(each["part"], each["of"]) for each in measured["parts"]]
    pages = [(part, page.name) for page in PAGES for part in ("ask", "page")]
    kinds = [(part, each.kind) for each in RECORDS for part in ("ask", "records")]
    assert sorted(parts) == sorted([("start", ""), *pages, *kinds, ("files", "linkbacks"), ("swap", "date=2026-01-01")])
    assert measured["seconds"] == sum(each["seconds"] for each in measured["parts"]) > 0
    assert measured["works"] > 300 and measured["edges"] > 1000
    folder = tmp_path / "lake" / "report" / "snapshot" / "date=2026-01-01"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert (measured["files"], measured["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    again = json.loads(coevo("bench", "report", "--lake", str(tmp_path / "lake"), "--json").stdout)
    assert (again["files"], again["bytes"]) == (measured["files"], measured["bytes"])
