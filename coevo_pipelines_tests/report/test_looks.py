"""Every page of the sample's report in a real browser, from disk: wide and on a phone, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from coevo_pipelines.lake import catalog, schemas
from coevo_pipelines.lake.store import Lake
from coevo_pipelines.report import build
from coevo_pipelines.report.site import PAGES
from coevo_pipelines.settings import Settings
from coevo_pipelines_tests.report.browser import PHONE, WIDE, keep, look, opened, violations, window
from coevo_pipelines_tests.runs import DAYS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KINDS = ("work", "person", "repository", "chamber", "hub")
NAMES = [page.name for page in PAGES]
VIEWS = [(width, dark) for width in (WIDE, PHONE) for dark in (False, True)]
AXE = ((WIDE, False), (PHONE, True))
"""Both widths and both themes have been looked at with two of the four."""
MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def folder(sample: Settings) -> Path:
    """The report of the last day, as the run made it."""
    return build.folder_of(Lake(sample.lake_root), DAYS[-1])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a lake with one day on which nothing was found: every table is there, none has a row."""
    lake = Lake(tmp_path_factory.mktemp("empty") / "lake")
    day = date(2024, 5, 1)
    lake.claim(world="live", start_date=day.isoformat())
    for name, table in schemas.TABLES.items():
        lake.write(name, day, table.empty())
    catalog.build(lake)
    return build.build(lake, day).folder


def addresses(folder: Path, name: str) -> Iterator[str]:
    """The page; where it shows one thing, that of the first and of the longest identifier that other pages link to."""
    address = (folder / f"{name}.html").as_uri()
    if name not in KINDS:
        yield address
        return
    linked = (path.read_text() for path in sorted(folder.glob("*.html")))
    found = {unescape(each) for page in linked for each in re.findall(rf'href="({name}\.html\?id=[^"]+)"', page)}
    assert found, f"nothing leads to a {name}"
    for each in sorted({min(found), max(found, key=lambda link: (len(link), link))}):
        yield f"{folder.as_uri()}/{each}"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_readable_in_every_view(browser: Browser, folder: Path, name: str) -> None:
    """Nothing cut, nothing over anything else, nothing out of the window, no error, no request; axe finds nothing."""
    wrong: dict[str, Any] = {}
    for width, dark in VIEWS:
        with window(browser, width, dark) as context:
            for place, address in enumerate(addresses(folder, name)):
                picture = f"{name}{place or ''}-{width}-{'dark' if dark else 'light'}"
                seen = look(context, address, picture, axe=(width, dark) in AXE)
                assert (seen.dark, seen.title.endswith(str(DAYS[-1]))) == (dark, True)
                if seen.wrong:
                    wrong[picture] = seen.wrong
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_day_without_anything_says_so(browser: Browser, empty: Path, name: str) -> None:
    with window(browser, PHONE) as context:
        address = (empty / f"{name}.html").as_uri()
        assert look(context, address, f"empty-{name}", axe=True).wrong == {}
        with opened(context, address) as (page, _, _):
            sentences = page.locator("main p:visible").all_inner_texts()
    assert any(each.strip().endswith((".", "…")) for each in sentences), sentences


def test_the_whole_report_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES


def test_the_keyboard_reaches_the_content_the_pages_and_the_controls(browser: Browser, folder: Path) -> None:
    with window(browser) as context, opened(context, (folder / "works.html").as_uri()) as (page, _, _):
        reached = []
        for _ in range(6 + sum(each.in_navigation for each in PAGES)):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.id"))
            outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outlined != "none", reached
        titles = [each.title for each in PAGES if each.in_navigation]
        assert reached[0] == "Skip to the content"
        assert [each for each in reached if each in titles] == titles
        assert "Theme: system" in reached
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_menu_of_a_phone_opens_by_keyboard(browser: Browser, folder: Path) -> None:
    with window(browser, PHONE) as context, opened(context, (folder / "index.html").as_uri()) as (page, _, _):
        assert not page.locator("#pages").is_visible()
        page.locator("#menu").focus()
        page.keyboard.press("Enter")
        assert page.locator("#menu").get_attribute("aria-expanded") == "true"
        keep(page, "menu-390-light")
        assert violations(page) == []
        page.get_by_role("link", name="Data health", exact=True).first.click()
        assert page.url.endswith("health.html")


def test_the_theme_is_kept_from_page_to_page(browser: Browser, folder: Path) -> None:
    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    with window(browser) as context, opened(context, (folder / "index.html").as_uri()) as (page, _, _):
        light = paper()
        page.evaluate("window.addEventListener('coevo:theme', () => (window.told = true))")
        for _ in range(2):
            page.locator("#theme").click()
        assert page.locator("#theme").inner_text() == "Theme: dark"
        assert page.evaluate("window.told")
        dark = paper()
        assert dark != light
        page.goto((folder / "health.html").as_uri())
        assert paper() == dark
        page.locator("#theme").click()
        assert paper() == light


def test_without_scripts_every_page_is_there(browser: Browser, folder: Path) -> None:
    with (
        window(browser, PHONE, java_script_enabled=False) as context,
        opened(context, (folder / "works.html").as_uri()) as (page, _, _),
    ):
        assert page.locator("#pages a").first.is_visible()
        assert page.locator("#top tbody tr").count() > 20
        assert not page.locator("#search").is_visible()
        assert not page.locator("#theme").is_visible()


def test_days_lead_to_each_other(browser: Browser, folder: Path) -> None:
    before = folder.with_name(f"date={DAYS[-2]}") / "works.html"
    with window(browser) as context, opened(context, before.as_uri()) as (page, said, _):
        page.locator("a[rel=next]").click()
        assert unquote(page.url) == unquote((folder / "works.html").as_uri())
        page.locator("a[rel=prev]").click()
        assert unquote(page.url) == unquote(before.as_uri())
        assert said == []


def test_the_search_finds_by_words_kind_and_identifier(browser: Browser, folder: Path) -> None:
    with window(browser) as context, opened(context, (folder / "works.html").as_uri()) as (page, said, _):
        rows = page.locator("#results tbody tr")
        page.locator("#words").fill("levy CUCKOO")
        page.wait_for_function("document.getElementById('found').textContent.endsWith('found.')")
        assert "Cuckoo Search via Lévy flights" in rows.first.inner_text()
        assert not page.locator("#leading").is_visible()
        page.locator("#words").fill("1903.06127")
        page.wait_for_function("document.getElementById('found').textContent.startsWith('1 of')")
        page.locator("#words").fill("no such work")
        page.wait_for_function("document.getElementById('found').textContent.startsWith('Nothing')")
        page.locator("#words").fill("")
        page.wait_for_selector("#leading:visible")
        page.locator("#kind").select_option("paper")
        page.locator("#order").select_option("new")
        page.wait_for_selector("#next")
        assert rows.count() == 25
        days = [each.split()[-1] for each in page.locator("#results td:nth-child(2)").all_inner_texts()]
        assert days == sorted(days, reverse=True)
        page.locator("#next").click()
        assert "Page 2" in page.locator("#results .pager").inner_text()
        assert page.evaluate("document.activeElement.id") == "next"
        assert (said, violations(page)) == ([], [])
        keep(page, "works-found-1440-light")
        rows.first.locator("a").first.click()
        assert "work.html?id=" in page.url


def test_the_list_is_sorted_by_a_click_on_a_head(browser: Browser, folder: Path) -> None:
    with window(browser) as context, opened(context, (folder / "works.html").as_uri()) as (page, _, _):
        numbers = page.locator("#top tbody td:nth-child(5)")
        head = page.get_by_role("button", name="Used by")
        head.click()
        used = [int(each.replace(",", "")) for each in numbers.all_inner_texts()]
        assert used == sorted(used, reverse=True)
        assert page.locator("#top th[aria-sort]").inner_text().startswith("Used by")
        head.click()
        assert [int(each.replace(",", "")) for each in numbers.all_inner_texts()] == sorted(used)
