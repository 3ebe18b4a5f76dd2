"""Will a built report open, from disk and without a network? Looked at as files: pages, what they name, data beside."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from coevo_pipelines.report import records

FETCHED = frozenset({"link", "script", "img", "iframe", "source", "audio", "video", "object", "embed"})
"""Elements whose address a browser fetches by itself; a link is only followed by a person."""
ADDRESSES = ("href", "src", "data", "poster")


class _Page(HTMLParser):
    """What a page names, and what in it can be named."""

    def __init__(self) -> None:
        super().__init__()
        self.named: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.has_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.has_heading |= tag == "h1"
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ADDRESSES and value:
                self.named.append((tag, value))


def unopened(folder: Path) -> list[str]:
    """What in the report of a day will not open, one line each; empty when all is well.

    Looked for: a page without a heading, what a page fetches from another host, files of the day that are named and not
    there, places in a page that are not in it, data files that cannot be read, are of another report or are missing.
    Links to other days are let be: which of them have a report is not the day's to say.
    """
    pages = {path: _read(path) for path in sorted(folder.glob("*.html"))}
    if folder / "index.html" not in pages:
        return [f"{folder.name}: index.html is not there"]
    return [*_pages(folder, pages), *_data(folder)]


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8", errors="replace"))
    page.close()
    return page


def _pages(folder: Path, pages: dict[Path, _Page]) -> Iterator[str]:
    root = folder.resolve()
    for path, page in pages.items():
        if not page.has_heading:
            yield f"{path.name}: no heading: the page is empty or cut off"
        for tag, address in sorted(set(page.named)):
            split = urlsplit(address)
            if split.scheme == "data":
                continue
            if split.scheme or split.netloc:
                if tag in FETCHED:
                    yield f"{path.name}: <{tag}> is fetched from elsewhere: {address[:200]}"
                continue
            target = (root / unquote(split.path)).resolve() if split.path else root / path.name
            if not target.is_relative_to(root):
                continue
            if not target.exists():
                yield f"{path.name}: {unquote(split.path)[:200]} is named and not there"
            # With a = it is for a script of the page: what to show.
            elif (
                split.fragment
                and "=" not in split.fragment
                and split.fragment not in getattr(pages.get(folder / target.name), "ids", ())
            ):
                yield f"{path.name}: {address[:200]} names a place that is not in the page"


def _data(folder: Path) -> Iterator[str]:
    try:
        _, about, own = records.read(folder / "data" / "about.js")
        shards = dict(about["shards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"data/about.js cannot be read: {error}"
        return
    for kind, number in sorted(shards.items()):
        for place in range(number):
            if not (folder / "data" / kind / f"{place}.js").is_file():
                yield f"data/{kind}/{place}.js is not there: pages of that kind stay empty"
    for path in sorted((folder / "data").rglob("*.js")):
        name = path.relative_to(folder / "data").with_suffix("").as_posix()
        try:
            found, _, made = records.read(path)
        except (OSError, ValueError):
            yield f"data/{name}.js cannot be read"
            continue
        if found != name:
            yield f"data/{name}.js hands over {found!r} instead"
        elif made != own:
            yield f"data/{name}.js is of another report"
