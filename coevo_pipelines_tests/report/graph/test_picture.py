"""The picture in a real browser, opened from disk: searching, choosing, filters, links to it, and without it all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coevo_pipelines_tests.report.graph.worlds import Frames, frames, write


@pytest.fixture(scope="module")
def given() -> Frames:
    return frames(400, 500)


@pytest.fixture(scope="module")
def address(given: Frames, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("graph") / "page", given).as_uri()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    faults: list[str] = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    yield opened
    opened.close()
    assert not faults


def shown(tab: Any, address: str, query: str = "") -> Any:
    tab.goto(address + query)
    tab.wait_for_selector("#graph[data-ready]")
    return tab


def linked(given: Frames, work: str) -> set[str]:
    edges = given["edges"].filter(given["edges"]["source"] != given["edges"]["target"])
    return {
        other
        for one, other in [*edges.select("source", "target").rows(), *edges.select("target", "source").rows()]
        if one == work
    }


def test_a_work_is_found_and_chosen_by_keyboard(tab: Any, address: str, given: Frames) -> None:
    page = shown(tab, address)
    page.focus("#find")
    page.keyboard.type("work number 1")
    hits = page.locator("#hits [role=option]")
    assert hits.count() == 12
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    work = hits.nth(1).get_attribute("data-id")
    assert hits.nth(1).get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    assert page.locator("#sheet code").inner_text() == work
    listed = {each.get_attribute("data-id") for each in page.locator("#sheet li button").all()}
    assert listed == linked(given, work)
    assert page.locator("#said").inner_text().startswith("Chosen: Work number 1")


def test_a_link_leads_to_a_work_and_from_it_to_its_neighbours(tab: Any, address: str, given: Frames) -> None:
    work = given["nodes"]["node_id"][0]
    page = shown(tab, address, f"?id={work}")
    assert page.locator("#sheet code").inner_text() == work
    first = page.locator("#sheet li button").first
    other = first.get_attribute("data-id")
    first.press("Enter")
    assert page.locator("#sheet code").inner_text() == other
    assert page.evaluate("document.activeElement.tagName") == "H2"
    again = page.url
    assert other in again
    page.goto("about:blank")
    page.goto(again)
    page.wait_for_selector("#graph[data-ready]")
    assert page.locator("#sheet code").inner_text() == other
    page.keyboard.press("Escape")
    page.locator("#sheet .close").press("Enter")
    assert page.locator("#sheet").is_hidden()
    assert page.evaluate("document.activeElement.id") == "view"


def test_filters_change_what_is_counted(tab: Any, address: str, given: Frames) -> None:
    page = shown(tab, address)
    edges = given["edges"].filter(given["edges"]["source"] != given["edges"]["target"])
    ends = {*edges["source"], *edges["target"]}

    def told() -> str:
        return str(page.locator("#shown").inner_text())

    assert told() == f"{len(ends)} works of 400, {edges.height} links of {edges.height}"
    page.locator("[data-relation]").first.uncheck()
    left = edges.filter(edges["relation"] != "derives_from").height
    assert told() == f"{len(ends)} works of 400, {left} links of {edges.height}"
    page.locator("#alone").check()
    assert told().startswith("400 works of 400")
    page.locator("#reset").click()
    page.select_option("#chamber", "0")
    head = page.evaluate("coevo.given.get('graph/head').chambers[0]")
    members = set(given["nodes"].filter(given["nodes"]["chamber_id"] == head["id"])["node_id"])
    page.locator("#alone").uncheck()
    assert told().startswith(f"{len(members & ends)} works of")
    page.locator("#reset").click()
    page.locator("[value=time]").check(force=True)
    page.locator("#from").fill("2019")
    late = {row["node_id"] for row in given["nodes"].iter_rows(named=True) if row["created"].year >= 2019}
    assert told().startswith(f"{len(late & ends)} works of")


def test_only_a_neighbourhood(tab: Any, address: str, given: Frames) -> None:
    work = given["nodes"]["node_id"][0]
    page = shown(tab, address, f"?id={work}")
    page.get_by_role("button", name="Only 1 step around").click()
    assert page.locator("#shown").inner_text().startswith(f"{len(linked(given, work)) + 1} works of 400")
    page.locator("#sheet").get_by_role("button", name="Show everything again").click()
    assert not page.locator("#shown").inner_text().startswith(f"{len(linked(given, work)) + 1} works")


def test_a_click_on_a_shape_chooses_its_work(tab: Any, address: str) -> None:
    page = shown(tab, address)
    at = page.evaluate("coevo.graph.sigma.graphToViewport(coevo.graph.sigma.graph.getNodeAttributes('0'))")
    box = page.locator("#view").bounding_box()
    page.mouse.move(box["x"] + at["x"], box["y"] + at["y"])
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
    page.wait_for_selector("#sheet:not([hidden])")
    assert page.locator("#sheet code").inner_text() == page.evaluate("coevo.graph.works.id[0]")


def test_keys_move_the_picture(tab: Any, address: str) -> None:
    page = shown(tab, address)
    page.focus("#view")
    camera = "coevo.graph.sigma.getCamera().getState()"
    page.keyboard.press("+")
    assert page.evaluate(camera)["ratio"] == pytest.approx(0.6)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(camera)["x"] > 0.5
    page.keyboard.press("0")
    assert (page.evaluate(camera)["ratio"], page.evaluate(camera)["x"]) == (1, 0.5)
    page.keyboard.press("Enter")
    assert page.locator("#sheet").is_visible()


@pytest.mark.parametrize("how", ["no script", "no WebGL"])
def test_without_the_picture_there_is_a_list(browser: Any, address: str, given: Frames, how: str) -> None:
    context = browser.new_context(java_script_enabled=how != "no script")
    page = context.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(address)
    assert page.locator("#without").is_visible()
    assert page.locator("#graph").is_hidden()
    first = page.locator("table tbody a").first
    assert given["nodes"]["node_id"][0] in first.get_attribute("href")
    context.close()
