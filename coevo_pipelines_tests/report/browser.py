"""What the tests of pages share: strangers' words, a strict reader of HTML, and a real browser that looks at pages.

Pages are opened from disk, as a person does. What a page asks for is written down; what is not a file is refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coevo_pipelines.report.build import WEB

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

VOID = {"meta", "link", "br", "input"}
HOSTILE = (
    "</title></desc></svg></style><script>document.title='owned'</script>"
    "<img src=http://evil.example/img onerror=alert(1)><iframe src=https://evil.example/frame></iframe>"
    "\"' style=background:url(http://evil.example/css) &amp;"
    "\u202egnp.exe\u2066\u200b\0\x1b[31m\n\u2028<!-- <![CDATA[ {{x}}"
)
STACKED = "Z" + "\u0334\u0351" * 60
WIDE, PHONE = 1440, 390


class Reader(HTMLParser):
    """The elements with their attributes, and the text; a wrong nesting is an error."""

    def __init__(self, given: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.said: list[str] = []
        self._open: list[str] = []
        self.feed(given.decode())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))
        assert "svg" in self._open

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())


@dataclass(frozen=True)
class Look:
    """What the browser saw of a page; each list is of what is wrong, and empty when all is well."""

    said: list[str]
    """Errors and warnings of the console, and of scripts."""
    asked: list[str]
    """Addresses asked for that are no file."""
    wider: int
    """px by which the page is wider than the window."""
    beyond: list[str]
    """Elements that reach out of the window, and lettering that reaches out of its picture."""
    over: list[str]
    """Words that lie on other words."""
    cut: list[str]
    """Elements that hide some of what is in them."""
    empty: list[str]
    """Pictures without a mark, lists and tables without a row, sections without a word."""
    small: list[str]
    """Words below 11 px."""
    axe: list[str]
    """As `violations`."""
    text: str
    title: str
    tags: str
    dark: bool

    @property
    def wrong(self) -> dict[str, Any]:
        """All that is wrong, by name."""
        names = ("said", "asked", "wider", "beyond", "over", "cut", "empty", "small", "axe")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


_PROBE = """
() => {
  const name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.getAttribute('class') ? '.' +
    e.getAttribute('class') : '') + ' “' + (e.textContent || '').trim().slice(0, 50) + '”';
  const clipped = e => { for (; e && e !== document.body; e = e.parentElement) { const s = getComputedStyle(e);
    if (s.clipPath !== 'none' || ['auto', 'scroll'].includes(s.overflowX) || s.visibility === 'hidden') return true }
    return false };
  const wide = innerWidth, beyond = [], cut = [], small = [], empty = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (e.closest('svg svg, canvas, .skip') || (e.ownerSVGElement && e.ownerSVGElement !== e)) continue;
    const b = e.getBoundingClientRect(), s = getComputedStyle(e);
    if (!b.width || !b.height || clipped(e)) continue;
    if (b.right > wide + .5 || b.left < -.5) beyond.push(name(e));
    const hides = ['hidden', 'clip'].includes(s.overflowX);
    if (hides && !e.matches('input') && e.clientWidth && e.scrollWidth > e.clientWidth + 1) cut.push(name(e));
    const speaks = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (speaks && parseFloat(s.fontSize) < 11) small.push(name(e));
  }
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const edge = svg.getBoundingClientRect();
    if (!edge.width) continue;
    if (edge.width < 20 || edge.height < 8 || !svg.querySelector('path, rect, circle, line')) empty.push(name(svg));
    for (const e of svg.querySelectorAll('text')) {
      const b = e.getBoundingClientRect();
      if (b.width && (b.right > edge.right + 2 || b.left < edge.left - 2 || b.bottom > edge.bottom + 2 ||
        b.top < edge.top - 2) && !e.closest('svg[overflow=hidden]')) beyond.push('in a picture: ' + name(e));
    }
  }
  for (const e of document.querySelectorAll('main :is(section, figure, ul, ol, dl, tbody)'))
    if (!e.textContent.trim() && e.offsetParent && !e.querySelector('svg, canvas, input, button')) empty.push(name(e));
  // words over words: the boxes of all text, a little smaller than the letters
  const boxes = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, e = node.parentElement;
    if (!node.data.trim() || e.closest('.skip, option, script, style') || clipped(e)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const room = e.closest('svg[overflow=hidden]')?.getBoundingClientRect();
    for (const b of range.getClientRects())
      if (b.width > 2 && b.height > 2) boxes.push({e, text: node.data.trim().slice(0, 40), left: b.left + 1,
        right: Math.min(b.right, room?.right ?? 1e9) - 1, top: b.top + b.height / 5, bottom: b.bottom - b.height / 5});
  }
  boxes.sort((a, b) => a.top - b.top);
  const over = [];
  for (const [i, a] of boxes.entries())
    for (let j = i + 1; j < boxes.length && boxes[j].top < a.bottom; j++) { const b = boxes[j];
      if (a.e !== b.e && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - b.top > 1) over.push(a.text + ' | ' + b.text) }
  return {wider: Math.max(0, document.documentElement.scrollWidth - wide), beyond: beyond.slice(0, 8),
    over: over.slice(0, 8), cut: cut.slice(0, 8), empty: empty.slice(0, 8), small: small.slice(0, 8),
    text: document.body.innerText, title: document.title,
    tags: [...document.querySelectorAll('*')].map(e => e.tagName.toLowerCase()).sort().join(' '),
    dark: getComputedStyle(document.documentElement).colorScheme === 'dark'};
}
"""

_SETTLE = """
async () => {
  if (typeof coevo === 'undefined') return;
  for (let number = -1; number !== coevo.asking.size;) {
    number = coevo.asking.size;
    await Promise.all(coevo.asking.values());
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  }
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, or Google's; skips where there is none."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no chromium here: apt-get install --no-install-recommends chromium")
    # A picture of the graph needs WebGL, which a machine without a screen draws in software.
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Browser, width: int = WIDE, dark: bool = False, **given: Any) -> BrowserContext:
    """A fresh window of that width: nothing kept from others."""
    return browser.new_context(
        viewport={"width": width, "height": 844 if width < 700 else 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        **given,
    )


@contextmanager
def opened(context: BrowserContext, address: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page, what its console said, and what it asked for that is no file (and did not get)."""
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(lambda url: not url.startswith(("file:", "data:", "blob:")), refuse)
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(address)
        settled(page)
        yield page, said, asked
    finally:
        page.close()


def settled(page: Page) -> None:
    """Wait until the data files that the page's scripts ask for are there, and what came of them is drawn."""
    page.evaluate(_SETTLE)


def look(context: BrowserContext, address: str, picture: str = "", axe: bool = False) -> Look:
    """One look at the page; all that can be opened is open. `picture`: name of a screenshot that is kept where the
    variable SCREENSHOTS names a folder; `axe`: it looks, too."""
    with opened(context, address) as (page, said, asked):
        keep(page, picture)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = page.evaluate(_PROBE)
        # The driver of WebGL in software speaks of its own speed.
        heard = [each for each in said if "GPU stall due to ReadPixels" not in each]
        return Look(said=heard, asked=list(asked), axe=violations(page) if axe else [], **found)


def keep(page: Page, picture: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder and picture:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{picture}.png", full_page=True)


def beside(folder: Path, pages: Mapping[str, bytes]) -> dict[str, str]:
    """Write pages and what they load into a new folder; their addresses by name."""
    shutil.copytree(WEB, folder)
    (folder / "data").mkdir()
    (folder / "data" / "about.js").write_text(
        'coevo.put("about", {"day": "2026-11-20", "days": [], "shards": {}}, "")\n'
    )
    (folder.parent.parent / "days.js").write_text('coevo.put("days", [], "")\n')
    for name, page in pages.items():
        (folder / f"{name}.html").write_bytes(page)
    return {name: (folder / f"{name}.html").as_uri() for name in pages}


@cache
def _axe() -> Any:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    return Axe()


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA and good practice: rule and first element."""
    found = _axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]} ({len(each['nodes'])})" for each in found]
