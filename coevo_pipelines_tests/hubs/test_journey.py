"""A new hub, as its gardener would do it: made, checked, added, run, seen on the map, matched and scored."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import duckdb
import pytest

from coevo_pipelines.lake.verify import verify
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.runs import coevo

NEXT = "2019-03-28"
"""The day after those that `make run` makes."""


@pytest.fixture(scope="module")
def told(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The lake after the journey, and what the commands said."""
    home = tmp_path_factory.mktemp("gardener")
    root = home / "lake"
    shutil.copytree(sample.lake_root, root)
    package, said = home / "my-garden", []

    def run(*arguments: str) -> None:
        done = coevo(*arguments, cwd=home, COEVO_LAKE=str(root))
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        said.append(done.stdout)

    place = ("--latitude", "52.13", "--longitude", "11.63")
    run("hubs", "init", "my-garden", "--kind", "food", *place, "--date", NEXT)
    run("hubs", "validate", "my-garden")
    _asks_for_what_is_offered(package, root)
    run("hubs", "validate", "my-garden")
    run("hubs", "add", "my-garden")
    run("run", "--date", NEXT)
    return root, said


def _asks_for_what_is_offered(package: Path, root: Path) -> None:
    """One more need, beside those of the template: a thing that a hub of the sample sends by post."""
    with duckdb.connect(str(root / "coevo.duckdb"), read_only=True) as catalog:
        item, unit, kind = catalog.execute(
            """SELECT item, unit, kind FROM hubs.posts WHERE side = 'offer' AND by_post
            AND until_at > TIMESTAMPTZ '2019-04-01 00:00:00+00' ORDER BY item LIMIT 1"""
        ).fetchall()[0]
    table = package / "needs.csv"
    with table.open(newline="", encoding="utf-8") as stream:
        names = csv.DictReader(stream).fieldnames or []
    row = {
        "id": "asked-by-the-test", "item": item, "kind": kind, "amount": "1", "unit": unit, "from": NEXT,
        "until": "2019-06-30", "by_post": "true", "priority": "5",
    }  # fmt: skip
    with table.open("a", newline="", encoding="utf-8") as stream:
        csv.DictWriter(stream, names, lineterminator="\n").writerow({name: row.get(name, "") for name in names})


def one(root: Path, question: str) -> tuple[object, ...]:
    with duckdb.connect(str(root / "coevo.duckdb"), read_only=True) as catalog:
        (row,) = catalog.execute(question).fetchall()
    return row


def test_the_commands_say_what_to_do_next(told: tuple[Path, list[str]]) -> None:
    made, checked, _, added, _ = told[1]
    assert "coevo hubs validate" in made
    assert "need" in checked and "offer" in checked
    assert f"coevo run --date {NEXT}" in added


def test_the_hub_is_in_the_registry_from_its_day_on(told: tuple[Path, list[str]]) -> None:
    found = one(
        told[0],
        f"SELECT kind, latitude, longitude FROM hubs.registry WHERE hub_id = 'hub:my-garden' AND date = '{NEXT}'",
    )
    assert found == ("food", 52.13, 11.63)
    assert one(told[0], f"SELECT count(*) FROM hubs.registry WHERE hub_id = 'hub:my-garden' AND date < '{NEXT}'") == (
        0,
    )


def test_its_data_set_is_a_work_with_a_score(told: tuple[Path, list[str]]) -> None:
    work = one(told[0], "SELECT kind, event, date::VARCHAR FROM traces.works WHERE work_id = 'hub:my-garden'")
    assert work == ("hub_dataset", "created", NEXT)
    (influence,) = one(
        told[0], f"SELECT influence FROM influence.scores WHERE node_id = 'hub:my-garden' AND date = '{NEXT}'"
    )
    assert isinstance(influence, float) and influence > 0


def test_its_need_is_matched_or_said_why_not(told: tuple[Path, list[str]]) -> None:
    matches = one(
        told[0],
        f"SELECT count(*) FROM hubs.matches WHERE need_hub = 'hub:my-garden' AND need_id = 'asked-by-the-test' "
        f"AND date = '{NEXT}'",
    )
    assert matches == (1,)
    needs = one(told[0], f"SELECT needs FROM hubs.registry WHERE hub_id = 'hub:my-garden' AND date = '{NEXT}'")
    answered = one(
        told[0],
        f"""SELECT count(*) FROM (
            SELECT need_id FROM hubs.matches WHERE need_hub = 'hub:my-garden' AND date = '{NEXT}'
            UNION SELECT need_id FROM hubs.unmatched WHERE hub_id = 'hub:my-garden' AND date = '{NEXT}')""",
    )
    assert answered == needs


def test_it_is_on_the_map_and_has_a_page(told: tuple[Path, list[str]]) -> None:
    report = told[0] / "report" / "snapshot" / f"date={NEXT}"
    assert "my-garden" in (report / "hubs.html").read_text(encoding="utf-8")
    records = "".join(path.read_text(encoding="utf-8") for path in sorted((report / "data" / "hub").glob("*.js")))
    assert json.dumps("hub:my-garden") in records


def test_all_of_it_is_verified(told: tuple[Path, list[str]]) -> None:
    assert verify(told[0]).findings == ()
