"""Packages of healing hubs: those behind an index, or in a folder, and those that `coevo hubs add` put into the lake.

The setting `sources.hubs.base_url` is the http(s) address of an index, `{"packages": ["green-valley/datapackage.json",
…]}`, or of one datapackage.json, or a folder here with a folder a package; empty, nothing is asked. Of a package that
was not published on the day nothing but its descriptor is read, which says where the hub is. Raw bytes are looked at
before they are kept (`hubs/raw.py`): the place of a private home is moved, and a file that is refused is not stored.

How things are named: a file of hub x is stored under its address with `#hub:x`, one that was read here under
`hubs:x/<path>`. Nothing but what lies below the index's own address is asked for, and no redirect is followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from coevo_pipelines.scrapes.consent import WITHHELD, Consent
from coevo_pipelines.scrapes.errors import Incomplete
from coevo_pipelines.scrapes.exchange import Exchange
from coevo_pipelines.scrapes.scrape import Scrape
from coevo_pipelines.scrapes.sources import Service
from coevo_pipelines.settings import Source
from coevo_pipelines.traces import identifiers
from coevo_pipelines.traces.errors import ParseError
from coevo_pipelines.traces.records import Traces, json_object

if TYPE_CHECKING:
    from coevo_pipelines.hubs.package import Package, Resource, Rules
    from coevo_pipelines.scrapes.withholding import Withheld

SERVICE = Service("Healing hubs", Source(base_url="", min_interval_s=1.0, page_size=1))
CHANGE = "sources.hubs.base_url"
DESCRIPTOR, INDEX = "datapackage.json", "index.json"
ADDED = "hub_packages"
"""The folder of the lake into which `coevo hubs add` puts packages."""
LEFT_OUT = "coevo-left-out"
"""The header under which a file or descriptor that is not stored says what was wrong with it (`raw.read_said`)."""
MOST_PACKAGES = 10_000
_GONE = frozenset({404, 410})
_LOCAL = "hubs:"
_MARK = "#hub:"
_PART = re.compile(r"(?!\.)[\w (),+=@.-]{1,200}")
_ACCOUNT = re.compile(
    r"https?://(?:www\.)?(github\.com|huggingface\.co)/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?)/?"
)
_SCHEMES = {"github.com": "github", "huggingface.co": "hf"}


# --- asking --------------------------------------------------------------------------------------------


def fetch(scrape: Scrape) -> None:
    """Read the packages of the lake, then those of the setting."""
    from coevo_pipelines.hubs.package import Rules

    hubs = _Hubs(scrape, Rules.of(scrape.settings.hubs))
    scrape.adapter.leave_out = hubs.leave_out
    try:
        hubs.from_folder(scrape.settings.lake_root / ADDED)
        if is_address(scrape.base_url):
            hubs.from_web(scrape.base_url)
        elif scrape.base_url:
            hubs.from_named_folder(scrape.base_url)
    finally:
        scrape.adapter.leave_out = lambda _url, body: (body, {})


def check(url: str, status: int, body: bytes) -> str:
    """An index that is none is asked for again; what a hub wrote stays wrong until somebody writes it anew."""
    if status != 200 or is_descriptor(url) or hub_of(url):
        return ""
    try:
        entries = json_object(body).get("packages")
    except ParseError as error:
        return str(error)
    return "" if isinstance(entries, list) else f'"packages" is no list ({CHANGE} names an index of packages)'


def is_address(place: str) -> bool:
    """Whether the setting names a place on the web."""
    return place.startswith(("http://", "https://"))


def is_descriptor(url: str) -> bool:
    """Whether this is the stored address of a package's descriptor."""
    return not _marked(url) and url.partition("#")[0].partition("?")[0].endswith(f"/{DESCRIPTOR}")


def hub_of(url: str) -> str:
    """`hub:<name>` where this is the stored address of a file of that package; else empty."""
    if is_descriptor(url):
        return ""
    if url.startswith(_LOCAL):
        return f"hub:{unquote(url.removeprefix(_LOCAL).partition('/')[0])}"
    return _marked(url)


def file_url(descriptor_url: str, hub_id: str, path: str) -> str:
    """The stored address of a package's file, by that of its descriptor."""
    folder = descriptor_url.partition("#")[0].partition("?")[0].rpartition("/")[0]
    mark = "" if descriptor_url.startswith(_LOCAL) else f"#{hub_id}"
    return f"{folder}/{quote(path)}{mark}"


def below(index_url: str, entry: Any) -> str | None:
    """The address of a package that an index names; None where that is not the path of a datapackage.json below it."""
    folder = index_url.partition("#")[0].partition("?")[0].rpartition("/")[0]
    if not isinstance(entry, str) or len(entry) > 500:
        return None
    path = entry.removeprefix(f"{folder}/")
    parts = path.split("/")
    is_path = parts[-1] == DESCRIPTOR and all(map(_PART.fullmatch, parts))
    return f"{folder}/{quote(path)}" if is_path else None


def _marked(url: str) -> str:
    mark = url.find(_MARK)
    return url[mark + 1 :] if mark >= 0 else ""


@dataclass
class _Hubs:
    """The packages of one scrape."""

    scrape: Scrape
    rules: Rules
    taken: set[str] = field(default_factory=set)
    """Names of the packages that are there: a second one of a name is not read."""
    asked: tuple[Package, Resource] | None = None
    """Whose file is read right now."""

    def leave_out(self, url: str, body: bytes) -> tuple[bytes, Mapping[str, str]]:
        """What of an answer may be stored, and the header that says why not all."""
        from coevo_pipelines.hubs import raw

        if is_descriptor(url):
            kept, problems = raw.descriptor(body, self.rules)
        elif self.asked is not None:
            kept, problems = raw.file(*self.asked, body, self.rules)
        else:
            return body, {}
        return kept, {LEFT_OUT: raw.said(problems)} if problems else {}

    def from_web(self, base_url: str) -> None:
        """An index and what it names, or one package."""
        parts = urlsplit(base_url)
        url = base_url if parts.query or parts.path.endswith(".json") else f"{base_url}/{INDEX}"
        if is_descriptor(url):
            self._package_of_the_web(url)
            return
        answer = self._get(url)
        if answer is None:
            raise Incomplete(f"{url}: nothing is there ({CHANGE})")
        entries = json_object(answer)["packages"]
        if len(entries) > MOST_PACKAGES:
            few = f"{url}: {len(entries):,} packages are named, the first {MOST_PACKAGES:,} were read"
            self.scrape.shortfalls.append(few)
        for entry in entries[:MOST_PACKAGES]:
            place = below(url, entry)
            if place is not None:
                with self.scrape.item(str(entry)):
                    self._package_of_the_web(place)

    def _package_of_the_web(self, url: str) -> None:
        body = self._get(url)
        package = None if body is None else self._take(body)
        if package is None:
            return
        left = self.scrape.settings.http.max_body_mb << 20
        for resource in _files(package):
            # `hub:` behind the # is never sent.
            with self.scrape.item(f"{package.hub_id} {resource.path}"):
                self.asked = package, resource
                try:
                    left -= len(self._get(file_url(url, package.hub_id, resource.path)) or b"")
                finally:
                    self.asked = None
            if left < 0:
                self.scrape.shortfalls.append(_too_much(package, self.scrape))
                return

    def _get(self, url: str) -> bytes | None:
        """The body as it is stored; None where the service says that nothing is there."""
        answer = self.scrape.session().get(url, allow_redirects=False)
        if answer.status_code in _GONE:
            return None
        if answer.status_code != 200:
            to = f" to {answer.headers['location'][:200]}" if "location" in answer.headers else ""
            raise Incomplete(f"{url.partition('#')[0]}: HTTP {answer.status_code}{to} ({CHANGE})")
        return answer.content

    def from_named_folder(self, place: str) -> None:
        """Packages of a folder that the setting names."""
        folder = Path(place).expanduser()
        if folder.name == DESCRIPTOR and folder.is_file():
            folder = folder.parent
        if not folder.is_dir():
            raise Incomplete(f"{place}: no such folder ({CHANGE}, relative to the folder that the program runs in)")
        self.from_folder(folder)

    def from_folder(self, folder: Path) -> None:
        """The package in the folder, or those in the folders in it."""
        try:
            folders = [folder, *sorted(each for each in folder.iterdir() if each.is_dir())] if folder.is_dir() else []
        except OSError as error:
            raise Incomplete(f"the folder {folder.name} cannot be read: {error.strerror} ({CHANGE})") from error
        for each in folders:
            if (each / DESCRIPTOR).is_file():
                with self.scrape.item(f"the package in {each.name}"):
                    self._package_of_a_folder(each)

    def _package_of_a_folder(self, folder: Path) -> None:
        body = _read(folder / DESCRIPTOR, self._limit)
        name, created = _facts(body)
        if created is not None and created >= self.scrape.window.end:
            return
        url = f"{_LOCAL}{quote(name or folder.name, safe='')}/{DESCRIPTOR}"
        if name in self.taken:
            url += f"#{folder.name}"
        package = self._take(self._kept(url, lambda: body))
        if package is None:
            return
        left = self._limit
        for resource in _files(package):
            path = folder / resource.path
            if not path.is_file():
                continue  # said when the day is read
            if not path.resolve().is_relative_to(folder.resolve()):
                raise Incomplete(f"{resource.path} is a link that leads out of the package")
            self.asked = package, resource
            try:
                left -= len(self._kept(file_url(url, package.hub_id, resource.path), partial(_read, path, left)))
            finally:
                self.asked = None

    def _kept(self, url: str, read: Callable[[], bytes]) -> bytes:
        known = self.scrape.adapter.known(url)
        return (known or self.scrape.adapter.keep(url, read())).body

    @property
    def _limit(self) -> int:
        return self.scrape.settings.http.max_body_mb << 20

    def _take(self, body: bytes) -> Package | None:
        """The package, if its files are to be read: it is of the day, can be read, is the first of its name, and nobody
        whose it is has opted out."""
        from coevo_pipelines.hubs.package import read_descriptor

        created = _facts(body)[1]
        if created is None or created not in self.scrape.window:
            return None
        package, _ = read_descriptor(body, self.rules)
        if package is None or package.name in self.taken:
            return None
        self.taken.add(package.name)
        return None if _opted_out(json_object(body), self.scrape.consent) else package


def _files(package: Package) -> list[Resource]:
    return [each for each in package.resources if each.is_table and not each.refused]


def _too_much(package: Package, scrape: Scrape) -> str:
    most = scrape.settings.http.max_body_mb
    return f"the files of {package.hub_id} are longer than {most} MB together (http.max_body_mb)"


def _read(path: Path, limit: int) -> bytes:
    """Incomplete, without the place on this machine, when it cannot be read or is too long."""
    try:
        with path.open("rb") as stream:
            body = stream.read(max(0, limit) + 1)
    except OSError as error:
        raise Incomplete(f"{path.name}: {error.strerror or type(error).__name__}") from error
    if len(body) > limit:
        raise Incomplete(f"{path.name}: longer than http.max_body_mb allows a package")
    return body


def _facts(body: bytes) -> tuple[str | None, datetime | None]:
    """Name and moment of publication, also of a package that is wrong elsewhere."""
    from coevo_pipelines.hubs.package import NAME

    try:
        given = json_object(body)
    except ParseError:
        return None, None
    name, created = given.get("name"), given.get("created")
    is_name = isinstance(name, str) and NAME.fullmatch(name) is not None
    return name if is_name else None, _moment(created)


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        return None


# --- who has opted out ---------------------------------------------------------------------------------


def withhold(url: str, body: bytes, consent: Consent) -> Withheld:
    """Descriptions of opted-out hubs, and their files whole."""
    if not consent or not body:
        return body, {}
    if hub_id := hub_of(url):
        since = consent.withheld([hub_id])
        return (b"", {hub_id: since}) if since else (body, {})
    if not is_descriptor(url):
        return body, {}
    try:
        given = json_object(body)
    except ParseError:
        return body, {}
    since = _opted_out(given, consent)
    if since is None:
        return body, {}
    kept = {name: value for name, value in given.items() if name != "description"}
    return json.dumps(kept, ensure_ascii=False).encode(), {f"hub:{given.get('name')}": since}


def _opted_out(given: Mapping[str, Any], consent: Consent) -> datetime | None:
    """Since when the hub that this descriptor is of is opted out: by itself, its owner, or one of those who made it."""
    works = [f"hub:{given.get('name')}"]
    with suppress(ParseError):
        works.append(identifiers.doi(given.get("id")))
    contributors = given.get("contributors")
    paths = (
        [each.get("path") for each in contributors if isinstance(each, dict)] if isinstance(contributors, list) else []
    )
    accounts = [found for path in paths if (found := account(path))]
    people = [*accounts, *(f"orcid:{found}" for path in paths if (found := identifiers.orcid(path)))]
    return consent.withheld(works, owner=accounts[0] if accounts else None, people=people)


def account(path: Any) -> str | None:
    """`github:<login>` or `hf:<name>`, where the address is a profile there."""
    match = _ACCOUNT.fullmatch(path) if isinstance(path, str) else None
    return f"{_SCHEMES[match[1]]}:{match[2]}" if match else None


# --- parsing -------------------------------------------------------------------------------------------


def parse(exchange: Exchange, traces: Traces) -> None:
    """A package that was published on the day: its data set as a work, who made it, and what it builds on."""
    if is_descriptor(exchange.url):
        _parse_descriptor(exchange, traces)
    elif not hub_of(exchange.url):
        for number, entry in enumerate(json_object(exchange.body)["packages"][:MOST_PACKAGES]):
            if below(exchange.url, entry) is None:
                expected = f"the path of a {DESCRIPTOR} below the index, such as green-valley/{DESCRIPTOR}"
                traces.reject(f"packages[{number}]", f"found {entry!r:.80}, expected {expected}")


def refused(exchange: Exchange, traces: Traces) -> None:
    """A package that the index names, and that is not there."""
    if is_descriptor(exchange.url):
        traces.reject(exchange.url, f"the index names this package, and it is not there (HTTP {exchange.status})")


def left_out(exchange: Exchange) -> list[str]:
    """Why nothing of this answer was stored, a line each."""
    from coevo_pipelines.hubs import raw

    return [each.line() for each in raw.read_said(exchange.headers.get(LEFT_OUT, "[]"))]


def _parse_descriptor(exchange: Exchange, traces: Traces) -> None:
    from coevo_pipelines.hubs.package import Rules, read_descriptor

    created = published_at(exchange)
    if created is not None and created not in traces.window:
        traces.outside_window += 1
        return
    if LEFT_OUT in exchange.headers:
        package, lines = None, left_out(exchange)
    else:
        package, problems = read_descriptor(exchange.body, Rules())  # places are moved already, and tell nothing here
        lines = [each.line() for each in problems]
    for line in lines:
        traces.reject(exchange.url, line)
    if package is None:
        return
    first = traces.heard.setdefault(package.hub_id, exchange.url)
    if first != exchange.url:
        traces.reject(exchange.url, f"{package.hub_id} is the name of another package already: {first}")
        return
    _describe(package, traces)
    _cite(package, traces, is_withheld=WITHHELD in exchange.headers)


def _describe(package: Package, traces: Traces) -> None:
    accounts = [account(each.path) for each in package.contributors]
    owner = next(filter(None, accounts), None)
    is_first = package.since.date() == package.created.date()
    traces.work(
        package.hub_id,
        kind="hub_dataset",
        event="created" if is_first else "updated",
        event_at=package.created,
        title=package.title,
        created_at=package.since,
        text=f"{package.title}\n{package.description or ''}",
        version=package.version,
        license=package.license,
        owner=owner,
        native_id=package.name,
        url=package.homepage or package.contact,
        fields=[package.kind],
        tags=list(dict.fromkeys((*package.practices, *package.keywords))),
    )
    if owner:
        traces.person(package.hub_id, "owner", 1, package.created, account=owner)
    for position, (each, known) in enumerate(zip(package.contributors, accounts, strict=True), start=1):
        traces.person(
            package.hub_id, "author", position, package.created, name=each.title, orcid=identifiers.orcid(each.path),
            account=known,
        )  # fmt: skip
    if package.description:
        traces.text(package.hub_id, "abstract", package.description)


def _cite(package: Package, traces: Traces, *, is_withheld: bool) -> None:
    for number, source in enumerate(package.sources):
        place = f"sources[{number}].path"
        target = traces.read(place, _target, source.path) if source.path else None
        if target and target != package.hub_id:
            traces.reference(package.hub_id, target, "cites", package.created, place)
    if package.description and not is_withheld:
        for line, target in identifiers.in_text(package.description):
            traces.file_reference(package.hub_id, target, "mentions", f"description line {line}")


def _target(path: str) -> str:
    """The work that a source's path names; empty for a page that is no work. ParseError for a hub that cannot be."""
    if path.startswith("hub:"):
        return identifiers.hub(path.removeprefix("hub:"))
    return next((found for _, found in identifiers.in_text(path)), "")


def name_of(exchange: Exchange) -> str:
    """`hub:<name>`, as far as a descriptor that may be wrong elsewhere says it; else empty."""
    name, _ = _facts(exchange.body)
    return f"hub:{name}" if name else ""


def published_at(exchange: Exchange) -> datetime | None:
    """When the package of such a descriptor was published."""
    return _facts(exchange.body)[1]


def not_below(exchanges: Iterable[Exchange]) -> Iterator[tuple[Exchange, Any]]:
    """Each entry of the stored indexes that is no package below them, with its index."""
    for exchange in exchanges:
        if exchange.status == 200 and not is_descriptor(exchange.url) and not hub_of(exchange.url):
            for entry in json_object(exchange.body)["packages"][:MOST_PACKAGES]:
                if below(exchange.url, entry) is None:
                    yield exchange, entry
