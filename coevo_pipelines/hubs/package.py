"""A hub's package: its `datapackage.json`, read and checked. Where its files say things: `contents.py`.

A package is a Frictionless Data Package (version 2, https://datapackage.org) with one property of our own, `hub`.
Nothing here opens a file or asks a network: bytes in, a `Package` and what is wrong with it out.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from coevo_pipelines.hubs.media import media_of
from coevo_pipelines.hubs.privacy import cell_centre
from coevo_pipelines.hubs.problems import DESCRIPTOR, Problem, one_of, seen
from coevo_pipelines.hubs.tables import REQUIRED_CONTEXT, TableField, checked_fields
from coevo_pipelines.lake.schemas import HUB_KINDS, TABLE_ROLES
from coevo_pipelines.windows import midnight

if TYPE_CHECKING:
    from coevo_pipelines.settings import Hubs

ROLES = (*TABLE_ROLES, "media")
PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
UNKNOWN = "unknown"
"""What to write for a soil or a climate that nobody knows: such hubs are never called alike for it."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
LARGEST_DESCRIPTOR = 1_000_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_CLIMATE = re.compile(r"A[fmsw]|B[WS][hkn]?|[CD][fsw][abcd]|E[TF]")
_PATH_PART = re.compile(r"[\w(+@=,][\w .()+,@=-]*")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_TEXT, _LONGEST_LIST, _LONGEST_PATH = 10_000, 200, 200
_SUFFIXES = {"csv": "csv", "geojson": "geojson", "parquet": "geoparquet", "geoparquet": "geoparquet"}
_HUB_KEYS = (
    "kind", "place", "practices", "capacity", "languages", "contact", "consent", "since", "context",
)  # fmt: skip
_PLACE_KEYS = ("latitude", "longitude", "name", "private", "area")
_CONTEXT_KEYS = ("soil", "climate", "method")


@dataclass(frozen=True)
class Rules:
    """How much is kept of private places and of people: settings `hubs.home_km` and `hubs.fewest_people`."""

    home_km: float = 1.0
    fewest_people: int = 10

    @classmethod
    def of(cls, asked: Hubs) -> Rules:
        """Those of the settings."""
        return cls(asked.home_km, asked.fewest_people)


@dataclass(frozen=True)
class Contributor:
    """Who made the package, as given; `path` is a page such as an ORCID or a GitHub profile."""

    title: str
    roles: tuple[str, ...]
    path: str | None


@dataclass(frozen=True)
class Source:
    """What the package builds on, as given; `path` is a DOI, `hub:<name>`, or another address."""

    title: str | None
    path: str | None


@dataclass(frozen=True)
class Resource:
    """A file of the package. `refused`: its descriptor is wrong, so its file is not read."""

    name: str
    path: str
    role: str
    format: str
    title: str | None = None
    method: str | None = None
    fields: tuple[TableField, ...] = ()
    missing: tuple[str, ...] = ("",)
    dialect: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    sha256: str | None = None
    bytes: int | None = None
    refused: bool = False

    @property
    def is_table(self) -> bool:
        """False: images and audio, which are named and never fetched."""
        return self.role != "media"


@dataclass(frozen=True)
class Package:
    """What a hub says of itself; a private home's place is already moved to the centre of its cell of the grid."""

    name: str
    title: str
    description: str | None
    version: str | None
    created: datetime
    since: datetime
    license: str
    contributors: tuple[Contributor, ...]
    sources: tuple[Source, ...]
    keywords: tuple[str, ...]
    homepage: str | None
    kind: str
    latitude: float
    longitude: float
    area: str | None
    coarsened_km: float | None
    place: str | None
    practices: tuple[str, ...]
    capacity: str | None
    languages: tuple[str, ...]
    contact: str
    consent_by: str
    consent_at: datetime
    soil: str | None
    climate: str | None
    method: str | None
    resources: tuple[Resource, ...]

    @property
    def hub_id(self) -> str:
        """`hub:<name>`, also the id of its data set as a work."""
        return f"hub:{self.name}"

    @property
    def is_private(self) -> bool:
        """Its place is a private home."""
        return self.coarsened_km is not None

    def row(self) -> dict[str, Any]:
        """As a row of hubs.packages, less event_at, observed_at and raw_sha256."""
        same = (
            "hub_id", "version", "kind", "title", "description", "latitude", "longitude", "area", "coarsened_km",
            "place", "capacity", "license", "contact", "consent_by", "consent_at", "soil", "climate", "method", "since",
        )  # fmt: skip
        lists = {"practices": list(self.practices), "languages": list(self.languages)}
        return {name: getattr(self, name) for name in same} | lists


def read_descriptor(body: bytes, rules: Rules) -> tuple[Package | None, list[Problem]]:
    """The package that `body`, its datapackage.json, describes, and what is wrong with it.

    None where anything is wrong without which a hub cannot be: the problems with `fatal` say what. A problem of one
    file leaves the package and marks the file as refused. Raises nothing, whatever the bytes are.
    """
    package, problems = _read(body, rules)
    return package, list(problems)


@functools.lru_cache(maxsize=16_384)
def _read(body: bytes, rules: Rules) -> tuple[Package | None, tuple[Problem, ...]]:
    """Remembered: it takes 60 ms, and a run reads each descriptor five times, every day again."""
    say = _Said()
    described = _parsed(body, say)
    if described is None:
        return None, tuple(say.problems)
    package = _package(described, rules, say)
    if package is not None and not say.is_fatal:
        say.problems += _frictionless(described)
    return (None if say.is_fatal else package), tuple(say.problems)


class _Said:
    """Collects problems; the methods return the value asked for, or None after having said why not."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.is_fatal = False

    def __call__(self, column: str, found: str, expected: str, example: str, *, fatal: bool = True) -> None:
        self.problems.append(Problem("", None, column, found, expected, example, fatal))
        self.is_fatal = self.is_fatal or fatal

    def text(
        self, of: Mapping[str, Any], key: str, column: str, expected: str, example: str, *, needed: bool = True,
        form: Callable[[str], bool] | None = None,
    ) -> str | None:  # fmt: skip
        value = of.get(key)
        if value is None and not needed:
            return None
        if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_TEXT and _is_printable(value):
            text = value.strip()
            if form is None or form(text):
                return text
        found = f"{len(value):,} characters" if isinstance(value, str) and len(value) > _LONGEST_TEXT else seen(value)
        self(column, found, expected, example, fatal=needed)
        return None

    def texts(
        self, of: Mapping[str, Any], key: str, column: str, example: str, form: Callable[[str], bool] | None = None
    ) -> tuple[str, ...]:
        value = of.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self(column, seen(value), "a list of texts in [ ]", example, fatal=False)
            return ()
        kept = []
        for number, each in enumerate(value[:_LONGEST_LIST]):
            is_text = isinstance(each, str) and each.strip() and len(each) <= 200 and _is_printable(each)
            if is_text and (form is None or form(each.strip())):
                kept.append(each.strip())
                continue
            self(f"{column}[{number}]", seen(each), "a text of at most 200 characters", example, fatal=False)
        if len(value) > _LONGEST_LIST:
            self(column, f"a list of {len(value):,}", f"at most {_LONGEST_LIST}", example, fatal=False)
        return tuple(dict.fromkeys(kept))

    def object(self, of: Mapping[str, Any], key: str, column: str, example: str) -> Mapping[str, Any] | None:
        value = of.get(key)
        if isinstance(value, dict):
            return value
        self(column, seen(value), "an object in { }", example)
        return None

    def unknown(self, of: Mapping[str, Any], known: Sequence[str], column: str) -> None:
        for key in of:
            if key not in known:
                path = f"{column}.{key}" if len(key) <= 60 else f"{column}.{key[:60]}…"
                self(path, "a property that is not known", one_of(known, key), known[0], fatal=False)


class _NoJson(Exception):
    """Found, expected, example."""


def _parsed(body: bytes, say: _Said) -> dict[str, Any] | None:
    """The descriptor as JSON says it; None and a problem where it is none."""
    try:
        return _json(body)
    except _NoJson as wrong:
        found, expected, example = wrong.args
        say("", found, expected, example)
        return None


def _json(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_DESCRIPTOR:
        raise _NoJson(f"{len(body):,} bytes", f"at most {LARGEST_DESCRIPTOR:,} bytes", "the data in files of their own")
    if not body.strip(b"\xef\xbb\xbf \t\r\n"):
        raise _NoJson("an empty file", "JSON", '{"name": "green-valley", …}; `coevo hubs init` makes one')
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        is_utf_16 = body.startswith((b"\xff\xfe", b"\xfe\xff"))
        found = "text in UTF-16" if is_utf_16 else f"byte {error.start + 1:,}, which is no UTF-8"
        raise _NoJson(found, "text in UTF-8", "in the editor: save as UTF-8") from None
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice.append(next(name for name in names if names.count(name) > 1))
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        found = f"no JSON at line {error.lineno}, character {error.colno} ({error.msg})"
        raise _NoJson(found, "JSON", "a comma between two properties and none after the last") from None
    except RecursionError:
        raise _NoJson("lists or objects nested very deep", "JSON as `coevo hubs init` makes it", "") from None
    except UnicodeEncodeError:
        raise _NoJson("half of a character (\\ud800 … \\udfff)", "text in UTF-8", "") from None
    except ValueError as error:
        found = "a number of thousands of digits" if "digits" in str(error) else str(error)
        raise _NoJson(found, "JSON", "12.5") from None
    if not isinstance(value, dict):
        raise _NoJson(seen(value), "an object in { }", '{"name": "green-valley", …}')
    if twice:
        raise _NoJson(f"the property {seen(twice[0])} twice in one object", "each property once", "")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no number")


def _package(given: Mapping[str, Any], rules: Rules, say: _Said) -> Package | None:
    if (schema := given.get("$schema")) is not None and schema != PROFILE:
        say("$schema", seen(schema), "the profile of Data Package 2.0", PROFILE, fatal=False)
    name = say.text(
        given, "name", "name", "2 to 63 small letters, digits and hyphens, a letter or digit first", "green-valley",
        form=lambda text: bool(NAME.fullmatch(text)),
    )  # fmt: skip
    title = say.text(given, "title", "title", "the hub's name for people", "Green Valley garden")
    created = _moment(given, "created", say)
    licence = _licence(given, say)
    hub = say.object(given, "hub", "hub", '{"kind": "food", "place": …}')
    resources = _resources(given, say)
    if hub is None:
        return None
    say.unknown(hub, _HUB_KEYS, "hub")
    kind = say.text(hub, "kind", "hub.kind", one_of(HUB_KINDS, str(hub.get("kind") or "")), "food",
                    form=lambda text: text in HUB_KINDS)  # fmt: skip
    place = _place(hub, rules, say)
    consent = _consent(hub, created, say)
    contact = say.text(hub, "contact", "hub.contact", "the address of a page where people can write to you",
                       "https://example.org/contact", form=_is_address)  # fmt: skip
    context = _context(hub, kind, say)
    since = None if created is None else midnight(created.date())  # a day, as later versions have it in `since`
    if hub.get("since") is not None:
        day = _day(hub["since"])
        if day is None or (created is not None and day > created.date()):
            expected = "the day when the hub first published, not after `created`"
            say("hub.since", seen(hub["since"]), expected, "2017-05-01", fatal=False)
        else:
            since = midnight(day)
    version = given.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        version = str(version)
    texts = {
        "description": say.text(given, "description", "description", "a text", "What we grow", needed=False),
        "homepage": say.text(
            given, "homepage", "homepage", "an address", "https://example.org", needed=False, form=_is_address
        ),
        "version": say.text({"v": version}, "v", "version", "a short text", "1.0.0", needed=False,
                            form=lambda text: len(text) <= 50),
        "capacity": say.text(hub, "capacity", "hub.capacity", "a text", "40 people a week", needed=False),
    }  # fmt: skip
    practices = say.texts(hub, "practices", "hub.practices", '["cover crops", "compost"]')
    languages = say.texts(
        hub, "languages", "hub.languages", '["de", "en"]', form=lambda t: bool(_LANGUAGE.fullmatch(t))
    )
    keywords = say.texts(given, "keywords", "keywords", '["soil"]')
    contributors, sources = _contributors(given, say), _sources(given, say)
    if None in (name, title, created, licence, kind, place, consent, contact, context, since):
        say.is_fatal = True
        return None
    assert name and title and created and licence and kind and place and consent and contact and since
    assert context is not None
    latitude, longitude, area, coarsened, where = place
    return Package(
        name=name, title=title, description=texts["description"], version=texts["version"], created=created,
        since=since, license=licence, contributors=contributors, sources=sources, keywords=keywords,
        homepage=texts["homepage"], kind=kind, latitude=latitude, longitude=longitude, area=area,
        coarsened_km=coarsened, place=where, practices=tuple(dict.fromkeys(plain(each) for each in practices)),
        capacity=texts["capacity"], languages=languages, contact=contact, consent_by=consent[0],
        consent_at=consent[1], soil=context.get("soil"), climate=context.get("climate"),
        method=context.get("method"), resources=resources,
    )  # fmt: skip


def plain(text: str) -> str:
    """As things are compared: small letters, single spaces."""
    return " ".join(text.casefold().split())


def _moment(given: Mapping[str, Any], key: str, say: _Said) -> datetime | None:
    expected, example = "the moment when this version was published, in UTC", "2019-03-20T00:00:00Z"
    value = given.get(key)
    if isinstance(value, str) and "T" in value.upper() and len(value) <= 40:
        try:
            found = datetime.fromisoformat(value.strip())
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            if 1800 <= found.year <= 2200:
                return found
    elif isinstance(value, str) and _day(value) is not None:
        expected, example = "a time too", f"{value.strip()}T00:00:00Z"
    say(key, seen(value), expected, example)
    return None


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value.strip()):
        return None
    try:
        found = date.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if 1000 <= found.year <= 2200 else None


def _licence(given: Mapping[str, Any], say: _Said) -> str | None:
    licences = given.get("licenses")
    if isinstance(licences, list) and licences and isinstance(licences[0], dict):
        for key in ("name", "path", "title"):
            value = licences[0].get(key)
            if isinstance(value, str) and value.strip() and len(value) <= 500 and _is_printable(value):
                return value.strip()
    expected = "under which licence others may use the data"
    say("licenses", seen(licences), expected, '[{"name": "CC-BY-4.0"}]')
    return None


def _place(
    hub: Mapping[str, Any], rules: Rules, say: _Said
) -> tuple[float, float, str | None, float | None, str | None] | None:
    """Latitude, longitude (degrees, WGS84), area as GeoJSON, the grid of a private home in km, the place in words."""
    place = say.object(hub, "place", "hub.place", '{"latitude": 52.13, "longitude": 11.63}')
    if place is None:
        return None
    say.unknown(place, _PLACE_KEYS, "hub.place")
    private = place.get("private", False)
    if not isinstance(private, bool):
        say("hub.place.private", seen(private), "true for somebody's home, else false, without quotes", "true")
        return None
    found: list[float] = []
    for key, most, example in (("latitude", 90, "52.13"), ("longitude", 180, "11.63")):
        value = place.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most:
            found.append(float(value))
            continue
        expected = f"degrees as a number from -{most} to {most}, without quotes, with a decimal point"
        say(f"hub.place.{key}", seen(value), expected, example)
    if len(found) < 2:
        return None
    where = say.text(place, "name", "hub.place.name", "a text", "Magdeburg", needed=False)
    if private:
        if where and any(sign.isdigit() for sign in where):
            expected = "the town or region of a private home, without the number of a house or a postcode"
            say("hub.place.name", seen(where), expected, "Magdeburg")
            return None
        return *cell_centre(found[0], found[1], rules.home_km), None, rules.home_km, where
    return found[0], found[1], _area(place.get("area"), say), None, where


def _area(given: Any, say: _Said) -> str | None:
    if given is None:
        return None
    from coevo_pipelines.hubs.geodata import area_of

    try:
        return area_of(given)
    except ValueError as error:
        example = '{"type": "Polygon", "coordinates": [[[11.6, 52.1], [11.7, 52.1], [11.7, 52.2], [11.6, 52.1]]]}'
        found, _, expected = " ".join(str(error).split()).removeprefix("found ").partition(", expected ")
        expected = expected.partition(", such as ")[0] or "a GeoJSON polygon (WGS84)"
        say("hub.place.area", found, expected, example, fatal=False)
        return None


def _consent(hub: Mapping[str, Any], created: datetime | None, say: _Said) -> tuple[str, datetime] | None:
    example = '{"given": true, "by": "the members\' meeting", "date": "2019-03-01"}'
    consent = say.object(hub, "consent", "hub.consent", example)
    if consent is None:
        return None
    if consent.get("given") is not True:
        expected = "true, once those whom it is about agreed: without their consent nothing is published"
        say("hub.consent.given", seen(consent.get("given")), expected, "true")
        return None
    by = say.text(consent, "by", "hub.consent.by", "who agreed, a role or a body", "the members' meeting")
    day = _day(consent.get("date"))
    if day is None or (created is not None and day > created.date()):
        expected = "the day when they agreed, on or before the day of `created`"
        say("hub.consent.date", seen(consent.get("date")), expected, "2019-03-01")
        return None
    return None if by is None else (by, midnight(day))


def _context(hub: Mapping[str, Any], kind: str | None, say: _Said) -> dict[str, str | None] | None:
    given = hub.get("context", {})
    if not isinstance(given, dict):
        say("hub.context", seen(given), "an object in { }", '{"method": "weighed each week"}')
        return None
    say.unknown(given, _CONTEXT_KEYS, "hub.context")
    kept: dict[str, str | None] = {}
    is_whole = True
    for key in _CONTEXT_KEYS:
        needed = key in REQUIRED_CONTEXT.get(kind or "", ())
        expected, example, form = _EXPECTED_CONTEXT[key]
        why = (
            f"{expected}, which data of kind {kind} mean little without" if needed and not given.get(key) else expected
        )
        value = say.text(given, key, f"hub.context.{key}", why, example, needed=needed, form=form)
        is_whole = is_whole and not (needed and value is None)
        kept[key] = None if value is None or plain(value) == UNKNOWN else value
    return kept if is_whole else None


_EXPECTED_CONTEXT: Mapping[str, tuple[str, str, Callable[[str], bool] | None]] = {
    "soil": (f"the soil in a word or two, or {UNKNOWN}", "loam", None),
    "climate": (
        f"the Köppen-Geiger class of the climate, or {UNKNOWN}", "Cfb",
        lambda text: bool(_CLIMATE.fullmatch(text)) or plain(text) == UNKNOWN,
    ),
    "method": (f"how the numbers are found, or {UNKNOWN}", "weighed each week", None),
}  # fmt: skip


def _contributors(given: Mapping[str, Any], say: _Said) -> tuple[Contributor, ...]:
    kept = []
    for column, each in _objects(given, "contributors", '[{"title": "Ada", "roles": ["author"]}]', say):
        title = say.text(each, "title", f"{column}.title", "a name", "Ada", needed=False)
        if title is None:
            if each.get("title") is None:
                say(f"{column}.title", "nothing", "a name", "Ada", fatal=False)
            continue
        roles = each.get("roles", each.get("role", []))
        roles = [roles] if isinstance(roles, str) else roles
        names = say.texts({"roles": roles}, "roles", f"{column}.roles", '["author"]')
        path = say.text(
            each, "path", f"{column}.path", "an address", "https://orcid.org/…", needed=False, form=_is_address
        )
        kept.append(Contributor(title, names, path))
    return tuple(kept)


def _sources(given: Mapping[str, Any], say: _Said) -> tuple[Source, ...]:
    kept = []
    for column, each in _objects(given, "sources", '[{"title": "…", "path": "https://doi.org/…"}]', say):
        title = say.text(each, "title", f"{column}.title", "a text", "Soil carbon in gardens", needed=False)
        path = say.text(each, "path", f"{column}.path", "an address or hub:<name>", "https://doi.org/…", needed=False)
        if title or path:
            kept.append(Source(title, path))
        else:
            say(column, "neither title nor path", "one of them", '{"path": "hub:green-valley"}', fatal=False)
    return tuple(kept)


def _objects(given: Mapping[str, Any], key: str, example: str, say: _Said) -> Iterable[tuple[str, Mapping[str, Any]]]:
    value = given.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        say(key, seen(value), "a list in [ ]", example, fatal=False)
        return
    for number, each in enumerate(value[:_LONGEST_LIST]):
        if isinstance(each, dict):
            yield f"{key}[{number}]", each
        else:
            say(f"{key}[{number}]", seen(each), "an object in { }", example, fatal=False)


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"https?://[^\s/@?#]+\.?[^\s@?#/]*([/?#]\S*)?", text)) and len(text) <= 2_000


def _is_printable(text: str) -> bool:
    return all(sign.isprintable() or sign in "\n\r\t" for sign in text)


def _resources(given: Mapping[str, Any], say: _Said) -> tuple[Resource, ...]:
    value = given.get("resources")
    if not isinstance(value, list) or not value or len(value) > _LONGEST_LIST:
        found = f"a list of {len(value)}" if isinstance(value, list) else seen(value)
        say("resources", found, f"the files of the package, 1 to {_LONGEST_LIST}", '[{"name": "needs", …}]')
        return ()
    kept: list[Resource] = []
    for number, each in enumerate(value):
        column = f"resources[{number}]"
        if not isinstance(each, dict):
            say(column, seen(each), "an object in { }", '{"name": "needs", "path": "needs.csv", …}', fatal=False)
            continue
        before = len(say.problems)
        resource = _resource(each, column, say)
        if resource is None:
            continue
        for other in kept:
            if other.name == resource.name:
                say(f"{column}.name", f"{seen(resource.name)} a second time", "each name once", "soil-2", fatal=False)
            elif other.path == resource.path:
                say(f"{column}.path", f"{seen(resource.path)} a second time", "each file once", "soil.csv", fatal=False)
            elif other.role == resource.role and resource.role not in {"measurements", "media"}:
                expected = f"one file with role {resource.role}"
                say(f"{column}.role", f"a second file with role {resource.role}", expected, "measurements", fatal=False)
        if any(other.name == resource.name for other in kept):
            continue
        kept.append(replace(resource, refused=len(say.problems) > before))
    return tuple(kept)


def _resource(given: Mapping[str, Any], column: str, say: _Said) -> Resource | None:
    """A file; None where it has no usable name, path, role or format. Problems here never refuse the package."""
    quiet = _Said()
    name = quiet.text(given, "name", f"{column}.name", "a short name", "soil", form=lambda text: len(text) <= 100)
    at = f"resources.{name}" if name else column
    role = quiet.text(
        given, "role", f"{at}.role", one_of(ROLES, str(given.get("role") or "")), "measurements",
        form=lambda text: text in ROLES,
    )  # fmt: skip
    title, method = (
        quiet.text(given, key, f"{at}.{key}", "a text", example, needed=False)
        for key, example in (("title", "Soil of the beds"), ("method", "dry combustion, ISO 10694"))
    )
    found = _media(given, at, quiet) if role == "media" else _table(given, role, at, quiet) if role else None
    say.problems += [replace(each, fatal=False) for each in quiet.problems]
    if name is None or role is None or found is None:
        return None
    return replace(found, name=name, role=role, title=title, method=method)


def _media(given: Mapping[str, Any], at: str, say: _Said) -> Resource | None:
    """An image or a recording: named by address and hash, never fetched."""
    found, problems = media_of(given, at)
    say.problems += problems
    if found is None:
        return None
    return Resource("", found.path, "media", found.format, sha256=found.sha256, bytes=found.bytes)


def _table(given: Mapping[str, Any], role: str, at: str, say: _Said) -> Resource | None:
    path = _path(given, at, say)
    form = _format(given, role, path, at, say) if path else None
    digest = given.get("hash")
    if digest is not None and not (isinstance(digest, str) and _SHA256.fullmatch(digest.lower())):
        say(f"{at}.hash", seen(digest), "sha256: and 64 hexadecimal digits, or no hash", "`sha256sum FILE` says it")
        digest = None
    if path is None or form is None:
        return None
    fields, missing, dialect, encoding = checked_fields(given, role, form, at, say)
    return Resource(
        name="", path=path, role=role, format=form, fields=fields, missing=missing, dialect=dialect, encoding=encoding,
        sha256=digest.lower().removeprefix("sha256:") if digest else None,
    )  # fmt: skip


def _path(given: Mapping[str, Any], at: str, say: _Said) -> str | None:
    value = given.get("path")
    if isinstance(value, str) and len(value) <= _LONGEST_PATH and all(map(_PATH_PART.fullmatch, value.split("/"))):
        return value
    expected = "one file inside the package's folder, named from there"
    if "data" in given and value is None:
        expected = "the data in a file of its own (not as `data`), named here"
    say(f"{at}.path", seen(value), expected, "soil.csv")
    return None


def _format(given: Mapping[str, Any], role: str, path: str, at: str, say: _Said) -> str | None:
    suffix = path.rpartition(".")[2].lower()
    value = given.get("format", suffix)
    found = _SUFFIXES.get(value.lower()) if isinstance(value, str) else None
    if found is None or (role != "measurements" and found != "csv"):
        expected = "csv, geojson or geoparquet" if role == "measurements" else f"csv: {role} are a table"
        hint = "; a spreadsheet is saved as CSV (UTF-8) first" if suffix in {"xlsx", "xls", "ods"} else ""
        say(f"{at}.format", seen(value), expected + hint, "csv")
        return None
    return found


def _frictionless(described: Mapping[str, Any]) -> list[Problem]:
    """What the Data Package standard says beside it: the frictionless library on all that names no other file."""
    from frictionless import Package as Described

    resources = []
    for each in described["resources"]:
        if not isinstance(each, dict):
            continue
        known = {key: value for key, value in each.items() if key not in _FETCHED}
        if isinstance(schema := each.get("schema"), dict):
            known["schema"] = {key: value for key, value in schema.items() if key not in _FETCHED}
        resources.append(known)
    standing = {key: value for key, value in described.items() if key not in _FETCHED} | {"resources": resources}
    try:
        notes = [str(error.note) for error in Described.metadata_validate(standing)]
    except Exception as error:  # of what is checked by others, on bytes by anybody
        notes = [f"{type(error).__name__} in checking it"]
    expected = "a Data Package as https://datapackage.org describes it"
    return [Problem("", None, "", " ".join(note.split())[:300], expected, "") for note in notes]


_FETCHED = frozenset(
    {"$schema", "profile", "profiles", "schema", "dialect", "data", "extrapaths", "scheme", "basepath"}
)
"""Properties by which a descriptor may name another one: they are checked here, never followed."""

__all__ = ["DESCRIPTOR", "Contributor", "Package", "Resource", "Rules", "Source", "TableField", "read_descriptor"]
