"""Hubs, resources and the page of one hub in a real browser: wide and on a phone, light and dark, by key and mouse."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from coevo_pipelines.lake.schemas import HUB_KINDS
from coevo_pipelines.report import atlas, html, records
from coevo_pipelines.report.build import WEB, answers
from coevo_pipelines.report.entities import hubs as entity
from coevo_pipelines.report.entities import works
from coevo_pipelines.report.page import About
from coevo_pipelines.report.pages import hubs, resources
from coevo_pipelines_tests.report import hubs as given
from coevo_pipelines_tests.report.asked import DAY, Rows, catalog_of
from coevo_pipelines_tests.report.browser import PHONE, WIDE, beside, look, opened, violations, window

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ABOUT = About(DAY, "live", (DAY - timedelta(days=1), DAY))
PAGES = (hubs.PAGE, resources.PAGE, entity.PAGE)


def written(folder: Path, rows: Rows) -> dict[str, str]:
    """The pages and their records beside them, as a build writes them; addresses by name."""
    connection = catalog_of(rows)
    connection.execute(f"SET VARIABLE day = DATE '{DAY}'")
    connection.execute("CREATE SCHEMA lake")
    connection.execute("CREATE TABLE lake.commits (date DATE)")
    pages = {page.name: html.page(page, PAGES, ABOUT, page.body(answers(connection, page.queries), ABOUT))
             for page in PAGES}  # fmt: skip
    addresses = beside(folder, pages)
    for name, value in hubs.PAGE.data(answers(connection, hubs.QUERIES), ABOUT):
        records.script(folder / "data" / f"{name}.js", name, value)
    shards = {
        each.kind: records.write(folder, each.kind, each.records(answers(connection, each.queries), ABOUT))
        for each in (entity.RECORDS, works.RECORDS)
    }
    about = {"day": DAY, "days": ABOUT.days, "shards": shards}
    records.script(folder / "data" / "about.js", "about", about)
    return {**addresses, "one": f"{addresses['hub']}?id=hub:green-valley", "plain": f"{addresses['hub']}?id=hub:shamba"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    worlds: dict[str, Rows] = {"day": given.day(), "hostile": given.hostile(), "empty": {}}
    root = tmp_path_factory.mktemp("hubs")
    return {name: written(root / name / "x", rows) for name, rows in worlds.items()}


@pytest.mark.parametrize(
    ("world", "width", "dark"),
    [("day", WIDE, False), ("day", PHONE, True), ("hostile", WIDE, True), ("hostile", PHONE, False),
     ("empty", PHONE, False)],
)  # fmt: skip
def test_the_pages_are_readable(
    browser: Browser, shown: dict[str, dict[str, str]], world: str, width: int, dark: bool
) -> None:
    wrong: dict[str, Any] = {}
    names = ("hubs", "resources", "hub", *(() if world == "empty" else ("one", "plain")))
    with window(browser, width, dark) as context:
        for name in names:
            seen = look(context, shown[world][name], f"{world}-{name}-{width}", axe=world != "hostile")
            assert seen.dark is dark
            assert seen.title != "owned"
            if seen.wrong:
                wrong[name] = seen.wrong
    assert wrong == {}


def test_a_mark_of_the_map_leads_to_its_hub_and_the_keyboard_has_the_table(
    browser: Browser, shown: dict[str, dict[str, str]]
) -> None:
    with window(browser) as context, opened(context, shown["day"]["hubs"]) as (page, said_, _):
        mark = page.locator(".wide a[href$='community-farm']").first
        assert mark.locator("title").text_content() == "Community Farm (food, New York)"
        page.keyboard.press("Tab")
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.closest('svg') ? 'map' : document.activeElement.href"))
        assert "map" not in reached
        assert any(each and each.endswith("hub.html?id=hub:community-farm") for each in reached)
        mark.locator("path").click()
        page.wait_for_selector("#record h2")
        assert page.locator("h1").inner_text() == "Community Farm"
        assert said_ == []


def test_a_hub_has_all_its_sides_and_who_cites_it(browser: Browser, shown: dict[str, dict[str, str]]) -> None:
    with window(browser) as context, opened(context, shown["day"]["one"]) as (page, said_, _):
        page.wait_for_selector("#record h2")
        heads = page.locator("#record h2").all_inner_texts()
        assert heads == ["What it is", "In numbers", "Where it is", "Needs and offers", "What it tried", "Measurements",
                         "Data sets", "Seen nearby in open data", "Who cites it", "The nearest hubs", "Versions",
                         "Refused", "Permanent link"]  # fmt: skip
        text = page.locator("#record").inner_text()
        assert page.locator("#record a[href='work.html?id=arxiv:one']").count() == 1
        for words in ("10 kg missing nobody offers it", "18 g/kg", "Apis mellifera", "temperature °C", "1.1.0"):
            assert words in text, words
        assert page.locator(".around figure").count() == 2
        assert page.locator(".around .land").get_attribute("d")
        assert violations(page) == []
        assert said_ == []


def test_without_scripts_maps_and_tables_are_there(browser: Browser, shown: dict[str, dict[str, str]]) -> None:
    with (
        window(browser, PHONE, java_script_enabled=False) as context,
        opened(context, shown["day"]["hubs"]) as (page, _, _),
    ):
        assert page.locator(".map .narrow svg").first.is_visible()
        assert page.locator("tbody tr").count() >= 10


def test_the_outlines_of_kinds_are_one_in_all_places() -> None:
    script = (WEB / "hub.js").read_text()
    kinds = re.search(r"const KINDS = (\[.*?\]);", script, re.DOTALL)
    assert kinds
    assert tuple(orjson.loads(kinds[1])) == HUB_KINDS == tuple(atlas.SHAPES)
    reasons = re.search(r"const REASONS = \{(.*?)\};", script, re.DOTALL)
    assert reasons
    told = dict(re.findall(r'(\w+): "([^"]+)"', reasons[1]))
    assert told == {name: words for name, (words, _) in resources.REASONS.items()}
