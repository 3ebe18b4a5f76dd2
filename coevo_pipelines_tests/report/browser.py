"""What the tests of pages share: strangers' words, a strict reader of HTML, and a real browser that looks at them.

All that the browser asks for it asks a proxy on 127.0.0.1, which hands out the pages and passes nothing on.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

VOID = {"meta", "link", "br"}
HOSTILE = (
    "</title></desc></svg></style><script>document.title='owned'</script>"
    "<img src=http://evil.example/img onerror=alert(1)><iframe src=https://evil.example/frame></iframe>"
    "\"' style=background:url(http://evil.example/css) &amp;"
    "\u202egnp.exe\u2066\u200b\0\x1b[31m\n\u2028<!-- <![CDATA[ {{x}}"
)
STACKED = "Z" + "\u0334\u0351" * 60

View = tuple[str, int, bool]
"""Name of the page, width in px, dark."""

_PROBE = """
const luminance = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const contrast = (a, b) => { const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + .05) / (low + .05) };
const colours = text => [...text.matchAll(/rgba?\\(([^)]*)\\)/g)].map(m => m[1].split(',').map(Number))
  .filter(c => c[3] !== 0);
const behind = e => { for (; e; e = e.parentElement) { const s = e.ownerDocument.defaultView.getComputedStyle(e);
  const found = [...colours(s.backgroundImage), ...colours(s.backgroundColor)]; if (found.length) return found }
  return [[255, 255, 255]] };
// of a picture: words over words, and the worst contrast of words with what is behind them
function lettering(svg, view) {
  const fill = e => colours(view.getComputedStyle(e).fill)[0], paper = fill(svg.querySelector('.paper'));
  const texts = [...svg.querySelectorAll('text')], over = [], edge = svg.getBoundingClientRect();
  const boxes = texts.map(e => { const b = e.getBoundingClientRect(), room = e.closest('svg[overflow=hidden]');
    return {e, left: b.left, right: room ? Math.min(b.right, b.left + room.width.baseVal.value) : b.right,
      top: b.top, bottom: b.bottom} });
  for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1))
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) -
      Math.max(a.top, b.top) > 3) over.push(a.e.textContent + ' | ' + b.e.textContent);
  const out = boxes.filter(b => b.right > edge.right + .5 || b.left < edge.left - .5 || b.bottom > edge.bottom);
  const worst = Math.min(...texts.map(e => { const shade = e.parentElement.querySelector(':scope > rect[fill-opacity]');
    const part = shade ? parseFloat(shade.getAttribute('fill-opacity')) : 0;
    return contrast(fill(e), paper.map((c, i) => part ? part * fill(shade)[i] + (1 - part) * c : c)) }));
  return {title: svg.querySelector('title').textContent, over, out: out.map(b => b.e.textContent), worst,
    smallest: Math.min(...texts.map(e => parseFloat(view.getComputedStyle(e).fontSize))), wide: edge.width};
}
function look(frame) {
  const doc = frame.contentDocument, view = frame.contentWindow, found = {worst: 99, smallest: 99, beyond: []};
  doc.querySelectorAll('details').forEach(d => d.open = true);
  for (const e of doc.body.querySelectorAll('*')) {
    const box = e.getBoundingClientRect(), style = view.getComputedStyle(e);
    if (e.matches('svg svg') || e.closest('svg[overflow=hidden]')) continue;  // a box there counts what is clipped
    if (box.width && (box.right > view.innerWidth + .5 || box.left < -.5)) found.beyond.push(e.tagName);
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('svg')) continue;
    found.smallest = Math.min(found.smallest, parseFloat(style.fontSize));
    for (const b of behind(e)) found.worst = Math.min(found.worst, contrast(colours(style.color)[0], b));
  }
  const pictures = [...doc.querySelectorAll('svg.swarm')].map(svg => lettering(svg, view));
  const bars = [...doc.querySelectorAll('path.grown')].map(p => p.getBoundingClientRect());
  return {...found, wide: doc.documentElement.scrollWidth, room: view.innerWidth, title: doc.title,
    text: doc.body.innerText, dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    pictures, bars: bars.map(b => [Math.round(b.width), Math.round(b.height)]),
    tags: [...doc.querySelectorAll('*')].map(e => e.tagName.toLowerCase()).sort().join(' ')};
}
onload = () => {
  const found = [...document.querySelectorAll('iframe')].map(look);
  document.body.textContent = JSON.stringify(found);
};
"""


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
class Looks:
    """What the browser saw of each view, and every address it asked for."""

    seen: dict[View, dict[str, Any]]
    asked: list[str]


def looked(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, pages: Mapping[str, bytes], views: Sequence[View]
) -> Looks:
    """One look at all the pages for all processes of a test run; skips where there is no browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium here: apt-get install --no-install-recommends chromium")
    base = tmp_path_factory.getbasetemp()
    digest = hashlib.sha256(b"\0".join(pages.values())).hexdigest()[:16]
    kept = (base if worker_id == "master" else base.parent) / f"looked-{digest}.json"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            kept.write_text(json.dumps(_look(browser, tmp_path_factory.mktemp("chromium"), pages, views)))
    found, asked = json.loads(kept.read_text())
    return Looks(dict(zip(views, found, strict=True)), asked)


def _look(
    browser: str, profile: Path, pages: Mapping[str, bytes], views: Sequence[View]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Each view in a frame of its own: a window is never as narrow as a telephone, and a frame sees the colour scheme
    of the element that holds it."""
    frames = "".join(
        f'<iframe src="/{name}" style="border:0;height:900px;width:{width}px;'
        f'color-scheme:{"dark" if dark else "light"}"></iframe>'
        for name, width, dark in views
    )
    served = {
        "http://page.test/": f"<!doctype html><meta charset=utf-8><script>{_PROBE}</script>{frames}"
        "<object data=/control></object>".encode(),
        # what would be asked for if a name were an element
        "http://page.test/control": b"<!doctype html><img src=http://evil.example/control>",
        **{f"http://page.test/{name}": page for name, page in pages.items()},
    }
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = served.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--no-first-run", "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
                f"--proxy-server=http://127.0.0.1:{server.server_port}", "--proxy-bypass-list=<-loopback>",
                "--window-size=1500,1000", "--dump-dom", "http://page.test/",
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        server.shutdown()
    found = re.search(r"<body>(\[.*\])</body>", ended.stdout, re.DOTALL)
    assert found, (ended.returncode, ended.stdout[-2000:], ended.stderr[-2000:])
    return json.loads(html.unescape(found[1])), asked
