"""`coevo hubs …`: a healing hub's package made, checked and added to the lake, and the hubs that there are."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coevo_pipelines.options import (
    DebugOption,
    JsonOption,
    LakeOption,
    SourceOption,
    UsageError,
    date_of,
    existing_lake,
    not_a_file,
    settings_of,
)

if TYPE_CHECKING:
    from coevo_pipelines.hubs.folders import Checked
    from coevo_pipelines.hubs.package import Package
    from coevo_pipelines.settings import Settings

hubs = typer.Typer(
    name="hubs",
    no_args_is_help=True,
    help="Healing hubs: make a package of what one needs, offers and measured; check it; add it to the lake.",
)


class KindName(StrEnum):
    """lake/schemas.py HUB_KINDS."""

    food = "food"
    housing = "housing"
    clothing = "clothing"
    professionalization = "professionalization"
    health_care = "health_care"
    connection_and_expression = "connection_and_expression"


@hubs.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.", show_default=False)],
    kind: Annotated[KindName | None, typer.Option("--kind", help="What the hub restores.", show_default=False)] = None,
    latitude: Annotated[
        float | None, typer.Option("--latitude", min=-90, max=90, help="Degrees, WGS84.", show_default=False)
    ] = None,
    longitude: Annotated[
        float | None, typer.Option("--longitude", min=-180, max=180, help="Degrees, WGS84.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Small letters, digits, hyphens; hub:NAME is its id.", show_default="as DIR"),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its name for people.", show_default="as NAME")] = None,
    private: Annotated[
        bool, typer.Option("--private", help="It is somebody's home: its exact place is not kept.")
    ] = False,
    day: Annotated[
        str | None, typer.Option("--date", help="When it is published, YYYY-MM-DD.", show_default="the next to run")
    ] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a package for a new hub: datapackage.json, tables with an example in each, and a README.md about them.

    It is valid as it is. What is not given is asked for where there is a terminal. Nothing is overwritten.

    \b
    Example:
      coevo hubs init my-garden --kind food --latitude 52.13 --longitude 11.63
    """
    from coevo_pipelines.hubs import folders, template
    from coevo_pipelines.terminal import json_out, say

    settings = settings_of(lake, source)
    known = name or template.name_of(folder.resolve().name)
    if known is None or template.name_of(known) != known:
        raise UsageError(
            f"{known or folder.resolve().name!r} cannot be a package's name: give one with --name, 2 to 63 small "
            "letters, digits and hyphens, such as green-valley"
        )
    asks = sys.stdin.isatty() and not as_json
    if title is None:
        title = template.title_of(known)
        title = _asked("Name for people", title) if asks else title
    if not title.strip() or not title.isprintable():
        raise UsageError("--title is empty or has signs that cannot be seen")
    kind = kind or KindName(_chosen("What does it restore", [each.value for each in KindName], asks))
    latitude = _degrees("latitude", latitude, 90, "52.13", asks)
    longitude = _degrees("longitude", longitude, 180, "11.63", asks)
    when = date_of(day) if day else _next_day(settings)
    if not 1900 <= when.year <= 2200:
        raise UsageError(f"--date {when}: a year from 1900 to 2200")
    facts = template.Facts(known, kind.value, title.strip(), latitude, longitude, private, when)
    files = template.files(facts)
    try:
        folders.write_new(folder, files)
    except folders.FolderError as error:
        raise UsageError(str(error)) from error
    if as_json:
        json_out({"folder": str(folder), "hub_id": f"hub:{known}", "created": when.isoformat(), "files": list(files)})
        return
    say(f"{folder}: a package for {title.strip()} (hub:{known}, {kind.value}), published on {when}", style="bold")
    for each in files:
        say(f"  {folder / each}")
    say("It says that those whom it is about agree to publish what is in it (hub.consent): change that if they do not.")
    _next_steps(
        (f"open {folder / 'README.md'}", "what to write where"),
        (f"coevo hubs validate {folder}", "what is wrong, by row and column"),
        (f"coevo hubs add {folder}", "put it into the lake"),
    )


@hubs.command()
def validate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders, or datapackage.json files.", show_default=False)
    ],
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check packages: what is wrong, in which file, row and column, what was expected, and an example that would do.

    Rows count from 1 below the header. Exit code 1 when anything is wrong. Nothing is fetched and nothing is changed.

    \b
    Example:
      coevo hubs validate my-garden
    """
    from coevo_pipelines.hubs import folders
    from coevo_pipelines.hubs.package import Rules
    from coevo_pipelines.terminal import json_out

    rules = Rules.of(settings_of(lake, source).hubs)
    told = []
    is_wrong = False
    for path in paths:
        try:
            checked = folders.check(path, rules)
        except folders.FolderError as error:
            raise UsageError(str(error)) from error
        is_wrong = is_wrong or bool(checked.problems)
        if as_json:
            told.append(_as_json(path, checked))
        else:
            _show(path, checked)
    if as_json:
        json_out(told)
    if is_wrong:
        raise typer.Exit(1)


@hubs.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a package.", show_default=False)],
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a package and put it into the lake, where `coevo run` finds it.

    Only the files that the package names are copied; of a private home, with all places moved to the grid. An older
    version makes room for it; the same version with other content is refused.

    \b
    Example:
      coevo hubs add my-garden
    """
    from coevo_pipelines.hubs import folders
    from coevo_pipelines.hubs.package import Rules
    from coevo_pipelines.hubs.problems import DESCRIPTOR
    from coevo_pipelines.scrapes.hubs import ADDED
    from coevo_pipelines.terminal import json_out, say

    settings = settings_of(lake, source)
    not_a_file(settings.lake_root)
    rules = Rules.of(settings.hubs)
    try:
        checked = folders.check(path, rules)
        package = checked.package
        if package is None or checked.problems:
            if as_json:
                json_out(_as_json(path, checked))
            else:
                _show(path, checked)
                say("Nothing was added.", error=True)
            raise typer.Exit(1)
        run_on = _partition(package, settings)
        added = folders.add(checked, settings.lake_root / ADDED, rules)
    except folders.FolderError as error:
        raise UsageError(str(error)) from error
    has_run = run_on in _days_made(settings)
    if as_json:
        json_out(
            {
                "hub_id": package.hub_id, "version": package.version, "added": added.is_new,
                "replaced": added.replaced, "folder": str(added.target), "date": run_on.isoformat(),
                "date_is_made": has_run,
            }
        )  # fmt: skip
        return
    version = f" {package.version}" if package.version else ""
    if not added.is_new:
        say(f"{package.name}{version} is in the lake already, as it is: {added.target}")
    else:
        instead = f", in place of version {added.replaced}" if added.replaced else ""
        say(f"Added {package.name}{version}{instead}: {added.target}", style="bold green")
    if package.is_private:
        say(f"Its place is kept as {_place(package)}.")
    if has_run and added.is_new:
        later = max(_days_made(settings)) + timedelta(days=1)
        if settings.closing is not None and later > settings.closing:
            way_out = f"the sample ends with {settings.closing}: name a new lake with --lake to see the hub"
        else:
            way_out = (
                f'to see the hub in this lake, set "created": "{later}T00:00:00Z" and another "version" in '
                f"{checked.folder / DESCRIPTOR}, and add it once more"
            )
        say(
            f"note: {run_on} is in the lake already, and a day that is complete is not asked again; {way_out}.",
            style="yellow",
        )
        return
    today = datetime.now(UTC).date()
    soon = "" if run_on < today else f" (once {run_on} is over, UTC)"
    _next_steps((f"coevo run --date {run_on}", f"the day on which it was published{soon}"))


@hubs.command("list")
def list_(
    day: Annotated[str | None, typer.Option("--date", help="As of this day; default: the last that there is.")] = None,
    lake: LakeOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """The hubs that the lake knows: what they restore, where they are, what they need and offer on the day."""
    import duckdb

    from coevo_pipelines.hubs.problems import DESCRIPTOR
    from coevo_pipelines.lake.catalog import CATALOG, open_catalog
    from coevo_pipelines.scrapes.hubs import ADDED
    from coevo_pipelines.terminal import json_out, plain, rows_table, say

    settings = settings_of(lake, source)
    on = date_of(day) if day else None
    existing_lake(settings)
    names = (
        "hub_id", "kind", "title", "place", "latitude", "longitude", "coarsened_km", "published_at", "version",
        "datasets", "measurements", "needs", "offers",
    )  # fmt: skip
    try:
        with open_catalog(settings.lake_root / CATALOG) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            days = [row[0] for row in connection.execute(
                """SELECT date FROM lake.commits WHERE table_name = 'hubs.registry' ORDER BY date"""
            ).fetchall()]  # fmt: skip
            if not days:
                raise UsageError(f"{settings.lake_root} has no hubs yet: `coevo run` reads them, also those added")
            if on is not None and on not in days:
                raise UsageError(f"{on} is not in the lake; it has {days[0]} to {days[-1]}")
            found = connection.execute(
                f"SELECT {', '.join(names)} FROM hubs.registry WHERE date = ? ORDER BY hub_id", [on or days[-1]]
            ).fetchall()
    except FileNotFoundError as error:
        raise UsageError(str(error)) from None
    except duckdb.CatalogException:
        message = f"{settings.lake_root} was made before there were hubs: `coevo run` a day, or `coevo catalog`"
        raise UsageError(message) from None
    rows = [dict(zip(names, row, strict=True)) for row in found]
    folder = settings.lake_root / ADDED
    added = sorted(each.parent.name for each in folder.glob(f"*/{DESCRIPTOR}"))
    waiting = sorted(set(added) - {row["hub_id"].removeprefix("hub:") for row in rows}) if on is None else []
    if as_json:
        json_out({"date": (on or days[-1]).isoformat(), "hubs": plain(rows), "added_not_run": waiting})
        return
    say(f"{len(rows):,} hub{'' if len(rows) == 1 else 's'} on {on or days[-1]}", style="bold")
    if rows:
        shown = [
            [
                row["hub_id"], row["kind"], row["title"],
                f"{row['latitude']:.2f}, {row['longitude']:.2f}" + (f" {row['place']}" if row["place"] else ""),
                *(f"{row[name]:,}" for name in ("datasets", "measurements", "needs", "offers")),
                f"{row['published_at']:%Y-%m-%d}",
            ]
            for row in rows
        ]  # fmt: skip
        headings = ("hub", "kind", "title", "place", "files", "numbers", "needs", "offers", "published")
        rows_table(headings, shown)
    if waiting:
        say(f"Added and not read yet: {', '.join(waiting)}. `coevo run` reads them, on the days of their `created`.")


def _days_made(settings: Settings) -> list[date]:
    """Days for which hubs were asked already, in order."""
    from coevo_pipelines.lake.store import Lake

    if not (settings.lake_root / "ledger").is_dir():
        return []
    return [each.day for each in Lake(settings.lake_root).snapshot().index.partitions("scrapes.hubs") if each.complete]


def _next_day(settings: Settings) -> date:
    """The day that a new package is published on if nobody says: the next one that the sample's lake is to make; live,
    today."""
    if settings.closing is None:
        return datetime.now(UTC).date()
    made = _days_made(settings)
    return min(made[-1] + timedelta(days=1), settings.closing) if made else settings.opening


def _partition(package: Package, settings: Settings) -> date:
    """The day of the lake that a package belongs to; UsageError where none does."""
    if package.created < settings.window(settings.opening).start:
        raise UsageError(
            f"{package.name} was created {package.created:%Y-%m-%d}, before all that this lake holds "
            f"({settings.history}): set `created` later, or COEVO_START_DATE earlier"
        )
    return max(package.created.date(), settings.opening)


def _asked(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default, err=True)).strip()


def _chosen(question: str, known: Sequence[str], asks: bool) -> str:
    if not asks:
        raise UsageError(f"what does the hub restore? --kind is one of {', '.join(known)}")
    from coevo_pipelines.hubs.problems import one_of

    answer = _asked(f"{question} ({', '.join(known)})")
    if answer not in known:
        raise UsageError(f"{answer!r}: --kind is {one_of(known, answer)}")
    return answer


def _degrees(name: str, given: float | None, most: int, example: str, asks: bool) -> float:
    if given is None and not asks:
        raise UsageError(
            f"where is the hub? Give its place with --latitude and --longitude in degrees, such as --{name} {example}"
        )
    answer = str(given) if given is not None else _asked(f"{name.title()} in degrees, such as {example}")
    try:
        value = float(answer)
    except ValueError:
        value = float("nan")
    if not -most <= value <= most:
        raise UsageError(f"--{name} {answer}: degrees from -{most} to {most}, such as {example}")
    return value


def _place(package: Package) -> str:
    where = f"{package.latitude:g}, {package.longitude:g}"
    if package.is_private:
        where = f"{package.latitude:.4f}, {package.longitude:.4f}, the centre of a cell of {package.coarsened_km:g} km"
    return where + (f" ({package.place})" if package.place else "")


def _as_json(path: Path, checked: Checked) -> dict[str, Any]:
    package, contents = checked.package, checked.contents
    counts = Counter(post["side"] for post in contents.posts)
    return {
        "path": str(path),
        "hub_id": package.hub_id if package else None,
        "valid": not checked.problems,
        "needs": counts["need"],
        "offers": counts["offer"],
        "outcomes": len(contents.outcomes),
        "measurements": len(contents.measurements),
        "files": [
            {name: each[name] for name in ("resource", "role", "path", "rows", "refused", "sha256")}
            for each in contents.datasets
        ],
        "problems": [asdict(each) | {"line": each.line()} for each in checked.problems],
        "notes": _notes(checked),
    }


def _show(path: Path, checked: Checked) -> None:
    """What is good on standard output, what is wrong on standard error."""
    from coevo_pipelines.terminal import say

    package, contents = checked.package, checked.contents
    if package is None:
        say(str(path), style="bold")
    else:
        say(f"{path}: {package.title} ({package.hub_id}, {package.kind}) at {_place(package)}", style="bold")
        for each in contents.datasets:
            say(f"  {each['path']}: {_held(each, checked)}")
        for note in _notes(checked):
            say(f"  note: {note}", style="cyan")
    for problem in checked.problems:
        say(f"  {problem.line()}", style="red", error=True)
    if checked.problems:
        many = len(checked.problems)
        say(f"  {many} thing{'' if many == 1 else 's'} to mend. Rows count from 1 below the header.", error=True)
    else:
        say("  Nothing is wrong.", style="green")


def _held(dataset: dict[str, Any], checked: Checked) -> str:
    """`3 needs`, `12 numbers in 6 rows (soil_ph, …)`, `refused`."""
    is_refused = any(each.fatal and each.resource == dataset["path"] for each in checked.contents.problems)
    if is_refused or (dataset["rows"] is None and dataset["refused"]):
        return "refused"
    if dataset["rows"] is None:
        return f"{dataset['format']}, by its address and hash"
    rows, role = dataset["rows"], dataset["role"]
    if role == "measurements":
        own = [each for each in checked.contents.measurements if each["resource"] == dataset["resource"]]
        quantities = sorted({each["quantity"] for each in own})
        said = f"{_many(len(own), 'number')} in {_many(rows, 'row')}"
        said += f" ({', '.join(quantities)})" if quantities else ""
    else:
        said = _many(rows, role.removesuffix("s"))
    return said + (f"; {_many(dataset['refused'], 'row')} refused" if dataset["refused"] else "")


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _notes(checked: Checked) -> list[str]:
    """What is not wrong, and could be better."""
    from coevo_pipelines.hubs.tables import REQUIRED_CONTEXT
    from coevo_pipelines.hubs.template import CONTACT, MADE_BY

    package = checked.package
    if package is None:
        return []
    found = []
    if package.contact == CONTACT:
        found.append("hub.contact is still the example's: nobody can write to you there")
    if package.consent_by == MADE_BY:
        found.append("hub.consent.by does not say yet who agreed to publish this")
    unknown = [name for name in REQUIRED_CONTEXT[package.kind] if getattr(package, name) is None]
    if unknown:
        found.append(f"{', '.join(unknown)}: unknown. Numbers are worth more to others with hub.context filled in")
    over = sum(post["until_at"] <= package.created for post in checked.contents.posts)
    if over:
        found.append(
            f"{_many(over, 'need or offer')} ended before the package was created: nothing is matched with them"
        )
    if not checked.problems and not (
        checked.contents.posts or checked.contents.outcomes or checked.contents.measurements
    ):
        found.append("the tables have no rows yet: take the # away from an example, and write your own")
    return found


def _next_steps(*steps: tuple[str, str]) -> None:
    from coevo_pipelines.terminal import say

    say("Next:")
    for command, why in steps:
        say(f"  {command}")
        say(f"      {why}", style="dim")
